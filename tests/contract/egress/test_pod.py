"""A service's pod with the arguments that the chart gives its containers: what its code can reach, and what it cannot."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from firebreak.v1 import host_pb2, tool_pb2

from tests.contract.egress.pod.pod import PORT, Pod
from tests.contract.egress.proxy import until
from tests.contract.runtime.host.sandbox import bubblewrap
from tests.contract.runtime.host.test_self_test import NO_LANDLOCK

pytestmark = pytest.mark.skipif(bubblewrap() is None, reason="needs bubblewrap (bwrap)")

PAGE = f"http://localhost:{PORT}"
HELD = (host_pb2.PROMISE_STATE_HELD, "")
REFUSED = "URLError: <urlopen error [Errno 13] Permission denied>"


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    """Both containers, in the order in which a cluster starts them."""
    made = Pod()
    try:
        assert not made.probe("egress-proxy")
        made.proxy = made.start("egress-proxy")
        until(lambda: made.probe("egress-proxy"), "the proxy", 30)
        made.start("service")
        made.ready()
        yield made
    finally:
        made.close()


def test_a_name_of_the_list_goes_through_the_proxy(pod: Pod) -> None:
    assert pod.visit(f"{PAGE}/listed") == "page /listed"
    assert "/listed" in pod.visited()
    until(lambda: '"verdict": "allowed"' in pod.log("egress-proxy"), "the log's line of the connection")


@pytest.mark.parametrize("place", ["example.org:80", f"127.0.0.1:{PORT}", "localhost:7600", "169.254.169.254:80"])
def test_another_name_address_or_port_is_refused_with_what_to_do(pod: Pod, place: str) -> None:
    written = f"http://{place.removesuffix(':80')}"
    assert pod.visit(f"http://{place}/other") == (
        f"HTTPError: HTTP Error 403: Firebreak egress: {place} is not on the list of this service. "
        f'To allow it, add to `egress:` in its service.yaml: "{written}"'
    )


def test_nothing_goes_around_the_proxy(pod: Pod) -> None:
    assert pod.visit(f"{PAGE}/around", "direct") == REFUSED
    assert pod.visit(f"http://127.0.0.1:{PORT}/around", "direct") == REFUSED
    assert pod.visit(PAGE, "packet") == "OSError: [Errno 97] Address family not supported by protocol"
    assert "/around" not in pod.visited()


def test_what_was_promised_of_the_network_is_held_with_the_proxy_there(pod: Pod) -> None:
    told = pod.promises()
    assert (told["network"], told["sockets"], told["files"]) == (HELD, HELD, HELD)


def test_the_service_cannot_put_another_list_or_socket_in_place(pod: Pod) -> None:
    for path in ("lists.json", "visit/egress.sock", "visit/other.sock"):
        assert pod.visit(f"/run/firebreak/egress/{path}", "change").startswith(
            ("OSError: [Errno 30]", "PermissionError")
        )


def test_without_the_proxy_calls_fail_and_say_why_until_it_is_back(pod: Pod) -> None:
    os.kill(pod.proxy, signal.SIGKILL)
    gone = "HTTP Error 503: Firebreak egress: the egress proxy of this service is not running. It is started again by itself"
    until(lambda: pod.visit(f"{PAGE}/gone") == f"HTTPError: {gone}", "the end of the proxy")
    before = pod.visited()
    failed = pod.call(f"{PAGE}/gone", "must")
    assert (failed.status, failed.error_message) == (
        tool_pb2.TOOL_STATUS_TOOL_ERROR,
        "the tool failed: HTTPError",  # its text is the tool's to tell
    )
    assert pod.visit(f"{PAGE}/gone", "direct") == REFUSED
    assert pod.visited() == before
    pod.proxy = pod.start("egress-proxy")
    until(lambda: pod.visit(f"{PAGE}/back") == "page /back", "the proxy", 30)


def test_a_node_without_landlock_does_not_get_the_promise() -> None:
    """There the service can go around the proxy to where its NetworkPolicy lets the pod go, and nobody says otherwise."""
    pod = Pod()
    try:
        pod.start("service", ("-c", NO_LANDLOCK, "-m", "firebreak_runtime"))
        pod.ready()
        assert pod.visit(f"{PAGE}/around", "direct") == "page /around"
        assert pod.promises()["network"] == (
            host_pb2.PROMISE_STATE_NOT_IN_FORCE,
            "without Landlock's rules for connections (Linux 6.7) the egress proxy can be gone around; "
            "reached where its egress proxy leads, without that",
        )
    finally:
        pod.close()
