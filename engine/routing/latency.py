"""Travel times of messages between components when the bus simulates latencies."""

import msgspec


class Latency(msgspec.Struct, frozen=True):
    """Delay of each link, in nanoseconds; links not named are instant."""

    gateway_to_risk_ns: int = 0
    oracle_to_risk_ns: int = 0
    risk_to_matching_ns: int = 0
    matching_to_risk_ns: int = 0
    risk_to_liquidation_ns: int = 0
    liquidation_to_risk_ns: int = 0

    def between(self, sender: str, receiver: str) -> int:
        """Delay from one component to another."""
        delay_ns: int = getattr(self, f"{sender}_to_{receiver}_ns", 0)
        return delay_ns
