"""Keys that change while calls run: good ones stay until better ones came, and every caller is served."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.adapters.identity.live_keys import LiveKeys, SourceError
from gateway.adapters.identity.sources import file
from gateway.errors import CallError, Reason
from tests.unit.gateway.adapters.identity.world import Time, World, bearer, call, ec_key, key_set, sign


class Source:
    """A source that answers what a test puts in, when the test lets it."""

    def __init__(self, answer: bytes | Exception | None) -> None:
        self.answer = answer
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bytes | None:
        self.asked += 1
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def live(source: Source, time: Time, *, gap: float = 1.0) -> LiveKeys:
    return LiveKeys("test", source, interval=60.0, gap=gap, clock=lambda: time.monotonic)


async def test_an_unknown_key_id_is_looked_for_at_once_but_only_once_a_second() -> None:
    time, source = Time(), Source(key_set(ec_key("a")))
    keys = live(source, time)
    assert await keys.find("a") is not None
    for _ in range(100):
        assert await keys.find("made-up") is None
    assert source.asked == 1
    time.pass_by(1.0)
    source.answer = key_set(ec_key("a"), ec_key("b"))
    assert await keys.find("b") is not None
    assert source.asked == 2


async def test_callers_at_the_same_time_share_one_reading_and_none_stops_it_for_the_others() -> None:
    source = Source(key_set(ec_key("a")))
    source.open.clear()
    keys = live(source, Time())
    callers = [asyncio.create_task(keys.find("a")) for _ in range(20)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.sleep(0)
    source.open.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(key is not None and not isinstance(key, BaseException) for key in results[1:])
    assert source.asked == 1


@pytest.mark.parametrize("failure", [SourceError("no answer"), OSError("boom"), b"{", b'{"keys": []}', ValueError()])
async def test_a_failed_reading_keeps_the_keys_and_says_why_once(failure: bytes | Exception) -> None:
    source = Source(key_set(ec_key("a")))
    keys = live(source, Time())
    await keys.refresh()
    assert (keys.problem, keys.generation) == ("", 1)
    source.answer = failure
    with capture_logs() as logs:
        await keys.refresh()
        await keys.refresh()
    assert [entry["event"] for entry in logs] == ["identity.keys_not_loaded"]
    assert keys.problem
    assert keys.generation == 1
    assert await keys.find("a") is not None


async def test_the_same_keys_again_are_no_change() -> None:
    key = ec_key("a")
    source = Source(key_set(key))
    keys = live(source, Time())
    await keys.refresh()
    await keys.refresh()
    assert keys.generation == 1
    source.answer = key_set(ec_key("a"))
    await keys.refresh()
    assert keys.generation == 2, "another key under the same key id is one"


async def test_running_keeps_the_keys_fresh_and_ends_when_cancelled() -> None:
    source = Source(key_set(ec_key("a")))
    keys = LiveKeys("test", source, interval=0.001, gap=0.0, clock=lambda: 0.0)
    running = asyncio.create_task(keys.run())
    async with asyncio.timeout(5):
        while not keys.loaded:
            await asyncio.sleep(0)
        source.answer = RuntimeError("a client library's own")
        while "RuntimeError" not in keys.problem:
            await asyncio.sleep(0.001)
        source.answer = key_set(ec_key("b"))
        await keys.refresh()
    assert await keys.find("b") is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_file_is_read_when_it_changed_only(world: World) -> None:
    fetch = file(world.users_file)
    assert await fetch() == world.users_file.read_bytes()
    assert await fetch() is None
    world.users_file.write_bytes(key_set(ec_key("next")))
    assert await fetch() == world.users_file.read_bytes()


async def test_a_file_that_was_gone_is_read_again_when_it_is_back(world: World) -> None:
    fetch = file(world.users_file)
    await fetch()
    away = world.users_file.rename(world.folder / "away")
    with pytest.raises(SourceError, match="No such file"):
        await fetch()
    away.rename(world.users_file)
    assert await fetch() is not None


@pytest.mark.parametrize("harm", ["half", "gone", "folder", "huge", "garbage", "empty"])
async def test_a_bad_file_never_replaces_good_keys(world: World, harm: str) -> None:
    made = world.made()
    await made.authenticator.authenticate(call(bearer(world.user_token())))
    whole = world.users_file.read_bytes()
    if harm in ("gone", "folder"):
        world.users_file.unlink()
        if harm == "folder":
            world.users_file.mkdir()
    else:
        bad = {"half": whole[: len(whole) // 2], "huge": b" " * 300_000, "garbage": b"\xff\x00", "empty": b""}
        world.users_file.write_bytes(bad[harm])
    with capture_logs() as logs, pytest.raises(CallError):
        await made.authenticator.authenticate(call(bearer(unknown_kid(world))))
    assert logs[0]["event"] == "identity.keys_not_loaded"
    assert str(world.users_file) in logs[0]["source"]
    assert logs[0]["why"]
    await made.authenticator.authenticate(call(bearer(world.user_token(jti="new"))))


def unknown_kid(world: World) -> str:
    """A token that makes the gateway look at the file."""
    return sign({"alg": "ES256", "kid": "unknown"}, world.claims(), ec_key("unknown"))


async def test_when_the_keys_were_never_readable_the_caller_is_told_to_try_again(world: World) -> None:
    world.users_file.unlink()
    made = world.made()
    with pytest.raises(CallError) as caught:
        await made.authenticator.authenticate(call(bearer(world.user_token())))
    assert (caught.value.reason, caught.value.retry_after) == (Reason.CREDENTIALS_INVALID, 1.0)
    world.users_file.write_bytes(key_set(world.users_key))
    await made.authenticator.authenticate(call(bearer(world.user_token())))


async def test_a_token_of_a_withdrawn_key_ends_with_it_though_it_was_verified_before(world: World) -> None:
    made = world.made()
    token = world.user_token()
    await made.authenticator.authenticate(call(bearer(token)))
    world.users_file.write_bytes(key_set(ec_key("users-2")))
    with pytest.raises(CallError):
        await made.authenticator.authenticate(call(bearer(unknown_kid(world))))
    with pytest.raises(CallError, match="no key with that key id"):
        await made.authenticator.authenticate(call(bearer(token)))


async def test_keys_rotate_under_load_without_a_refused_call(world: World) -> None:
    made = world.made()
    running = asyncio.create_task(made.run())
    served = 0
    for turn in range(20):
        # The file is replaced in one step, old key beside the new one; callers use the new one at once.
        new = ec_key(f"users-{turn + 2}")
        draft = world.folder / "draft"
        draft.write_bytes(key_set(world.users_key, new))
        draft.replace(world.users_file)
        tokens = [sign({"alg": "ES256", "kid": key.kid}, world.claims(), key) for key in (world.users_key, new)]
        results = await asyncio.gather(*(made.authenticator.authenticate(call(bearer(token))) for token in tokens * 10))
        served += len(results)
        world.users_key = new
    running.cancel()
    assert served == 400
    with pytest.raises(asyncio.CancelledError):
        await running
