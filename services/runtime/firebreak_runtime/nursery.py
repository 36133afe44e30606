"""The zygote's loop: forks workers, reaps them, and kills whatever they leave behind."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress

from firebreak_runtime import control, process, worker
from firebreak_runtime.confine import confine
from firebreak_runtime.served import Served, WorkerEnv

SWEEP = 0.2
"""Seconds between looks for adopted orphans: no signal tells that one was adopted."""

NICE = 5
"""How much nicer workers are than zygote and host: what they are busy with must not keep those from stopping it."""


class Nursery:
    """Workers of one zygote, by process id."""

    def __init__(self, sock: socket.socket, served: Served, env: WorkerEnv) -> None:
        self._sock = sock
        self._served = served
        self._env = env
        self._workers: set[int] = set()
        self._bell, self._ring = socket.socketpair()

    def run(self) -> None:
        """Until the host closes the control socket; then nothing that came from here is left."""
        process.adopt_orphans()
        process.outlive_parent()  # the end of the control socket tells instead, in time to clean up
        self._listen_for_deaths()
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        try:
            while self._tend({fd for fd, _ in poll.poll(SWEEP * 1000)}):
                pass
        finally:  # whatever went wrong here: nothing may be left
            self._end()

    def _listen_for_deaths(self) -> None:
        for end in (self._bell, self._ring):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)

    def _tend(self, ready: set[int]) -> bool:
        """One round; False when the host is gone."""
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        self._reap()
        process.sweep(self._workers)
        return self._sock.fileno() not in ready or self._obey()

    def _reap(self) -> None:
        """Reports ended workers. Their groups are killed while their ids cannot be given to anyone else."""
        while (ended := process.ended_child()) is not None:
            pid, status = ended
            process.kill_with_group(pid)
            process.reap(pid)
            if pid in self._workers:
                self._workers.discard(pid)
                self._report({"exited": pid, "status": status})

    def _report(self, body: dict[str, int], fds: tuple[int, ...] = ()) -> None:
        try:
            control.send(self._sock, body, fds)
        except OSError:
            pass  # the host is gone; the next round sees it

    def _obey(self) -> bool:
        try:
            packet = control.receive(self._sock)
        except ConnectionError:  # a host that was killed before it had read everything
            return False
        if packet is None:
            return False
        try:
            self._fork(packet.body["fork"], *packet.fds)
        finally:
            for fd in packet.fds:
                os.close(fd)
        return True

    def _fork(self, number: int, data: int, output: int) -> None:
        """One more worker. `data` is its socket to the host, `output` the pipe for what it prints."""
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._report({"refused": number, "errno": error.errno or 0})
            return
        if pid == 0:
            self._become_worker(parent, data, output)
        self._workers.add(pid)
        pidfd = os.pidfd_open(pid)  # before the child can be reaped, so that it names this very process
        self._report({"forked": number, "pid": pid}, (pidfd,))
        os.close(pidfd)

    def _become_worker(self, parent: int, data: int, output: int) -> None:
        """In the child. Never returns: the zygote's frames above must not run here."""
        code = 1
        try:
            process.die_with_parent(parent)
            # A group to be killed by, but no session: where the kernel shares time out by session, all workers together then
            # weigh as much as their host, and not each of them; niceness counts within a session, or in a cgroup.
            os.setpgid(0, 0)
            os.nice(NICE)
            self._forget_zygote(output)
            confine(self._env.service.memory, self._env.writable)
            gc.enable()
            # Held until the very end: the host takes a closed socket for a broken worker and kills it.
            sock = socket.socket(fileno=data)
            code = worker.run(sock, self._served, self._env)
        except process.OrphanedError:
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(BaseException):  # the tool may have closed it
                sys.stdout.flush()
            os._exit(code)

    def _forget_zygote(self, output: int) -> None:
        """Leaves behind what is the zygote's: signals, control socket, output."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for sock in (self._sock, self._bell, self._ring):
            sock.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)

    def _end(self) -> None:
        """Kills all that is left, and what that leaves behind in turn, until nothing is."""
        while process.sweep(set()):
            select.select((), (), (), 0.001)
