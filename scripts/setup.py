#!/usr/bin/env python3
"""Installs what Firebreak runs on, with Python's standard library alone: each step once, and again when its input changed.

    python3 scripts/setup.py run             the gateway, the command and every service
    python3 scripts/setup.py dev             the same and what tests need
    python3 scripts/setup.py service NAME…   only these services
    python3 scripts/setup.py parquet         what `firebreak journal export --format parquet` needs
    python3 scripts/setup.py uv              where uv is (installed if missing)

Environments are made from hashed locks: .venv for the gateway, .firebreak/envs/NAME for each service. A service that cannot be
installed does not stop the others: the reason is in .firebreak/envs/NAME.error and in `firebreak status`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".firebreak"
ENVS = STATE / "envs"
WHEELS = STATE / "wheels"
STARTED = time.monotonic()


class SetupError(Exception):
    """A step failed; the text says which and what to do."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f}s] {text}", file=sys.stderr, flush=True)


def environment() -> dict[str, str]:
    """The environment of every step: the user's, with byte code written at install, so that starts are fast."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV")}
    env.setdefault("UV_SYSTEM_CERTS", "1")
    env.setdefault("UV_PYTHON_PREFERENCE", "system")
    return env


def execute(step: str, *command: str | Path, cwd: Path = ROOT) -> str:
    """Runs one command and returns its output; raises SetupError with the end of what it printed."""
    result = subprocess.run([str(part) for part in command], cwd=cwd, env=environment(), capture_output=True, text=True)
    if result.returncode != 0:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-12:])
        raise SetupError(f"{step} failed:\n{tail}")
    return result.stdout


def digest(*inputs: Path | str) -> str:
    """SHA-256 over files, folders (their files, sorted) and words."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            total.update(item.encode())
            continue
        files = sorted(p for p in item.rglob("*") if p.is_file()) if item.is_dir() else [item]
        for file in files:
            if "__pycache__" in file.parts or not file.exists():
                continue
            total.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def fresh(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text() == value


def mark(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)


def find_uv() -> Path:
    """uv from .firebreak/tools, installed there from its hashed lock when missing."""
    home = STATE / "tools" / "uv"
    binary = home / "bin" / "uv"
    stamp, value = home / ".stamp", digest(ROOT / "scripts" / "uv.lock", sys.version)
    if binary.exists() and fresh(stamp, value):
        return binary
    found = shutil.which("uv")
    if found is not None and not (ROOT / "scripts" / "uv.lock").exists():
        return Path(found)  # only while the first lock is being made
    say("installing uv")
    shutil.rmtree(home, ignore_errors=True)
    try:
        execute("making an environment for uv", sys.executable, "-m", "venv", home)
    except SetupError as error:
        raise SetupError(
            f"{error}\nPython's venv module is needed: on Debian and Ubuntu, `apt install python3-venv`."
        ) from None
    execute("installing uv", home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "-r", ROOT / "scripts" / "uv.lock")  # fmt: skip
    mark(stamp, value)
    return binary


def make_env(uv: Path, env: Path, lock: Path, python: str | None = None, wheels: tuple[Path, ...] = ()) -> bool:
    """Makes or renews one environment from its lock, with our own wheels on top; returns whether anything was done."""
    made = _install_lock(uv, env, lock, python)
    stamp, value = env / ".wheels", digest(*wheels)
    if not wheels or fresh(stamp, value):
        return made
    execute(f"installing the runtime into {env.name}", uv, "pip", "install", "--quiet", "--compile-bytecode", "--no-deps",
            "--no-index", "--reinstall", "--python", env / "bin" / "python", *wheels)  # fmt: skip
    mark(stamp, value)
    return True


def _install_lock(uv: Path, env: Path, lock: Path, python: str | None) -> bool:
    stamp, value = env / ".stamp", digest(lock, python or "", sys.version)
    if fresh(stamp, value):
        return False
    shutil.rmtree(env, ignore_errors=True)
    execute(f"making {env.name}", uv, "venv", "--quiet", "--python", python or sys.executable, env)
    execute(f"installing {lock.relative_to(ROOT)}", uv, "pip", "install", "--quiet", "--compile-bytecode",
            "--require-hashes", "--no-deps", "--python", env / "bin" / "python", "-r", lock)  # fmt: skip
    mark(stamp, value)
    return True


def generate(uv: Path) -> None:
    """Generates the Python code of proto/firebreak/v1 beside it."""
    folder = ROOT / "proto" / "firebreak" / "v1"
    sources = sorted(folder.glob("*.proto"))
    stamp, value = STATE / "proto.stamp", digest(*sources, ROOT / "proto" / "generator.lock")
    if fresh(stamp, value) and all(source.with_name(source.stem + "_pb2.py").exists() for source in sources):
        return
    say("generating code from proto/")
    env = ENVS / "generator"
    make_env(uv, env, ROOT / "proto" / "generator.lock")
    root = ROOT / "proto"
    outputs = [f"--{kind}_out={root}" for kind in ("python", "pyi", "grpc_python")]
    execute("generating code", env / "bin" / "python", "-m", "grpc_tools.protoc", f"-I{root}", *outputs, *sources)
    mark(stamp, value)


def build_wheels(uv: Path) -> tuple[Path, ...]:
    """Wheels of firebreak-proto and firebreak-runtime, for the services' environments."""
    built = []
    for name, folder in (("firebreak_proto", ROOT / "proto"), ("firebreak_runtime", ROOT / "services" / "runtime")):
        out = WHEELS / name
        stamp, value = WHEELS / f"{name}.stamp", digest(folder)
        if not fresh(stamp, value):
            say(f"building {name}")
            shutil.rmtree(out, ignore_errors=True)
            execute(f"building {name}", uv, "build", "--quiet", "--wheel", "--offline", "--out-dir", out, folder)
            mark(stamp, value)
        built.append(next(out.glob("*.whl")))
    return tuple(built)


def service_python(folder: Path) -> str | None:
    """The `python:` of a service.yaml, read without a YAML parser: setup runs before one is installed."""
    found = re.search(
        r"^python:\s*[\"']?(3\.\d+)[\"']?\s*(?:#.*)?$", (folder / "service.yaml").read_text(), re.MULTILINE
    )
    return found[1] if found else None


def install_service(uv: Path, folder: Path, wheels: tuple[Path, ...]) -> bool:
    """One service's environment; False when it could not be made, with the reason beside it."""
    env, error = ENVS / folder.name, ENVS / f"{folder.name}.error"
    lock = folder / "requirements.lock"
    try:
        python = service_python(folder)
        if not lock.exists():
            raise SetupError(f"{lock.relative_to(ROOT)} is missing: run scripts/lock {folder.relative_to(ROOT)}")
        if make_env(uv, env, lock, python, wheels):
            say(f"service {folder.name}: installed" + (f" on Python {python}" if python else ""))
        error.unlink(missing_ok=True)
        return True
    except SetupError as failure:
        error.parent.mkdir(parents=True, exist_ok=True)
        error.write_text(str(failure))
        say(f"service {folder.name}: NOT installed, the others go on. {failure}")
        return False


def service_folders() -> list[Path]:
    return sorted(file.parent for file in (ROOT / "services").glob("*/service.yaml"))


def install_services(uv: Path, folders: list[Path]) -> None:
    wheels = build_wheels(uv)
    ENVS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda folder: install_service(uv, folder, wheels), folders))


