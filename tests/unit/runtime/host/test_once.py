"""Idempotency keys."""

from __future__ import annotations

import asyncio

import pytest
from firebreak_runtime import once
from firebreak_runtime.errors import ServedError
from firebreak_runtime.once import Once, Progress, Send


class Tool:
    """Counts its runs and ends them as it is told."""

    def __init__(self, *, error: ServedError | None = None, started: bool = True, answered: bool = True) -> None:
        self.runs = 0
        self.error = error
        self.started = started
        self.answered = answered
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, progress: Progress, send: Send) -> None:
        self.runs += 1
        progress.started = self.started
        await self.go_on.wait()
        progress.answered = self.answered
        if self.error is not None:
            raise self.error
        await send(f"run {self.runs}".encode())


async def _run(memory: Once, tool: Tool, key: str = "k", same: bytes = b"same") -> bytes:
    sent: list[bytes] = []

    async def send(message: bytes) -> None:
        sent.append(message)

    await memory.run(key, same, tool, send)
    return b"".join(sent)


async def test_a_repeat_gets_what_the_first_call_got() -> None:
    memory, tool = Once("mine"), Tool()
    assert [await _run(memory, tool) for _ in range(3)] == [b"run 1"] * 3
    assert await _run(memory, tool, "other") == b"run 2"


async def test_a_repeat_waits_for_the_first_call() -> None:
    memory, tool = Once("mine"), Tool()
    tool.go_on.clear()
    calls = [asyncio.ensure_future(_run(memory, tool)) for _ in range(3)]
    await asyncio.sleep(0)
    tool.go_on.set()
    assert await asyncio.gather(*calls) == [b"run 1"] * 3


async def test_a_key_is_for_one_call_only() -> None:
    memory, tool = Once("mine"), Tool()
    await _run(memory, tool)
    with pytest.raises(ServedError) as reused:
        await _run(memory, tool, same=b"other arguments")
    assert (reused.value.reason, reused.value.fields[0][0]) == ("ARGUMENTS_INVALID", "idempotency_key")


async def test_an_error_that_the_tool_itself_gave_is_repeated() -> None:
    memory, tool = Once("mine"), Tool(error=ServedError("ARGUMENTS_INVALID", "not so"))
    for _ in range(2):
        with pytest.raises(ServedError, match="not so"):
            await _run(memory, tool)
    assert tool.runs == 1


async def test_a_call_that_never_reached_a_worker_is_forgotten() -> None:
    memory, tool = Once("mine"), Tool(error=ServedError("CONCURRENCY_LIMITED", "full"), started=False, answered=False)
    for _ in range(2):
        with pytest.raises(ServedError, match="full"):
            await _run(memory, tool)
    assert tool.runs == 2


async def test_who_waited_for_a_call_that_never_ran_runs_it() -> None:
    memory = Once("mine")
    first, second = Tool(error=ServedError("CONCURRENCY_LIMITED", "full"), started=False, answered=False), Tool()
    first.go_on.clear()
    failing = asyncio.ensure_future(_run(memory, first))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(_run(memory, second))
    await asyncio.sleep(0)
    first.go_on.set()
    assert await waiting == b"run 1"
    with pytest.raises(ServedError, match="full"):
        await failing


async def test_the_outcome_of_a_lost_call_is_unknown() -> None:
    memory, tool = Once("mine"), Tool(error=ServedError("WORKER_DIED", "gone"), answered=False)
    with pytest.raises(ServedError, match="gone"):
        await _run(memory, tool)
    with pytest.raises(ServedError, match="unknown") as told:
        await _run(memory, tool)
    assert told.value.metadata["outcome"] == "unknown"
    assert tool.runs == 1


async def test_the_outcome_of_a_cancelled_call_is_unknown() -> None:
    memory, tool = Once("mine"), Tool()
    tool.go_on.clear()
    call = asyncio.ensure_future(_run(memory, tool))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(ServedError, match="unknown"):
        await _run(memory, tool)


async def test_a_result_that_is_too_large_to_keep_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "MOST_BYTES_EACH", 3)
    memory, tool = Once("mine"), Tool()
    assert await _run(memory, tool) == b"run 1"
    with pytest.raises(ServedError, match="too large") as told:
        await _run(memory, tool)
    assert told.value.metadata["outcome"] == "finished"
    assert tool.runs == 1


@pytest.mark.parametrize(("name", "most"), [("MOST_KEYS", 2), ("MOST_BYTES", 10)])
async def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch, name: str, most: int) -> None:
    monkeypatch.setattr(once, name, most)
    memory, tool = Once("mine"), Tool()
    for key in ("a", "b", "a", "c"):
        await _run(memory, tool, key)
    assert tool.runs == 3
    assert await _run(memory, tool, "a") == b"run 1"
    assert await _run(memory, tool, "b") == b"run 4"
