"""What a model reads after code ran."""

from __future__ import annotations

import re

import pytest

from services.python.python_tool.output import Output, shortened
from services.python.python_tool.runner import MAX_PRINTED, MAX_TRACEBACK, MAX_VALUE, CodeFailed, run


def failure(code: str) -> str:
    with pytest.raises(CodeFailed) as caught:
        run(code)
    return str(caught.value)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("print('hi')\n1 + 1", "hi\n2"),
        ("[n * n for n in range(4)]", "[0, 1, 4, 9]"),
        ("'text'", "'text'"),
        ("x = 1", "The code ran; it printed nothing."),
        ("None", "The code ran; it printed nothing."),
        ("", "The code ran; it printed nothing."),
        ("for i in range(3):\n    print(i)", "0\n1\n2"),
        ("import sys\nprint('oops', file=sys.stderr)", "oops"),
        ("def f(n):\n    return n and n * f(n - 1) or 1\nf(20)", "2432902008176640000"),
        ("__name__", "'__main__'"),
    ],
)
def test_prints_and_the_last_value_are_returned(code: str, result: str) -> None:
    assert run(code) == result


def test_variables_are_not_kept_between_runs() -> None:
    run("kept = 1")
    assert "NameError" in failure("kept")


def test_a_traceback_shows_the_code_and_nothing_else() -> None:
    text = failure("def f():\n    return 1 / 0\nprint('before')\nf()")
    assert text.splitlines() == [
        "before",
        "Traceback (most recent call last):",
        '  File "<code>", line 4, in <module>',
        "    f()",
        '  File "<code>", line 2, in f',
        "    return 1 / 0",
        *([text.splitlines()[6]] if "~" in text else []),  # the marks below the line differ between Pythons
        "ZeroDivisionError: division by zero",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import json\njson.loads('{')",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error",
        "class A:\n    def __repr__(self):\n        raise ValueError('r')\nA()",
        "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
        "def r():\n    r()\nr()",
        "import asyncio\nasync def f():\n    raise ValueError\nasyncio.run(f())",
    ],
)
def test_no_file_of_the_machine_is_shown(code: str) -> None:
    text = failure(code)
    assert set(re.findall(r'File "([^"]*)"', text)) == {"<code>"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = (", "SyntaxError: '(' was never closed"),
        ("x\0y", "null bytes"),
        ("exit(3)", "SystemExit: 3"),
        ("raise ValueError('mine')", "ValueError: mine"),
    ],
)
def test_every_failure_is_told(code: str, words: str) -> None:
    assert words in failure(code)


def test_running_out_of_memory_is_not_the_codes_failure() -> None:
    with pytest.raises(MemoryError):
        run("raise MemoryError")


def test_output_is_bounded() -> None:
    text = run("for _ in range(1000):\n    print('x' * 1000)")
    assert text.endswith("… 981000 more characters are not shown")
    assert len(text) < MAX_PRINTED + 100
    assert len(run("'y' * 10 ** 6")) < MAX_VALUE + 100
    assert len(failure("raise ValueError('z' * 10 ** 6)")) < MAX_TRACEBACK + 100


def test_a_full_output_takes_no_more_memory() -> None:
    output = Output(3)
    assert output.write("abcdef") == 6
    assert output.write("ghi") == 3
    assert output.text() == "abc\n… 6 more characters are not shown"


def test_both_ends_of_a_long_text_are_kept() -> None:
    assert shortened("a" * 50 + "b" * 50, 20) == "a" * 10 + "\n… 80 more characters are not shown\n" + "b" * 10
    assert shortened("short", 20) == "short"
