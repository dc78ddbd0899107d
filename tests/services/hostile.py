"""Hostile frames: valid ones with every field replaced, cut, mixed and damaged ones, and noise."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from engine import commands as c
from engine.connections.link_header import Header, message_of
from engine.connections.link_seal import KEY_BYTES, SEAL_BYTES, Seal
from engine.messages import COMMAND_TYPES
from gateway.protocol import DepthRequest, Hello, Ping, Submit, encode
from tests.messages import field_names
from tests.services.streams import USD, instruments

NOT_UTF8 = "\ue000\ue000"
"""Two characters that `packed` turns into bytes that are no text."""

HOSTILE_ACCOUNT = 120

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    -(2**63),
    0.5,
    float("nan"),
    float("inf"),
    "",
    "x" * 300,
    NOT_UTF8,
    b"\x00\xff",
    [],
    [[[[]]]],
    {},
    {"time_ns": 1},
    ["SubmitOrder"],
)


def packed(value: Any) -> bytes:
    """MessagePack of plain values, with text that is none where `NOT_UTF8` stands."""
    data = msgspec.msgpack.encode(value)
    return data.replace(NOT_UTF8.encode(), b"\xff\xfe\xff\xfe\xff\xfe")


def sample_commands() -> list[c.Command]:
    """One of every command; a type without a sample here gets its fields filled with ones."""
    made: dict[type, c.Command] = {
        c.AddAsset: c.AddAsset(0, USD),
        c.AddInstrument: c.AddInstrument(0, instruments()[0]),
        c.SetRulebook: c.SetRulebook(0, "{}"),
        c.SubmitOrder: c.SubmitOrder(0, HOSTILE_ACCOUNT, 7, 0, c.BUY, 5, 9_900),
        c.CancelOrder: c.CancelOrder(0, HOSTILE_ACCOUNT, 5),
        c.SetMarginMode: c.SetMarginMode(0, HOSTILE_ACCOUNT, 7, True),
        c.SetPositionMode: c.SetPositionMode(0, HOSTILE_ACCOUNT, True),
    }
    for kind in COMMAND_TYPES:
        if kind not in made:
            names = field_names(kind)
            made[kind] = kind(*(HOSTILE_ACCOUNT if name == "account_id" else 1 for name in names))
    return [made[kind] for kind in COMMAND_TYPES]


def valid_frames(run: int) -> list[Any]:
    """Every message a client can send, as plain values."""
    messages = [Hello(run=run), Ping(), DepthRequest(7)]
    messages += [Submit(run, [(1, command)]) for command in sample_commands()]
    return [msgspec.msgpack.decode(encode(message)) for message in messages]


def with_every_field_wrong(value: Any) -> Iterator[Any]:
    """Copies of nested lists in which one element is replaced, missing or doubled."""
    if not isinstance(value, list):
        return
    for place, item in enumerate(value):
        head, tail = value[:place], value[place + 1 :]
        for wrong in WRONG:
            yield [*head, wrong, *tail]
        yield [*head, *tail]
        yield [*head, item, item, *tail]
        for changed in with_every_field_wrong(item):
            yield [*head, changed, *tail]


def grammar_frames(run: int) -> list[bytes]:
    """Every message type with every field replaced by everything in `WRONG`."""
    return [
        packed(changed) for frame in valid_frames(run) for changed in with_every_field_wrong(frame)
    ]


class Fuzzer:
    """Endless hostile frames; equal arguments give equal ones. ``captured`` are others' frames."""

    def __init__(self, rng: random.Random, captured: list[bytes], max_bytes: int) -> None:
        self._rng = rng
        self._captured = captured
        self._max_bytes = max_bytes
        self._grammar = grammar_frames(run=9)
        self._valid = [packed(frame) for frame in valid_frames(run=9)]
        self._orders = 0

    def frame(self) -> list[bytes]:
        """One message, mostly of one part."""
        rng = self._rng
        kind = rng.randrange(10)
        if kind < 4:
            return [rng.choice(self._grammar)]
        if kind == 4:
            return [rng.choice(self._captured)]
        if kind == 5:
            return [self._hostile_order()]
        if kind == 6:
            return [rng.choice(self._valid), rng.choice(self._valid)]
        if kind == 7:
            return [self._noise()]
        return [self._damaged()]

    def _hostile_order(self) -> bytes:
        """A request that means something: other people's accounts and orders, extreme figures."""
        rng = self._rng
        self._orders += 1
        account_id = rng.choice((0, 1, 2, 99, 100, 101, HOSTILE_ACCOUNT, 2**60, -1))
        some = rng.choice((0, 1, -1, 2**40, 2**63 - 1, 2**64 - 1))
        command: c.Command = rng.choice(
            (
                c.SubmitOrder(0, account_id, 7, some, rng.choice((1, -1, 0)), some, 9_900),
                c.SubmitOrder(0, account_id, 7, 0, c.BUY, 1, some, rng.randrange(3), 9, True, True),
                c.CancelOrder(0, account_id, rng.randrange(50)),
                c.AmendOrder(0, account_id, rng.randrange(50), some, some),
                c.CancelAll(0, account_id, rng.choice((7, -1, some))),
                c.Withdraw(0, account_id, 1, some),
                c.SetLeverage(0, account_id, 7, some),
                c.AdjustIsolatedMargin(0, account_id, 7, 0, -some),
                c.IndexPrice(0, 7, 1, some),
                c.AssetPrice(0, 1, 1, some),
                c.AdvanceTime(some),
                c.QueryAccount(0, account_id),
            )
        )
        number = rng.choice((self._orders, self._orders, 0, -1, 2**63, 2**64 - 1))
        run = rng.choice((9, 9, 9, 0, 2**64 - 1))
        try:
            return encode(Submit(run, [(number, command)] * rng.choice((1, 1, 1, 3))))
        except OverflowError:
            return encode(Submit(run, [(1, c.CancelAll(0, account_id))]))

    def _noise(self) -> bytes:
        rng = self._rng
        return rng.choice(
            (
                rng.randbytes(rng.randrange(200)),
                b"\x91" * rng.randrange(1, 3_000),
                b"\x92\xa6Submit\xdd\xff\xff\xff\xff",
                b"\x93\xa6Submit\x01\xdd\x7f\xff\xff\xff" + b"\xc0" * 50,
                b"\xa6Submit",
                b"",
                b"\xc1" * rng.randrange(1, self._max_bytes + 200),
            )
        )

    def _damaged(self) -> bytes:
        """A valid frame with bytes changed, cut off, taken out or put in; or two halves."""
        rng = self._rng
        good = bytearray(rng.choice((*self._valid, *self._captured[:20])))
        kind = rng.randrange(5)
        place = rng.randrange(len(good))
        if kind == 0:
            return bytes(good[:place])
        if kind == 1:
            return bytes(good[:place]) + rng.choice(self._valid)[rng.randrange(5) :]
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(good))
            if kind == 2:
                good[place] = rng.randrange(256)
            elif kind == 3:
                good[place] ^= 1 << rng.randrange(8)
            else:
                good[place:place] = rng.randbytes(rng.randrange(1, 5))
        return bytes(good)


