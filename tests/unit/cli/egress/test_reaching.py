"""Looking up, judging and connecting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from cli.egress.allow import Entry, Target
from cli.egress.answers import Answered
from cli.egress.reaching import Reaching, resolve
from tests.virtual_time import clock, virtual_time

TARGET = Target("https", "a.org", 443)
ENTRY = Entry("https", "a.org", 443)


class Net:
    """Answers lookups in turn, the last one again and again; connects to what is up and notes every attempt."""

    def __init__(self, *answers: Sequence[str], up: Sequence[str] = (), silent: Sequence[str] = ()) -> None:
        self.asked: list[str] = []
        self.tried: list[str] = []
        self.delay = 0.0
        self._answers = list(answers)
        self._up, self._silent = up, silent

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.sleep(self.delay)
        if not self._answers:
            raise OSError("no such name")
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def connect(self, address: str, port: int) -> Any:
        self.tried.append(address)
        if address in self._silent:
            await asyncio.sleep(1000)
        if address not in self._up:
            raise ConnectionRefusedError
        return address

    def reaching(self) -> Reaching:
        return Reaching(self.resolve, self.connect, seconds=10.0, lookups=8)


async def refused(net: Net, target: Target = TARGET, entry: Entry = ENTRY) -> tuple[int, str]:
    with pytest.raises(Answered) as caught:
        await net.reaching()(target, entry)
    return caught.value.status, caught.value.reason


@virtual_time
async def test_the_very_address_that_was_judged_is_connected_to() -> None:
    """DNS rebinding: the second answer would be another one, and is never asked for."""
    net = Net(["1.1.1.1"], ["127.0.0.1"], up=["1.1.1.1", "127.0.0.1"])
    reached: Any = await net.reaching()(TARGET, ENTRY)
    assert reached == "1.1.1.1"
    assert net.asked == ["a.org"]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:1.1.1.1", "169.254.169.254", "fe80::1%lo"])
@virtual_time
async def test_one_address_that_is_not_public_is_enough_to_refuse(address: str) -> None:
    net = Net(["1.1.1.1", address], up=["1.1.1.1", address])
    assert (await refused(net))[0] == 403
    assert net.tried == []


@virtual_time
async def test_private_entries_reach_private_addresses_but_not_all() -> None:
    entry = Entry("https", "a.org", 443, private=True)
    reached: Any = await Net(["10.0.0.1"], up=["10.0.0.1"]).reaching()(TARGET, entry)
    assert reached == "10.0.0.1"
    net = Net(["10.0.0.1", "169.254.169.254"], up=["10.0.0.1"])
    assert await refused(net, entry=entry) == (403, "a.org:443 is at an address that is never reached")
    assert net.tried == []


@virtual_time
async def test_an_address_in_the_request_is_judged_alike_and_not_looked_up() -> None:
    net = Net(up=["1.1.1.1", "127.0.0.1"])
    reached: Any = await net.reaching()(Target("https", "1.1.1.1", 443), Entry("https", "1.1.1.1", 443))
    assert reached == "1.1.1.1"
    local = Target("http", "127.0.0.1", 80)
    assert (await refused(net, local, Entry("http", "127.0.0.1", 80)))[0] == 403
    reached = await net.reaching()(local, Entry("http", "127.0.0.1", 80, private=True))
    assert reached == "127.0.0.1"
    assert net.asked == []


@virtual_time
async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    for net in (
        Net(["2606:4700::1", "1.1.1.1"], up=["1.1.1.1"]),
        Net(["2606:4700::1", "1.1.1.1"], up=["1.1.1.1"], silent=["2606:4700::1"]),
    ):
        reached: Any = await net.reaching()(TARGET, ENTRY)
        assert reached == "1.1.1.1"
        assert net.tried == ["2606:4700::1", "1.1.1.1"]


@virtual_time
async def test_none_answers() -> None:
    assert await refused(Net(["1.1.1.1", "1.0.0.1"])) == (502, "a.org:443 cannot be connected to")


@pytest.mark.parametrize("answers", [[], [[]]])
@virtual_time
async def test_a_name_that_is_not_known(answers: list[list[str]]) -> None:
    assert await refused(Net(*answers)) == (502, "the name a.org is not known")


@virtual_time
async def test_the_time_to_connect_is_bounded() -> None:
    begun = clock()
    assert await refused(Net(["1.1.1.1"], silent=["1.1.1.1"])) == (504, "a.org:443 was not reached within 10 s")
    assert clock() - begun == pytest.approx(10.0)


@pytest.mark.parametrize(("delay", "late"), [(9.9, False), (10.1, True)])
@virtual_time
async def test_the_time_to_look_a_name_up_counts_too(delay: float, late: bool) -> None:
    net = Net(["1.1.1.1"], up=["1.1.1.1"])
    net.delay = delay
    if late:
        assert (await refused(net))[0] == 504
    else:
        reached: Any = await net.reaching()(TARGET, ENTRY)
        assert reached == "1.1.1.1"


@pytest.mark.parametrize(("lookups", "late"), [(8, 0), (9, 1)])
@virtual_time
async def test_lookups_at_the_same_time_are_bounded_also_when_nobody_waits_for_them(lookups: int, late: int) -> None:
    net = Net(["1.1.1.1"], up=["1.1.1.1"])
    net.delay = 9.0
    reach = net.reaching()
    done = await asyncio.gather(*(reach(TARGET, ENTRY) for _ in range(lookups)), return_exceptions=True)
    assert sum(isinstance(each, Answered) for each in done) == late


@virtual_time
async def test_a_lookup_that_nobody_waits_for_still_counts_until_it_ends() -> None:
    net = Net()
    net.delay = 15.0
    reach = net.reaching()
    await asyncio.gather(*(reach(TARGET, ENTRY) for _ in range(8)), return_exceptions=True)
    begun = clock()
    with pytest.raises(Answered):
        await reach(TARGET, ENTRY)
    assert len(net.asked) == 9
    assert clock() - begun == pytest.approx(10.0)


async def test_the_systems_resolver() -> None:
    assert set(await resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError):
        await resolve("nowhere.invalid", 80)
