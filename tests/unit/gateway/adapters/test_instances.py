"""Instances that were added behind a name are noticed once."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from gateway.adapters import instances
from gateway.adapters.instances import Instances


class Names:
    """Stands for the look-up of names: answers what `of` says, or raises it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: tuple[str, ...] | Exception = ()
        self.asked: list[tuple[str, int]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._look_up, raising=False)

    async def _look_up(self, host: str, port: int, **_more: Any) -> list[Any]:
        self.asked.append((host, port))
        if isinstance(self.of, Exception):
            raise self.of
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.of]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


async def answers(names: Names, *found: tuple[str, ...] | Exception) -> list[bool]:
    known, said = Instances(), []
    for names.of in found:
        said.append(await known.added("tool:7600"))
    return said


async def test_one_that_is_added_is_told_once(names: Names) -> None:
    assert await answers(names, ("a",), ("a",), ("b", "a"), ("a", "b")) == [False, False, True, False]
    assert {*names.asked} == {("tool", 7600)}


async def test_one_that_takes_the_place_of_another_is_one_that_was_added(names: Names) -> None:
    assert await answers(names, ("a",), ("b",)) == [False, True]


async def test_one_that_goes_is_none(names: Names) -> None:
    assert await answers(names, ("a", "b"), ("a",)) == [True, False]


async def test_of_several_at_the_first_time_nobody_knows_which_one_was_found(names: Names) -> None:
    assert await answers(names, ("a", "b")) == [True]


async def test_a_name_that_is_not_known_changes_nothing(names: Names) -> None:
    gone = socket.gaierror(socket.EAI_NONAME, "no such name")
    assert await answers(names, ("a",), gone, ("a",), ("a", "b")) == [False, False, False, True]


async def test_a_look_up_that_hangs_is_given_up(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    monkeypatch.setattr(instances, "_SECONDS", 0.01)
    assert await Instances().added("tool:7600") is False


async def test_names_are_apart(names: Names) -> None:
    known = Instances()
    names.of = ("a",)
    await known.added("tool:7600")
    names.of = ("b",)
    assert await known.added("other:7600") is False
    assert await known.added("tool:7600") is True
