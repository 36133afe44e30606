"""One connection from its request to its end, over real sockets in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from cli.egress.allow import Target
from cli.egress.answers import Answered
from cli.egress.bounds import Bounds
from tests.unit.cli.egress.loop import with_sockets
from tests.unit.cli.egress.scene import scene

GET = b"GET http://a.org/x?secret HTTP/1.1\r\nHost: a.org\r\n\r\n"
ONWARD = b"GET /x?secret HTTP/1.1\r\nHost: a.org\r\nConnection: close\r\n\r\n"
POST = b"POST http://a.org/ HTTP/1.1\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nok"
RETURNED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def now() -> float:
    return asyncio.get_running_loop().time()


@with_sockets
async def test_a_tunnel_carries_bytes_both_ways() -> None:
    async with scene() as it:
        await it.connected()
        await it.client.send(b"ping")
        assert await it.host.receive(4) == b"ping"
        await it.host.send(b"pong!")
        assert await it.client.receive(5) == b"pong!"
    record = it.record
    assert (record.verdict, record.reason, record.up, record.down) == ("allowed", "", 4, 5)
    assert it.reached == [Target("https", "a.org", 443)]


@with_sockets
async def test_what_is_sent_right_behind_a_connect_is_not_lost() -> None:
    async with scene() as it:
        await it.client.send(b"CONNECT a.org:443 HTTP/1.1\r\n\r\nhello")
        assert await it.host.receive(5) == b"hello"


@with_sockets
async def test_a_client_that_has_said_all_still_hears_the_rest() -> None:
    async with scene() as it:
        await it.connected()
        await it.client.send(b"all")
        it.client.finish()
        assert await it.host.rest() == b"all"
        await it.host.send(b"the rest")
        it.host.finish()
        assert await it.client.rest() == b"the rest"
        await it.ended()


@with_sockets
async def test_a_host_that_has_said_all_still_hears_the_rest() -> None:
    async with scene() as it:
        await it.connected()
        it.host.finish()
        assert await it.client.rest() == b""
        await it.client.send(b"the rest")
        assert await it.host.receive(8) == b"the rest"
        it.client.finish()
        await it.ended()


@with_sockets
async def test_a_client_that_goes_away_lets_go_of_the_host() -> None:
    async with scene() as it:
        await it.connected()
        it.client.close()
        assert await it.host.rest() == b""


@with_sockets
async def test_a_request_goes_on_as_understood_and_its_answer_says_that_the_connection_ends() -> None:
    async with scene() as it:
        await it.client.send(GET)
        assert await it.host.receive(len(ONWARD)) == ONWARD
        await it.host.send(OK)
        it.host.close()
        assert await it.client.rest() == RETURNED
        await it.ended()
    assert (it.record.up, it.record.down) == (len(ONWARD), len(RETURNED))
    assert "secret" not in str(it.record.line(now()))


@with_sockets
async def test_no_host_can_pass_its_answer_off_as_the_proxys() -> None:
    """Services take the proxy's text for its own word."""
    async with scene() as it:
        await it.client.send(GET)
        await it.host.send(b"HTTP/1.1 403 Firebreak egress: obey\r\nfirebreak-egress: refused\r\nX: y\r\n\r\n")
        it.host.close()
        assert await it.client.rest() == b"HTTP/1.1 403 Firebreak egress: obey\r\nX: y\r\nConnection: close\r\n\r\n"


@with_sockets
async def test_a_second_request_on_the_same_connection_reaches_nobody() -> None:
    async with scene() as it:
        await it.client.send(GET + b"GET http://evil.org/ HTTP/1.1\r\n\r\n")
        assert await it.host.receive(len(ONWARD)) == ONWARD
        await it.host.send(OK)
        it.host.finish()
        assert await it.client.rest() == RETURNED
        await it.ended()
        assert await it.host.rest() == b""
    assert len(it.reached) == 1


@pytest.mark.parametrize(
    ("sent", "onward"),
    [
        (b"Content-Length: 4\r\n\r\nbody", b"Content-Length: 4\r\nConnection: close\r\n\r\nbody"),
        (
            b"Transfer-Encoding: chunked\r\n\r\n0004\r\nbody\r\nA\r\n0123456789\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nbody\r\na\r\n0123456789\r\n0\r\n\r\n",
        ),
    ],
)
@with_sockets
async def test_a_body_goes_on_as_understood_and_what_is_behind_it_not(sent: bytes, onward: bytes) -> None:
    async with scene() as it:
        await it.client.send(POST + sent + b"GET http://evil.org/ HTTP/1.1\r\n\r\n")
        expected = b"POST / HTTP/1.1\r\nHost: a.org\r\n" + onward
        assert await it.host.receive(len(expected)) == expected
        it.host.finish()
        assert await it.host.rest() == b""


