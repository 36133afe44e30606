"""`firebreak chart` as people and programs see it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from cli.main import app
from tests.unit.cli.chart.conftest import Chart


def test_values_go_to_standard_output_and_the_hint_beside(chart: Chart) -> None:
    done = chart("calculator")
    assert done.exit_code == 0, done.output
    assert yaml.safe_load(done.stdout)["service"]["name"] == "calculator"
    assert commands(done) == ["make charts", "helm upgrade --install calculator charts/service -f -"]


def test_values_go_to_a_file(chart: Chart, tmp_path: Path) -> None:
    file = tmp_path / "made/here.yaml"
    done = chart("calculator", "--out", str(file), "--image", "r.example/{name}", "--tag", "2")
    assert done.stdout == f"{file}: written\n"
    assert f"charts/service -f {file}" in done.stderr
    assert yaml.safe_load(file.read_text())["image"] == {"repository": "r.example/calculator", "tag": "2"}
    assert [each.name for each in file.parent.iterdir()] == ["here.yaml"]


def test_what_somebody_chose_stays_when_it_is_made_anew(chart: Chart, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    chart("calculator", "--out", str(file))
    file.write_text(file.read_text().replace('secret: ""', "secret: mine") + "replicas: 3\n")
    chart("calculator", "--out", str(file))
    made = yaml.safe_load(file.read_text())
    assert (made["secret"], made["replicas"]) == ("mine", 3)


def test_the_gateway_is_a_release_of_its_own(chart: Chart) -> None:
    done = chart("gateway")
    assert list(yaml.safe_load(done.stdout)) == ["services", "policies", "admission", "journal"]
    flags = "--set serviceAccounts.issuer=ISSUER --set-file serviceAccounts.jwks=jwks.json"
    assert commands(done) == [
        "make charts",
        'kubectl get --raw /.well-known/openid-configuration  # ISSUER below is its "issuer"',
        "kubectl get --raw /openid/v1/jwks > jwks.json",
        f"helm upgrade --install firebreak-gateway charts/gateway -f - {flags}",
    ]


def commands(done: Result) -> list[str]:
    head, *lines = done.stderr.splitlines()
    assert head == "to install, in this folder:"
    return [line.removeprefix("  ") for line in lines]


@pytest.mark.parametrize(
    ("accounts", "asked"),
    [({"issuer": "https://c", "jwks": "{}"}, False), ({"issuer": "https://c"}, True), ({"jwks": "{}"}, True)],
)
def test_who_has_said_whose_tokens_count_is_not_told_how(
    chart: Chart, tmp_path: Path, accounts: dict[str, str], asked: bool
) -> None:
    for words, values in ((["gateway"], accounts), (["--umbrella"], accounts)):
        file = tmp_path / f"{words[0]}.yaml"
        known = {"serviceAccounts": values}
        file.write_text(yaml.safe_dump({"firebreak-gateway": known} if words == ["--umbrella"] else known))
        told = commands(chart(*words, "--out", str(file)))
        assert any("kubectl" in line for line in told) is asked
        assert ("--set-file" in told[-1]) is asked


def test_all_are_installed_by_one_list_of_commands(chart: Chart, tmp_path: Path) -> None:
    told = commands(chart("--all", "--out", str(tmp_path)))
    assert [line.split()[0] for line in told] == ["make", "helm", "helm", "kubectl", "kubectl", "helm"]


def test_a_folder_of_any_name_can_be_pasted(chart: Chart, tmp_path: Path) -> None:
    file = tmp_path / "my values" / "it's.yaml"
    assert shlex.split(commands(chart("calculator", "--out", str(file)))[-1])[-1] == str(file)


def test_what_is_left_out_is_told(chart: Chart, repository: Path) -> None:
    file = repository / "firebreak.yaml"
    file.write_text(file.read_text() + "proof: {every: 30s}\n")
    assert "note: proof.every of firebreak.yaml is not in the values" in chart("gateway").stderr
    assert "note:" not in chart("calculator").stderr


def test_all_are_a_file_each(chart: Chart, tmp_path: Path) -> None:
    chart("--all", "--out", str(tmp_path / "all"))
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == [
        "calculator.yaml",
        "gateway.yaml",
        "router.yaml",
    ]
    chart("--all")
    assert (tmp_path / "charts/values/router.yaml").read_text() == (tmp_path / "all/router.yaml").read_text()


@pytest.mark.parametrize("words", [["--all", "--out", "."], ["--umbrella", "--out", "calculator.yaml"]])
def test_a_proxy_is_in_the_image_that_the_gateway_gets(
    chart: Chart, repository: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(repository)
    with (repository / "services/calculator/service.yaml").open("a") as file:
        file.write("egress: [a.example.org]\n")
    chart(*words, "--image", "r.example/x-{name}", "--tag", "9")
    made = yaml.safe_load((repository / "calculator.yaml").read_text())
    image = made.get("calculator", made)["egressProxy"]["image"]
    assert image == {"repository": "r.example/x-gateway", "tag": "9"}


def test_the_umbrella_holds_what_the_single_ones_do(chart: Chart, tmp_path: Path) -> None:
    done = chart("--umbrella")
    made = yaml.safe_load(done.stdout)
    assert list(made) == ["firebreak-gateway", "calculator", "router"]
    assert made["calculator"] == yaml.safe_load(chart("calculator").stdout)
    assert made["firebreak-gateway"] == yaml.safe_load(chart("gateway").stdout)
    prefix = "firebreak-gateway.serviceAccounts"
    flags = f"--set {prefix}.issuer=ISSUER --set-file {prefix}.jwks=jwks.json"
    assert commands(done)[-1] == f"helm upgrade --install firebreak charts/firebreak -f - {flags}"


def test_a_service_that_the_umbrella_does_not_know_is_told(chart: Chart, repository: Path) -> None:
    folder = repository / "charts/firebreak"
    folder.mkdir(parents=True)
    (folder / "Chart.yaml").write_text("dependencies:\n  - {name: firebreak-service, alias: router}\n")
    done = chart("--umbrella")
    assert "note: charts/firebreak has no dependency calculator: add it to Chart.yaml, with this alias" in done.stderr
    assert "dependency router" not in done.stderr
    assert "note:" not in chart("--all").stderr


def test_choices_in_the_umbrella_stay(chart: Chart, tmp_path: Path) -> None:
    file = tmp_path / "u.yaml"
    file.write_text("router: {replicas: 3}\nglobal: {a: 1}\nfirebreak-gateway: {replicas: 4}\n")
    chart("--umbrella", "--out", str(file))
    made = yaml.safe_load(file.read_text())
    assert (made["router"]["replicas"], made["firebreak-gateway"]["replicas"]) == (3, 4)
    assert made["global"] == {"a": 1}
    assert chart("--umbrella", "--out", str(file), "--check").exit_code == 0


class TestCheck:
    def test_a_fresh_file_is_not_stale_however_it_is_written(self, chart: Chart, repository: Path) -> None:
        chart("--all")
        file = repository / "charts/values/calculator.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"replicas": 3}))
        done = chart("calculator", "--check")
        assert (done.exit_code, done.output) == (0, "")
        assert chart("--all", "--check").exit_code == 0

    def test_a_stale_file_is_told_with_what_differs(self, chart: Chart, repository: Path) -> None:
        chart("--all")
        described = repository / "services/calculator/service.yaml"
        described.write_text(described.read_text().replace("deadline: 5s", "deadline: 4s"))
        before = (repository / "charts/values/calculator.yaml").read_text()
        done = chart("calculator", "--check")
        assert done.exit_code == 1
        assert "-    deadline: 5s\n+    deadline: 4s\n" in done.stdout
        assert "stale:" in done.stderr
        assert (repository / "charts/values/calculator.yaml").read_text() == before
        assert [Path(file).name for file in json.loads(chart("--all", "--check", "--json").stdout)["stale"]] == [
            "calculator.yaml", "gateway.yaml",
        ]  # fmt: skip

    def test_a_missing_file_is_stale(self, chart: Chart) -> None:
        assert chart("calculator", "--check").exit_code == 1


def test_programs_get_the_same(chart: Chart) -> None:
    (made,) = json.loads(chart("calculator", "--json").stdout)
    assert made["values"] == yaml.safe_load(chart("calculator").stdout)
    assert (made["name"], made["file"]) == ("calculator", None)
    assert made["install"] == ["make charts", "helm upgrade --install calculator charts/service -f -"]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ([], 2, "one of them"),
        (["calculator", "--all"], 2, "one of them"),
        (["--umbrella", "--all"], 2, "one of them"),
        (["--all", "--image", "r.example/one"], 2, "write {name} where the name belongs"),
        (["calculator", "--tag", ""], 2, "cannot be empty"),
        (["nobody"], 1, "there is no services/nobody/service.yaml here; there are: calculator, router"),
    ],
)
def test_what_is_refused(chart: Chart, words: list[str], code: int, why: str) -> None:
    done = chart(*words)
    assert done.exit_code == code
    assert why in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", [["calculator"], ["gateway"], ["--all"]])
def test_a_wrong_service_is_told_with_its_line(chart: Chart, repository: Path, words: list[str]) -> None:
    file = repository / "services/calculator/service.yaml"
    file.write_text("nmae: calculator\n" + file.read_text())
    done = chart(*words)
    assert done.exit_code == 1
    assert "service.yaml:1: nmae: " in done.stderr
    assert not (repository / "charts").exists()


@pytest.mark.parametrize("name", ["firebreak-gateway", "global", "tags", "shout-"])
def test_names_that_no_cluster_takes(chart: Chart, repository: Path, name: str) -> None:
    folder = (repository / "services/calculator").rename(repository / "services" / name)
    for file in (folder / "service.yaml", repository / "firebreak.yaml"):
        file.write_text(
            file.read_text().replace("name: calculator", f"name: {name}").replace("s/calculator", f"s/{name}")
        )
    done = chart("--all")
    assert done.exit_code == 1
    assert f"a service cannot be called {name} on Kubernetes" in done.stderr


@pytest.mark.parametrize(
    ("text", "why"), [("a: [", "no valid YAML"), ("- a", "no values file"), ("image: 1", "image must be")]
)
def test_a_file_that_is_no_values_file_is_left_alone(chart: Chart, tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    done = chart("calculator", "--out", str(file))
    assert done.exit_code == 1
    assert why in done.stderr
    assert file.read_text() == text


def test_a_service_elsewhere_is_found_by_the_configuration(chart: Chart, repository: Path) -> None:
    (repository / "tools").mkdir()
    (repository / "services/calculator").rename(repository / "tools/calculator")
    file = repository / "firebreak.yaml"
    file.write_text(file.read_text().replace("services/calculator", "tools/calculator"))
    assert chart("calculator").exit_code == 0


@pytest.mark.parametrize(
    ("words", "expected"), [("firebreak chart ga", ["gateway"]), ("firebreak chart ro", ["router"])]
)
def test_names_are_completed(repository: Path, words: str, expected: list[str]) -> None:
    env = os.environ | {"_FIREBREAK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
    command = [Path(sys.executable).with_name("firebreak")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=repository)
    assert done.stdout.split() == expected


def test_help_has_examples() -> None:
    from typer.testing import CliRunner

    assert "firebreak chart calculator --check" in " ".join(CliRunner().invoke(app, ["chart", "--help"]).output.split())
