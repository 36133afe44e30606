"""A session as a tree and a call in all its parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.journal import tree
from gateway.adapters.journal.reading.reader import Reader
from gateway.adapters.journal.store import Span
from tests.unit.cli.journal.conftest import Run
from tests.unit.cli.journal.world import NOON, SESSION, World, call_id, tool_answer, tool_call

DAY = 86_400_000_000


class TestSession:
    def test_one_look_tells_what_happened(self, world: World, journal: Run) -> None:
        world.session()
        heading, who, _, *lines = journal("session", "last").stdout.splitlines()
        assert heading == f"session {SESSION}"
        assert who.startswith("user:ada · 2026-11-21 ")
        assert who.endswith(" · 5 calls · 58.0 ms · 1 not OK")
        names = [line.split("█")[0].rstrip("·") for line in lines if "█" in line]
        assert names == [
            "✓ assistant Run      ",
            "├─ ✓ router Stream   ",
            "├─ ✓ calculator Call ",
            "├─ ✗ python Call     ",
            "└─ ✓ router Stream   ",
        ]
        assert lines[9].endswith("+30.0 ms    0.6 ms  POLICY_DENIED")
        assert lines[10] == '│     code: "1234 * 5678" → calls of python by user:ada are not granted'
        assert lines[11] == f"│     denied by grants.args  {call_id(4)}"

    def test_bars_stand_where_calls_stood_in_time(self, world: World) -> None:
        world.session()
        found = Reader(world.store).session(SESSION)
        # Beside the bar stand the names, both times, and the longest outcome.
        width = len("├─ ✓ calculator Call") + 20 + 25 + len("POLICY_DENIED")
        lines = [line.plain for line in tree.render(found, width) if "█" in line.plain]
        assert ["".join(c for c in line if c in "·█") for line in lines] == [
            "█" * 20,
            "·██████·············",
            "········█···········",
            "··········█·········",
            "···········███████··",
        ]

    @pytest.mark.parametrize("width", [40, 80, 200])
    def test_it_fits_the_terminal(self, world: World, width: int) -> None:
        world.session()
        lines = [line.plain for line in tree.render(Reader(world.store).session(SESSION), width)]
        longest = max(len(line) for line in "\n".join(lines[3:]).splitlines())
        assert longest <= max(80, min(width, 140))

    def test_retries_open_calls_and_missing_parents_are_told(self, world: World, journal: Run) -> None:
        attempts = [{"us": 1500, "code": "UNAVAILABLE", "reason": "TARGET_UNAVAILABLE"}, {"us": 900, "code": "OK"}]
        world.add(1, opened=True)
        world.add(2, parent=call_id(1), facts={"attempts": attempts})
        world.add(3, parent=call_id(9))
        out = journal("session", SESSION).stdout
        assert "2 attempts: 1.5 ms TARGET_UNAVAILABLE, 0.9 ms OK" in out
        assert "the gateway stopped, or it still runs" in out
        assert "░" in out
        assert f"made within call {call_id(9)}, which is not in the journal" in out

    def test_grandchildren_keep_their_lines(self, world: World, journal: Run) -> None:
        world.add(1)
        world.add(2, parent=call_id(1), start=0.1)
        world.add(3, parent=call_id(2), start=0.2, request=tool_call("x", a=1))
        world.add(4, parent=call_id(1), start=0.3)
        branches = [line for line in journal("session", SESSION).stdout.splitlines() if "calculator" in line]
        assert [line.split("calculator")[0] for line in branches] == ["✓ ", "├─ ✓ ", "│  └─ ✓ ", "└─ ✓ "]

    def test_programs_get_the_tree_as_an_object(self, world: World, journal: Run) -> None:
        run, *_ = world.session()
        found = json.loads(journal("session", run, "--json").stdout)
        assert found["session"] == SESSION
        (root,) = found["calls"]
        assert [child["target"] for child in root["children"]] == ["router", "calculator", "python", "router"]


class TestShow:
    def test_everything_about_a_call(self, world: World, journal: Run) -> None:
        software = {"version": "1.0.0", "framework": "langchain-core", "framework_version": "1.7.2", "python": "3.11.7"}
        world.add(
            1,
            target="python",
            ms=3.25,
            parent=call_id(9),
            principal="service:assistant",
            request=tool_call("python", code="2"),
            answers=[tool_answer("2" * 120)],
            outcome="PERMISSION_DENIED",
            reason="POLICY_DENIED",
            rules=["grants.args"],
            allow=False,
            message="no",
            facts={
                "stages_us": {"authenticate": 100, "authorize": 350},
                "attempts": [{"us": 2000, "code": "UNAVAILABLE", "reason": "WORKER_DIED"}],
                "first_event_ms": 2.5,
                "events": 1,
                "target": software,
                "trace": "f" * 32,
                "correlation": call_id(1),
            },
        )
        out = [line.strip() for line in journal("show", call_id(1)).stdout.splitlines()]
        for line in (
            f"call      {call_id(1)}",
            "✗ POLICY_DENIED (PERMISSION_DENIED) in 3.2 ms",
            "target    python firebreak.v1.ToolService/Call",
            "1.0.0 · langchain-core 1.7.2 · Python 3.11.7",
            "caller    service:assistant",
            "for user:ada → service:assistant",
            "https://users.test, ipv4:127.0.0.1:5, public",
            f"within call {call_id(9)}, depth 1",
            "policy    denied by grants.args",
            "grants.args (args.x): no",
            f"decision {1:032x}, revision abababababab, embedded engine",
            "stages    authenticate 0.1 ms · authorize 0.2 ms",
            "attempts  2.0 ms UNAVAILABLE WORKER_DIED",
            "events    1, the first after 2.5 ms",
            '{"call": {"target": "python", "args_json": {"code": "2"}}}',
            f"log       correlation id {call_id(1)}",
            f"trace     {'f' * 32}",
        ):
            assert line in out, line
        assert any(line.startswith("request   1 message, ") and line.endswith("byte for byte") for line in out)
        assert out[-1].startswith("row       aaaaaaaaaaaaaaaa 2, hash ")

    def test_a_long_message_is_cut_with_a_word(self, world: World, journal: Run) -> None:
        world.add(1, request=tool_call("x", many=list(range(200))))
        assert "more lines: see --json" in journal("show", call_id(1)).stdout

    def test_erased_parts_say_when_and_why(self, world: World, journal: Run) -> None:
        world.add(1, request=tool_call("x", secret="hush"))
        seq = world.author.head.seq
        world.now = NOON + DAY
        world.author.clear([Span("a" * 16, seq, seq)], person=True, content=False, facts={"why": "person"})
        world.author.clear([Span("a" * 16, seq, seq)], person=False, content=True, facts={"why": "age"})
        out = journal("show", call_id(1)).stdout
        assert "hush" not in out
        caller, content = (next(li for li in out.splitlines() if li.startswith(w)) for w in ("caller", "content"))
        assert caller.startswith("caller    erased 2026-11-22 ")
        assert caller.endswith(": a person's wish")
        assert content.endswith(": older than retention allows")
        as_object = json.loads(journal("show", call_id(1), "--json").stdout)
        assert (as_object["person"], as_object["content"], as_object["input"]) == ("erased", "erased", None)

    def test_what_policy_saw_has_its_arguments_back(self, world: World, journal: Run) -> None:
        world.add(1, request=tool_call("calculator", expression="1"), rules=["grants.developer"])
        seen = {"target": {"name": "calculator"}, "args": {"expression": "1"}}
        assert json.loads(journal("show", call_id(1), "--input").stdout) == seen
        assert json.loads(journal("show", f"{1:032x}", "--json").stdout)["input"] == seen

    @pytest.mark.parametrize(
        ("fields", "why"), [({}, "policy was not asked"), ({"rules": ["r"], "exact": False}, "not kept exactly")]
    )
    def test_what_policy_saw_is_not_made_up(self, world: World, journal: Run, fields: dict[str, Any], why: str) -> None:
        world.add(1, request=tool_call("calculator", expression="1"), person={}, **fields)
        result = journal("show", call_id(1), "--input")
        assert result.exit_code == 1
        assert why in result.stderr

    def test_an_unknown_id_is_told(self, journal: Run) -> None:
        result = journal("show", "f" * 32)
        assert result.exit_code == 1
        assert "the journal has no call or decision ffff" in result.stderr

    def test_bytes_that_are_no_message_of_the_method_are_shown_all_the_same(self, world: World, journal: Run) -> None:
        world.add(1, request=b"\xff\xff", method="/x.Y/\x1b[31mZ")
        assert '{"base64": "//8="}' in journal("show", call_id(1)).stdout
        assert "\x1b" not in journal("show", call_id(1)).stdout