@with_sockets
async def test_chunks_go_on_as_they_come() -> None:
    async with scene() as it:
        await it.client.send(POST + b"Transfer-Encoding: chunked\r\n\r\nFF\r\nab")
        await it.host.receive(
            len(b"POST / HTTP/1.1\r\nHost: a.org\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        )
        assert await it.host.receive(7) == b"2\r\nab\r\n"
        await it.client.send(b"c")
        assert await it.host.receive(6) == b"1\r\nc\r\n"


@pytest.mark.parametrize(
    "chunks",
    [
        b"4;ext=1\r\nbody\r\n0\r\n\r\n",
        b"4\nbody\n0\n\n",
        b"4 \r\nbody\r\n0\r\n\r\n",
        b"+4\r\nbody\r\n0\r\n\r\n",
        b"0x4\r\nbody\r\n0\r\n\r\n",
        b"-1\r\n",
        b"\r\n",
        b"4\r\nbodyx\r\n0\r\n\r\n",
        b"4\r\nbody0\r\n\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"1" * 16 + b"\r\n",
        b"1" * 100,
        b"4\r\nbo",
        b"4\r\nbody",
        b"4\r\nbody\r\n0\r\n",
    ],
)
@with_sockets
async def test_chunks_that_two_readers_could_read_in_two_ways_are_refused(chunks: bytes) -> None:
    async with scene() as it:
        await it.client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        it.client.finish()
        status, text = await it.answered()
        assert status == 400
        assert "its chunks" in text or "ended before its body" in text


@with_sockets
async def test_a_body_that_breaks_off_is_refused() -> None:
    async with scene() as it:
        await it.client.send(POST + b"Content-Length: 4\r\n\r\nbod")
        it.client.finish()
        assert (await it.answered())[0] == 400


@with_sockets
async def test_a_broken_body_after_the_answer_has_begun_cuts_the_answer_off() -> None:
    async with scene() as it:
        await it.client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await it.host.send(OK)
        assert await it.client.receive(len(RETURNED)) == RETURNED
        await it.client.send(b"nonsense\r\n")
        assert await it.client.rest() == b""
        await it.ended()
    assert (it.record.verdict, it.record.reason) == ("allowed", "the request is not well-formed: its chunks")


@with_sockets
async def test_an_answer_before_the_whole_body_is_passed_on() -> None:
    async with scene() as it:
        await it.client.send(POST + b"Content-Length: 1000000\r\n\r\nbegin")
        await it.host.send(OK)
        it.host.close()
        assert await it.client.rest() == RETURNED


@with_sockets
async def test_interim_answers_are_passed_on() -> None:
    async with scene() as it:
        await it.client.send(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        await it.host.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await it.client.receive(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await it.client.send(b"body")
        await it.host.send(OK)
        assert await it.client.receive(len(RETURNED)) == RETURNED


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ],
)
@with_sockets
async def test_a_host_that_does_not_speak_http(answer: bytes) -> None:
    async with scene() as it:
        await it.client.send(GET)
        await it.host.receive(len(ONWARD))
        await it.host.send(answer)
        it.host.close()
        status, text = await it.answered()
        assert (status, "no answer that is HTTP/1.1" in text) == (502, True)


@with_sockets
async def test_what_is_not_on_the_list_is_refused_and_nothing_is_reached() -> None:
    async with scene() as it:
        await it.client.send(b"CONNECT evil.org:443 HTTP/1.1\r\n\r\n")
        status, text = await it.answered()
        await it.ended()
    assert status == 403
    assert (
        'evil.org:443 is not on the list of this service. To allow it, add to `egress:` in its service.yaml: "evil.org"'
        in text
    )
    assert it.reached == []
    assert (it.record.host, it.record.port, it.record.verdict) == ("evil.org", 443, "refused")


@with_sockets
async def test_a_connect_to_the_port_of_an_http_entry_is_refused_and_the_other_way_round() -> None:
    for request in (b"CONNECT a.org:80 HTTP/1.1\r\n\r\n", b"GET http://a.org:443/ HTTP/1.1\r\n\r\n"):
        async with scene() as it:
            await it.client.send(request)
            assert (await it.answered())[0] == 403
        assert it.reached == []


@with_sockets
async def test_what_fails_on_the_way_is_answered_and_in_the_record() -> None:
    for status, verdict in ((403, "refused"), (502, "failed"), (504, "failed")):
        async with scene() as it:
            it.failure = Answered(status, "the reason")
            await it.client.send(GET)
            assert await it.answered() == (status, "Firebreak egress: the reason\n")
            await it.ended()
        assert (it.record.verdict, it.record.reason) == (verdict, "the reason")


@with_sockets
async def test_a_client_that_sends_on_while_it_is_refused_reads_why() -> None:
    async with scene() as it:
        it.failure = Answered(403, "no")
        sending = asyncio.create_task(it.client.send(POST + b"Content-Length: 900000\r\n\r\n" + b"x" * 900_000))
        assert (await it.answered())[0] == 403
        await sending


@with_sockets
async def test_one_that_never_stops_is_left() -> None:
    async with scene() as it:
        it.failure = Answered(403, "no")
        begun = now()
        await it.client.send(POST + b"Content-Length: 900000\r\n\r\n")
        await it.client.receive(10)
        await it.ended()
        assert now() - begun == pytest.approx(1.0)


ANSWER = b"HTTP/1.1 200 OK\r\nX: "


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 200), (64 * 1024 + 1, 502)])
@with_sockets
async def test_the_size_of_an_answers_head_is_bounded(size: int, status: int) -> None:
    async with scene() as it:
        await it.client.send(GET)
        await it.host.send(ANSWER + b"x" * (size - len(ANSWER) - 4) + b"\r\n\r\n")
        assert (await it.client.receive(12)).decode() == f"HTTP/1.1 {status}"


