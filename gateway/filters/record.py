"""Record: every call is on record, however it ends; what nobody foresaw becomes INTERNAL here."""

from __future__ import annotations

import logging

from gateway.call import Call
from gateway.errors import CallError, Reason
from gateway.ports import Recorder
from gateway.service import Filter, Finish, Send, Service

_log = logging.getLogger(__name__)


def record(recorder: Recorder, in_flight: set[str]) -> Filter:
    """A stage that tells `recorder` of the start and the end of each call, rejected and cancelled ones included.

    While a call runs its id is in `in_flight`. An exception that is neither a CallError nor a cancellation is a bug: it is
    logged with its traceback under the call's id, and the caller gets INTERNAL with that id and nothing of its text.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            call.facts.request_bytes = len(call.request)
            outcome: Finish | BaseException | None = None
            in_flight.add(call.id)
            recorder.started(call)
            try:
                outcome = await service(call, send)
                return outcome
            except CallError as error:
                outcome = _completed(error, call)
                raise
            except Exception as error:
                outcome = _internal(call, error)
                raise outcome from error
            except BaseException as error:
                outcome = error
                raise
            finally:
                in_flight.discard(call.id)
                assert outcome is not None
                recorder.ended(call, outcome)
                outcome = None  # an error's traceback holds this frame: a cycle would keep the request alive

        return serve

    return wrap


def _completed(error: CallError, call: Call) -> CallError:
    """`error` with the target's name, so that a caller of many targets sees which one it was."""
    if call.facts.target:
        error.metadata.setdefault("target", call.facts.target)
    return error


def _internal(call: Call, error: Exception) -> CallError:
    # The call's id serves as the correlation id: it is unique, in the log line, and already known to the caller.
    call.facts.correlation = call.id
    _log.error("a call ended by a bug", extra={"correlation_id": call.id}, exc_info=error)
    return CallError(
        Reason.INTERNAL,
        f"Something went wrong inside the gateway. Tell the platform team the correlation id {call.id}.",
        metadata={"correlation_id": call.id},
    )
