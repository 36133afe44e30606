"""Models behind the gateway: a provider's, whose key stays in its file; a small one on this machine; several in order."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from firebreak.client import CallFailed, Client
from firebreak.client.errors import from_rpc_error
from firebreak.v1 import model_pb2, model_pb2_grpc, payload_pb2

from tests.e2e.instance import ROOT, Instance, wait_for
from tests.unit.services.optional import needs
from tests.unit.services.provider.openai_server import KEY, OpenAiServer

SERVICES = ROOT / "services"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAiServer]:
    server = OpenAiServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def instance(server: OpenAiServer) -> Iterator[Instance]:
    """The provider with its key, and an assistant that asks the router where the provider cannot answer."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    provider = copied(folder, "provider", env=environment(server), egress=[reaching(server)])
    assistant = copied(folder, "assistant", uses={"tools": ["calculator"], "model": ["provider", "router"]})
    instance = Instance(folder / "i", [SERVICES / "calculator", SERVICES / "router", provider, assistant])
    grants = instance.policies / "data/grants.yaml"
    data = yaml.safe_load(grants.read_text())
    data["grants"]["provider"]["agents"] = {"roles": ["agent"], "actions": ["describe", "call"]}
    grants.write_text(yaml.safe_dump(data))
    key_of(instance).write_text(KEY)
    instance.start()
    yield instance
    instance.stop()
    shutil.rmtree(folder, ignore_errors=True)


def environment(server: OpenAiServer) -> dict[str, str]:
    where = {"PROVIDER_BASE_URL": server.base_url, "PROVIDER_API_KEY_FILE": "provider.key"}
    return {"PROVIDER_MODEL": "openai:gpt-4.1-mini", **where}


def reaching(server: OpenAiServer) -> dict[str, Any]:
    """The provider's server of these tests, which is on this machine."""
    return {"to": f"http://127.0.0.1:{server.port}", "private": True}


def key_of(instance: Instance) -> Path:
    """The file for the provider's key, in the folder of secrets that the provider alone sees."""
    folder = instance.state / "secrets/provider"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "provider.key"


def copied(folder: Path, name: str, **changes: Any) -> Path:
    """A shipped service with changes of its service.yaml."""
    copy = folder / "services" / name
    shutil.copytree(SERVICES / name, copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "service.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))
    return copy


def prompt(target: str, text: str, parameters: bytes = b"") -> model_pb2.Prompt:
    message = payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text=text)])
    return model_pb2.Prompt(target=target, messages=[message], parameters_json=parameters)


def generate(client: Client, target: str, text: str, parameters: bytes = b"") -> Any:
    request = model_pb2.ModelServiceGenerateRequest(prompt=prompt(target, text, parameters))
    stub = model_pb2_grpc.ModelServiceStub(client.channel)
    try:
        return stub.Generate(request, timeout=60, metadata=client.connection.metadata()).message
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None


def stream(client: Client, target: str, text: str, parameters: bytes = b"") -> Any:
    request = model_pb2.ModelServiceStreamRequest(prompt=prompt(target, text, parameters))
    stub = model_pb2_grpc.ModelServiceStub(client.channel)
    return stub.Stream(request, timeout=60, metadata=client.connection.metadata())


def said(message: Any) -> str:
    return "".join(block.text for block in message.content)


@needs("provider")
def test_a_providers_model_answers(instance: Instance) -> None:
    with instance.client() as client:
        message = generate(client, "provider", "hello", b'{"max_tokens": 50}')
        assert (said(message), message.usage.input_tokens, message.usage.output_tokens) == ("The tide turns.", 11, 3)
        *chunks, last = list(stream(client, "provider", "hello"))
        assert [said(event.chunk) for event in chunks if said(event.chunk)] == ["The ", "tide ", "turns."]
        assert (said(last.finished), last.finished.usage.output_tokens) == ("The tide turns.", 3)


@needs("provider")
def test_an_answer_is_bounded_whatever_the_caller_asks_for(instance: Instance, server: OpenAiServer) -> None:
    with instance.client() as client:
        generate(client, "provider", "hello", b'{"max_tokens": 1000000}')
    assert server.asked[-1]["max_completion_tokens"] == 4096


@needs("provider")
@pytest.mark.parametrize(
    ("wish", "code", "reason"),
    [
        ("401", "INTERNAL", "MODEL_FAILED"),
        ("429", "RESOURCE_EXHAUSTED", "RATE_LIMITED"),
        ("too long", "INVALID_ARGUMENT", "REQUEST_TOO_LARGE"),
        ("cut", "UNAVAILABLE", "TARGET_UNAVAILABLE"),
    ],
)
def test_a_providers_failure_is_told_plainly(instance: Instance, wish: str, code: str, reason: str) -> None:
    with instance.client() as client, pytest.raises(CallFailed) as caught:
        if wish == "cut":
            _streamed(client, wish)
        generate(client, "provider", wish)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert caught.value.message.startswith("The pro")
    assert "/srv/models" not in caught.value.message


