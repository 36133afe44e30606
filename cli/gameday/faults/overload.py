"""Fault 27: more calls than can be served, and callers who read nothing, say nothing or say far too much."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import grpc.aio
from firebreak.client.payload import tool_call
from firebreak.v1 import tool_pb2

from cli.gameday.calls import CALL, headers, new_trace
from cli.gameday.crowd import Crowd, crowd
from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.instance import PrivateInstance
from cli.gameday.measure import percentile
from cli.gameday.processes import memory
from cli.gameday.raw_http2 import RawClient
from cli.gameday.record import Journal
from cli.gameday.scene import Scene
from cli.gameday.verdict import GROWTH

ADDITION = ("calculator", {"expression": "6 * 7"})
CAPACITY = 25.0
"""Calls a second that `paced` serves: services/paced/service.yaml says why. The fourfold of it and the neighbours' calls
together must be fewer than a gateway on a slow core can answer, some 220: what is overloaded is the tool."""
TIMES = (0.8, 1.5, 2.0, 4.0, 10.0)
"""Load in multiples of it."""
JUDGED = (0.8, 4.0)
SECONDS, SHORT_SECONDS = 8.0, 3.0
LOOKS = 3
"""How often the judged loads are sent where a first look is beyond a goal; the medians decide. In three seconds one pause of
the machine is a quarter of the calls."""

GOODPUT, SHORT_GOODPUT = 0.9, 0.75
"""Least share of the peak that is still answered."""
LATER, SHORT_LATER = 2.0, 4.0
"""How many times the p99 at 80 % load the admitted calls' p99 may be. The short form's is one of the two slowest calls."""
AT_ONCE = 100.0
"""Milliseconds within which half of the refused calls know it. The machine is busy."""

CROWD = "crowd"
SLOW = 1000
TRICKLING = 200
APART = 0.005
"""Seconds between two callers who come to be a load by being there, not by coming all at once."""
IDLE = 10_000
LOOK = 20
"""Calls of others that are made while such callers are there."""
SPARE_DESCRIPTORS = 500


async def overload(scene: Scene) -> Seen:
    """Load from below capacity to ten times as much, then the callers who are a load by themselves."""
    pid, token = scene.instance.pid("gateway"), scene.instance.issue(CROWD)
    figures, problems = await _rates(scene, token)
    for cause in (_refused, _giant_metadata, _slow, _trickle, _idle):
        more, found = await cause(scene)
        figures |= more
        problems += found
    back = await scene.healthy("paced", {})
    problems += [] if scene.instance.pid("gateway") == pid else ["the gateway is another process"]
    return Seen((), back, figures=figures, problems=tuple(problems))


Shown = tuple[dict[str, float], list[str]]
"""Figures, and problems."""


async def _rates(scene: Scene, token: Path) -> Shown:
    crowds: dict[float, list[Crowd]] = {times: [] for times in TIMES}
    problems = await _sent(scene, token, TIMES, crowds)
    while judged(crowds, scene.short) and not problems and len(crowds[JUDGED[0]]) < LOOKS:
        problems += await _sent(scene, token, JUDGED, crowds)
    return _figures(crowds), problems + judged(crowds, scene.short)


async def _sent(
    scene: Scene, token: Path, multiples: Sequence[float], crowds: Mapping[float, list[Crowd]]
) -> list[str]:
    """Sends each of these loads once and adds to `crowds` what came of it."""
    seconds = SHORT_SECONDS if scene.short else SECONDS
    problems: list[str] = []
    for times in multiples:
        scene.mark(f"{times:g} × capacity")
        made = await crowd(scene.instance, token, "paced", "{}", CAPACITY * times, seconds)
        crowds[times].append(made)
        problems += [f"{times:g} × capacity: {each.code} {each.reason}" for each in made.strange[:1]]
        problems += await _unrecorded(scene, made)
        others = await _others(scene, LOOK // 4)
        problems += [] if others else ["a neighbour's calls fail"]
    return problems


def _figures(crowds: Mapping[float, list[Crowd]]) -> dict[str, float]:
    goodput = {times: median(each.goodput for each in made) for times, made in crowds.items()}
    p99 = {times: median(each.p99 for each in made) for times, made in crowds.items()}
    figures = {f"goodput_at_{times:g}x_per_s": each for times, each in goodput.items()}
    figures |= {f"p99_at_{times:g}x_ms": each for times, each in p99.items()}
    figures["shed_p50_ms"] = median(percentile(each.shed, 0.5) for each in crowds[4.0])
    figures["goodput_ratio"] = goodput[4.0] / max(goodput.values())
    figures["overload_p99_ratio"] = p99[4.0] / p99[0.8]
    return figures


def judged(crowds: Mapping[float, list[Crowd]], short: bool) -> list[str]:
    """Goals that these loads, by multiple of the capacity, are beyond; of a load sent more than once the median counts."""
    figures, problems = _figures(crowds), []
    least, most = (SHORT_GOODPUT, SHORT_LATER) if short else (GOODPUT, LATER)
    if figures["goodput_ratio"] < least:
        problems.append(f"at 4 × capacity {figures['goodput_ratio']:.0%} of the peak are answered")
    if figures["overload_p99_ratio"] > most:
        problems.append(f"at 4 × capacity the p99 is {figures['overload_p99_ratio']:.1f} times that at 80 % load")
    if not figures["shed_p50_ms"] <= AT_ONCE:
        problems.append(f"who is refused learns it after {figures['shed_p50_ms']:.0f} ms")
    return problems


async def _unrecorded(scene: Scene, made: Crowd) -> list[str]:
    recorded = await asyncio.to_thread(Journal(scene.instance).settled, made.samples)
    wrong = [problem for each in made.samples if (problem := recorded.problem(each))]
    return [f"{len(wrong)} of {len(made.samples)} calls are {wrong[0]}"] if wrong else []


async def _refused(scene: Scene) -> Shown:
    """A burst that does not fit: who is refused is told when to come back."""
    either = ("OK", "RESOURCE_EXHAUSTED CONCURRENCY_LIMITED")
    burst = await asyncio.gather(*(scene.call("paced", {}, wanted=either, timeout=5.0) for _ in range(60)))
    shed = [answer for answer in burst if answer.code != "OK"]
    problems = [] if shed else ["nobody of a burst was refused"]
    problems += ["a refusal has no RetryInfo"] if any(answer.retry_after is None for answer in shed) else []
    return {}, problems


async def _giant_metadata(scene: Scene) -> Shown:
    """The transport refuses it before there is a call; the connection stays."""
    caller = scene.caller()
    request = tool_pb2.ToolServiceCallRequest(call=tool_call(*ADDITION, ""))
    ask = caller.channel.unary_unary(CALL, tool_pb2.ToolServiceCallRequest.SerializeToString)
    trace, code = new_trace(), "OK"
    giant = (*headers(scene.instance.token, trace), ("x-giant", "x" * 1_000_000))
    try:
        await ask(request, metadata=giant, timeout=5.0)
    except grpc.aio.AioRpcError as error:
        code = error.code().name
    caller.answers.append(Answer(code, trace=trace, wanted=("RESOURCE_EXHAUSTED",), arrived=False))
    await caller.call(*ADDITION, timeout=5.0)
    return {}, []


async def _slow(scene: Scene) -> Shown:
    """A thousand callers who ask for an answer and do not read it: the gateway may send each of them eight bytes."""
    request = tool_pb2.ToolServiceCallRequest(call=tool_call("paced", {"size": 100_000}, "")).SerializeToString()
    traces: list[str] = []

    def ask(client: RawClient) -> None:
        traces.append(new_trace())
        client.begin(CALL, headers(scene.instance.token, traces[-1]))
        client.say(request)

    figures, problems = await _beside(scene, "slow", SLOW, 8, ask)
    journal = Journal(scene.instance)
    await scene.until(lambda: set(traces) <= set(journal.read().traces), 20.0, "every slow caller's call on record")
    return figures, problems


async def _trickle(scene: Scene) -> Shown:
    """Callers who never finish what they ask."""

    def begin(client: RawClient) -> None:
        client.begin(CALL, headers(scene.instance.token, new_trace()))
        client.trickle(b"\x00")

    return await _beside(scene, "trickling", TRICKLING, 65_535, begin)


async def _idle(scene: Scene) -> Shown:
    """As many connections as this process may have, up to ten thousand; more than the gateway takes are closed at once."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return await _beside(scene, "idle", min(IDLE, most - SPARE_DESCRIPTORS), 65_535, lambda _client: None, 0.0)


