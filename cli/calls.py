"""`firebreak ask`, `call` and `explain`: what a person or a script asks of the gateway."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from firebreak.client import Client, RunEvent
from google.protobuf.json_format import MessageToDict
from rich.markup import escape

from cli.output import Exit, err, out, print_json, reporting

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds until the call must have ended.", min=0.001)]


def ask(
    agent: Annotated[str, typer.Argument(help="Name of an agent, e.g. assistant.")],
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Ask an agent; its answer streams, each tool call shows as it happens.

    Example: firebreak ask assistant "What is 1234 * 5678, and what does the handbook say about refunds?"
    """
    with reporting(as_json), Client.local() as client:
        view = _JsonView() if as_json else _TextView()
        for event in client.run(agent, _text_or_stdin(question), timeout=timeout):
            view.show(event)


def call(
    tool: Annotated[str, typer.Argument(help="Name of a tool, e.g. calculator.")],
    arguments: Annotated[str, typer.Argument(help="A JSON object; - reads it from standard input.")] = "{}",
    as_json: AsJson = False,
    timeout: Timeout = None,
    idempotency_key: Annotated[str, typer.Option(help="Repeats with the same key are one call.")] = "",
) -> None:
    """Call a tool once.

    Example: firebreak call calculator '{"expression": "1234 * 5678"}'
    """
    with reporting(as_json), Client.local() as client:
        answer = client.call(tool, _text_or_stdin(arguments), timeout=timeout, idempotency_key=idempotency_key)
    if as_json:
        print_json({"ok": answer.ok, "text": answer.text, "media_type": answer.media_type})
    elif answer.ok:
        out.print(escape(answer.text))
    else:
        err.print(f"[red]the tool failed:[/red] {escape(answer.text)}")
    if not answer.ok:
        raise SystemExit(int(Exit.FAILED))


def explain(
    decision_id: Annotated[str, typer.Argument(help="The decision_id that a denial shows.")],
    as_json: AsJson = False,
) -> None:
    """Explain one recent decision of the policy about your own calls.

    Older ones are in the journal: firebreak journal show DECISION_ID
    """
    with reporting(as_json), Client.local() as client:
        decision = client.explain(decision_id)
    if as_json:
        print_json(
            MessageToDict(decision, preserving_proto_field_name=True) | {"input": json.loads(decision.input_json)}
        )
        return
    out.print(f"[bold]{'allowed' if decision.allow else 'denied'}[/bold] by the {decision.engine} engine")
    for reason in decision.reasons:
        field = f" ({escape(reason.field)})" if reason.field else ""
        out.print(f"  {escape(reason.rule)}{field}: {escape(reason.message)}")
    out.print(f"[dim]policy {decision.revision[:12]}[/dim]")
    out.print(escape(json.dumps(json.loads(decision.input_json), indent=2)))


def _text_or_stdin(argument: str) -> str:
    return sys.stdin.read() if argument == "-" else argument


class _JsonView:
    """Every event as one JSON object a line; bytes that hold JSON are shown as JSON."""

    def show(self, event: RunEvent) -> None:
        body = MessageToDict(event.message, preserving_proto_field_name=True)
        print_json({"seq": event.seq, "event": event.kind, **_readable(event.message, body)})


def _readable(message: Any, body: dict[str, Any]) -> dict[str, Any]:
    for field in message.DESCRIPTOR.fields:
        if field.name not in body:
            continue
        value = getattr(message, field.name)
        if field.name.endswith("_json"):
            body[field.name.removesuffix("_json")] = json.loads(value)
            del body[field.name]
        elif field.message_type is not None:
            children = list(value) if isinstance(body[field.name], list) else [value]
            shown = body[field.name] if isinstance(body[field.name], list) else [body[field.name]]
            for child, child_body in zip(children, shown, strict=True):
                _readable(child, child_body)
    return body


class _TextView:
    """The answer as it is written; tool calls as lines of their own."""

    def __init__(self) -> None:
        self._written = ""

    def show(self, event: RunEvent) -> None:
        match event.kind:
            case "content_delta":
                sys.stdout.write(event.text)
                sys.stdout.flush()
                self._written += event.text
            case "tool_started":
                arguments = event.message.args_json.decode("utf-8", "replace")
                err.print(f"[cyan]→ {escape(event.message.name)}[/cyan] {escape(arguments)}")
            case "tool_finished":
                failed = event.message.message.tool_failed
                mark = "[red]✗[/red]" if failed else "[green]✓[/green]"
                err.print(f"{mark} {escape(event.message.name)} [dim]{escape(_one_line(event.text))}[/dim]")
            case "run_finished":
                self._finish(event.text)

    def _finish(self, answer: str) -> None:
        if not self._written.rstrip().endswith(answer.rstrip()):  # an agent that does not stream says all at the end
            sys.stdout.write(answer)
        sys.stdout.write("\n")
        sys.stdout.flush()


def _one_line(text: str, length: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
