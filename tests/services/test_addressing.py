"""Answers by parcel and events by account: nothing lost, nobody left out."""

import random
from itertools import chain
from typing import Any

import msgspec
import pytest

from engine.commands import Command
from engine.native_message import from_wire
from engine.routing.topology import GATEWAY
from engine.services.rounds import Batch, encode_frame
from gateway.door.addressing import NOBODY, SEVERAL, account_of, address_outcome
from gateway.door.frames import AddressedOutcome
from gateway.host.parts import RiskHolder
from tests.services.streams import RULEBOOKS, Stream
from tests.services.test_rounds import cut


def sizes_of(count: int, rng: random.Random) -> list[int]:
    sizes: list[int] = []
    while count:
        sizes.append(rng.randint(1, count))
        count -= sizes[-1]
    return sizes


def outcome_of(
    hub: Any, number: int, commands: list[Command], sizes: list[int]
) -> AddressedOutcome:
    out: list[tuple[str, bytes]] = []
    hub.handle(GATEWAY, encode_frame(Batch(number, commands, sizes)), out)
    return msgspec.msgpack.decode(out[0][1], type=AddressedOutcome)


@pytest.mark.parametrize("seed", range(3))
def test_answers_are_put_together_by_parcel(seed: int) -> None:
    rng = random.Random(seed)
    by_parcel = RiskHolder().merged_hub(publish_depth=True)
    as_one = RiskHolder().merged_hub(publish_depth=True)
    several = 0
    for number, batch in enumerate(cut(Stream(seed, RULEBOOKS[seed]).take(400), rng, 30), start=1):
        sizes = sizes_of(len(batch), rng)
        found = outcome_of(by_parcel, number, batch, sizes)
        whole = outcome_of(as_one, number, batch, [])
        assert [len(answers) for answers in found.direct] == sizes
        assert list(chain.from_iterable(found.direct)) == whole.direct[0]
        assert (found.private, found.public) == (whole.private, whole.public)
        assert (
            address_outcome(
                number, [from_wire(events) for events in whole.direct[0]], [], sizes
            ).concerns
            == found.concerns
        )
        for answers, concerns in zip(found.direct, found.concerns, strict=True):
            several += SEVERAL in concerns
            told = from_wire(chain.from_iterable(answers))
            accounts = {account_of(event) for event in told} - {NOBODY}
            if SEVERAL not in concerns:
                assert set(concerns) - {NOBODY} == accounts
    assert several, "no answer told of two accounts"
