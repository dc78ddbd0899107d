"""Random worlds at the limits of every field, for commands that an exchange cannot handle.

A world is a few assets, contracts and accounts whose figures are drawn from the edges of what each
field allows (and a little beyond); commands go through hub and leaves as frames, so that everything
said between them, to clients and to the metrics is encoded, and the state is packed at the end.
"""

import random
from typing import Any

import msgspec

from engine import commands as c
from engine.commands import MAX_AMOUNT_Q, MAX_LOTS, MAX_ORDER_ID, MAX_TICKS, MAX_WIRE, Command
from engine.instruments import INVERSE, LINEAR, AssetSpec, InstrumentSpec, MarginSpec, MarginTier
from engine.messages import decode_command
from engine.record.snapshot import pack
from engine.routing.topology import GATEWAY
from engine.services.rounds import Batch, encode_frame
from engine.units import PPB, SECOND_NS
from gateway.host.merged import MergedHub
from gateway.host.parts import RiskHolder
from gateway.metering.metered import MeteredComponent
from gateway.metering.metrics import Metrics
from risk.accounts import FUND
from risk.margin import with_deductions
from risk.rulebook_file import load_rulebook
from risk.rules.admission import check_instrument

RULEBOOKS = ("teaching-default", "binance-usdm", "hyperliquid")
EDGES = (
    *(-1, 0, 1, 2, 3, 10, 999, 10**6, 10**9, 10**12, MAX_LOTS, MAX_TICKS, MAX_AMOUNT_Q),
    *(MAX_ORDER_ID, PPB, MAX_WIRE, -MAX_WIRE - 1, 2**32, 2**53),
)
TEXTS = ("", "0.01", "1", "1e-12", "0,01", "NaN", "-1", "1e60", "9" * 100, "\x1b[2J", "é" * 40)


