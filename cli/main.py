"""Entry point of the `firebreak` command."""

from __future__ import annotations

import typer

from cli import calls, new, reload, status, up, usage
from cli.chart.command import chart
from cli.doctor import command as doctor
from cli.gameday.command import gameday
from cli.journal.app import app as journal

app = typer.Typer(
    name="firebreak",
    help="Agents, tools and models in microservices of their own, behind one gateway.",
    epilog="Tab completes commands after `.venv/bin/firebreak --install-completion`, in a new terminal.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command()(up.up)
app.command()(new.new)
app.command()(chart)
app.command()(status.status)
app.command()(doctor.doctor)
app.command()(reload.reload)
app.command()(usage.usage)
app.command()(calls.ask)
app.command()(calls.call)
app.command()(calls.explain)
app.command()(gameday)
app.add_typer(journal, name="journal")


def main() -> None:
    app()
