"""Everything about one call, as `firebreak journal show` shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.journal import look, objects, words
from cli.journal.lines import WHY
from cli.output import out

if TYPE_CHECKING:
    from gateway.adapters.journal.contents.decode import Part
    from gateway.adapters.journal.reading.reader import Erasure, Record

_LABEL = 10
_LONGEST = 60
"""Lines of one message that are shown; --json has the whole."""

Erasures = Mapping[str, "Erasure | None"]
"""Why a part is gone, by the part's name: those that are gone."""


def render(record: Record, erased: Erasures) -> Iterator[Text]:
    """The lines that tell about `record`, the most important first."""
    yield from _outcome(record)
    yield from _caller(record, erased)
    yield from _decision(record)
    yield from _times(record)
    yield from _content(record, erased)
    row, header = record.row, record.header
    if correlation := header.facts.get("correlation"):
        yield _line("log", f"correlation id {correlation}")
    if trace := header.facts.get("trace"):
        yield _line("trace", trace)
    yield _line("row", f"{row.writer} {row.seq}, hash {row.hash.hex()}", style="dim")


def show(record: Record, erased: Erasures) -> None:
    for line in render(record, erased):
        out.print(line)


def _line(label: str, text: str, *, style: str = "") -> Text:
    return Text().append(f"{label:{_LABEL}}", style="dim").append(words.safe(text), style=style)


def _more(text: str, *, style: str = "") -> Text:
    return _line("", text, style=style)


def _outcome(record: Record) -> Iterator[Text]:
    header = record.header
    sign, colour = look.mark(record)
    yield _line("call", header.call, style="bold")
    code = f" ({header.outcome})" if header.reason else ""
    lasted = f" in {look.took(record.took_ms)}" if record.ended else ": the gateway stopped, or it still runs"
    yield _line("", f"{sign} {look.outcome(record)}{code}{lasted}", style=f"bold {colour}")
    if (content := record.content) is not None and content.status_message:
        yield _more(words.line(content.status_message), style=colour)
    yield _line("target", f"{look.target(record)} {header.method.removeprefix('/')}")
    if software := _software(header.facts.get("target", {})):
        yield _more(software, style="dim")
    yield _line("when", look.instant(record.started_at))


def _software(target: Mapping[str, str]) -> str:
    """What the service said that it runs."""
    parts = (
        target.get("version", ""),
        f"{target.get('framework', '')} {target.get('framework_version', '')}".strip(),
        f"langchain-core {target['core_version']}" if target.get("core_version") else "",
        f"Python {target['python']}" if target.get("python") else "",
    )
    return " · ".join(dict.fromkeys(filter(None, parts)))


def _caller(record: Record, erased: Erasures) -> Iterator[Text]:
    header, person = record.header, record.person
    if record.person_erased:
        yield _line("caller", _gone(erased.get("person")), style=look.ODD)
    else:
        yield _line("caller", record.row.principal or "unknown", style="cyan")
        chain = person.get("chain") or ()
        if len(chain) > 1:
            yield _more(f"for {look.ARROW.join(chain)}")
        from_where = ", ".join(filter(None, (person.get("issuer"), person.get("peer"), header.facts.get("listener"))))
        if from_where:
            yield _more(from_where, style="dim")
    if header.session:
        yield _line("session", header.session)
    if header.parent:
        yield _more(f"within call {header.parent}, depth {header.facts.get('depth', 0)}")


def _decision(record: Record) -> Iterator[Text]:
    if not (told := look.decision(record)):
        return
    decided = record.header.facts["decision"]
    yield _line("policy", told, style=look.GOOD if decided.get("allow") else look.BAD)
    for reason in record.person.get("reasons", ()):
        field = f" ({reason['field']})" if reason.get("field") else ""
        yield _more(words.line(f"{reason['rule']}{field}: {reason['message']}"))
    for name, value in (decided.get("obligations") or {}).items():
        yield _more(f"under the condition {name} {value}")
    revision = str(decided.get("revision", ""))[:12]
    yield _more(f"decision {record.header.decision}, revision {revision}, {decided.get('engine')} engine", style="dim")


def _times(record: Record) -> Iterator[Text]:
    facts = record.header.facts
    if stages := facts.get("stages_us"):
        # Each is the time until that stage passed the call on; what one reads is what each took.
        spent, before = [], 0
        for name, until in stages.items():
            spent.append(f"{name} {look.took((until - before) / 1000)}")
            before = until
        yield _line("stages", " · ".join(spent))
    attempts = facts.get("attempts", ())
    for index, attempt in enumerate(attempts):
        text = f"{look.took(attempt['us'] / 1000)} {attempt['code']} {attempt.get('reason', '')}".rstrip()
        good = attempt["code"] == "OK"
        yield _line("attempts" if index == 0 else "", text, style="" if good else look.ODD)
    if facts.get("first_event_ms") is not None:
        yield _line("events", f"{facts.get('events', 0)}, the first after {look.took(facts['first_event_ms'])}")


def _content(record: Record, erased: Erasures) -> Iterator[Text]:
    content = record.content
    if content is None:
        if record.content_erased:
            yield _line("content", _gone(erased.get("content")), style=look.ODD)
        return
    yield from _part("request", record.header.method, content.request, answer=False)
    yield from _part("answers", record.header.method, content.answers, answer=True)


def _part(label: str, method: str, part: Part, *, answer: bool) -> Iterator[Text]:
    if not part.count:
        return
    yield _line(label, f"{words.counted(part.count, 'message')}, {words.size(part.size)}, {_kept(part)}")
    for raw in part.messages or ():
        yield from _message(objects.message(method, raw, answer=answer))


def _kept(part: Part) -> str:
    if part.missing:
        return "gone from the journal: `firebreak journal verify` says more"
    if part.cut:
        return "left out, because memory for the journal had run out"
    if part.digest:
        return f"hashed: {part.digest.hex()[:16]}…"
    if part.messages is None:
        return "not recorded"
    return "byte for byte" if part.exact else "masked"


def _message(value: Any) -> Iterator[Text]:
    """A message in one line where it fits, and otherwise indented."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= 100:
        yield _more(line)
        return
    lines = json.dumps(value, ensure_ascii=False, indent=2).splitlines()
    for each in lines[:_LONGEST]:
        yield _more(each)
    if len(lines) > _LONGEST:
        yield _more(f"… {len(lines) - _LONGEST} more lines: see --json", style="dim")


def _gone(erasure: Erasure | None) -> str:
    if erasure is None:
        return "gone, and no row says why: `firebreak journal verify` says more"
    return f"erased {look.instant(erasure.at)}: {WHY.get(erasure.why, 'no reason given')}"
