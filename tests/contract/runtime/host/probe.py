"""A tool that misbehaves on request, driven by its arguments: {"do": name, …}. No framework, so that it loads in no time."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from firebreak.v1 import payload_pb2, tool_pb2
from firebreak_runtime import context
from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.served import WorkerEnv
from firebreak_runtime.service_file import ServiceFile

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"do": {"type": "string"}, "path": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["do"],
        "additionalProperties": False,
    }
).encode()


def load(service: ServiceFile) -> Probe:
    """What the entrypoint's name asks for."""
    name = service.entrypoint.partition(":")[2]
    if name == "broken":
        raise ImportError("cannot import name 'ExecutionInfo' from 'langgraph.runtime' (/opt/env/langgraph/runtime.py)")
    if name == "secret":
        raise ValueError("password=hunter2")
    if name == "misconfigured":
        raise LoadError("module probe has no object misconfigured")
    if name == "exits":
        sys.exit(3)
    if name == "dies":
        os._exit(3)
    if name == "hangs":
        time.sleep(60)
    if name == "threads":
        import threading

        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    if name == "once":
        return _fails_second_time(service)
    return Probe(service, "async" if name == "coroutine" else "sync")


def _fails_second_time(service: ServiceFile) -> Probe:
    mark = service.folder / "loaded"
    if mark.exists():
        raise ImportError("No module named 'gone'")
    mark.touch()
    return Probe(service, "sync")


class Probe:
    """The loaded object."""

    def __init__(self, service: ServiceFile, mode: Literal["sync", "async"]) -> None:
        self.mode = mode
        self._service = service
        self._env: WorkerEnv | None = None

    def describe(self) -> bytes:
        framework = payload_pb2.Framework(package="probe", version="1.0.0", python="3")
        spec = tool_pb2.ToolSpec(name="probe", input_schema_json=SCHEMA, schema_sha256="abc", framework=framework)
        return tool_pb2.ToolServiceDescribeResponse(spec=spec).SerializeToString()

    def warm(self) -> None:
        print("warmed up")

    async def start(self, env: WorkerEnv) -> tuple[str, ...]:
        self._env = env
        folder = self._service.folder
        if (folder / "start_fails").exists():
            raise ImportError("No module named 'needed_in_worker'")
        if (folder / "start_exits").exists():
            os._exit(4)
        return ("calculator",) if (folder / "missing").exists() else ()

    def call(self, method: str, request: bytes, emit: Callable[[bytes], None]) -> None:
        args = _args(method, request)
        if method == "Stream":
            for seq in range(1, args.get("n", 3) + 1):
                emit(_progress(seq))
            emit(_event(args.get("n", 3) + 1, "done"))
            return
        action = SYNC.get(args["do"])
        emit(_result(action(args) if action else COMMON[args["do"]](self, args, emit)))

    async def acall(self, method: str, request: bytes, emit: Callable[[bytes], Awaitable[None]]) -> None:
        args = _args(method, request)
        if method == "Stream":
            for seq in range(1, args.get("n", 3) + 1):
                await emit(_progress(seq))
            await emit(_event(args.get("n", 3) + 1, "done"))
            return
        if args["do"] in ASYNC:
            await emit(_result(await ASYNC[args["do"]](args)))
            return
        action = SYNC[args["do"]]
        await emit(_result(action(args)))

    @property
    def env(self) -> WorkerEnv:
        assert self._env is not None
        return self._env


def _args(method: str, request: bytes) -> dict[str, Any]:
    kind = tool_pb2.ToolServiceStreamRequest if method == "Stream" else tool_pb2.ToolServiceCallRequest
    args: dict[str, Any] = json.loads(kind.FromString(request).call.args_json)
    return args


def _text(text: str) -> tool_pb2.ToolResult:
    return tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[payload_pb2.ContentBlock(text=text)])


