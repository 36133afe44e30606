"""A question goes on without the caller who asked it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.questions import Questions


class Closed(Exception):
    """What callers get when all questions are ended."""


class Oracle:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.speak = asyncio.Event()
        self.answered = asyncio.Event()

    async def question(self) -> str:
        await self.speak.wait()
        self.answered.set()
        return "42"


async def test_the_answer_is_the_question_s(oracle: Oracle) -> None:
    oracle.speak.set()
    assert await Questions[str](Closed).ask(oracle.question()) == "42"


async def test_a_caller_that_gives_up_does_not_end_it(oracle: Oracle) -> None:
    caller = asyncio.ensure_future(Questions[str](Closed).ask(oracle.question()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    oracle.speak.set()
    await asyncio.wait_for(oracle.answered.wait(), 5)


async def test_callers_are_told_that_it_was_closed(oracle: Oracle) -> None:
    questions = Questions[str](Closed)
    caller = asyncio.ensure_future(questions.ask(oracle.question()))
    await asyncio.sleep(0)
    questions.close()
    with pytest.raises(Closed):
        await caller


@pytest.fixture
async def oracle() -> Oracle:
    return Oracle()
