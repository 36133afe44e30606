"""Record: every call is on record, however it ends; what nobody foresaw becomes INTERNAL here."""

from __future__ import annotations

from gateway.call import Call
from gateway.outcomes import failure
from gateway.ports import Recorder
from gateway.service import Filter, Finish, Send, Service


def record(recorder: Recorder, in_flight: set[str]) -> Filter:
    """A stage that tells `recorder` of the start and the end of each call, rejected and cancelled ones included.

    While a call runs its id is in `in_flight`. An exception that is neither a CallError nor a cancellation is a bug: the caller
    gets INTERNAL (`outcomes.failure`).
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
            except BaseException as error:
                outcome = failure(error, call)
                raise outcome from outcome.__cause__
            finally:
                in_flight.discard(call.id)
                assert outcome is not None
                recorder.ended(call, outcome)
                outcome = None  # an error's traceback holds this frame: a cycle would keep the request alive

        return serve

    return wrap
