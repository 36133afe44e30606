"""What `firebreak doctor` prints: a block for the gateway and for each service, the quiet parts in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.doctor.findings import Diagnosis, Finding
from cli.output import out, print_table
from gateway.proof import Verdict

_LOOKS = {
    Verdict.HELD: ("✓", "green", "held"),
    Verdict.BROKEN: ("✗", "bold red", "BROKEN"),
    Verdict.NOT_IN_FORCE: ("○", "yellow", "not in force"),
    Verdict.UNKNOWN: ("?", "yellow", "not known"),
}
_ORDER = (Verdict.HELD, Verdict.BROKEN, Verdict.UNKNOWN, Verdict.NOT_IN_FORCE)
_STATES = {"ready": "green", "starting": "yellow", "not_ready": "bold red"}


def show(gateway: Diagnosis, services: Sequence[Diagnosis], required: bool, *, every: bool) -> None:
    """Prints all of it; with `every` also each promise that is held, one a line."""
    _block("gateway", gateway, every)
    for service in services:
        _block(service.name, service, every)
    out.print(f"\n{_summary((gateway, *services), required)}")


def _block(title: str, diagnosis: Diagnosis, every: bool) -> None:
    state = diagnosis.state.replace("_", " ")
    head = f"\n[bold]{escape(title)}[/bold]  [{_STATES[diagnosis.state]}]{state}[/]"
    out.print(head + (f": {escape(diagnosis.reason)}" if diagnosis.reason else ""))
    for note in diagnosis.notes:
        out.print(f"  [yellow]![/yellow] {escape(note)}")
    if diagnosis.findings:
        table = Table.grid(padding=(0, 2, 0, 0))
        for column in range(3):
            table.add_column(no_wrap=column < 2, overflow="fold")
        for row in _rows(diagnosis.findings, every):
            table.add_row(*row)
        print_table(table)


def _rows(findings: Sequence[Finding], every: bool) -> Iterator[tuple[Text, Text, Text]]:
    order = sorted(findings, key=lambda finding: _ORDER.index(finding.verdict))
    for group in ([finding] for finding in order) if every else _alike(order):
        yield _row(group)


def _alike(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Those of which the same is to be said, together."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.verdict, each.detail, each.todo, each.age is None), []).append(each)
    yield from groups.values()


def _row(group: Sequence[Finding]) -> tuple[Text, Text, Text]:
    first = group[0]
    said = Text(", ".join(finding.name for finding in group))
    for part in (first.detail, first.todo and f"→ {first.todo}"):
        if part:
            said.append(f"\n{part}")
    return _line(first.verdict, first.age, said)


def _line(verdict: Verdict, age: float | None, said: Text) -> tuple[Text, Text, Text]:
    sign, style, word = _LOOKS[verdict]
    when = "by its launcher" if age is None else _ago(age)
    return Text(f"  {sign} {word}", style), Text(when, "dim"), said


def _ago(seconds: float) -> str:
    if seconds < 1:
        return "just now"
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def _summary(diagnoses: Sequence[Diagnosis], required: bool) -> str:
    findings = [finding for diagnosis in diagnoses for finding in diagnosis.findings]
    count = {verdict: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}
    ill = [diagnosis.name or "gateway" for diagnosis in diagnoses if diagnosis.ill(required)]
    parts = [
        f"{count[verdict]} {_LOOKS[verdict][2]}" for verdict in Verdict if count[verdict] or verdict is Verdict.HELD
    ]
    verdict = f"[bold red]not well: {escape(', '.join(ill))}[/bold red]" if ill else "[green]all is well[/green]"
    return f"{verdict}  promises: {', '.join(parts)}"