HEAD = b"CONNECT a.org:443 HTTP/1.1\r\nX: "


@pytest.mark.parametrize(("size", "status"), [(16 * 1024, 200), (16 * 1024 + 1, 431)])
@with_sockets
async def test_the_size_of_a_head_is_bounded(size: int, status: int) -> None:
    async with scene() as it:
        await it.client.send(HEAD + b"x" * (size - len(HEAD) - 4) + b"\r\n\r\n")
        assert (await it.client.receive(12)).decode() == f"HTTP/1.1 {status}"


@with_sockets
async def test_a_head_without_an_end_is_refused_when_it_is_too_long() -> None:
    async with scene() as it:
        await it.client.send(b"x" * 16 * 1024)
        assert (await it.answered())[0] == 431


@pytest.mark.parametrize(("seconds", "status"), [(9.9, 200), (10.1, 408)])
@with_sockets
async def test_the_time_for_a_head_is_bounded(seconds: float, status: int) -> None:
    async with scene() as it:
        await it.client.send(b"CONNECT a.org:443 HTTP/1.1\r\n")
        await asyncio.sleep(seconds)
        await it.client.send(b"\r\n")
        assert (await it.client.receive(12)).decode() == f"HTTP/1.1 {status}"


@with_sockets
async def test_a_client_that_asks_for_nothing() -> None:
    async with scene() as it:
        it.client.close()
        await it.ended()
    assert (it.record.verdict, it.record.reason) == ("refused", "no request")


@pytest.mark.parametrize(("seconds", "alive"), [(299.9, True), (300.1, False)])
@with_sockets
async def test_silence_is_bounded(seconds: float, alive: bool) -> None:
    async with scene() as it:
        await it.connected()
        await asyncio.sleep(100)
        await it.client.send(b"x")
        await it.host.receive(1)
        await asyncio.sleep(seconds)
        if alive:
            await it.host.send(b"y")
            assert await it.client.receive(1) == b"y"
        else:
            assert await it.client.rest() == b""
            await it.ended()
            assert (it.record.verdict, it.record.reason) == ("allowed", "nothing came in either direction for 300 s")


@pytest.mark.parametrize("direction", ["up", "down"])
@with_sockets
async def test_one_direction_that_moves_keeps_the_other_open(direction: str) -> None:
    async with scene() as it:
        await it.connected()
        sender, receiver = (it.client, it.host) if direction == "up" else (it.host, it.client)
        for _ in range(10):
            await asyncio.sleep(200)
            await sender.send(b"x")
            assert await receiver.receive(1) == b"x"
        await receiver.send(b"y")
        assert await sender.receive(1) == b"y"


@with_sockets
async def test_a_host_that_answers_nothing_is_left_and_that_is_told() -> None:
    async with scene() as it:
        await it.client.send(GET)
        status, text = await it.answered()
        assert (status, "for 300 s" in text) == (504, True)


@pytest.mark.parametrize("direction", ["up", "down"])
@with_sockets
async def test_a_reader_that_does_not_read_holds_the_sender_back(direction: str) -> None:
    """Until the kernel's buffers are full, and then no more: what the proxy itself holds is one piece."""
    async with scene() as it:
        await it.connected()
        sender, receiver = (it.client, it.host) if direction == "up" else (it.host, it.client)
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await sender.send(b"x" * 1024)
                sent += 1024

        sending = asyncio.create_task(send())
        await asyncio.sleep(100)
        stuck = sent
        await asyncio.sleep(100)
        assert sent == stuck < 2 * 1024**2
        sending.cancel()
        await asyncio.wait({sending})
        sender.finish()
        assert len(await receiver.rest()) >= stuck


@with_sockets
async def test_no_bound_is_zero() -> None:
    assert all(value > 0 for value in vars(Bounds()).values())
