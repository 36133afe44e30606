"""From a pod's service.yaml to the proxy that it becomes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cli.egress.allow import Entry
from cli.egress.lists import parse
from cli.egress_pod import WRONG_FILE, main

SERVICE = "name: shop\nkind: tool\nversion: 1.0.0\nentrypoint: shop:shop\neffect: READ\n"
EGRESS = 'egress: [a.example.org, {to: "http://*.b.example.org:8080", private: true}]\n'


class Became(Exception):
    """This process has become another, with these words."""


@pytest.fixture(autouse=True)
def becoming(monkeypatch: pytest.MonkeyPatch) -> None:
    def execv(program: str, words: list[str]) -> None:
        assert program == words[0] == sys.executable
        raise Became(words[1:])

    monkeypatch.setattr(os, "execv", execv)


def run(folder: Path, text: str, *more: str) -> int:
    (folder / "service.yaml").write_text(text)
    return main(["--service", str(folder / "service.yaml"), "--sockets", str(folder), *more])


@pytest.mark.parametrize(("more", "grace"), [((), "0"), (("--grace", "12"), "12")])
def test_it_becomes_the_proxy_of_this_service_alone(tmp_path: Path, more: tuple[str, ...], grace: str) -> None:
    with pytest.raises(Became) as became:
        run(tmp_path, SERVICE + EGRESS, *more)
    lists = tmp_path / "lists.json"
    assert became.value.args[0] == [
        *("-I", "-m", "cli.egress", "--config", str(lists), "--sockets", str(tmp_path), "--grace", grace)
    ]
    assert parse(lists.read_bytes()) == {
        "shop": (
            Entry("https", "a.example.org", 443),
            Entry("http", "b.example.org", 8080, below=True, private=True),
        )
    }


def test_one_that_is_started_again_finds_its_list_in_place(tmp_path: Path) -> None:
    (tmp_path / "lists.json").write_text("half of a li")
    with pytest.raises(Became):
        run(tmp_path, SERVICE + EGRESS)
    assert list(parse((tmp_path / "lists.json").read_bytes())) == ["shop"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SERVICE + "egress: [10.0.0]\n", "service.yaml:6: egress[0]: ends in a number, but is no IPv4 address"),
        (SERVICE + EGRESS + "egres: []\n", "egres: "),
        (SERVICE, "shop declares no egress and needs no proxy"),
        ("", "is empty"),
    ],
)
def test_a_file_that_is_wrong_starts_no_proxy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    assert run(tmp_path, text) == WRONG_FILE
    assert why in capsys.readouterr().err
    assert not (tmp_path / "lists.json").exists()


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "service.yaml").write_text(SERVICE + EGRESS)
    words = ["--service", str(tmp_path / "service.yaml"), "--sockets", str(tmp_path / "nothing")]
    assert main(words) == WRONG_FILE
    assert "nothing/lists.json" in capsys.readouterr().err
