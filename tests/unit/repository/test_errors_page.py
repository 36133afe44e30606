"""One enum of reasons, one table, one page: they say the same."""

import re
from pathlib import Path

from firebreak.v1 import errors_pb2

from gateway.errors import CODES, Reason

ROOT = Path(__file__).parents[3]


def test_the_contract_and_the_gateway_name_the_same_reasons() -> None:
    in_contract = {name.removeprefix("ERROR_REASON_") for name, _ in errors_pb2.ErrorReason.items()} - {"UNSPECIFIED"}
    assert in_contract == {reason.value for reason in Reason}


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Reason)


def test_the_page_lists_every_reason_with_its_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \| (.+) \| (.+) \|$", (ROOT / "docs/errors.md").read_text(), re.M)
    assert {reason: code for reason, code, *_ in rows} == {reason.value: code.name for reason, code in CODES.items()}
    assert all(what.strip() and action.strip() for *_, what, action in rows)
