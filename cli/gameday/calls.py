"""Calls of a fault: each with a trace of its own, by which the journal must know it however it ends."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.client import CallFailed
from firebreak.client.errors import from_rpc_error
from firebreak.client.payload import text_of, tool_call
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from cli.gameday.fault import GRACE, Answer

CALL_ID = "firebreak-call-id"
CALL = "/firebreak.v1.ToolService/Call"
STATUSES = {
    tool_pb2.TOOL_STATUS_OK: "OK",
    tool_pb2.TOOL_STATUS_TOOL_ERROR: "TOOL_ERROR",
    tool_pb2.TOOL_STATUS_INVALID_ARGS: "INVALID_ARGS",
}
WITHOUT_A_DEADLINE = 30.0
"""Seconds that a call gets whose fault sets none; nothing may hang for ever."""


def new_trace() -> str:
    return secrets.token_hex(16)


def headers(token_file: Path | None, trace: str) -> tuple[tuple[str, str], ...]:
    """Metadata of one call: the credentials, read now since they rotate, and the trace that names the call."""
    parent = ("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")
    return (parent,) if token_file is None else (("authorization", f"Bearer {token_file.read_text().strip()}"), parent)


class Caller:
    """Makes calls over one connection to the gateway. Every answer is kept in `answers`, expected or not."""

    def __init__(self, address: str, token_file: Path | None, *options: tuple[str, Any]) -> None:
        self.token_file = token_file
        self.answers: list[Answer] = []
        size = 64 * 1024 * 1024
        limits = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size)]
        own = ("grpc.use_local_subchannel_pool", 1)  # a connection of its own, whoever else calls from here
        self.channel = grpc.aio.insecure_channel(address, [*limits, own, *options])
        self.stub = tool_pb2_grpc.ToolServiceStub(self.channel)

    async def close(self) -> None:
        await self.channel.close()

    def begin(
        self,
        target: str,
        args: Mapping[str, Any] | str | bytes,
        *,
        timeout: float | None = WITHOUT_A_DEADLINE,
        wanted: str | tuple[str, ...] = "OK",
        streamed: bool = False,
        key: str = "",
        by: float | None = None,
        due: float | None = None,
        arrived: bool = True,
    ) -> Running:
        """Sends a tool call; see `Scene.call`."""
        wanted = (wanted,) if isinstance(wanted, str) else wanted
        return Running(self, target, tool_call(target, args, key), timeout, wanted, streamed, by, due, arrived)

    async def call(self, target: str, args: Mapping[str, Any] | str | bytes, **how: Any) -> Answer:
        return await self.begin(target, args, **how).answer()


class Running:
    """A tool call under way."""

    def __init__(
        self,
        caller: Caller,
        target: str,
        call: tool_pb2.ToolCall,
        timeout: float | None,
        wanted: tuple[str, ...],
        streamed: bool,
        by: float | None,
        due: float | None,
        arrived: bool,
    ) -> None:
        self.target = target
        self.trace = new_trace()
        self.events: list[Any] = []
        """The progress of a streamed call so far, with the monotonic instant of each: (at, data_json)."""
        self._caller = caller
        self._wanted, self._by, self._arrived, self._streamed = wanted, by, arrived, streamed
        self._progressed = asyncio.Event()
        message = tool_pb2.ToolServiceStreamRequest if streamed else tool_pb2.ToolServiceCallRequest
        method = caller.stub.Stream if streamed else caller.stub.Call
        request, metadata = message(call=call), headers(caller.token_file, self.trace)
        self.sent = time.monotonic()
        # When the answer is due; a fault that learns more while the call is under way may move it.
        self.deadline = self.sent + ((timeout or WITHOUT_A_DEADLINE) if due is None else due)
        self._rpc = method(request, timeout=timeout, metadata=metadata)
        self._task = asyncio.ensure_future(self._end(streamed))

    async def progress(self, seconds: float = 5.0) -> bytes:
        """The first thing that the tool reports; raises TimeoutError, also where the call ends without any."""
        waiting = asyncio.ensure_future(self._progressed.wait())
        await asyncio.wait({waiting, self._task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self.events:
            raise TimeoutError(f"{self.target} reported nothing within {seconds} s")
        return bytes(self.events[0][1])

    def cancel(self) -> float:
        """The caller goes away; answers the monotonic instant."""
        now = time.monotonic()
        self.deadline = now
        self._rpc.cancel()
        return now

    async def answer(self) -> Answer:
        """Waits for the call's end."""
        return await asyncio.shield(self._task)

    async def _end(self, streamed: bool) -> Answer:
        try:
            result = await self._read() if streamed else (await self._rpc).result
            at = time.monotonic()
            ended = self._answered(result)
        except grpc.aio.AioRpcError as error:
            at = time.monotonic()
            ended = self._failed(from_rpc_error(error))
        except asyncio.CancelledError:
            at = time.monotonic()
            if not self._rpc.cancelled():
                raise
            ended = self._failed(CallFailed("CANCELLED", "cancelled by the caller"))
        call_id = await self._call_id()
        answer = Answer(**ended, call_id=call_id or ended["metadata"].get("call_id", ""), **self._about(at))
        self._caller.answers.append(answer)
        return answer

    async def _read(self) -> Any:
        result = None
        async for event in self._rpc:
            if event.WhichOneof("event") == "result":
                result = event.result
            else:
                self.events.append((time.monotonic(), event.progress.data_json))
                self._progressed.set()
        return result

    def _about(self, at: float) -> dict[str, Any]:
        return {
            "trace": self.trace,
            "at": at,
            "took": at - self.sent,
            "after": at - self.deadline,
            "wanted": self._wanted,
            "by": GRACE if self._by is None else self._by,
            # A streamed call whose tool never said a word may have run out of time on the way there.
            "arrived": self._arrived and (bool(self.events) or not self._streamed),
        }

    @staticmethod
    def _failed(failure: CallFailed) -> dict[str, Any]:
        return {
            "code": failure.code,
            "reason": failure.reason,
            "text": failure.message,
            "metadata": dict(failure.metadata),
            "fields": tuple(violation.field for violation in failure.fields),
            "retry_after": failure.retry_after,
        }

    @staticmethod
    def _answered(result: Any) -> dict[str, Any]:
        if result is None:
            return {"code": "UNKNOWN", "reason": "", "text": "the stream ended without a result", "metadata": {}}
        code = STATUSES.get(result.status, "UNKNOWN")
        text = text_of(result) if code == "OK" else result.error_message
        return {"code": code, "reason": "", "text": text, "metadata": {}}

    async def _call_id(self) -> str:
        """In the trailers of every call that the gateway itself has ended; none where the client gave up before."""
        if self._rpc.cancelled():
            return ""
        for key, value in await self._rpc.trailing_metadata() or ():
            if key == CALL_ID:
                return str(value)
        return ""