class InboxFuzzer:
    """Hostile messages for the inbox of a service. It knows the peers' names, all numbers and how a
    message is sealed, but not the keys."""

    def __init__(self, rng: random.Random, peers: tuple[str, ...]) -> None:
        self._rng = rng
        self._peers = peers
        self._seal = Seal(rng.randbytes(KEY_BYTES))

    def message(self) -> list[bytes]:
        """One message of any number of parts."""
        rng = self._rng
        body = rng.randbytes(rng.randrange(100))
        kind = rng.randrange(6)
        if kind == 0:
            return [rng.randbytes(rng.randrange(60)) for _ in range(rng.randrange(1, 5))]
        if kind == 1:
            return [self._seal.sealed(rng.randbytes(rng.randrange(60))), body]
        if kind == 2:
            name = rng.choice(("", "bank", "outside", "x" * 255))
            return [message_of(self._seal, Header(name, 1, 0), body)]
        peer = rng.choice(self._peers)
        number = rng.choice((0, 1, rng.randrange(1_000), 2**40, 2**63, 2**64 - 1))
        ack = rng.choice((0, rng.randrange(1_000), 2**62))
        message = message_of(self._seal, Header(peer, number, ack, rng.random() < 0.1), body)
        bare = message[SEAL_BYTES:]
        first = rng.choice((message, bare, rng.randbytes(SEAL_BYTES) + bare))
        return [first, *[body] * rng.choice((0, 0, 0, 1, 2))]
