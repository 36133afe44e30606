"""The SQL tool: answers, and every way to do more than read, or to ask for too much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.environments import run_in

ANSWERS = {
    "SELECT count(*) AS n FROM orders": "n\n400\n(1 row)",
    "SELECT name, stock FROM products WHERE stock > 130 ORDER BY stock": (
        "name | stock\nNotebook | 140\nBeeswax candle | 210\n(2 rows)"
    ),
    "SELECT club, count(*) FROM customers GROUP BY club ORDER BY 2, 1": (
        "club | count(*)\ngold | 15\nsilver | 15\nnone | 30\n(3 rows)"
    ),
    "WITH best AS (SELECT max(price_cents) AS most FROM products) SELECT most / 100 FROM best": "most / 100\n89\n(1 row)",
    "SELECT row_number() OVER (ORDER BY id DESC) AS place, id FROM refunds LIMIT 1": "place | id\n1 | 50\n(1 row)",
    "SELECT NULL, x'0102', 'two\nlines'": "NULL | x'0102' | 'two lines'\nNULL | <2 bytes> | two lines\n(1 row)",
    "SELECT id FROM orders WHERE id < 0": "id\n(0 rows)",
}
REFUSED = {
    "DELETE FROM orders": "only SELECT",
    "UPDATE products SET stock = 0": "only SELECT",
    "INSERT INTO refunds VALUES (99, 1, '', 1, '')": "only SELECT",
    "WITH a AS (SELECT 1) DELETE FROM orders": "only SELECT",
    "CREATE TABLE x (y)": "only SELECT",
    "CREATE TEMP VIEW v AS SELECT 1": "only SELECT",
    "DROP TABLE orders": "only SELECT",
    "ATTACH '/etc/passwd' AS other": "only SELECT",
    "VACUUM INTO 'copy.db'": "only SELECT",
    "BEGIN": "only SELECT",
    "REINDEX": "only SELECT",
    "PRAGMA query_only = OFF": "pragma query_only is not available",
    "SELECT * FROM pragma_database_list": "only SELECT",
    "SELECT load_extension('libc.so.6')": "load_extension is not available",
    "SELECT readfile('/etc/passwd')": "no such function: readfile",
    "SELECT randomblob(10)": "randomblob is not available",
    "SELECT 1; SELECT 2": "one statement at a time",
    "SELECT nope FROM orders": "no such column: nope",
    "SELEC 1": 'near "SELEC": syntax error',
    "-- nothing": "this is no SELECT",
    "SELECT ?": "too many SQL variables",
}
TOO_MUCH = {
    "SELECT group_concat(a.name || b.name) FROM orders, customers a, customers b": "too big",
    "SELECT a.name || b.name || c.name AS x FROM orders, customers a, customers b, customers c ORDER BY x": "too much memory",
    "SELECT " + ", ".join(["1"] * 101): "too many columns",
    "SELECT 1" + " + 1" * 100: "(maximum depth 100)",
    "SELECT 'a' LIKE '" + "%a" * 251 + "'": "pattern too complex",
    " UNION ALL ".join(["SELECT 1"] * 21): "too many terms in compound SELECT",
}
ENOUGH = {
    "SELECT length(printf('%999999d', 1))": "999999",
    "SELECT " + ", ".join(["1"] * 100): "(1 row)",
    "SELECT 1" + " + 1" * 99: "100",
    "SELECT 'a' LIKE '" + "%a" * 250 + "'": "0",
    " UNION ALL ".join(["SELECT 1"] * 20): "(20 rows)",
}


@pytest.fixture(scope="module")
def found() -> Any:
    asked = {"tool": [*ANSWERS, *REFUSED, *TOO_MUCH, *ENOUGH, "SELECT group_concat(name) FROM products"]}
    asked["tool"].append("SELECT a.name, b.name FROM customers a, customers b, orders LIMIT 500")
    return run_in("sql", Path(__file__).with_name("asking.py"), json.dumps(asked))


@pytest.mark.parametrize("query", ANSWERS)
def test_a_query_is_answered(query: str, found: Any) -> None:
    assert found["tool"][query]["text"] == ANSWERS[query]


@pytest.mark.parametrize("query", REFUSED)
def test_more_than_reading_is_refused_in_words_that_help(query: str, found: Any) -> None:
    said = found["tool"][query]
    assert said["error"] == "ToolException"
    assert said["text"].startswith("The query failed: ")
    assert REFUSED[query] in said["text"]


@pytest.mark.parametrize("query", TOO_MUCH)
def test_too_much_is_refused(query: str, found: Any) -> None:
    assert TOO_MUCH[query] in found["tool"][query]["text"]
    assert found["tool"][query]["error"] == "ToolException"


@pytest.mark.parametrize("query", ENOUGH)
def test_what_is_just_within_a_bound_is_answered(query: str, found: Any) -> None:
    assert ENOUGH[query] in found["tool"][query]["text"]
    assert "error" not in found["tool"][query]


def test_the_artifact_holds_the_values(found: Any) -> None:
    query = "SELECT NULL, x'0102', 'two\nlines'"
    assert found["tool"][query]["artifact"]["rows"] == [[None, "0102", "two\nlines"]]
    assert found["tool"][query]["artifact"]["complete"] is True


def test_rows_are_bounded_and_it_is_said(found: Any) -> None:
    assert found["exactly"]["text"].endswith("\n50\n(50 rows)")
    assert "the first 50 rows; there are more" in found["one more"]["text"]
    assert found["one more"]["artifact"]["complete"] is False
    assert found["rows"]["1"]["artifact"]["rows"] == [[1]]
    assert len(found["rows"]["500"]["artifact"]["rows"]) == 400
    assert found["rows"]["0"]["error"] == found["rows"]["501"]["error"] == "ValidationError"


def test_a_long_value_and_a_long_table_are_cut_for_the_model(found: Any) -> None:
    line = found["tool"]["SELECT group_concat(name) FROM products"]["text"].splitlines()[1]
    assert len(line) == 200
    assert line.endswith("…")


def test_time_is_bounded_by_the_clock(found: Any) -> None:
    assert found["in time"] == "((60000,),)"
    assert "more than 3 seconds" in found["late"]


def test_the_model_is_told_the_tables(found: Any) -> None:
    assert "\norders(id INTEGER, customer_id INTEGER, ordered_on TEXT, status TEXT)\n" in found["description"]


def test_a_file_of_ones_own_is_only_read(found: Any) -> None:
    own = found["own"]
    only = "only SELECT is allowed: nothing can be changed here"
    assert own["said"][:3] == ["(('kept',),)", only, only]
    assert own["said"][3:] == ["attempt to write a readonly database", "unable to open database file"]
    assert own["same"]
    assert own["files"] == ["odd name?.db"]
    assert own["schema"] == "notes(id INTEGER, text TEXT)"
