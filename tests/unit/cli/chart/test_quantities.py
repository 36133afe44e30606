"""Bytes and cores as Kubernetes writes them."""

from __future__ import annotations

import pytest

from cli.chart.quantities import cpu, memory


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
