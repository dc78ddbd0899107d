"""Margin models: pure functions from a position to its initial and maintenance requirement."""

from risk.margin.family import MARGIN_FAMILIES, build_margin_model
from risk.margin.model import MarginModel
from risk.margin.models.brackets import BracketMargin
from risk.margin.models.linear_in_size import LinearInSizeMargin
from risk.margin.models.used_margin import UsedMargin
from risk.margin.models.whole_tier import WholeTierMargin
from risk.margin.tiers import next_deduction_q, validate_tiers, with_deductions

__all__ = [
    "MARGIN_FAMILIES",
    "BracketMargin",
    "LinearInSizeMargin",
    "MarginModel",
    "UsedMargin",
    "WholeTierMargin",
    "build_margin_model",
    "next_deduction_q",
    "validate_tiers",
    "with_deductions",
]
