"""Call ids: 32 hexadecimal characters, sorted by time, valid version 7 UUIDs."""

from __future__ import annotations

import uuid

from gateway.ids import call_ids


def test_an_id_is_a_version_7_uuid_that_holds_its_time() -> None:
    new = call_ids(wall=lambda: 1_700_000_000.123, entropy=lambda size: b"\xff" * size)
    made = uuid.UUID(new())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123


def test_ids_sort_by_time() -> None:
    times = iter([1.0, 1.5, 2.0, 1_700_000_000.0])
    new = call_ids(wall=lambda: next(times))
    made = [new() for _ in range(4)]
    assert made == sorted(made)
    assert {len(each) for each in made} == {32}


def test_ids_of_one_millisecond_differ() -> None:
    new = call_ids(wall=lambda: 1.0)
    assert len({new() for _ in range(1000)}) == 1000
