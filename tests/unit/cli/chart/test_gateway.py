"""Values of charts/gateway are what firebreak.yaml names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.chart import gateway, sources
from cli.chart.image import Image
from cli.chart.text import ChartError, as_dict, as_text
from gateway.adapters.policy.bundle import policy_files, read_bundle
from gateway.config import Admission


def values(repository: Path, asked: Image | None = None, **there: Any) -> dict[str, Any]:
    loaded = sources.configuration(repository / "firebreak.yaml")
    return as_dict(gateway.sections(loaded, sources.every(loaded), asked or Image(), there))


def added(repository: Path, text: str) -> None:
    file = repository / "firebreak.yaml"
    file.write_text(file.read_text() + text)


def filler(repository: Path, size: int) -> None:
    """Fills the policy up to `size` bytes."""
    folder = repository / "policies"
    (folder / "data/filler.yaml").unlink(missing_ok=True)
    left = size - sum(file.stat().st_size for file in policy_files(folder))
    (folder / "data/filler.yaml").write_text("filler: a\n#".ljust(left - 1, "x") + "\n")


def test_services_are_all_and_whole(repository: Path) -> None:
    made = values(repository)["services"]
    assert list(made) == ["calculator", "router"]
    for name, said in made.items():
        assert said == yaml.safe_load((repository / "services" / name / "service.yaml").read_text())


def test_policies_are_all_files_with_their_tests(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = yaml.safe_load(as_text([gateway.Section("policies", values(repository)["policies"])]))["policies"]
    assert "firebreak/main/decision.rego" in made
    assert "firebreak/main/grants_test.rego" in made
    assert "README.md" not in made
    there = tmp_path_factory.mktemp("there")
    for name, text in made.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(text.encode())
    assert read_bundle(there).revision == read_bundle(repository / "policies").revision


def test_a_wrong_policy_is_told_with_its_line(repository: Path) -> None:
    (repository / "policies/data/roles.yaml").write_text("roles: {developer: {principals: [1]}}\n")
    with pytest.raises(ChartError, match=r"the policy is wrong; mend it first:\n.*roles\.yaml:1"):
        values(repository)


def test_a_config_map_holds_a_mebibyte(repository: Path) -> None:
    filler(repository, 1024**2)
    assert sum(len(text.encode()) for text in values(repository)["policies"].values()) == 1024**2
    filler(repository, 1024**2 + 1)
    with pytest.raises(ChartError, match=r"the policy has 1048577 bytes, and a ConfigMap holds 1048576: .* by 1$"):
        values(repository)


def test_services_have_a_config_map_too(repository: Path) -> None:
    file = repository / "services/calculator/service.yaml"
    file.write_text(file.read_text() + f"env: {{A: {'x' * 1024**2}}}\n")
    with pytest.raises(ChartError, match="the services' configuration has"):
        values(repository)


@pytest.mark.parametrize("name", ["a b.yaml", "a--b.yaml"])
def test_a_file_must_be_a_key(repository: Path, name: str) -> None:
    (repository / "policies/data" / name).write_text("one: 1\n")
    with pytest.raises(ChartError, match=rf"data/{name}: in a ConfigMap"):
        values(repository)


def test_admission_is_as_configured(repository: Path) -> None:
    assert values(repository)["admission"] == {
        "inFlight": 512,
        "principalRate": {"perSecond": 500.0, "burst": 500},
        "maxDepth": 8,
        "sessionCalls": 1024,
        "sessionRate": {"perSecond": 50.0, "burst": 20},
        "requestBytes": "4MiB",
        "maxDeadline": "10m",
    }
    rates = "principal_rate: {per_second: 3, burst: 4}, session_rate: {per_second: 2, burst: 5}"
    bounds = "max_depth: 6, session_calls: 9, request_bytes: 3MiB, max_deadline: 170s"
    added(repository, f"admission: {{in_flight: 7, {bounds}, {rates}}}\n")
    assert values(repository, admission={"inFlight": 1})["admission"] == {
        "inFlight": 7,
        "principalRate": {"perSecond": 3.0, "burst": 4},
        "maxDepth": 6,
        "sessionCalls": 9,
        "sessionRate": {"perSecond": 2.0, "burst": 5},
        "requestBytes": "3MiB",
        "maxDeadline": "170s",
    }


def test_every_setting_of_admission_has_its_place(repository: Path) -> None:
    names = {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name) for name in values(repository)["admission"]}
    assert names == set(Admission.model_fields)


def test_the_journals_mode_is_as_configured(repository: Path) -> None:
    added(repository, "journal: {mode: required, path: j.db}\n")
    assert values(repository)["journal"] == {"mode": "required"}
    database = {"urlSecret": {"name": "db", "key": "url"}}
    there = {"mode": "best-effort", "postgresql": database}
    assert values(repository, journal=there)["journal"] == {"mode": "required", "postgresql": database}


@pytest.mark.parametrize(
    ("there", "mode"), [("", ""), ("none", "none"), ("best-effort", "best-effort"), ("required", "")]
)
def test_a_best_effort_journal_is_left_to_the_chart_unless_somebody_chose(
    repository: Path, there: str, mode: str
) -> None:
    assert values(repository)["journal"] == {"mode": ""}
    assert values(repository, journal={"mode": there})["journal"] == {"mode": mode}


def test_no_journal_is_none(repository: Path) -> None:
    added(repository, "journal: {mode: none}\n")
    assert values(repository, journal={"mode": "best-effort"})["journal"] == {"mode": "none"}


def test_the_image_is_the_charts_unless_it_was_asked_for(repository: Path) -> None:
    assert "image" not in values(repository)
    assert values(repository, Image("r.example/{name}", "2"))["image"] == {
        "repository": "r.example/gateway",
        "tag": "2",
    }
    assert values(repository, image={"tag": "1"}, replicas=3)["image"] == {"tag": "1"}


def test_what_is_set_of_the_journal_is_as_configured_and_the_rest_stays(repository: Path) -> None:
    chosen = {"buffer": "1MiB", "retention": {"content": "1d", "person": "2d", "record": "3d", "size": "1GiB"}}
    assert values(repository, journal=chosen)["journal"] == {"mode": "", **chosen}
    added(repository, "journal: {mode: required, timeout: 2s, inline: 1KiB, retention: {content: 7d, size: 2GiB}}\n")
    retention = {"content": "7d", "person": "90d", "record": "365d", "size": "2GiB"}
    assert values(repository, journal=chosen)["journal"] == {
        "mode": "required",
        "timeout": "2s",
        "buffer": "1MiB",
        "inline": "1KiB",
        "retention": retention,
    }


def test_other_choices_stay(repository: Path) -> None:
    assert values(repository, replicas=3)["replicas"] == 3


def test_what_has_no_place_in_values_is_told(repository: Path) -> None:
    file = repository / "firebreak.yaml"
    file.write_text(file.read_text().replace("{path: policies}", "{path: policies, timeout: 1s}"))
    keys = "audience: firebreak, jwks: keys.json"
    staff = f"{{name: staff, issuer: https://staff.example, {keys}, claims: [groups]}}"
    issuers = f"[{staff}, {{name: guests, issuer: https://guests.example, {keys}}}]"
    file.write_text(file.read_text().replace("{session_keys: keys}", f"{{session_keys: keys, issuers: {issuers}}}"))
    added(repository, "admission: {max_depth: 3}\nproof: {every: 30s}\n")
    assert list(gateway.notes(sources.configuration(file))) == [
        "policy.timeout of firebreak.yaml is not in the values: the gateway there has its default",
        "proof.every of firebreak.yaml is not in the values: the gateway there has its default",
        "claims of the issuer staff of firebreak.yaml are not in the values: set users.claims there",
    ]
