"""How arguments are filled from a clause by a tool's schema."""

from __future__ import annotations

from typing import Any

import pytest

from services.router.router.arguments import fill
from services.router.router.clauses import clauses
from services.router.router.offers import Offer, Role, offer
from services.router.router.topic import topic


def tool(name: str, properties: dict[str, Any], required: tuple[str, ...] | None = None) -> Offer:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
    }
    return offer({"type": "function", "function": {"name": name, "description": "A tool.", "parameters": parameters}})


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
CALCULATOR = tool("calculator", {"expression": TEXT})
CODE = tool("python", {"code": TEXT})
SEARCH = tool("handbook", {"query": TEXT, "passages": WHOLE}, required=("query",))


def filled(of: Offer, question: str) -> list[dict[str, Any]]:
    (clause,) = clauses(question)
    return [part.args for part in fill(of, clause)]


def test_an_expression_is_taken_out_of_the_question() -> None:
    assert filled(CALCULATOR, "What is 1234 * 5678?") == [{"expression": "1234 * 5678"}]
    assert filled(CALCULATOR, "What is 2 + 2 and 3 * 3?") == [{"expression": "2 + 2"}, {"expression": "3 * 3"}]
    assert filled(CALCULATOR, "What is love?") == []


def test_code_is_taken_from_backticks_or_from_behind_run() -> None:
    assert filled(CODE, "Run this:\n```python\nprint(1)\n```") == [{"code": "print(1)"}]
    assert filled(CODE, "What is `len('abc')`?") == [{"code": "len('abc')"}]
    assert filled(CODE, "please run this python code: print('a' * 3)") == [{"code": "print('a' * 3)"}]


@pytest.mark.parametrize(
    "question", ["Run a marathon", "run it", "What is `a word`?", "What is `word`?", "```json\n{}\n```", "print things"]
)
def test_prose_and_other_languages_are_not_run(question: str) -> None:
    assert filled(CODE, question) == []


def test_a_query_is_the_question_and_optional_arguments_are_left_out() -> None:
    assert filled(SEARCH, "How long does a refund take?") == [{"query": "How long does a refund take"}]


def test_numbers_and_choices_come_from_the_question() -> None:
    order = tool("order", {"amount": WHOLE, "unit": {"enum": ["kg", "lb"]}, "price": {"type": "number"}})
    assert filled(order, "buy 3 kg at 2.5") == [{"amount": 3, "unit": "kg", "price": 2.5}]
    assert filled(order, "buy 3 at 2.5") == []
    assert filled(order, "buy kg") == []
    assert filled(order, "buy 3.5 kg at 2") == []


def test_an_optional_choice_is_filled_when_it_is_mentioned() -> None:
    search = tool("find", {"query": TEXT, "section": {"enum": ["refunds", "returns"]}}, required=("query",))
    assert filled(search, "costs of returns")[0]["section"] == "returns"
    assert "section" not in filled(search, "costs of delivery")[0]


def test_several_texts_have_to_be_quoted() -> None:
    letter = tool("letter", {"to": TEXT, "body": TEXT})
    assert filled(letter, 'write to "Bob" that "all is well"') == [{"to": "Bob", "body": "all is well"}]
    assert filled(letter, "write to Bob") == []


def test_what_no_rule_fills_is_not_called() -> None:
    assert filled(tool("flags", {"on": {"type": "boolean"}}), "switch it on") == []
    assert filled(tool("list", {"items": {"type": "array"}}), "a, b") == []
    assert filled(tool("now", {}), "what time is it") == [{}]


def test_a_nullable_parameter_has_the_role_of_what_it_may_hold() -> None:
    (parameter,) = tool("t", {"limit": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}).parameters
    assert (parameter.role, parameter.whole) == (Role.NUMBER, True)


def test_a_tool_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        offer({"type": "function", "function": {}})


@pytest.mark.parametrize(
    ("question", "matter"),
    [
        ("what does the handbook say about refunds?", "refunds"),
        ("What our handbook says on gift cards.", "gift cards"),
        ("search the handbook for two-step sign-in", "two-step sign-in"),
        ("Look in the handbook for opening hours", "opening hours"),
        ("According to the handbook, who approves refunds?", "who approves refunds"),
        ("how long is the warranty?", "how long is the warranty"),
        ("in the handbook", "in the handbook"),
    ],
)
def test_a_query_leaves_out_the_tool_that_it_goes_to(question: str, matter: str) -> None:
    assert topic("handbook", question) == matter
