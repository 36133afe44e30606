"""The rules of choosing, with a similarity of the test's own."""

from __future__ import annotations

from collections.abc import Sequence

from services.router.router.choice import ELSEWHERE, MAX_CALLS, Chosen, Similarity, facets, plan
from services.router.router.offers import Offer, Parameter, Role

TEXT = Parameter("query", Role.TEXT, required=True)
CALCULATOR = Offer("calculator", "Arithmetic.", (Parameter("expression", Role.EXPRESSION, required=True),))
HANDBOOK = Offer("handbook", "Search rules.", (TEXT,))
DIARY = Offer("diary", "Search the diary.", (TEXT,))


def near(**words: float) -> Similarity:
    """A similarity that is as near to a description as the words in it say, 0.5 to the rest."""

    def similarity(question: str, descriptions: Sequence[str]) -> list[float]:
        return [max([0.5, *(value for word, value in words.items() if word in text)]) for text in descriptions]

    return similarity


def names(question: str, *offers: Offer, **words: float) -> list[str]:
    return [call.name for call in plan(question, offers, near(**words)).calls]


def test_the_nearest_tool_is_chosen() -> None:
    assert names("when is the party", HANDBOOK, DIARY, handbook=0.8, diary=0.81) == ["diary"]


def test_one_whose_arguments_cannot_be_filled_is_not() -> None:
    assert names("when is the party", CALCULATOR, HANDBOOK, calculator=0.9, handbook=0.8) == ["handbook"]


def test_arguments_that_explain_the_clause_weigh_in() -> None:
    assert names("2 + 2", CALCULATOR, HANDBOOK, calculator=0.8, handbook=0.85) == ["calculator"]
    assert names("refund delivery costs above 24 / 7", CALCULATOR, HANDBOOK, calculator=0.8, handbook=0.85) == [
        "handbook"
    ]


def test_a_tool_that_is_named_weighs_more() -> None:
    assert names("what does the diary say", HANDBOOK, DIARY, handbook=0.85, diary=0.8) == ["diary"]


def test_what_is_nearest_to_no_tool_stays_unmet() -> None:
    chosen = plan("good morning, sunshine", (HANDBOOK,), near(Greetings=0.7))
    assert (chosen.calls, chosen.unmet) == ((), ("good morning, sunshine",))


def test_a_tool_for_one_of_those_things_is_chosen_all_the_same() -> None:
    weather = Offer("get_weather", "The weather forecast for a city.", (TEXT,))
    assert names("rain in Bath tomorrow", weather, forecast=0.8) == ["get_weather"]
    assert any("weather" in text for text in ELSEWHERE)


def test_each_clause_gets_its_tool_in_order_and_repeats_are_left_out() -> None:
    chosen = plan(
        "refund rules? what is 2 + 2? what is 2 + 2?", (CALCULATOR, HANDBOOK), near(calculator=0.8, handbook=0.8)
    )
    assert chosen.calls == (
        Chosen("handbook", {"query": "refund rules"}),
        Chosen("calculator", {"expression": "2 + 2"}),
    )


def test_calls_are_bounded() -> None:
    question = "? ".join(f"what is {number} + {number}" for number in range(1, 30))
    assert len(names(question, CALCULATOR)) == MAX_CALLS


def test_a_forced_choice_takes_the_best_however_far_it_is() -> None:
    chosen = plan("good morning, sunshine", (HANDBOOK,), near(Greetings=0.7), must=True)
    assert [call.name for call in chosen.calls] == ["handbook"]


def test_a_description_is_compared_sentence_by_sentence() -> None:
    described = Offer("t", "One thing.\n\n  Another\n thing: more.", ())
    assert facets(described) == ["t: One thing.", "t: Another", "t: thing:", "t: more."]
    assert facets(Offer("t", "", ())) == ["t"]
