"""Bytes and cores as Kubernetes writes them; sizes and durations as firebreak.yaml does."""

from __future__ import annotations

import pytest

from cli.chart.quantities import cpu, duration, memory, size
from gateway.config import parse_duration, parse_size


@pytest.mark.parametrize(
    ("size", "text"),
    [(1344 * 1024**2, "1344Mi"), (1024**3, "1024Mi"), (1024**2 + 1024, "1025Ki"), (1024**2 + 1, "1048577")],
)
def test_bytes_are_exact(size: int, text: str) -> None:
    assert memory(size) == text


@pytest.mark.parametrize(
    ("cores", "text"), [(1.0, "1"), (4, "4"), (0.5, "500m"), (1.25, "1250m"), (0.3, "300m"), (0.0001, "1m")]
)
def test_cores_are_never_less_than_asked_for(cores: float, text: str) -> None:
    assert cpu(cores) == text


@pytest.mark.parametrize("text", ["1B", "1023B", "1KiB", "65537B", "64KiB", "1025KiB", "4MiB", "8GiB"])
def test_a_size_is_as_in_the_file_that_it_came_from(text: str) -> None:
    assert size(parse_size(text)) == text


@pytest.mark.parametrize("text", ["1ms", "250ms", "1500ms", "5s", "90s", "10m", "25h", "30d"])
def test_a_duration_is_as_in_the_file_that_it_came_from(text: str) -> None:
    assert duration(parse_duration(text)) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0001, "1ms"), (90.5, "90500ms"), (3600.0, "1h"), (86400.0, "1d")])
def test_a_duration_is_exact_to_the_millisecond(seconds: float, text: str) -> None:
    assert duration(seconds) == text
