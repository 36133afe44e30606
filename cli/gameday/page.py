"""The scorecard as one HTML page that needs nothing else: light or dark as its reader likes it, nothing loaded, no script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path

from cli.gameday.scorecard import GOALS, Goal, Row, Scorecard, machine
from cli.gameday.timeline import svg
from cli.gameday.verdict import Verdict

CLASSES = {Verdict.CONTAINED: "good", Verdict.LEAKED: "bad", Verdict.NOT_RUN: "open"}
COLUMNS = (
    "#",
    "fault",
    "verdict",
    "the caller saw",
    "answer ms",
    "p50 ms",
    "p99 ms",
    "ratio",
    "recovery ms",
    "lost",
    "unrecorded",
)


def write(card: Scorecard, file: Path) -> None:
    """In one step. Raises OSError."""
    partial = file.with_suffix(".part")
    partial.write_text(html(card))
    partial.replace(file)


def html(card: Scorecard) -> str:
    style = files("cli.gameday").joinpath("page.css").read_text()
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>Firebreak game day: {_headline(card)}</title><style>{style}</style></head><body><main>",
            _header(card),
            '<section class="tiles" aria-label="Numbers to reach">',
            *_tiles(card),
            "</section>",
            _table(card),
            "<h2>Timelines</h2>",
            '<p class="legend"><span class="call"></span> a neighbour\'s call <span class="failed"></span> one that failed '
            '<span class="fault"></span> the fault is there <span class="mark"></span> an answer, or a moment of the fault</p>',
            *(_detail(row) for row in card.rows),
            "</main></body></html>\n",
        )
    )


def _headline(card: Scorecard) -> str:
    return ", ".join(f"{card.count(verdict)} {verdict}" for verdict in Verdict if card.count(verdict)) or "no faults"


def _header(card: Scorecard) -> str:
    about = machine()
    form = "short form" if card.short else "full form"
    where = f"{about['system']} {about['release']}, {about['cores']} cores, {about['memory_mib'] // 1024} GiB"
    state = "bad" if card.leaked else "good"
    return (
        f'<header><p class="kicker">Firebreak {escape(card.version)} · game day, {form}</p>'
        f'<h1 class="{state}">{_headline(card)}</h1>'
        f"<p>{escape(card.started)} · {escape(where)}</p></header>"
    )


def _tiles(card: Scorecard) -> Iterator[str]:
    summary = card.summary()
    for name, goal in GOALS.items():
        yield _tile(goal, summary[name])


def _tile(goal: Goal, value: float | None) -> str:
    state = "open" if value is None else "good" if goal.met(value) else "bad"
    shown = "not measured" if value is None else f"{value:.3g} <small>{goal.unit}</small>"
    bound = f"{'at least' if goal.least else 'at most'} {goal.bound:g} {goal.unit}"
    return f'<div class="tile {state}"><b>{shown}</b><span>{escape(goal.title)}</span><i>{bound}</i></div>'


def _table(card: Scorecard) -> str:
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    body = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in card.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(row: Row) -> Iterator[str]:
    yield f"<td class=number>{row.number}</td>"
    yield f'<td><a href="#row-{row.number}">{escape(row.name)}</a></td>'
    yield f'<td><span class="pill {CLASSES[row.verdict]}">{row.verdict}</span></td><td>{escape(row.saw) or "–"}</td>'
    compared = row.comparison
    pairs = ("–", "–", "–")
    if compared is not None:
        quiet, loud = compared.undisturbed, compared.disturbed
        pairs = (f"{quiet.p50:.1f} → {loud.p50:.1f}", f"{quiet.p99:.1f} → {loud.p99:.1f}", f"{compared.ratio:.2f}")
    for value in (_number(row.answer_ms), *pairs, _number(row.recovery_ms), row.lost, row.unrecorded):
        yield f"<td class=number>{value}</td>"


def _detail(row: Row) -> str:
    words = [f'<article id="row-{row.number}"><h3><span>{row.number}</span> {escape(row.name)} ']
    words.append(f'<span class="pill {CLASSES[row.verdict]}">{row.verdict}</span></h3>')
    words.append(f"<p>Expected: {escape(row.expected)}.{f' Seen: {escape(row.saw)}.' if row.saw else ''}</p>")
    words += [f'<p class="problem">{escape(problem)}</p>' for problem in row.problems]
    words += [f'<p class="note">{escape(note)}</p>' for note in row.notes]
    if row.figures:
        figures = " · ".join(f"{escape(name.replace('_', ' '))} {value:.4g}" for name, value in row.figures.items())
        words.append(f'<p class="note">{figures}</p>')
    if (found := row.comparison) is not None and found.rounds > 1:
        interval = f"90 % interval {found.low:.2f} to {found.high:.2f}, {found.rounds} rounds"
        words.append(f'<p class="note">ratio of p99: {found.ratio:.2f}, {interval}</p>')
    return "".join((*words, svg(row.timeline, f"Neighbours' latency during fault {row.number}"), "</article>"))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
