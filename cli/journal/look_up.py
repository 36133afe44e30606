"""`firebreak journal show` and `session`: one call, and all that belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.journal import details, objects, tree
from cli.journal.opening import CONFIG, AsJson, Config, reading
from cli.journal.output import write_object

if TYPE_CHECKING:
    from gateway.adapters.journal.reading.reader import Node, Reader, Record


def show(
    call: Annotated[str, typer.Argument(help="Id of a call or a decision, or the first 8 or more digits of a call's.")],
    policy_input: Annotated[bool, typer.Option("--input", help="Print exactly what policy saw, as JSON.")] = False,
    config: Config = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show everything about one call: who, what, how it ended, what policy decided, what was said.

    Example: firebreak journal show 019aab6c1f2e7c41
    """
    with reading(config) as journal:
        record = journal.show(call)
        if policy_input:
            write_object(_seen_by_policy(record))
        elif as_json:
            write_object(objects.as_object(record) | {"input": _input(record)})
        else:
            details.show(record, _erased(journal, record))


def session(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a session, or of any call in it; `last` is the latest one.")
    ],
    config: Config = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show a session as a tree: who called whom, when and for how long, what was said and decided.

    Example: firebreak journal session last
    """
    with reading(config) as journal:
        found = journal.last_session() if session_id == "last" else journal.session(session_id)
        if as_json:
            write_object({"session": found.session, "calls": [_as_tree(root) for root in found.roots]})
        else:
            tree.show(found)


def _as_tree(node: Node) -> dict[str, Any]:
    return objects.as_object(node.record) | {"children": [_as_tree(child) for child in node.children]}


def _erased(journal: Reader, record: Record) -> details.Erasures:
    gone = {"person": record.person_erased, "content": record.content_erased}
    return {part: journal.erasure(record, part) for part, erased in gone.items() if erased}


def _input(record: Record) -> dict[str, Any] | None:
    from gateway.adapters.journal.contents.decode import policy_input

    return policy_input(dict(record.person), record.content, record.header.method)


def _seen_by_policy(record: Record) -> dict[str, Any]:
    """Raises NotFoundError where it is not known exactly."""
    from gateway.adapters.journal.reading.reader import NotFoundError

    if (seen := _input(record)) is not None:
        return seen
    if not record.header.decision:
        raise NotFoundError(f"policy was not asked about call {record.header.call}")
    raise NotFoundError(
        f"what policy saw of call {record.header.call} is not kept exactly: its request is not recorded in full, or was erased"
    )
