"""Margin models: pure functions from a position to its initial and maintenance requirement."""

from risk.margin.brackets import BracketMargin
from risk.margin.build import MODEL_NAMES, build_margin_model
from risk.margin.linear_in_size import LinearInSizeMargin
from risk.margin.model import MarginModel
from risk.margin.tiers import next_deduction_q, validate_tiers, with_deductions
from risk.margin.used_margin import UsedMargin

__all__ = [
    "MODEL_NAMES",
    "BracketMargin",
    "LinearInSizeMargin",
    "MarginModel",
    "UsedMargin",
    "build_margin_model",
    "next_deduction_q",
    "validate_tiers",
    "with_deductions",
]
