"""Set-up does each step once, again when its input changed, and goes on without a service that cannot be installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, working on a folder of the test's own."""
    spec = importlib.util.spec_from_file_location("firebreak_scripts_setup", ROOT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "ENVS", tmp_path / "envs")
    return module


def service(root: Path, text: str = "name: sample\n", lock: str | None = "") -> Path:
    folder = root / "services" / "sample"
    folder.mkdir(parents=True)
    (folder / "service.yaml").write_text(text)
    if lock is not None:
        (folder / "requirements.lock").write_text(lock)
    return folder


@pytest.fixture
def uv(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been run."""
    commands: list[list[str]] = []

    def execute(step: str, *command: object, cwd: Path | None = None) -> str:
        words = [str(word) for word in command]
        commands.append(words)
        if "3.99" in words:
            raise setup.SetupError(f"{step} failed:\nno Python 3.99 here")
        if words[1] == "venv":
            Path(words[-1]).mkdir(parents=True)
        return ""

    monkeypatch.setattr(setup, "execute", execute)
    return commands


def test_a_service_is_installed_once_and_again_when_its_lock_changed(
    setup: ModuleType, uv: list[list[str]], tmp_path: Path
) -> None:
    folder = service(tmp_path)
    assert setup.install_service(Path("uv"), folder, ())
    first = len(uv)
    assert first == 2
    assert setup.install_service(Path("uv"), folder, ())
    assert len(uv) == first
    (folder / "requirements.lock").write_text("changed")
    assert setup.install_service(Path("uv"), folder, ())
    assert len(uv) == 2 * first


def test_a_changed_wheel_is_installed_without_making_the_environment_again(
    setup: ModuleType, uv: list[list[str]], tmp_path: Path
) -> None:
    folder, wheel = service(tmp_path), tmp_path / "a.whl"
    wheel.write_text("one")
    setup.install_service(Path("uv"), folder, (wheel,))
    uv.clear()
    wheel.write_text("two")
    setup.install_service(Path("uv"), folder, (wheel,))
    assert [words[1:3] for words in uv] == [["pip", "install"]]


@pytest.mark.parametrize(
    ("text", "lock", "reason"),
    [
        ('python: "3.99"\n', "", "no Python 3.99 here"),
        ("name: sample\n", None, "run scripts/lock services/sample"),
    ],
)
def test_why_a_service_could_not_be_installed_is_left_beside_it(
    setup: ModuleType, uv: list[list[str]], tmp_path: Path, text: str, lock: str | None, reason: str
) -> None:
    folder = service(tmp_path, text, lock)
    assert not setup.install_service(Path("uv"), folder, ())
    assert reason in (tmp_path / "envs/sample.error").read_text()


def test_a_reason_goes_when_it_no_longer_holds(setup: ModuleType, uv: list[list[str]], tmp_path: Path) -> None:
    folder = service(tmp_path, 'python: "3.99"\n')
    setup.install_service(Path("uv"), folder, ())
    (folder / "service.yaml").write_text("name: sample\n")
    assert setup.install_service(Path("uv"), folder, ())
    assert not (tmp_path / "envs/sample.error").exists()


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("name: a\n", None),
        ('python: "3.12"\n', "3.12"),
        ("python: '3.12'  # needs it\n", "3.12"),
        ("python: 3.12\n", "3.12"),
        ("# python: 3.12\n", None),
        ("runtime:\n  python: 3.12\n", None),
    ],
)
def test_the_python_that_a_service_asks_for(setup: ModuleType, tmp_path: Path, text: str, python: str | None) -> None:
    assert setup.service_python(service(tmp_path, text)) == python


def test_steps_see_no_setting_that_would_slow_later_starts(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"} & set(setup.environment())


def test_a_step_that_fails_shows_the_end_of_what_it_said(setup: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(setup.SetupError, match="counting failed:\nthree"):
        setup.execute("counting", sys.executable, "-c", "print('three'); raise SystemExit(1)", cwd=tmp_path)


class TestParquet:
    def test_is_installed_from_its_hashed_lock(self, setup: ModuleType, uv: list[list[str]], tmp_path: Path) -> None:
        setup.mark(tmp_path / ".venv/.stamp", "made")
        setup.install_parquet(Path("uv"))
        (command,) = uv
        assert command[1:3] == ["pip", "install"]
        assert "--require-hashes" in command
        assert command[-1] == str(tmp_path / "requirements-parquet.lock")

    def test_needs_the_gateways_environment(self, setup: ModuleType, uv: list[list[str]]) -> None:
        with pytest.raises(setup.SetupError, match=r"setup\.py run"):
            setup.install_parquet(Path("uv"))
        assert uv == []

    def test_says_what_goes_without_it(
        self, setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def offline(step: str, *command: object) -> str:
            raise setup.SetupError(f"{step} failed:\nno route to host")

        setup.mark(tmp_path / ".venv/.stamp", "made")
        monkeypatch.setattr(setup, "execute", offline)
        with pytest.raises(setup.SetupError, match=r"no route to host\n.*--format jsonl"):
            setup.install_parquet(Path("uv"))


def test_the_lock_for_parquet_is_that_of_development() -> None:
    def pinned(name: str) -> list[str]:
        return [line for line in (ROOT / name).read_text().splitlines() if line.startswith("pyarrow==")]

    assert pinned("requirements-parquet.lock") == pinned("requirements-dev.lock") != []
