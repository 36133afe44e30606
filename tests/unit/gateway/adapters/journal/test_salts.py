"""Random bytes are fetched many at a time, and none is handed out twice."""

from __future__ import annotations

from itertools import count

from gateway.adapters.journal.writing.salts import Salts


def test_every_byte_is_handed_out_once_and_fetches_are_few() -> None:
    numbers, fetched = count(), []

    def entropy(size: int) -> bytes:
        fetched.append(size)
        return b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4))

    salts = Salts(entropy)
    found = [salts(16) for _ in range(1000)]
    assert all(len(salt) == 16 for salt in found)
    assert len(set(found)) == 1000
    assert len(fetched) == 2


def test_more_at_once_than_is_fetched_at_a_time() -> None:
    salts = Salts(lambda size: bytes(size))
    assert len(salts(20_000)) == 20_000
    assert len(salts(16)) == 16
