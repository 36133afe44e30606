"""Entry point of the `firebreak` command."""

from __future__ import annotations

import typer

from cli import calls, status, up
from cli.journal.app import app as journal

app = typer.Typer(
    name="firebreak",
    help="Agents, tools and models in microservices of their own, behind one gateway.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command()(up.up)
app.command()(status.status)
app.command()(calls.ask)
app.command()(calls.call)
app.command()(calls.explain)
app.add_typer(journal, name="journal")


def main() -> None:
    app()
