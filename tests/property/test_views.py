"""Any bytes to any method: a view that says what the message says, or a refusal that names a field."""

from __future__ import annotations

from firebreak.v1 import model_pb2, payload_pb2
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallError, Code
from gateway.routes import METHODS, Method
from gateway.views import read

methods = st.sampled_from(list(METHODS.values()))
texts = st.text(st.characters(codec="utf-8"), max_size=30)
prompts = st.lists(
    st.tuples(
        st.sampled_from([payload_pb2.ROLE_SYSTEM, payload_pb2.ROLE_USER, payload_pb2.ROLE_ASSISTANT]),
        st.lists(texts, max_size=3),
    ),
    min_size=1,
    max_size=5,
)


@given(methods, st.binary(max_size=200))
def test_any_bytes_give_a_view_or_a_refusal(method: Method, request: bytes) -> None:
    try:
        view = read(method, request)
    except CallError as error:
        assert error.code is Code.INVALID_ARGUMENT
        assert error.fields
        assert all(violation.field for violation in error.fields)
    else:
        assert view.target


@given(prompts)
def test_a_prompt_is_described_by_its_own_numbers(prompt: list[tuple[payload_pb2.Role.ValueType, list[str]]]) -> None:
    messages = [
        payload_pb2.Message(role=role, content=[payload_pb2.ContentBlock(text=text) for text in content])
        for role, content in prompt
    ]
    request = model_pb2.ModelServiceGenerateRequest(prompt=model_pb2.Prompt(target="router", messages=messages))
    view = read(METHODS["/firebreak.v1.ModelService/Generate"], request.SerializeToString())
    assert view.prompt is not None
    assert view.prompt["messages"] == len(prompt)
    assert view.prompt["characters"] == sum(len(text) for _, content in prompt for text in content)
    names = {payload_pb2.ROLE_SYSTEM: "system", payload_pb2.ROLE_USER: "user", payload_pb2.ROLE_ASSISTANT: "assistant"}
    assert sorted(view.prompt["roles"]) == sorted({names[role] for role, _ in prompt})


@given(methods, st.data())
def test_a_cut_off_request_never_escapes_as_another_error(method: Method, data: st.DataObject) -> None:
    whole = model_pb2.ModelServiceGenerateRequest(
        prompt=model_pb2.Prompt(target="router", messages=[payload_pb2.Message(role=payload_pb2.ROLE_USER)])
    ).SerializeToString()
    part = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        read(method, part)
    except CallError as error:
        assert error.code is Code.INVALID_ARGUMENT