def _result(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    return tool_pb2.ToolServiceCallResponse(result=_text(text)).SerializeToString()


def _event(seq: int, text: str) -> bytes:
    return tool_pb2.ToolServiceStreamResponse(seq=seq, result=_text(text)).SerializeToString()


def _progress(seq: int) -> bytes:
    data = b'"' + b"x" * 30_000 + b'"'
    return tool_pb2.ToolServiceStreamResponse(
        seq=seq, progress=tool_pb2.ToolProgress(data_json=data)
    ).SerializeToString()


def note(args: dict[str, Any]) -> None:
    """Leaves this process's id where the test finds it."""
    path = Path(args["path"])
    temporary = path.with_suffix(".new")
    temporary.write_text(str(os.getpid()))
    temporary.rename(path)


def busy(args: dict[str, Any]) -> str:
    note(args)
    while True:
        pass


def sleep(args: dict[str, Any]) -> str:
    note(args)
    time.sleep(60)
    return "slept"


def hold(args: dict[str, Any]) -> str:
    """Runs until the test removes its note."""
    note(args)
    while Path(args["path"]).exists():
        time.sleep(0.002)
    return "held"


def segfault(_: dict[str, Any]) -> str:
    ctypes.string_at(0)
    return "impossible"


def kill_self(_: dict[str, Any]) -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "impossible"


def leave(_: dict[str, Any]) -> str:
    os._exit(5)


def exit_(_: dict[str, Any]) -> str:
    sys.exit("leaving")


def abort(_: dict[str, Any]) -> str:
    os.abort()


def hog(_: dict[str, Any]) -> str:
    kept = []
    while True:
        kept.append(bytearray(8 * 1024**2))


def raises(_: dict[str, Any]) -> str:
    raise RuntimeError("the password is hunter2 in /etc/secret")


def refuses(_: dict[str, Any]) -> str:
    raise ServedError("ARGUMENTS_INVALID", "do something else", fields=(("args.do", "is not liked"),))


def _data_socket() -> int:
    """The descriptor of the worker's own socket to its host, as foreign code could find it."""
    for fd in range(3, 64):
        try:
            with socket.socket(fileno=os.dup(fd)) as copy:
                if copy.family == socket.AF_UNIX and copy.type == socket.SOCK_STREAM and copy.getpeername() == "":
                    return fd
        except OSError:
            continue
    raise RuntimeError("no socket")


def garbage(_: dict[str, Any]) -> str:
    os.write(_data_socket(), b"\xff" * 64)
    time.sleep(60)
    return "impossible"


def huge_header(_: dict[str, Any]) -> str:
    os.write(_data_socket(), (1024**3).to_bytes(4, "big") + bytes([6, 0, 0, 0, 1]))
    time.sleep(60)
    return "impossible"


def closes_all(_: dict[str, Any]) -> str:
    os.closerange(3, 256)
    time.sleep(60)
    return "impossible"


def wrong_message(_: dict[str, Any]) -> bytes:
    return b"\xff\xff\xff"


def orphans(args: dict[str, Any]) -> str:
    """A child in a session of its own, a grandchild that holds the socket, and then a busy loop."""
    folder = Path(args["path"])
    script = "import os,sys,time; open(sys.argv[1] + '/' + str(os.getpid()), 'w').close(); time.sleep(60)"
    subprocess.Popen([sys.executable, "-c", script, str(folder)], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            (folder / str(os.getpid())).touch()
            time.sleep(60)
        (folder / str(os.getpid())).touch()
        time.sleep(60)
    while len(list(folder.iterdir())) < 3:
        time.sleep(0.001)
    note({"path": str(folder.parent / "worker")})
    while True:
        pass


def forks_back(_: dict[str, Any]) -> str:
    os.fork()
    return "came back"


def printing(args: dict[str, Any]) -> str:
    for number in range(args.get("n", 1)):
        print(f"tool says {number}")
    print("to stderr", file=sys.stderr)
    return "printed"


def big(args: dict[str, Any]) -> str:
    return "x" * args["n"]


def about(_: dict[str, Any]) -> str:
    call = context.current.get()
    return json.dumps(
        {
            "session": call.session,
            "traceparent": call.traceparent,
            "call_id": call.call_id,
            "left": call.deadline - time.monotonic(),
            "env": dict(os.environ),
            "pid": os.getpid(),
            "parent": os.getppid(),
            "group": os.getpgid(0),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "status": Path("/proc/self/status").read_text(),
            "modules": sorted(sys.modules),
        }
    )


def reach_out(_: dict[str, Any]) -> str:
    """Tries to signal and to read the processes above."""
    told = {}
    zygote = os.getppid()
    host = int(Path(f"/proc/{zygote}/stat").read_text().rpartition(")")[2].split()[1])
    for name, pid in (("zygote", zygote), ("host", host)):
        try:
            os.kill(pid, 0)
            told[name] = "signalled"
        except PermissionError:
            told[name] = "refused"
        try:
            Path(f"/proc/{pid}/mem").open("rb").close()
            told[name + " memory"] = "opened"
        except PermissionError:
            told[name + " memory"] = "refused"
    return json.dumps(told)


def ask_proxy(_: dict[str, Any]) -> str:
    """What the egress proxy answers, asked as an HTTP client would find it."""
    host, _, port = os.environ["HTTPS_PROXY"].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 5) as sock:
        sock.sendall(os.environ["FIREBREAK_EGRESS"].encode())
        sock.shutdown(socket.SHUT_WR)
        return sock.makefile().read()


def too_many_files(_: dict[str, Any]) -> str:
    kept = []
    try:
        while True:
            kept.append(open("/dev/null"))  # noqa: SIM115
    except OSError:
        count = len(kept)
    for file in kept:
        file.close()
    return str(count)


def count_runs(args: dict[str, Any]) -> str:
    with open(args["path"], "a") as file:
        file.write("x")
    return Path(args["path"]).read_text()


def count_and_die(args: dict[str, Any]) -> str:
    count_runs(args)
    os._exit(1)


def emits_twice(_: Probe, _args: dict[str, Any], emit: Callable[[bytes], None]) -> str:
    emit(_result("first"))
    return "second"


def floods(_: Probe, _args: dict[str, Any], emit: Callable[[bytes], None]) -> str:
    """More frames than were granted, past the worker's own count."""
    from firebreak_runtime.frames import Kind, encode

    fd = _data_socket()
    for _number in range(100):
        os.write(fd, encode(Kind.EVENT, 1, b""))
    time.sleep(60)
    return "impossible"


SYNC: dict[str, Callable[[dict[str, Any]], Any]] = {
    "echo": lambda args: "echo",
    "busy": busy,
    "sleep": sleep,
    "hold": hold,
    "segfault": segfault,
    "kill_self": kill_self,
    "leave": leave,
    "exit": exit_,
    "abort": abort,
    "hog": hog,
    "raises": raises,
    "refuses": refuses,
    "garbage": garbage,
    "huge_header": huge_header,
    "closes_all": closes_all,
    "wrong_message": wrong_message,
    "orphans": orphans,
    "forks_back": forks_back,
    "print": printing,
    "big": big,
    "about": about,
    "reach_out": reach_out,
    "ask_proxy": ask_proxy,
    "too_many_files": too_many_files,
    "count": count_runs,
    "count_and_die": count_and_die,
}
COMMON: dict[str, Callable[[Probe, dict[str, Any], Callable[[bytes], None]], Any]] = {
    "emits_twice": emits_twice,
    "floods": floods,
}


async def naps(args: dict[str, Any]) -> str:
    if "path" in args:
        note(args)
    await asyncio.sleep(args.get("n", 60))
    return "napped"


async def stubborn(args: dict[str, Any]) -> str:
    note(args)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


async def tells(_: dict[str, Any]) -> str:
    await asyncio.sleep(0)
    return about({})


async def cleans_up(args: dict[str, Any]) -> str:
    try:
        await naps(args)
    finally:
        Path(args["path"] + ".clean").touch()
    return "impossible"


ASYNC: dict[str, Callable[[dict[str, Any]], Awaitable[str]]] = {
    "naps": naps,
    "stubborn": stubborn,
    "cleans_up": cleans_up,
    "about": tells,
}
