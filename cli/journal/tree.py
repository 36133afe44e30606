"""A session as a tree: who called whom, when and for how long, what was said, and what policy decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from cli.journal import look, words
from cli.output import out

if TYPE_CHECKING:
    from gateway.adapters.journal.reading.reader import Node, Record, Tree

_NAME = (16, 44)
_BAR = (12, 40)
_FIXED = 25
"""Columns that start and duration need beside name, bar and outcome."""

_WIDEST = 140
_BRANCH, _LAST, _BAR_DOWN, _BLANK = "├─ ", "└─ ", "│  ", "   "


def render(tree: Tree, width: int) -> Iterator[Text]:
    """The tree's lines for a terminal of `width` columns: for each call one with its bar, and below it what was said."""
    width = min(width, _WIDEST)
    yield _heading(tree)
    yield Text()
    labels = [(prefix, below, node) for root in tree.roots for prefix, below, node in _branches(root)]
    name = max(_NAME[0], min(_NAME[1], max(len(prefix) + 2 + len(_name(node.record)) for prefix, _, node in labels)))
    outcome = max(len(look.outcome(node.record)) for _, _, node in labels)
    scale = _Scale(tree, max(_BAR[0], min(_BAR[1], width - name - _FIXED - outcome)))
    for prefix, below, node in labels:
        yield _row(prefix, node.record, name, scale)
        for text in _details(node, max(40, width - len(below) - 2)):
            yield Text().append(below, style="dim").append_text(text)


def show(tree: Tree) -> None:
    for line in render(tree, out.width if out.is_terminal else _WIDEST):
        line.rstrip()
        out.print(line)


class _Scale:
    """Puts instants of the session on a line of `width` cells."""

    def __init__(self, tree: Tree, width: int) -> None:
        self._start = tree.start
        self._span = max(1, tree.end - tree.start)
        self._width = width

    def offset_ms(self, record: Record) -> float:
        return (record.started_at - self._start) / 1000

    def bar(self, record: Record) -> Text:
        """The call's time, at least one cell; one that did not end goes on to the right edge."""
        first = min(self._width - 1, (record.started_at - self._start) * self._width // self._span)
        took = record.took_ms
        cells = self._width - first if took is None else round(took * 1000 * self._width / self._span)
        cells = max(1, min(cells, self._width - first))
        line = Text().append("·" * first, style="dim")
        line.append(("░" if took is None else "█") * cells, style=look.mark(record)[1])
        return line.append("·" * (self._width - first - cells), style="dim")


def _heading(tree: Tree) -> Text:
    nodes = list(tree.walk())
    first = tree.roots[0].record
    bad = sum(node.record.header.outcome != "OK" for node in nodes)
    who = first.row.origin or ("(erased)" if first.person_erased else "unknown")
    line = Text().append(f"session {tree.session}\n", style="bold").append(who, style="cyan")
    line.append(f" · {look.instant(tree.start)} · {words.counted(len(nodes), 'call')}")
    line.append(f" · {look.took((tree.end - tree.start) / 1000)} · ")
    return line.append(f"{bad} not OK", style=look.BAD) if bad else line.append("all OK", style=look.GOOD)


def _branches(root: Node) -> Iterator[tuple[str, str, Node]]:
    """Each node with what stands before its name, and before the lines below it."""

    def walk(node: Node, before: str, branch: str, follow: str) -> Iterator[tuple[str, str, Node]]:
        below = before + follow
        yield before + branch, below + (_BAR_DOWN if node.children else _BLANK), node
        for index, child in enumerate(node.children):
            last = index == len(node.children) - 1
            yield from walk(child, below, _LAST if last else _BRANCH, _BLANK if last else _BAR_DOWN)

    return walk(root, "", "", "")


def _name(record: Record) -> str:
    return f"{look.target(record)} {look.method(record.header.method)}"


def _row(prefix: str, record: Record, width: int, scale: _Scale) -> Text:
    sign, colour = look.mark(record)
    line = Text().append(prefix, style="dim").append(f"{sign} ", style=colour)
    name = words.short(_name(record), max(8, width - len(prefix) - 2))
    line.append(f"{name:{width - len(prefix) - 2}} ", style="bold").append_text(scale.bar(record))
    line.append(f" {'+' + look.took(scale.offset_ms(record)):>11}", style="dim")
    line.append(f" {look.took(record.took_ms):>9}  ")
    return line.append(look.outcome(record), style=colour)


def _details(node: Node, width: int) -> Iterator[Text]:
    """What one looks for below a call: what was said, what was decided, and whatever was out of the ordinary."""
    record = node.record
    if said := look.exchange(record, width):
        yield said
    decided = look.decision(record)
    yield Text(f"{decided + '  ' if decided else ''}{record.header.call}", style="dim")
    attempts = record.header.facts.get("attempts", ())
    if len(attempts) > 1:
        tries = ", ".join(f"{look.took(each['us'] / 1000)} {each.get('reason') or each['code']}" for each in attempts)
        yield Text(f"{len(attempts)} attempts: {tries}", style=look.ODD)
    if not record.ended:
        yield Text("the gateway stopped, or it still runs", style=look.ODD)
    if node.orphan:
        yield Text(f"made within call {record.header.parent}, which is not in the journal", style=look.ODD)
