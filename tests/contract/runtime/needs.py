"""What a service's host, its zygote, its workers and common libraries do, and must go on doing behind the walls. All of it
happens in /tmp and /dev/shm, as in a sandbox. Modules that would be imported late are named here: see `enclosed`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.thread
import encodings.idna  # noqa: F401
import multiprocessing
import multiprocessing.pool
import multiprocessing.popen_fork
import multiprocessing.queues
import multiprocessing.sharedctypes
import multiprocessing.synchronize
import os
import select
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
import numpy
from firebreak_runtime import control, landlock, privileges, process
from firebreak_runtime.confine import confine

FORK = multiprocessing.get_context("fork")


def threads() -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda n: n * n, range(100))) == 328350


def programs() -> None:
    assert (
        subprocess.run(["/bin/sh", "-c", "echo one; /bin/cat"], input=b"two", capture_output=True).stdout == b"one\ntwo"
    )
    assert subprocess.run(["/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0
    assert os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/false", ["false"], {}), 0)[1]) == 1
    assert os.popen("echo hello").read() == "hello\n"


def interpreters() -> None:
    """Another Python; only where its folder can be read."""
    if os.access(sys.executable, os.X_OK):
        assert subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True).stdout == b"42\n"


def processes_with_locks() -> None:
    lock, queue, total = FORK.Lock(), FORK.Queue(), FORK.Value("i", 0)

    def add() -> None:
        with lock:
            total.value += 1
            queue.put(total.value)

    children = [FORK.Process(target=add) for _ in range(3)]
    for child in children:
        child.start()
    assert sorted(queue.get() for _ in children) == [1, 2, 3]
    for child in children:
        child.join()


def process_pool() -> None:
    with FORK.Pool(2) as pool:
        assert pool.map(abs, [-1, 2, -3]) == [1, 2, 3]


def database() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, sqlite3.connect(Path(folder) / "some.db") as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("CREATE TABLE t (a)")
        base.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(10)])
        assert base.execute("SELECT sum(a) FROM t").fetchone() == (45,)


def files() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        first, second = Path(folder) / "a", Path(folder) / "b" / "c"
        first.write_text("text")
        second.parent.mkdir()
        first.rename(second)  # from folder to folder
        os.link(second, first)
        os.symlink(second, Path(folder) / "link")
        os.mkfifo(Path(folder) / "fifo")
        os.truncate(second, 2)
        assert first.read_text() == "te"
    with tempfile.TemporaryFile(dir="/dev/shm") as shared:
        shared.write(b"x")


def encryption() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tunnel = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.org")
    try:
        tunnel.do_handshake()
    except ssl.SSLWantReadError:
        assert outgoing.pending > 100


def numbers() -> None:
    matrix = numpy.eye(300) * 2
    assert (matrix @ matrix).trace() == 1200
    numpy.linalg.svd(matrix)


def event_loop() -> None:
    async def run(path: str) -> None:
        server = await asyncio.start_unix_server(lambda _, writer: writer.write(b"hello\n"), path)
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.readline() == b"hello\n"
        writer.close()
        server.close()
        assert await asyncio.to_thread(sum, [1, 2]) == 3
        child = await asyncio.create_subprocess_exec("/bin/echo", "hi", stdout=subprocess.PIPE)
        assert await child.communicate() == (b"hi\n", None)

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        asyncio.run(run(f"{folder}/s"))


def names() -> None:
    """A numeric address is resolved without asking anyone."""
    assert socket.getaddrinfo("127.0.0.1", 3128, type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 3128)


def descriptors() -> None:
    """As host and zygote pass them on."""
    ours, theirs = control.pair()
    memory = os.memfd_create("description")
    os.write(memory, b"described")
    control.send(ours, {"loaded": "sync"}, (memory,))
    packet = control.receive(theirs)
    assert packet is not None
    assert os.pread(packet.fds[0], 100, 0) == b"described"
    poll = select.epoll()
    poll.register(os.eventfd(1), select.EPOLLIN)
    assert len(poll.poll(1)) == 1


def tree() -> None:
    """Adopts, watches, kills and reaps, as host and zygote do."""
    process.adopt_orphans()
    parent = os.getpid()
    if (pid := os.fork()) == 0:
        process.die_with_parent(parent)
        os.setsid()
        time.sleep(60)
    pidfd = os.pidfd_open(pid)
    process.signal_pidfd(pidfd)
    assert select.select([pidfd], [], [], 10)[0]
    assert process.ended_child() == (pid, -signal.SIGKILL)
    process.reap(pid)
    assert process.sweep(set()) == 0


def worker() -> None:
    """Confines itself further, which Landlock counts as another layer."""
    confine(256 * 1024**2, ("/tmp",))
    privileges.gain_none()
    assert landlock.abi() > 0
    with tempfile.TemporaryFile(dir="/tmp") as file:
        file.write(b"x")


def timers() -> None:
    bell, ring = socket.socketpair()
    ring.setblocking(False)
    signal.set_wakeup_fd(ring.fileno())
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    bell.settimeout(10)
    assert bell.recv(1) == bytes([signal.SIGALRM])


def calls() -> None:
    """gRPC over a Unix socket, in both directions and with several threads."""

    class Echo(grpc.GenericRpcHandler):
        def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(Echo(),))
        server.add_insecure_port(f"unix:{folder}/s")
        server.start()
        with grpc.insecure_channel(f"unix:{folder}/s") as channel:
            echo = channel.unary_unary("/any/Method")
            assert echo(b"x" * 100_000, timeout=10) == b"x" * 100_000
            assert [each.result() for each in [echo.future(b"y", timeout=10) for _ in range(20)]] == [b"y"] * 20
        server.stop(None).wait()


def locks_between_threads() -> None:
    condition, seen = threading.Condition(), []

    def wait() -> None:
        with condition:
            condition.wait_for(lambda: seen, 10)

    waiting = threading.Thread(target=wait)
    waiting.start()
    with condition:
        seen.append(1)
        condition.notify_all()
    waiting.join(10)
    assert not waiting.is_alive()
