"""A first market: a leveraged long, a falling index, an alert, a margin call, a liquidation."""

from collections.abc import Iterator

from engine.events import (
    Event,
    LiquidationEnded,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
    Trade,
)
from seawall import Market


def tell(market: Market, events: list[Event]) -> Iterator[str]:
    """What the events say in plain words; amounts leave the engine in quanta, sizes in lots."""
    money, lot = market.asset.quantum, market.instrument.lot_size
    for event in events:
        match event:
            case MarginLevelChanged(level_name=name):
                yield f"margin level: {name}"
            case MarginCallIssued(amount_q=amount_q):
                yield f"margin call: bring {amount_q * money:f} within a minute"
            case MarginCallEnded(outcome=outcome):
                yield f"the call ends: {outcome}"
            case Trade(liquidation=True, qty_lots=lots, price_ticks=ticks):
                yield f"forced sale: {lots * lot:f} at {ticks * market.instrument.tick_size:f}"
            case LiquidationEnded(outcome=outcome, fee_q=fee_q, slippage_q=slip_q):
                yield (
                    f"liquidation over, account {outcome}: "
                    f"fees {fee_q * money:f}, slippage {slip_q * money:f}"
                )


def main() -> None:
    """Sell ten contracts to a trader with 10x leverage, then let the index fall step by step."""
    market = Market(rulebook="teaching-default", price="100", fund="10000", band="0.2")
    maker = market.open_account(deposit="100000")
    trader = market.open_account(deposit="105", leverage=10)
    market.sell(maker, qty="10", price="100")
    market.buy(trader, qty="10", price="100")
    position = market.position(trader)
    assert position is not None
    print(f"long 10 at 100, liquidated at {position.liquidation_price}")
    for index, bid in (("97", "96.9"), ("93", "92.9"), ("92.2", "92.1"), ("91", "90.9")):
        order = market.buy(maker, qty="20", price=bid)  # what is sold needs a buyer
        told = len(market.events)
        market.set_index(index)
        market.tick(seconds=1)
        account = market.account(trader)
        print(f"index {index}: equity {account.equity}, maintenance {account.maintenance_margin}")
        for line in tell(market, market.events[told:]):
            print(f"  {line}")
        market.cancel(maker, order)


if __name__ == "__main__":
    main()
