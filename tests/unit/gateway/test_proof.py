"""Promises: what is broken, what has changed, and how it is said."""

from __future__ import annotations

import pytest

from gateway.proof import Promise, Proof, Verdict, first_of
from tests.proofs import promise

HELD = promise("files", Verdict.HELD, "")
BROKEN = promise("network", Verdict.BROKEN, "connected to 1.1.1.1:443")
UNKNOWN = promise("allow:adds", Verdict.UNKNOWN, "it is busy")


def test_a_proof_tells_what_is_broken_and_what_is_not_known() -> None:
    proof = Proof((HELD, BROKEN, UNKNOWN), 5.0)
    assert (proof.broken, proof.unknown) == ((BROKEN,), (UNKNOWN,))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (BROKEN, "its sandbox does not keep the promise `network`: connected to 1.1.1.1:443"),
        (promise("allow:adds", Verdict.BROKEN, "no"), "its probe allow:adds is not answered as it must be: no"),
        (promise("deny:long", Verdict.BROKEN, "no"), "its probe deny:long is not denied: no"),
        (promise("self-test", Verdict.UNKNOWN, "no"), "its self-test gives no answer: no"),
    ],
)
def test_a_failure_says_what_it_means(one: Promise, said: str) -> None:
    assert one.failure == said
    assert first_of((one,)) == said


def test_further_failures_are_counted() -> None:
    assert first_of((BROKEN, UNKNOWN)).endswith("(and 1 more: see `firebreak doctor`)")


def test_what_is_found_anew_takes_the_place_of_what_was() -> None:
    mended = promise("network", Verdict.HELD, "")
    proof = Proof((HELD, BROKEN), 5.0).with_((mended, UNKNOWN), 7.0)
    assert proof == Proof((HELD, mended, UNKNOWN), 7.0)


def test_changes_are_of_verdicts_and_at_first_of_all_that_is_not_held() -> None:
    assert Proof((HELD, BROKEN, UNKNOWN), 5.0).changes(None) == (BROKEN, UNKNOWN)
    before = Proof((HELD, BROKEN), 5.0)
    other_words = promise("network", Verdict.BROKEN, "connected to 8.8.8.8:53")
    mended = promise("network", Verdict.HELD, "")
    assert Proof((HELD, other_words), 6.0).changes(before) == ()
    assert Proof((HELD, mended), 6.0).changes(before) == (mended,)


def test_the_report_is_json() -> None:
    assert Proof((BROKEN,), 5.0).report(7.5) == {
        "at": 2.5,
        "promises": [{"name": "network", "verdict": "broken", "detail": "connected to 1.1.1.1:443"}],
    }