def install_gateway(uv: Path, dev: bool) -> None:
    """.venv: the gateway and the command, for development with what tests need as well."""
    env = ROOT / ".venv"
    run, full = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
    dev = dev or fresh(
        env / ".stamp", digest(full, "", sys.version)
    )  # one made for development holds all that runs need
    folders = [ROOT, ROOT / "proto", *([ROOT / "services" / "runtime"] if dev else [])]
    made = make_env(uv, env, full if dev else run)
    stamp, value = env / ".editable", digest(*(folder / "pyproject.toml" for folder in folders))
    if not made and fresh(stamp, value):
        return
    execute("installing the gateway", uv, "pip", "install", "--quiet", "--no-deps", "--offline", "--python",
            env / "bin" / "python", *(word for folder in folders for word in ("--editable", folder)))  # fmt: skip
    mark(stamp, value)
    say("gateway: installed")


def install_parquet(uv: Path) -> None:
    """pyarrow into .venv, which must have been made; it is no part of every installation because of its size."""
    env, lock = ROOT / ".venv", ROOT / "requirements-parquet.lock"
    if not (env / ".stamp").exists():
        raise SetupError("the gateway is not installed yet: run `python3 scripts/setup.py run` first")
    try:
        execute("installing pyarrow", uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes", "--no-deps",
                "--python", env / "bin" / "python", "-r", lock)  # fmt: skip
    except SetupError as error:
        raise SetupError(f"{error}\nExport with --format jsonl where no package index is at hand.") from None
    say("parquet: installed")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):
        print(f"Firebreak needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    what = arguments[0] if arguments else ""
    try:
        uv = find_uv()
        if what == "uv":
            print(uv)
        elif what == "service" and arguments[1:]:
            generate(uv)
            install_services(uv, [ROOT / "services" / name for name in arguments[1:]])
        elif what == "parquet":
            install_parquet(uv)
        elif what in ("run", "dev"):
            generate(uv)
            install_gateway(uv, dev=what == "dev")
            install_services(uv, service_folders())
            if what == "dev" and make_env(uv, ENVS / "langchain-0.3", ROOT / "tests" / "locks" / "langchain-0.3.lock",
                                          wheels=build_wheels(uv)):  # fmt: skip
                say("tests: LangChain 0.3 installed")
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