class World:
    """One random exchange; equal seeds give equal commands."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"poison {seed}")
        self._now_ns = 0
        self._next_id = 1
        self._price_of = {1: 1, 2: 1, 3: 1}
        self.metrics = Metrics()
        self.defects: list[str] = []

        def wrap(handler: Any) -> Any:
            return MeteredComponent(handler, self.metrics, lambda: 0).handle

        def note(command: Any, error: Exception) -> None:
            self.defects.append(f"{command!r:.300}: {error!r}")

        self.hub: MergedHub = RiskHolder(wrap, on_defect=note).merged_hub(publish_depth=True)

    def run(self, commands: int) -> None:
        """Open a market and send so many commands; raises what the exchange raises, also what is
        only a refusal to clients."""
        batches = 0
        left = self.commands(commands)
        while left:
            size = self._rng.choice((1, 1, 3, 20))
            batch, left = left[:size], left[size:]
            batches += 1
            out: list[Any] = []
            self.hub.handle(GATEWAY, encode_frame(Batch(batches, batch)), out)
        pack(self.hub.state())
        assert not self.defects, self.defects[0]

    def commands(self, count: int) -> list[Command]:
        """A market's opening and so many commands."""
        return [*self._opening(), *(self._next() for _ in range(count))]

    # what is there

    def _opening(self) -> list[Command]:
        rng = self._rng
        found: list[Command] = [
            c.AddAsset(0, AssetSpec(1, "USDT", rng.choice((0, 2, 6, 12)))),
            c.AddAsset(0, AssetSpec(2, "COIN", rng.choice((0, 8, 12)))),
            c.SetRulebook(0, load_rulebook(rng.choice(RULEBOOKS)).rulebook.to_json()),
        ]
        found += [c.AddInstrument(0, self._sound_contract(number)) for number in (1, 2, 3)]
        for account_id in (FUND, 100, 101, 102, 103):
            if account_id != FUND:
                found.append(c.OpenAccount(0, account_id))
            for asset_id in (1, 2):
                found.append(c.Deposit(0, account_id, asset_id, self._amount()))
        found += [self._index(number) for number in (1, 2, 3)]
        return [*found, c.AdvanceTime(0)]

    def _sound_contract(self, number: int) -> InstrumentSpec:
        while True:
            spec = self._contract(number)
            try:
                check_instrument(spec)
            except ValueError:
                continue
            return spec

    def _contract(self, number: int) -> InstrumentSpec:
        rng = self._rng
        kind = rng.choice((LINEAR, LINEAR, INVERSE))
        rate_ppb = rng.choice((1, 1_000, PPB // 100, PPB // 2))
        flat = MarginSpec(
            "flat",
            params=[("maintenance_ppb", rate_ppb), ("max_leverage", rng.choice((1, 20, 125)))],
        )
        edge_q = rng.choice((1, 10**6, 2**60))
        tiers = with_deductions(
            [
                MarginTier(0, edge_q, rate_ppb, 20, 0),
                MarginTier(edge_q, 2**61, min(PPB, rate_ppb * 2), 10, 0),
            ]
        )
        table = MarginSpec("brackets", tiers=tiers)
        return InstrumentSpec(
            instrument_id=number,
            symbol=f"P{number}-PERP",
            kind=kind,
            settle_asset_id=rng.choice((1, 2)),
            tick=rng.choice(("0.01", "1", "1e-12", "1e12")),
            lot=rng.choice(("1", "0.001", "1e-12", "1e12")),
            unit_q=rng.choice((1, 10, 10**6, 10**12, 10**15, MAX_AMOUNT_Q)),
            margin=rng.choice((flat, table)),
            band_ppb=rng.choice((0, 0, 1, PPB // 20, PPB)),
            max_open_orders=rng.choice((1, 200, 1_000_000)),
        )

    # figures

    def _amount(self) -> int:
        return self._rng.choice((1, 10**3, 10**9, 10**12, 10**15, 10**18, MAX_AMOUNT_Q))

    def _near(self, instrument_id: int) -> int:
        """Mostly a price others might trade at."""
        rng = self._rng
        if rng.random() < 0.2:
            return self._ticks()
        ticks = self._price_of[instrument_id] * rng.choice((90, 99, 100, 100, 101, 110)) // 100
        return max(1, min(MAX_TICKS, ticks))

    def _index(self, instrument_id: int) -> Command:
        self._price_of[instrument_id] = self._ticks()
        return c.IndexPrice(self._now_ns, instrument_id, 1, self._price_of[instrument_id])

    def _ticks(self) -> int:
        rng = self._rng
        edge = rng.choice((1, 5, 10**4, 10**6, MAX_TICKS // 2, MAX_TICKS))
        return max(1, min(MAX_TICKS, edge + rng.randint(-2, 2)))

    def _lots(self) -> int:
        return self._rng.choice((1, 1, 1, 1, 2, 10, 10**3, 10**6, 10**9, MAX_LOTS))

    def _trader(self) -> int:
        return self._rng.choice((100, 100, 101, 102, 103))

    def _some_order(self) -> tuple[int, int]:
        return self._trader(), self._rng.randint(1, max(1, self._next_id))

    # commands

    def _next(self) -> Command:
        rng = self._rng
        command = rng.choice((*(self._order,) * 6, self._other, self._other, self._price))()
        if rng.random() < 0.08:
            command = self._bent(command)
        return command

    def _order(self) -> Command:
        rng = self._rng
        self._next_id += 1
        kind = rng.choice((c.LIMIT, c.LIMIT, c.LIMIT, c.MARKET))
        instrument_id = rng.choice((1, 2, 3))
        return c.SubmitOrder(
            self._now_ns,
            self._trader(),
            instrument_id,
            self._next_id,
            rng.choice((c.BUY, c.SELL)),
            self._lots(),
            0 if kind == c.MARKET else self._near(instrument_id),
            kind,
            rng.choice((c.GTC, c.GTC, c.IOC, c.FOK)),
        )

    def _trigger(self) -> Command:
        rng = self._rng
        self._next_id += 1
        kind = rng.choice((c.STOP, c.TAKE_PROFIT, c.TRAILING, c.TRAILING))
        instrument_id = rng.choice((1, 2, 3))
        closes = rng.random() < 0.3
        is_limit = not closes and rng.random() < 0.4
        return c.SubmitTrigger(
            self._now_ns,
            self._trader(),
            instrument_id,
            self._next_id,
            rng.choice((c.BUY, c.SELL)),
            0 if closes else self._lots(),
            kind,
            0 if kind == c.TRAILING and rng.random() < 0.7 else self._near(instrument_id),
            rng.choice((c.BY_LAST, c.BY_MARK, c.BY_INDEX)),
            c.LIMIT if is_limit else c.MARKET,
            self._near(instrument_id) if is_limit else 0,
            close_position=closes,
            trail_ticks=self._ticks() if kind == c.TRAILING and self._next_id % 2 else 0,
            trail_ppb=rng.choice((1, PPB // 100, PPB - 1))
            if kind == c.TRAILING and not self._next_id % 2
            else 0,
            expire_ns=rng.choice((0, 0, self._now_ns + 1, MAX_WIRE)),
        )

    def _price(self) -> Command:
        rng = self._rng
        if rng.random() < 0.2:
            return c.AssetPrice(self._now_ns, rng.choice((1, 2)), 1, rng.choice(EDGES))
        return self._index(rng.choice((1, 2, 3)))

    def _other(self) -> Command:
        rng = self._rng
        now_ns, account_id, number = self._now_ns, self._trader(), rng.choice((1, 2, 3))
        kind = rng.randrange(15)
        if kind in (12, 13):
            return self._trigger()
        if kind == 14:
            amended = (*self._some_order(), self._lots(), self._near(number))
            return c.AmendTrigger(now_ns, *amended, self._near(number), rng.choice((0, 0, 1, 10)))
        if kind == 0:
            return c.CancelOrder(now_ns, *self._some_order())
        if kind == 1:
            return c.AmendOrder(now_ns, *self._some_order(), self._ticks(), self._lots())
        if kind == 2:
            return c.CancelAll(now_ns, account_id)
        if kind in (3, 4):
            self._now_ns += rng.choice((1, 5, 600, 86_400 * 400)) * SECOND_NS
            return c.AdvanceTime(self._now_ns)
        if kind == 5:
            make = rng.choice((c.Deposit, c.Withdraw))
            return make(now_ns, account_id, rng.choice((1, 2)), self._amount())
        if kind == 6:
            return c.SetLeverage(now_ns, account_id, number, rng.choice((1, 5, 125)))
        if kind == 7:
            if rng.random() < 0.5:
                return c.SetPositionMode(now_ns, account_id, rng.random() < 0.5)
            return c.SetMarginMode(now_ns, account_id, number, rng.random() < 0.7)
        if kind == 8:
            amount_q = rng.choice((1, -1)) * self._amount()
            return c.AdjustIsolatedMargin(
                now_ns, account_id, number, rng.choice((0, 1, 2)), amount_q
            )
        if kind == 9:
            return c.QueryRisk(now_ns, [], 1_000)
        if kind == 10:
            return c.QueryOrders(now_ns, account_id)
        return rng.choice((c.QueryAccount(now_ns, account_id), c.QueryMarket(now_ns)))

    def _bent(self, command: Command) -> Command:
        """The command with one of its figures at an edge of what the wire holds."""
        rng = self._rng
        if rng.random() < 0.2:
            return self._text()
        wire = msgspec.msgpack.decode(encode_frame(command))
        places = [
            place
            for place, value in enumerate(wire)
            if place > 1 and isinstance(value, int) and not isinstance(value, bool)
        ]
        if not places:
            return command
        wire[rng.choice(places)] = rng.choice(EDGES)
        try:
            return decode_command(msgspec.msgpack.encode(wire))
        except ValueError:
            return command

    def _text(self) -> Command:
        rng = self._rng
        text = rng.choice(TEXTS)
        deep = '{"x":' + "[" * 3_000 + "]" * 3_000 + "}"
        spec = msgspec.structs.replace(
            self._contract(rng.choice((4, 5))),
            **{rng.choice(("tick", "lot", "symbol")): text},
            **{rng.choice(("unit_q", "min_lots", "max_lots", "band_ppb")): rng.choice(EDGES)},
        )
        return rng.choice(
            (
                c.AddInstrument(self._now_ns, spec),
                c.AddAsset(self._now_ns, AssetSpec(rng.choice(EDGES), text, rng.choice(EDGES))),
                c.SetRulebook(self._now_ns, rng.choice((text, deep, "{}", "[]"))),
            )
        )
