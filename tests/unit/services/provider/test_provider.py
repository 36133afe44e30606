"""The provider itself, with LangChain's own class for OpenAI, against a server on loopback, and by the egress proxy, too."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.local import certificates
from tests.contract.egress.proxy import entry, forwarded, running
from tests.unit.services.environments import run_in
from tests.unit.services.optional import needs
from tests.unit.services.provider.openai_server import KEY, OpenAiServer

pytestmark = needs("provider")

USAGE = (11, 3, 14)
REASONS = {
    "400": "MODEL_FAILED",
    "401": "MODEL_FAILED",
    "403": "MODEL_FAILED",
    "404": "MODEL_FAILED",
    "413": "REQUEST_TOO_LARGE",
    "429": "RATE_LIMITED",
    "500": "TARGET_UNAVAILABLE",
    "503": "TARGET_UNAVAILABLE",
    "too long": "REQUEST_TOO_LARGE",
}


@pytest.fixture(scope="module", params=["direct", "http by proxy", "https by proxy"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def server(way: str, folder: Path) -> Iterator[OpenAiServer]:
    server = OpenAiServer(certified(folder) if way.startswith("https") else None)
    yield server
    server.close()


@pytest.fixture(scope="module")
def report(way: str, server: OpenAiServer, folder: Path) -> Any:
    (key := folder / "provider.key").write_text(KEY + "\n")
    with contextlib.ExitStack() as open_:
        settings = []
        scheme, _, host = server.base_url.removesuffix(f":{server.port}/v1").partition("://")
        if way != "direct":
            proxy = open_.enter_context(running(provider=[entry(server.port, scheme, host)]))
            port = open_.enter_context(forwarded(proxy, "provider"))
            settings = [f"{name}_PROXY=http://127.0.0.1:{port}" for name in ("HTTP", "HTTPS", "ALL")]
        if scheme == "https":
            settings.append(f"SSL_CERT_FILE={folder / 'ca'}")
        report = run_in("provider", Path(__file__).with_name("asking.py"), server.base_url, str(key), *settings)
        assert way == "direct" or {line["verdict"] for line in proxy.lines()} == {"allowed"}
        return report


def certified(folder: Path) -> ssl.SSLContext:
    """For a server that is called localhost; its authority is the file "ca"."""
    now = datetime.now(UTC)
    authority = certificates.authority(now)
    leaf = certificates.server(authority, "spiffe://example.test/models", now)
    for name, pem in (("ca", authority.certificate_pem), ("crt", leaf.certificate_pem), ("pem", leaf.key_pem)):
        (folder / name).write_bytes(pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "crt", folder / "pem")
    return tls


@pytest.mark.parametrize("how", ["invoke", "stream"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_it_answers(report: Any, how: str, asynchronous: bool) -> None:
    answer = (report["async"] if asynchronous else report)[how]
    assert (answer["text"], answer["reason"]) == ("The tide turns.", "stop")
    assert tuple(answer["usage"][f"{kind}_tokens"] for kind in ("input", "output", "total")) == USAGE


@pytest.mark.parametrize("how", ["tool", "stream tool"])
def test_it_asks_for_tools(report: Any, how: str) -> None:
    assert (report[how]["calls"], report[how]["reason"]) == ([["weather", {"city": "Oslo"}]], "tool_calls")


def test_what_the_caller_sets_reaches_the_provider(report: Any, server: OpenAiServer) -> None:
    del report
    asked = server.asked[0]
    assert (asked["max_completion_tokens"], asked["temperature"], asked["stop"]) == (77, 0.5, ["x"])
    tools = next(body for body in server.asked if body.get("tools"))
    assert (tools["tools"][0]["function"]["name"], tools["tool_choice"]) == ("weather", "required")


def test_usage_is_asked_for_in_streams_too(report: Any, server: OpenAiServer) -> None:
    del report
    streams = [body for body in server.asked if body.get("stream")]
    assert streams
    assert all(body["stream_options"] == {"include_usage": True} for body in streams)


@pytest.mark.parametrize("how", ["failures", "stream failures"])
@pytest.mark.parametrize("wish", sorted(REASONS))
def test_a_failure_has_a_plain_reason(report: Any, how: str, wish: str) -> None:
    assert report[how][wish]["reason"] == REASONS[wish]


def test_an_answer_that_makes_no_sense_is_a_failure(report: Any) -> None:
    assert report["failures"]["no json"]["reason"] == "MODEL_FAILED"
    assert report["stream failures"]["no json"]["reason"] == "TARGET_UNAVAILABLE"


def test_an_answer_that_stops_in_the_middle_is_a_failure(report: Any) -> None:
    assert report["cut"]["reason"] == report["async"]["cut"]["reason"] == "TARGET_UNAVAILABLE"
    assert report["error inside"]["reason"] == "MODEL_FAILED"


def test_the_wait_that_the_provider_wants_is_told(report: Any) -> None:
    for limited in (report["failures"], report["stream failures"], report["async"]):
        assert limited["429"]["metadata"] == {"status": "429", "retry_after_seconds": "7"}
    assert report["async"]["stream 429"]["reason"] == "RATE_LIMITED"


def test_nothing_is_asked_twice(report: Any, server: OpenAiServer) -> None:
    """The gateway repeats calls, from a budget; if the model did so too, every failure would be multiplied."""
    del report
    assert sum(body["messages"][-1]["content"] == "500" for body in server.asked) == 2  # whole, and as a stream


def test_a_cancelled_call_lets_go_of_the_provider(report: Any, server: OpenAiServer) -> None:
    assert report["async"]["cancelled"]
    assert server.gone.wait(5)


def test_the_key_is_read_for_each_call(report: Any, server: OpenAiServer) -> None:
    assert report["wrong key"]["metadata"] == {"status": "401"}
    assert report["no key"]["reason"] == "TARGET_NOT_READY"
    assert "put the key into it" in report["no key"]["message"]
    assert report["key again"]["text"] == "The tide turns."
    assert server.keys.count("sk-wrong-one") == 1


def test_nothing_of_the_providers_text_is_told(report: Any) -> None:
    told = json.dumps(report)
    assert KEY not in told
    assert "/srv/models" not in told
    assert "maximum context" not in told


def test_it_describes_itself(report: Any) -> None:
    assert report["profile"]["tool_calling"] is True
    assert "openai:gpt-4.1-mini" in report["shown"]


def test_the_process_can_be_forked(report: Any) -> None:
    assert report["threads"] == 1