def _streamed(client: Client, wish: str) -> None:
    try:
        list(stream(client, "provider", wish))
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None


@needs("provider")
def test_a_caller_that_goes_away_lets_go_of_the_provider(instance: Instance, server: OpenAiServer) -> None:
    server.gone.clear()
    with instance.client() as client:
        answer = stream(client, "provider", "slow")
        next(iter(answer))
        answer.cancel()
        assert server.gone.wait(10)


@needs("provider")
def test_an_agent_asks_the_next_model_where_the_first_cannot_answer(instance: Instance, server: OpenAiServer) -> None:
    key = key_of(instance)
    with instance.client() as client:
        assert client.invoke("assistant", "hello", timeout=60) == "The tide turns."
        asked = len(server.keys)
        key.write_text("sk-refused")
        try:
            assert "7006652" in client.invoke("assistant", "What is 1234 * 5678?", timeout=60)
        finally:
            key.write_text(KEY)
        assert set(server.keys[asked:]) == {"sk-refused"}
        assert client.invoke("assistant", "hello", timeout=60) == "The tide turns."


@needs("provider")
def test_the_key_is_nowhere_but_in_its_file(instance: Instance) -> None:
    with instance.client() as client:
        assert said(generate(client, "provider", "hello")) == "The tide turns."
        for wish in ("401", "error inside"):
            with pytest.raises(CallFailed) as caught:
                _streamed(client, wish)
            assert KEY not in repr(caught.value)
    wait_for(lambda: "status=401" in _log(instance), 10.0, "the log's line about the refused key")
    rows = instance.cli("journal", "tail", "--json", "--config", str(instance.config))
    assert rows.returncode == 0, rows.stderr
    assert "provider" in rows.stdout
    shown = [rows.stdout, instance.admin("/status"), instance.admin("/metrics"), instance.printed.read_text()]
    assert not any(KEY in text for text in shown)
    files = [file for file in instance.folder.rglob("*") if file.is_file() and file.resolve() != key_of(instance)]
    assert any(file.suffix == ".db" for file in files)
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    assert list(_processes_that_show(KEY)) == []


def _log(instance: Instance) -> str:
    return (instance.state / "logs/provider.log").read_text()


def _processes_that_show(word: str) -> Iterator[str]:
    """Command lines and environments, which others on the machine may be able to read."""
    for process in Path("/proc").glob("[0-9]*"):
        for file in (process / "cmdline", process / "environ"):
            try:
                if int(process.name) != os.getpid() and word.encode() in file.read_bytes():
                    yield str(file)
            except OSError:
                pass  # it has ended, or is another user's


@needs("provider")
def test_without_a_key_it_is_not_ready_and_says_why(short_folder: Path, server: OpenAiServer) -> None:
    provider = copied(short_folder, "provider", env=environment(server), egress=[reaching(server)])
    instance = Instance(short_folder / "i", [provider])
    key = key_of(instance)
    instance.start()
    try:
        row = wait_for(lambda: (r := instance.service("provider"))["reason"] and r, 20.0, "the reason")
        assert row["state"] == "not_ready"
        assert "provider.key, cannot be read (FileNotFoundError): put the key into it" in row["reason"]
        key.write_text(KEY)
        wait_for(lambda: instance.service("provider")["state"] == "ready", 60.0, "the service with its key")
        with instance.client() as client:
            assert said(generate(client, "provider", "hello")) == "The tide turns."
    finally:
        instance.stop()


@needs("smollm")
def test_a_small_model_answers_and_its_tokens_are_bounded(short_folder: Path) -> None:
    smollm = copied(short_folder, "smollm")
    instance = Instance(short_folder / "i", [smollm])
    instance.start()
    try:
        with instance.client() as client:
            events = list(stream(client, "smollm", "What is the capital of France?", b'{"temperature": 0}'))
            assert "Paris" in said(events[-1].finished)
            assert events[-1].finished.usage.output_tokens <= len(events) + 1
            assert said(generate(client, "smollm", "Name a fruit.", b'{"max_tokens": 1}'))
            # 13 tokens are the instructions and the marks, 1024 fit.
            for words, reason in ((1024 - 30, ""), (1030, "REQUEST_TOO_LARGE")):
                assert _reason(client, " a" * words) == reason
            tooled = prompt("smollm", "What is 6 * 7?")
            tooled.tools.add(name="calculator", description="Works it out.")
            with pytest.raises(grpc.RpcError) as caught:
                model_pb2_grpc.ModelServiceStub(client.channel).Generate(
                    model_pb2.ModelServiceGenerateRequest(prompt=tooled), metadata=client.connection.metadata()
                )
            assert "cannot ask for tools" in from_rpc_error(caught.value).message
    finally:
        instance.stop()


def _reason(client: Client, text: str) -> str:
    try:
        generate(client, "smollm", text, b'{"max_tokens": 1}')
    except CallFailed as failed:
        return failed.reason
    return ""
