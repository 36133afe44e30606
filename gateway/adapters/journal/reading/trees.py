"""A session as a tree of calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.adapters.journal.reading.records import Record, by_start, each_once


@dataclass(slots=True)
class Node:
    """A call in a session and the calls that were made while it ran, in the order of their starts.

    `orphan`: it says that it was made within another call, which is not in the journal.
    """

    record: Record
    children: list[Node] = field(default_factory=list)
    orphan: bool = False

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Tree:
    """A session. `start` and `end` are microseconds since 1970: of its first call's start and its last call's end."""

    session: str
    roots: tuple[Node, ...]
    start: int
    end: int

    def walk(self) -> Iterator[Node]:
        for root in self.roots:
            yield from root.walk()


def tree_of(session: str, records: Iterable[Record]) -> Tree:
    """The tree of a session's `records`, of which there is at least one."""
    nodes = {record.header.call: Node(record) for record in sorted(each_once(records), key=by_start)}
    roots = []
    for node in nodes.values():
        parent = nodes.get(node.record.header.parent)
        if parent is None:
            node.orphan = bool(node.record.header.parent)
            roots.append(node)
        else:
            parent.children.append(node)
    start = min(node.record.started_at for node in nodes.values())
    end = max(_end(node.record) for node in nodes.values())
    return Tree(session, tuple(roots), start, end)


def _end(record: Record) -> int:
    return record.started_at + round((record.took_ms or 0.0) * 1000)
