"""Tokens of models, from the service that counts them to the command that shows who used them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from firebreak.client import CallFailed, Client
from firebreak.client.errors import from_rpc_error
from firebreak.v1 import model_pb2, model_pb2_grpc, payload_pb2

from tests.e2e.instance import Instance, wait_for

WORDY = Path(__file__).parent / "services/wordy"


def asked(text: str, parameters: bytes = b"") -> model_pb2.ModelServiceGenerateRequest:
    content = [payload_pb2.ContentBlock(text=text)]
    message = payload_pb2.Message(role=payload_pb2.ROLE_USER, content=content)
    prompt = model_pb2.Prompt(target="wordy", messages=[message], parameters_json=parameters)
    return model_pb2.ModelServiceGenerateRequest(prompt=prompt)


def generate(client: Client, text: str, parameters: bytes = b"") -> Any:
    stub = model_pb2_grpc.ModelServiceStub(client.channel)
    try:
        return stub.Generate(asked(text, parameters), timeout=30, metadata=client.connection.metadata()).message
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None


def refused(client: Client, text: str) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        generate(client, text)
    return failed.value


def used(instance: Instance, *options: str) -> list[dict[str, Any]]:
    result = instance.cli("usage", "--json", *options)
    assert result.returncode == 0, result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)["usage"]
    return rows


def test_prompts_answers_and_minutes_of_a_model_are_bounded_and_seen(start: Callable[..., Instance]) -> None:
    instance = start([WORDY])
    with instance.client() as client:
        too_long = refused(client, "one two three four five six seven eight nine ten eleven twelve")
        assert too_long.reason == "REQUEST_TOO_LARGE"
        assert 'it has 13 tokens, and "wordy" takes at most 12' in too_long.message
        assert used(instance) == []  # what was refused for its length cost nothing

        whole = generate(client, "one two three four five six seven eight nine ten eleven", b'{"max_tokens": 500}')
        assert (whole.usage.input_tokens, whole.usage.output_tokens) == (12, 20)
        assert generate(client, "go", b'{"max_tokens": 3}').content[0].text == "word word word"

        # 60 a minute, of which 37 are used: the next one still passes, and overdraws.
        generate(client, "one two three four five six")
        debtor = refused(client, "go")
        assert (debtor.code, debtor.reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED")
        assert "60 tokens a minute" in debtor.message
        assert debtor.retry_after is not None
        assert 0 < debtor.retry_after < 10

    row = {"target": "wordy", "calls": 3, "input_tokens": 21, "output_tokens": 43, "estimated_calls": 0}
    assert used(instance, "--by", "model") == [row]
    assert used(instance) == [{"principal": "user:developer", **row}]
    assert json.loads(instance.admin("/status"))["usage"] == [row]
    assert instance.metric("firebreak_model_tokens_total", target="wordy", kind="input") == 21
    assert instance.metric("firebreak_model_tokens_total", target="wordy", kind="output") == 43
    assert "user:developer" in instance.cli("usage").stdout


def test_a_caller_who_hangs_up_does_not_go_uncounted(start: Callable[..., Instance]) -> None:
    instance = start([WORDY])
    with instance.client() as client:
        stub = model_pb2_grpc.ModelServiceStub(client.channel)
        waiting = stub.Generate.future(asked("wait"), timeout=30, metadata=client.connection.metadata())
        wait_for(lambda: instance.metric("firebreak_calls_in_flight") == 1, 20, "the call at the model")
        waiting.cancel()
        (row,) = wait_for(lambda: used(instance), 20, "the usage of the call")
    assert (row["calls"], row["estimated_calls"]) == (1, 1)
    assert row["input_tokens"] == -(-asked("wait").ByteSize() // 3)
    assert row["output_tokens"] == 20


def test_what_an_agent_asks_of_its_model_counts_for_who_started_the_run(shipped: Instance, client: Client) -> None:
    def routers() -> dict[str, int]:
        return {row["principal"]: row["input_tokens"] for row in used(shipped) if row["target"] == "router"}

    before = routers().get("user:developer", 0)
    client.invoke("assistant", "What is 6 * 7?", timeout=60)
    after = routers()
    assert after["user:developer"] > before
    assert "service:assistant" not in after
