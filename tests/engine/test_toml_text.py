"""TOML of settings: what editors and programs add means nothing, what has no end is refused."""

import pytest

from engine.toml_text import TomlError, parse_toml


def test_a_byte_order_mark_means_nothing() -> None:
    assert parse_toml("\ufeffa = 1") == {"a": 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-01-01 00:00:00.25Z", "2025-01-01T00:00:00.250000Z"),
        ("2025-01-01T00:00:00+02:00", "2025-01-01T00:00:00+02:00"),
        ("2025-01-01T00:00:00", "2025-01-01T00:00:00"),
        ("2025-01-01", "2025-01-01"),
        ("00:10:00", "00:10:00"),
    ],
)
def test_a_time_without_quotes_is_its_text(value: str, text: str) -> None:
    assert parse_toml(f"a = [{{ b = {value} }}]") == {"a": [{"b": text}]}


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000 + "]" * 100_000,
        "a = " + "{b = " * 5_000 + "1" + "}" * 5_000,
        ".".join("a" * 2_000) + " = 1",
        "[" + ".".join("a" * 2_000) + "]\nb = 1",
        "a = " + "[" * 40 + "]" * 40,
        "a = " + "9" * 5_000,
        "#" * 4_000_001,
        "a = = 1",
    ],
)
def test_what_has_no_end_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(TomlError) as refused:
        parse_toml(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_depth_within_the_limit_is_taken() -> None:
    assert parse_toml("a = " + "[" * 20 + "1" + "]" * 20)
