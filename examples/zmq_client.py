"""A strategy on the other side of the wire: quote around the mark, keep the position small.

Start the exchange in one terminal (`seawall up --config examples/services.toml`), this in another.
It lists a market if there is none, opens its account and quotes both sides until Ctrl-C or for the
number of seconds given.
"""

import argparse
import contextlib
import time

from engine.commands import (
    BUY,
    SELL,
    AddAsset,
    AddInstrument,
    CancelAll,
    Deposit,
    IndexPrice,
    OpenAccount,
    SetRulebook,
    SubmitOrder,
)
from engine.events import MarkUpdated, OrderFilled
from engine.instruments import LINEAR, AssetSpec, MarginSpec, build_instrument_spec
from gateway.client import Address, Client
from risk.rulebook_file import load_rulebook

INSTRUMENT = 1
ACCOUNT = 100
QUOTE_LOTS = 5
SPREAD_TICKS = 10
MAX_POSITION_LOTS = 50
USD = AssetSpec(asset_id=1, symbol="USDT", decimals=6)


def open_market(client: Client) -> None:
    """List one perpetual contract; on an exchange that has it, every answer is a rejection."""
    margin = MarginSpec(model="flat", params=[("maintenance_ppb", 10**7), ("max_leverage", 20)])
    contract = build_instrument_spec(
        instrument_id=INSTRUMENT,
        symbol="WAVE-PERP",
        kind=LINEAR,
        asset=USD,
        tick="0.01",
        lot="0.1",
        margin=margin,
    )
    rules = load_rulebook("teaching-default").rulebook
    client.call_all(
        [
            AddAsset(time_ns=0, spec=USD),
            SetRulebook(time_ns=0, rulebook=rules.to_json()),
            AddInstrument(time_ns=0, spec=contract),
            OpenAccount(time_ns=0, account_id=ACCOUNT),
            Deposit(time_ns=0, account_id=ACCOUNT, asset_id=USD.asset_id, amount_q=10_000 * 10**6),
            IndexPrice(time_ns=0, instrument_id=INSTRUMENT, source_id=1, price_ticks=10_000),
        ]
    )


def quote(client: Client, mark_ticks: int, position_lots: int) -> None:
    """Replace both quotes; lean against the position, and stop adding at the limit."""
    lean = position_lots * SPREAD_TICKS // MAX_POSITION_LOTS
    commands = [CancelAll(time_ns=0, account_id=ACCOUNT, instrument_id=INSTRUMENT)]
    for side in (BUY, SELL):
        if side * position_lots < MAX_POSITION_LOTS:
            price = mark_ticks - side * SPREAD_TICKS - lean
            commands.append(
                SubmitOrder(
                    time_ns=0,
                    account_id=ACCOUNT,
                    instrument_id=INSTRUMENT,
                    order_id=0,
                    side=side,
                    qty_lots=QUOTE_LOTS,
                    price_ticks=price,
                )
            )
    client.call_all(commands)


def main() -> None:
    """Quote until the time is over."""
    parser = argparse.ArgumentParser(description="Quote around the mark price.")
    parser.add_argument("--commands", default=Address().commands)
    parser.add_argument("--market-data", default=Address().market_data)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    arguments = parser.parse_args()
    position = fills = 0
    end = time.monotonic() + arguments.seconds
    address = Address(arguments.commands, arguments.market_data)
    with Client(address, cancel_after_ms=5_000) as client:
        open_market(client)
        client.subscribe(INSTRUMENT)
        while time.monotonic() < end:
            mark = None
            for event in client.poll(0.5):
                if isinstance(event, OrderFilled) and event.account_id == ACCOUNT:
                    position = event.position_lots
                    fills += 1
                elif isinstance(event, MarkUpdated):
                    mark = event.mark_ticks
            if mark is not None:
                quote(client, mark, position)
                print(f"mark {mark}  position {position}  fills {fills}", flush=True)
        client.call(CancelAll(time_ns=0, account_id=ACCOUNT))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
