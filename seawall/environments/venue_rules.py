"""Rulebooks a venue may choose from: one with other margin levels and another ADL ranking."""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.settings import SettingFault
from engine.units import PPB, to_ppb
from risk.rulebook import LEVEL_CALL, LEVEL_LIQUIDATE, LevelRule, Rulebook
from risk.rules.rulebook_check import check_rulebook

_STEP_PPB: Final[int] = to_ppb("0.1", "step")
"""Least distance of an alert from the level below it."""


class RuleChoice:
    """The rulebooks of a scenario that differ by the factors, in times maintenance, at which
    accounts are called and liquidated, and by the ranking of auto-deleveraging.

    Raises:
        ValueError: the rules know no margin call, or a choice makes rules that could not run.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        call: Sequence[str],
        liquidation: Sequence[str],
        rankings: Sequence[str],
    ) -> None:
        if not any(level.kind == LEVEL_CALL for level in rulebook.levels):
            raise ValueError(f"venue: rulebook {rulebook.name!r} has no margin calls to choose")
        self._rulebook = rulebook
        self.call_ppb = _factors(call, "call")
        self.liquidation_ppb = _factors(liquidation, "liquidation")
        self.rankings = list(rankings)
        if not self.rankings:
            raise ValueError("venue: rankings is empty; name at least one")
        if max(self.liquidation_ppb) >= min(self.call_ppb):
            raise ValueError("venue: every factor of call must be above those of liquidation")
        for ranking in self.rankings:
            for place, _ in enumerate(self.call_ppb):
                self._checked(place, ranking)

    @property
    def counts(self) -> dict[str, int]:
        """How many choices there are of each."""
        return {
            "call": len(self.call_ppb),
            "liquidation": len(self.liquidation_ppb),
            "ranking": len(self.rankings),
        }

    def in_force(self) -> list[int]:
        """The choices that are nearest to the scenario's own rules."""
        factor_ppb = {level.kind: level.factor_ppb for level in self._rulebook.levels}
        ranking = self._rulebook.adl.ranking
        return [
            _nearest(self.call_ppb, factor_ppb[LEVEL_CALL]),
            _nearest(self.liquidation_ppb, factor_ppb[LEVEL_LIQUIDATE]),
            self.rankings.index(ranking) if ranking in self.rankings else 0,
        ]

    def rulebook(self, chosen: Sequence[int]) -> Rulebook:
        """The scenario's rules with these choices. Alerts, which only inform, move up where they
        would lie below the call, and a call asks for enough to end it."""
        call_ppb = self.call_ppb[chosen[0]]
        return self._with(call_ppb, self.liquidation_ppb[chosen[1]], self.rankings[chosen[2]])

    def _checked(self, place: int, ranking: str) -> None:
        rules = self._with(self.call_ppb[place], self.liquidation_ppb[0], ranking)
        try:
            check_rulebook(rules)
        except SettingFault as fault:
            raise ValueError(f"venue: {fault}") from None

    def _with(self, call_ppb: int, liquidation_ppb: int, ranking: str) -> Rulebook:
        replace = msgspec.structs.replace
        levels: list[LevelRule] = []
        for level in reversed(self._rulebook.levels):
            factor_ppb = max(level.factor_ppb, levels[-1].factor_ppb + _STEP_PPB if levels else 0)
            if level.kind == LEVEL_CALL:
                factor_ppb = call_ppb
            elif level.kind == LEVEL_LIQUIDATE:
                factor_ppb = liquidation_ppb
            levels.append(replace(level, factor_ppb=factor_ppb))
        call = self._rulebook.call
        return replace(
            self._rulebook,
            levels=levels[::-1],
            call=replace(call, buffer_ppb=max(call.buffer_ppb, call_ppb - PPB)),
            adl=replace(self._rulebook.adl, ranking=ranking),
        )


def _factors(texts: Sequence[str], what: str) -> list[int]:
    """Factors in parts per billion, in the order they were given.

    Raises:
        ValueError: there is none, or one is no exact decimal of at least 1.
    """
    factors = [to_ppb(text, what) for text in texts]
    if not factors or min(factors) < PPB:
        raise ValueError(
            f"venue: {what} is {list(texts)}; must be decimals of at least 1 in quotes"
        )
    return factors


def _nearest(choices: Sequence[int], wanted: int) -> int:
    return min(range(len(choices)), key=lambda place: abs(choices[place] - wanted))
