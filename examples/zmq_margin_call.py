"""The life of a falling price over the wire: an account is called, pays, and is liquidated.

Start the exchange in one terminal (`seawall up --config examples/services.toml`), `seawall watch
--instrument SURF-PERP` in a second, this in a third, twice if you like. It lists a contract of its
own, quotes it, buys it with a fresh account at ten times leverage, and lets the index fall by half
a percent at a time.
"""

import argparse
import time
from itertools import count

from engine import commands as c
from engine import events as e
from engine.instruments import LINEAR, AssetSpec, MarginSpec, build_instrument_spec
from engine.units import from_grid
from gateway.client import Address, Client
from risk.accounts import FUND, owner_of
from risk.rulebook_file import load_rulebook

INSTRUMENT = 2
MAKER = 200
USD = AssetSpec(asset_id=1, symbol="USDT", decimals=6)
DOLLAR = 10**6
START_TICKS = 10_000
STEP_TICKS = 50
LOTS = 100


def open_market(client: Client) -> int:
    """List the contract and fund the house and the maker; returns a fresh account, funded too."""
    margin = MarginSpec(model="flat", params=[("maintenance_ppb", 2 * 10**7), ("max_leverage", 20)])
    contract = build_instrument_spec(
        instrument_id=INSTRUMENT,
        symbol="SURF-PERP",
        kind=LINEAR,
        asset=USD,
        tick="0.01",
        lot="0.1",
        margin=margin,
    )
    rules = load_rulebook("teaching-default").rulebook
    client.call_all(
        [
            c.AddAsset(time_ns=0, spec=USD),
            c.SetRulebook(time_ns=0, rulebook=rules.to_json()),
            c.AddInstrument(time_ns=0, spec=contract),
            c.Deposit(time_ns=0, account_id=FUND, asset_id=USD.asset_id, amount_q=1_000 * DOLLAR),
            c.OpenAccount(time_ns=0, account_id=MAKER),
            c.Deposit(
                time_ns=0, account_id=MAKER, asset_id=USD.asset_id, amount_q=100_000 * DOLLAR
            ),
        ]
    )
    trader = next(
        number
        for number in count(MAKER + 1)
        if isinstance(
            client.call(c.OpenAccount(time_ns=0, account_id=number)).events[0], e.AccountChanged
        )
    )
    client.call_all(
        [
            c.Deposit(time_ns=0, account_id=trader, asset_id=USD.asset_id, amount_q=105 * DOLLAR),
            c.SetLeverage(time_ns=0, account_id=trader, instrument_id=INSTRUMENT, leverage=10),
        ]
    )
    return trader


def move(client: Client, index_ticks: int, pause_s: float) -> list[e.Event]:
    """Quote around a new index price, wait until the clock has made it the mark, and then a bit."""
    client.call_all(
        [
            c.CancelAll(time_ns=0, account_id=MAKER),
            c.SubmitOrder(
                time_ns=0,
                account_id=MAKER,
                instrument_id=INSTRUMENT,
                order_id=0,
                side=c.BUY,
                qty_lots=500,
                price_ticks=index_ticks - 5,
            ),
            c.SubmitOrder(
                time_ns=0,
                account_id=MAKER,
                instrument_id=INSTRUMENT,
                order_id=0,
                side=c.SELL,
                qty_lots=500,
                price_ticks=index_ticks + 5,
            ),
            c.IndexPrice(time_ns=0, instrument_id=INSTRUMENT, source_id=1, price_ticks=index_ticks),
        ]
    )
    seen: list[e.Event] = []
    while not any(
        isinstance(event, e.MarkUpdated) and event.index_ticks == index_ticks for event in seen
    ):
        seen += client.poll(1.0)
    return seen + listen(client, pause_s)


def listen(client: Client, seconds: float) -> list[e.Event]:
    """What happens within some time."""
    seen: list[e.Event] = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        seen += client.poll(left)
    return seen


def tell(event: e.Event, trader: int) -> None:
    """Print what happens to the trader's margin account."""
    if owner_of(getattr(event, "margin_account_id", 0)) != trader:
        return
    if isinstance(event, e.MarginLevelChanged):
        print(f"  level: {event.level_name}")
    elif isinstance(event, e.MarginCallIssued):
        print(f"  margin call {event.call_id}: bring {dollars(event.amount_q)}")
    elif isinstance(event, e.MarginCallEnded):
        print(f"  margin call {event.call_id}: {event.outcome}")
    elif isinstance(event, e.LiquidationStarted):
        print(f"  liquidation {event.liquidation_id}: equity {dollars(event.equity_q)}")
    elif isinstance(event, e.LiquidationEnded):
        lost = dollars(event.equity_before_q - event.equity_after_q)
        print(f"  liquidation {event.liquidation_id}: {event.outcome}, it cost {lost}")


def dollars(amount_q: int) -> str:
    """An amount of the asset as a decimal."""
    return f"{from_grid(amount_q, USD.quantum)} {USD.symbol}"


def main() -> None:
    """Let the price fall until the account has been called, has paid once and is liquidated."""
    parser = argparse.ArgumentParser(description="A margin call and a liquidation.")
    parser.add_argument("--commands", default=Address().commands)
    parser.add_argument("--market-data", default=Address().market_data)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two prices")
    arguments = parser.parse_args()
    with Client(Address(arguments.commands, arguments.market_data)) as client:
        trader = open_market(client)
        client.subscribe(INSTRUMENT)
        move(client, START_TICKS, 0.0)
        client.call(
            c.SubmitOrder(
                time_ns=0,
                account_id=trader,
                instrument_id=INSTRUMENT,
                order_id=0,
                side=c.BUY,
                qty_lots=LOTS,
                price_ticks=START_TICKS + 5,
            )
        )
        print(f"account {trader} is long {LOTS} lots at ten times leverage", flush=True)
        paid = liquidated = False
        for index_ticks in range(START_TICKS, START_TICKS // 2, -STEP_TICKS):
            print(f"index {index_ticks}", flush=True)
            happened = move(client, index_ticks, arguments.pause)
            called = any(isinstance(event, e.MarginCallIssued) for event in happened)
            if called:
                happened += listen(client, 3 * arguments.pause)
            if called and not paid:
                paid = True
                happened += client.call(
                    c.Deposit(
                        time_ns=0, account_id=trader, asset_id=USD.asset_id, amount_q=30 * DOLLAR
                    )
                ).events
            for event in happened:
                tell(event, trader)
                liquidated |= isinstance(event, e.LiquidationEnded)
            if liquidated:
                break
        client.call(c.CancelAll(time_ns=0, account_id=MAKER))


if __name__ == "__main__":
    main()
