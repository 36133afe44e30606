"""The commands below `firebreak journal`."""

from __future__ import annotations

import typer

from cli.journal import export, look_up, tail, upkeep

app = typer.Typer(
    help="What happened: every call on record, as long as retention allows.",
    no_args_is_help=True,
)
app.command()(tail.tail)
app.command()(look_up.session)
app.command()(look_up.show)
app.command()(export.export)
app.command()(upkeep.verify)
app.command()(upkeep.erase)
app.command()(upkeep.retain)
