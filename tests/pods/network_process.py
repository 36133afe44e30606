"""Runs in namespaces of its own, with the standard library and `ip` only: a network without a way out, and one for each pod.

Standard input is a socket: each request is one message of JSON, each answer one too, with a socket where one is asked for.

    {"do": "pod", "address": A}                          makes the network of a pod, with this address beside its loopback
    {"do": "start", "pod": A, "command": […], "log": L}  bubblewrap in there; answers the id of the first process in the sandbox
    {"do": "code", "pid": N}                             its exit code, null while it runs
    {"do": "listen", "address": A, "port": P}            a socket that listens at an address of its own
    {"do": "connect", "address": A, "port": P}           a connection to a pod
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

BRIDGE, PREFIX = "pods", 16
HARDWARE = "02:00:00:00:00:01"
"""Of the bridge. Without one of its own it takes another pod's whenever one comes, and nobody reaches it for half a minute."""
INFO, FILTER = "INFO", "FILTER"
"""Words of a command in whose place a descriptor goes: where bubblewrap tells its child, and a filter of system calls."""
ALLOWED = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
"""A filter that lets everything through: to a container it looks like that of the runtime (seccomp RuntimeDefault)."""
PATIENCE = 5.0
_NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

networks: dict[str, int] = {}
processes: dict[int, subprocess.Popen[bytes]] = {}


def check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def entering(network: int) -> Callable[[], None]:
    """Moves a process that is being started into a network."""
    return lambda: check(_libc.setns(network, _NEW_NETWORK))


def ip(*commands: str, network: int | None = None) -> None:
    """Runs commands of iproute2, in another network where one is given."""
    text = "".join(f"{command}\n" for command in commands)
    enter = None if network is None else entering(network)
    done = subprocess.run(["ip", "-batch", "-"], input=text, text=True, capture_output=True, preexec_fn=enter)
    if done.returncode != 0:
        raise OSError(done.stderr)


def new_network() -> int:
    """A network that lives as long as this descriptor; made by a thread, which alone moves into it."""
    made: list[int] = []

    def make() -> None:
        check(_libc.unshare(_NEW_NETWORK))
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def pod(address: str) -> None:
    network, name = new_network(), f"pod{len(networks)}"
    ip(
        f"link add {name} type veth peer name eth0 netns /proc/{os.getpid()}/fd/{network}",
        f"link set {name} master {BRIDGE} up",
    )
    ip(f"addr add {address}/{PREFIX} dev eth0", "link set eth0 up", "link set lo up", network=network)
    networks[address] = network


def start(pod: str, command: list[str], log: str) -> int:
    (reading, writing), rules = os.pipe(), os.memfd_create("filter", 0)
    os.write(rules, ALLOWED)
    os.lseek(rules, 0, os.SEEK_SET)
    words = [{INFO: str(writing), FILTER: str(rules)}.get(word, word) for word in command]
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "pass_fds": (writing, rules)}
    with open(log, "ab") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, preexec_fn=entering(networks[pod]), **quiet)
    os.close(writing)
    os.close(rules)
    with os.fdopen(reading) as told:
        said = told.read()
    if not said:
        raise OSError(f"bubblewrap did not start a process; {log} says why")
    pid = int(json.loads(said)["child-pid"])
    processes[pid] = process
    return pid


def code(pid: int) -> int | None:
    return processes[pid].poll()


def listen(address: str, port: int) -> socket.socket:
    ip(f"addr replace {address}/32 dev {BRIDGE}")
    return socket.create_server((address, port))


def connect(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port), PATIENCE)


DOES: dict[str, Callable[..., Any]] = {"pod": pod, "start": start, "code": code, "listen": listen, "connect": connect}


def serve(requests: socket.socket) -> None:
    """Answers until whoever asks is gone."""
    while message := requests.recv(1 << 20):
        request = json.loads(message)
        try:
            found = DOES[request.pop("do")](**request)
        except (OSError, ValueError) as error:
            found = error
        if isinstance(found, socket.socket):
            with found:
                socket.send_fds(requests, [b"{}"], [found.fileno()])
        else:
            requests.send(json.dumps({"error": str(found)} if isinstance(found, Exception) else {"is": found}).encode())


if __name__ == "__main__":
    ip(f"link add {BRIDGE} address {HARDWARE} type bridge", f"addr add {sys.argv[1]}/{PREFIX} dev {BRIDGE}")
    ip(f"link set {BRIDGE} up", "link set lo up")
    with socket.socket(fileno=0) as asked:
        serve(asked)
