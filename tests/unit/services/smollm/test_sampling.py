"""What a caller may set: both sides of each bound."""

from __future__ import annotations

from typing import Any

import pytest

from services.smollm.smollm.sampling import Sampling, read_sampling


def test_nothing_has_to_be_set() -> None:
    assert read_sampling({"temperature": None}, fresh_seed=7) == (Sampling(seed=7), None)


def test_every_answer_is_drawn_afresh() -> None:
    assert len({read_sampling({})[0].seed for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0), ("temperature", 0.7), ("temperature", 2), ("top_p", 0.0), ("top_p", 1), ("top_k", 1),
        ("top_k", 1000), ("seed", 0), ("seed", 2**31 - 1), ("presence_penalty", -2), ("frequency_penalty", 2.0),
    ],
)  # fmt: skip
def test_within_its_bounds_a_value_counts(name: str, value: float) -> None:
    assert getattr(read_sampling({name: value})[0], name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1), ("temperature", 2.1), ("temperature", "hot"), ("temperature", True), ("top_p", -0.01),
        ("top_p", 1.1), ("top_p", float("nan")), ("top_k", 0), ("top_k", 1001), ("top_k", 1.5), ("seed", -1),
        ("seed", 2**31), ("presence_penalty", -2.1), ("frequency_penalty", 2.1), ("max_tokens", 0),
        ("max_tokens", 1.0), ("max_tokens", True),
    ],
)  # fmt: skip
def test_outside_of_them_it_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a"):
        read_sampling({name: value})


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_the_length_has_three_names(name: str) -> None:
    assert read_sampling({name: 1})[1] == 1


def test_the_shortest_of_several_lengths_counts() -> None:
    assert read_sampling({"max_tokens": 9, "max_output_tokens": 3})[1] == 3


@pytest.mark.parametrize("name", ["response_format", "logprobs", "tools"])
def test_what_would_have_no_effect_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"has no parameter {name}: it takes max_tokens, seed, temperature"):
        read_sampling({name: True})
