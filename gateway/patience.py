"""How long a target may be silent."""

from __future__ import annotations

from types import TracebackType

from gateway.call import Call
from gateway.errors import CallError, Reason
from gateway.ports import Clock
from gateway.targets import Target
from gateway.time_limit import TimeLimit


class Patience:
    """How long the target may be silent: up to its first message, and between two of them.

    Limits are only set where they would expire before the call's deadline, which an outer stage enforces. While the caller's
    messages still come the target may rightly wait for them, so they count from `asked` on.
    """

    def __init__(self, call: Call, target: Target, clock: Clock) -> None:
        limits = target.config.limits
        self._clock = clock
        self._target = target
        self._end = call.deadline.at
        self._asking = call.method.streams_request
        self._paused = False
        self._heard = False
        # None where it could not expire: what comes later is due later still.
        needed = self._due(min(limits.first_event, limits.idle)) is not None
        self._limit = TimeLimit(self._next()) if needed else None

    def __enter__(self) -> None:
        if self._limit is not None:
            self._limit.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._limit is None:
            return
        try:
            self._limit.__exit__(kind, error, traceback)
        except TimeoutError:
            raise self._silent() from None

    def asked(self) -> None:
        """The caller's last message went to the target."""
        self._asking = False
        self._move()

    def pause(self) -> None:
        """A message came, and the target waits until the caller has it."""
        self._heard = True
        self._paused = True
        self._move()

    def resume(self) -> None:
        self._paused = False
        self._move()

    def _move(self) -> None:
        if self._limit is not None:
            self._limit.move(self._next())

    def _next(self) -> float | None:
        if self._asking or self._paused:
            return None
        limits = self._target.config.limits
        return self._due(limits.idle if self._heard else limits.first_event)

    def _due(self, silence: float) -> float | None:
        due = self._clock() + silence
        return due if due < self._end else None

    def _silent(self) -> CallError:
        name, limits = self._target.name, self._target.config.limits
        metadata = {"target": name}
        if self._heard:
            message = f'"{name}" was silent for more than {limits.idle:g} s between two messages. Try again.'
            return CallError(Reason.IDLE_TIMEOUT, message, metadata=metadata)
        message = f'"{name}" sent nothing within {limits.first_event:g} s. Try again, or ask for less at once.'
        return CallError(Reason.FIRST_EVENT_TIMEOUT, message, metadata=metadata)
