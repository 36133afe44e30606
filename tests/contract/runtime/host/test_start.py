"""How a service starts, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from firebreak.v1 import tool_pb2
from grpc_health.v1 import health_pb2

from tests.contract.runtime.host.conftest import Shared, Start
from tests.contract.runtime.host.running import ENTRY, Running, refusal, until

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _cause(service: Running) -> str:
    code, info, _ = await refusal(service.call(do="echo"))
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "TARGET_NOT_READY")
    return str(info.metadata["cause"])


async def _cause_once_known(service: Running) -> str:
    await until(lambda: service.events("service is down"))
    return await _cause(service)


@pytest.mark.parametrize(
    ("entrypoint", "cause"),
    [
        ("broken", "ImportError: cannot import name 'ExecutionInfo' from 'langgraph.runtime' (runtime.py)"),
        ("secret", "ValueError in probe.py:"),
        ("misconfigured", "module probe has no object misconfigured"),
        ("exits", "SystemExit in probe.py:"),
        ("dies", "the process ended while it loaded the service (exit code 3)"),
        ("threads", "probe:threads has started 1 thread(s) while it was loaded"),
    ],
)
async def test_a_service_that_cannot_be_loaded_stays_up_and_says_why(start: Start, entrypoint: str, cause: str) -> None:
    service = await start(entrypoint, ready=False)
    told = await _cause_once_known(service)
    assert told.startswith(cause)
    assert "hunter2" not in told
    assert await service.health() == NOT_SERVING
    describe = service.stub.Describe(tool_pb2.ToolServiceDescribeRequest(target="probe"), timeout=5)
    assert (await refusal(describe))[1].reason == "TARGET_NOT_READY"


async def test_an_import_that_hangs_is_ended(start: Start) -> None:
    service = await start("hangs", ready=False, start_timeout="300ms")
    assert await _cause_once_known(service) == "it was not loaded within 0.3 s (runtime.start_timeout)"


async def test_a_service_that_could_be_loaded_once_says_why_it_cannot_again(start: Start) -> None:
    service = await start("once")
    os.kill(service.zygote(), signal.SIGKILL)
    await service.ready(NOT_SERVING)
    await until(lambda: any(line["cause"].startswith("ImportError") for line in service.events("service is down")))
    assert await _cause(service) == "ImportError: No module named 'gone'"


@pytest.mark.parametrize(
    ("mark", "cause"),
    [
        ("start_fails", "ImportError: No module named 'needed_in_worker'"),
        ("start_exits", "its process ended before it was ready"),
    ],
)
@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_workers_that_cannot_start_are_tried_again(start: Start, entrypoint: str, mark: str, cause: str) -> None:
    service = await start(entrypoint, ready=False, files={mark: ""})
    await until(lambda: service.events("worker ended"))
    await until(lambda: service.log.read_text().count("worker ended") >= 3)
    assert (await _cause(service)).startswith(cause)
    assert await service.health() == NOT_SERVING
    (service.folder / mark).unlink()
    await service.ready()
    assert await service.text(do="echo") == "echo"


async def test_a_worker_without_all_its_tools_serves_and_is_replaced(start: Start) -> None:
    service = await start("coroutine", files={"missing": ""}, workers=1, spare=0)
    (first,) = service.workers()
    told = await until(lambda: service.events("worker misses tools"))
    assert told[0]["missing"] == ["calculator"]
    assert await service.text(do="echo") == "echo"
    (service.folder / "missing").unlink()
    await until(lambda: service.workers() and first not in service.workers())
    await service.ready()
    assert await service.text(do="echo") == "echo"


async def test_describe_answers_as_the_object_does(shared: Shared) -> None:
    service = await shared()
    answer = await service.stub.Describe(tool_pb2.ToolServiceDescribeRequest(target="probe"), timeout=5)
    assert (answer.spec.name, answer.spec.schema_sha256) == ("probe", "abc")
    wrong = service.stub.Describe(tool_pb2.ToolServiceDescribeRequest(target="other"), timeout=5)
    assert (await refusal(wrong))[1].reason == "TARGET_UNKNOWN"


async def test_a_worker_gets_a_small_environment_and_a_host_no_framework(start: Start) -> None:
    leaks = {"API_KEY": "leaked", "LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "TZ": "UTC"}
    service = await start(env={"SETTING": "on"}, environment=leaks)
    about = json.loads(await service.text(do="about"))
    assert about["env"]["SETTING"] == "on"
    assert about["env"]["TZ"] == "UTC"
    assert not {"API_KEY", "LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"} & set(about["env"])
    maps = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert "grpc" in maps
    assert "langchain" not in maps
    assert "pydantic" not in maps


async def test_what_a_tool_prints_is_in_the_log(start: Start) -> None:
    service = await start()
    await service.call(do="print", n=2)
    expected = {"tool says 0", "tool says 1", "to stderr"}
    await until(lambda: expected <= {line["text"] for line in service.events("output")})


async def test_a_flood_of_output_is_cut_and_the_call_goes_on(start: Start) -> None:
    service = await start()
    assert await service.text(do="print", n=20_000) == "printed"
    await until(lambda: any("left out" in line["text"] for line in service.events("output")))
    assert len(service.events("output")) < 5_000


TOOL = '''
from langchain_core.tools import tool


@tool
def repeat(word: str, times: int = 2) -> str:
    """Repeats a word."""
    return " ".join([word] * times)
'''


async def test_the_real_command_serves_a_tool_of_the_framework(start: Start) -> None:
    service = await start("repeat", files={"probe.py": TOOL}, command=("-m", "firebreak_runtime"))
    described = await service.stub.Describe(tool_pb2.ToolServiceDescribeRequest(target="probe"), timeout=5)
    assert described.spec.name == "repeat"
    assert described.spec.framework.package
    assert await service.text(word="yes", times=3) == "yes yes yes"
    code, info, wrong = await refusal(service.call(word="yes", times="many"))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENTS_INVALID")
    assert wrong.field_violations[0].field == "args.times"


def test_check_says_whether_a_service_can_be_loaded(tmp_path: Path) -> None:
    assert _run(tmp_path, "plain", "--check")[:2] == (0, "probe: can be loaded\n")
    code, _, wrong = _run(tmp_path, "broken", "--check")
    assert code == 1
    assert "probe: ImportError: cannot import name" in wrong


def test_a_wrong_service_file_is_named_with_its_line(tmp_path: Path) -> None:
    code, _, wrong = _run(tmp_path, "plain", kind="hammer")
    assert code == 2
    assert "service.yaml:3: kind: must be one of agent, tool, model, retriever, embedding" in wrong


def test_an_address_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    code, _, wrong = _run(tmp_path, "plain", listen=f"unix:{tmp_path}/no/such/folder/s")
    assert code == 1
    assert "probe: cannot listen on unix:" in wrong


def _run(
    folder: Path, entrypoint: str, *more: str, kind: str = "tool", listen: str = "unix:none"
) -> tuple[int, str, str]:
    """Exit code, output and errors of a host that is not meant to go on."""
    settings = {
        "name": "probe",
        "kind": kind,
        "version": "1.0.0",
        "entrypoint": f"probe:{entrypoint}",
        "effect": "READ",
    }
    (folder / "service.yaml").write_text(json.dumps(settings, indent=1))
    options = ["--service", str(folder), "--listen", listen, "--gateway", "unix:none", "--token-file", "none", *more]
    ran = subprocess.run([sys.executable, "-I", str(ENTRY), *options], capture_output=True, text=True, timeout=30)
    return ran.returncode, ran.stdout, ran.stderr
