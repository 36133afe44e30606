"""`firebreak usage`: how many tokens of which model were used, and on whose account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import out, print_json, print_table
from cli.status import admin_or_local, fetch_or_fail

NUMBERS = ("calls", "input_tokens", "output_tokens", "estimated_calls")


class By(StrEnum):
    """What the sums are of."""

    MODEL = "model"
    PRINCIPAL = "principal"


def usage(
    admin: Annotated[
        str | None, typer.Option(envvar="FIREBREAK_ADMIN", help="Admin address; default: the local gateway's.")
    ] = None,
    by: Annotated[By | None, typer.Option(help="Sum up by model, or by principal; default: each pair of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the tokens that were used of each model, and for whom, since the gateway started.

    A call that an agent makes counts for whoever started the run. Example: firebreak usage --by principal
    """
    report = fetch_or_fail(admin_or_local(admin), "usage")
    rows = summed(report, by)
    if as_json:
        print_json({"usage": rows, "forgotten": report["forgotten"]})
        return
    if not rows:
        out.print("no model was called since the gateway started")
        return
    _show(rows)
    _explain(rows, report["forgotten"] if by is not By.MODEL else 0)


def summed(report: Mapping[str, Any], by: By | None) -> list[dict[str, Any]]:
    """The rows to show, sorted: who used most comes first."""
    pairs: list[dict[str, Any]] = report["principals"]
    if by is By.MODEL:
        rows: list[dict[str, Any]] = report["models"]
    else:
        rows = pairs if by is None else _by_principal(pairs)
    return sorted(rows, key=_tokens, reverse=True)


def _by_principal(pairs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        row = found.setdefault(pair["principal"], {"principal": pair["principal"], **dict.fromkeys(NUMBERS, 0)})
        for number in NUMBERS:
            row[number] += pair[number]
    return list(found.values())


def _tokens(row: Mapping[str, Any]) -> int:
    total: int = row["input_tokens"] + row["output_tokens"]
    return total


def _show(rows: list[dict[str, Any]]) -> None:
    names = [name for name in ("principal", "target") if name in rows[0]]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column("model" if name == "target" else name, overflow="fold")
    for column in ("calls", "prompt tokens", "answer tokens", "estimated calls"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(row[name]) for name in names), *(f"{row[number]:,}" for number in NUMBERS))
    print_table(table)


def _explain(rows: list[dict[str, Any]], forgotten: int) -> None:
    if any(row["estimated_calls"] for row in rows):
        out.print(
            "\n[yellow]Estimated[/yellow] calls ended before their model had told its tokens, or it never tells them: "
            "they count by size."
        )
    if forgotten:
        out.print(
            f"\n[yellow]{forgotten:,} pairs of a principal and a model are not shown:[/yellow] they were unused for longest "
            "when there were too many. `firebreak usage --by model` has the whole sums."
        )
