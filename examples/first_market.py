"""A first market: a leveraged long, a falling index, an alert, a margin call, a liquidation."""

from collections.abc import Iterator

from seawall import Market

TOLD = ("MarginLevelChanged", "MarginCallIssued", "MarginCallEnded", "Trade", "LiquidationEnded")


def tell(market: Market, after: int) -> Iterator[str]:
    """What happened, in plain words; the first ``after`` events were told before."""
    for row in market.history(*TOLD).slice(after).iter_rows(named=True):
        match row["type"]:
            case "MarginLevelChanged":
                yield f"margin level: {row['level_name']}"
            case "MarginCallIssued":
                yield f"margin call: bring {row['amount']} until second {row['deadline_s']}"
            case "MarginCallEnded":
                yield f"the call ends: {row['outcome']}"
            case "Trade" if row["liquidation"]:
                yield f"forced sale: {row['qty']} at {row['price']}"
            case "LiquidationEnded":
                yield (
                    f"liquidation over, account {row['outcome']}: "
                    f"fees {row['fee']}, slippage {row['slippage']}"
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
        told = market.history(*TOLD).height
        market.set_index(index)
        market.tick(seconds=1)
        account = market.account(trader)
        print(f"index {index}: equity {account.equity}, maintenance {account.maintenance_margin}")
        for line in tell(market, told):
            print(f"  {line}")
        market.cancel(maker, order)


if __name__ == "__main__":
    main()
