"""From a margin specification, as it travels in messages, to the model it names."""

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import MarginSpec, MarginTier
from risk.margin.brackets import BracketMargin
from risk.margin.linear_in_size import LinearInSizeMargin
from risk.margin.model import MarginModel
from risk.margin.used_margin import UsedMargin

MODEL_NAMES: tuple[str, ...] = ("brackets", "flat", "linear_in_size", "used_margin")


def build_margin_model(spec: MarginSpec) -> MarginModel:
    """The margin model a specification names.

    - ``brackets``: ``tiers``; no parameters.
    - ``flat``: one bracket without end; ``maintenance_ppb``, ``max_leverage``.
    - ``linear_in_size``: ``initial_ppb``, ``maintenance_ppb``, ``initial_slope_ppb``,
      ``maintenance_slope_ppb`` and ``slope_lots`` (default 1).
    - ``used_margin``: ``maintenance_of_used_ppb``, ``max_leverage``.

    Raises:
        ValueError: the name is unknown, a parameter is missing, unknown, doubled or out of range,
            tiers stand where none belong, or the table is not valid.
    """
    if spec.model not in MODEL_NAMES:
        raise ValueError(
            f"margin model {spec.model!r} is unknown; allowed are {', '.join(MODEL_NAMES)}"
        )
    if spec.model != "brackets" and spec.tiers:
        raise ValueError(f"margin model {spec.model!r} takes no tiers, {len(spec.tiers)} given")
    if spec.model == "brackets":
        _read_params(spec, [], [])
        return BracketMargin(spec.tiers)
    if spec.model == "flat":
        rate, leverage = _read_params(spec, ["maintenance_ppb", "max_leverage"], [])
        return BracketMargin([MarginTier(0, MAX_AMOUNT_Q, rate, leverage, 0)])
    if spec.model == "used_margin":
        share, leverage = _read_params(spec, ["maintenance_of_used_ppb", "max_leverage"], [])
        return UsedMargin(share, leverage)
    names = ["initial_ppb", "maintenance_ppb", "initial_slope_ppb", "maintenance_slope_ppb"]
    initial, maintenance, initial_slope, maintenance_slope, lots = _read_params(
        spec, names, [("slope_lots", 1)]
    )
    return LinearInSizeMargin(initial, maintenance, initial_slope, maintenance_slope, lots)


def _read_params(
    spec: MarginSpec, required: list[str], optional: list[tuple[str, int]]
) -> list[int]:
    """The values of the required, then of the optional parameters."""
    given: dict[str, int] = {}
    allowed = [*required, *(name for name, _ in optional)]
    for name, value in spec.params:
        if name not in allowed:
            raise ValueError(
                f"margin model {spec.model!r}: parameter {name!r} is unknown; "
                f"allowed are {', '.join(allowed) or 'none'}"
            )
        if name in given:
            raise ValueError(f"margin model {spec.model!r}: parameter {name!r} is given twice")
        given[name] = value
    for name in required:
        if name not in given:
            raise ValueError(
                f"margin model {spec.model!r}: parameter {name!r} is missing; "
                f"required are {', '.join(required)}"
            )
    return [given[name] for name in required] + [given.get(name, d) for name, d in optional]
