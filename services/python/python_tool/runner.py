"""Runs code as it is given, in this process. It protects nothing and nobody: whoever runs it brings the isolation."""

from __future__ import annotations

import ast
import contextlib
import linecache
import traceback
from typing import Any

from .output import Output, shortened

FILE = "<code>"
MAX_PRINTED = 20_000
MAX_VALUE = 10_000
MAX_TRACEBACK = 4_000


class CodeFailed(Exception):
    """The code raised; the text is what it had printed and its traceback."""


def run(code: str) -> str:
    """What the code printed, then the value of its last expression unless that is None.

    Raises CodeFailed when the code raises. A MemoryError goes through: the process can no longer be trusted.
    """
    output = Output(MAX_PRINTED)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            value = _execute(code)
            shown = None if value is None else shortened(repr(value), MAX_VALUE)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise CodeFailed(_joined(output.text(), shortened(_traceback(error), MAX_TRACEBACK))) from None
    return _joined(output.text(), shown) or "The code ran; it printed nothing."


def _execute(code: str) -> Any:
    """Runs the statements; returns the value of the last one if it is an expression, else None."""
    # Tracebacks read the lines that they show from here; there is no file.
    linecache.cache[FILE] = (len(code), None, f"{code}\n".splitlines(keepends=True), FILE)
    tree = ast.parse(code, FILE)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(tree, FILE, "exec"), names)  # noqa: S102 - running code is what this tool is for
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), FILE, "eval"), names)  # noqa: S307 - the same


def _traceback(error: BaseException) -> str:
    """The traceback with the code's own lines only: the rest is this file and libraries."""
    report = traceback.TracebackException.from_exception(error)
    links: list[traceback.TracebackException | None] = [report]
    while links:
        link = links.pop()
        if link is not None:
            link.stack = traceback.StackSummary.from_list([frame for frame in link.stack if frame.filename == FILE])
            links += [link.__cause__, link.__context__, *(getattr(link, "exceptions", None) or [])]
    return "".join(report.format()).rstrip()


def _joined(printed: str, rest: str | None) -> str:
    return "\n".join(part for part in (printed.rstrip("\n"), rest) if part)