async def _beside(
    scene: Scene, kind: str, count: int, window: int, act: Callable[[RawClient], None], apart: float = APART
) -> Shown:
    """`count` connections that do this, twice; meanwhile others are served.

    What the gateway has taken for the first of them it keeps, and has again for the next: it grows if it needs more each time.
    """
    pid, figures, problems = scene.instance.pid("gateway"), dict[str, float](), list[str]()
    sizes = []
    for _ in range(2):
        scene.mark(f"{count} {kind} callers")
        clients = await asyncio.to_thread(
            _open, f"127.0.0.1:{scene.instance.ports['public']}", count, window, act, apart
        )
        served = await _others(scene, LOOK)
        await asyncio.to_thread(_close, clients)
        sizes.append(memory(pid))
        figures |= {f"{kind}_callers": float(len(clients)), f"p99_beside_{kind}_ms": served or 0.0}
        problems += [] if served else [f"beside {kind} callers others are not served"]
    figures[f"growth_by_{kind}_mib"] = sizes[1] - sizes[0]
    if sizes[1] - sizes[0] > GROWTH:
        problems.append(f"{kind} callers make the gateway grow by {sizes[1] - sizes[0]:.0f} MiB each time")
    return figures, problems


def _open(address: str, count: int, window: int, act: Callable[[RawClient], None], apart: float) -> list[RawClient]:
    clients: list[RawClient] = []
    for _ in range(count):
        with suppress(OSError):  # one that the gateway has closed already
            clients.append(RawClient(address, window))
            act(clients[-1])
        time.sleep(apart)
    return clients


def _close(clients: list[RawClient]) -> None:
    for each in clients:
        each.close()


async def _others(scene: Scene, count: int) -> float | None:
    """The p99 in milliseconds of calls that have nothing to do with it; None where one of them fails."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        if (await scene.call(*ADDITION, timeout=5.0)).code != "OK":
            return None
        took.append((time.monotonic() - began) * 1000)
    return percentile(took, 0.99)


def _prepare(instance: PrivateInstance) -> None:
    instance.user(CROWD, "paced")


FAULTS = (
    Fault(
        27,
        "overload at 2×–10× capacity; 1,000 slow clients; giant metadata; 10,000 idle connections",
        "goodput stays; the rest is shed at once with RetryInfo",
        overload,
        Setting(
            services=("paced",),
            own=True,
            prepare=_prepare,
            changes={"admission": {"principal_rate": {"per_second": 5000, "burst": 5000}}},
        ),
        isolated=False,
        gateway_stays=False,  # judged here, by what the same callers take the second time
        limit=240.0,
    ),
)
