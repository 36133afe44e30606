"""A policy folder is read whole, or refused with every file and line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.policy.bundle import canonical, read_bundle
from gateway.adapters.policy.problems import BundleError
from tests.unit.gateway.adapters.policy.folders import DECISION, SHIPPED, TEST, small

LONELY = "package a_test\ntest_a if 1 == 1\n"
TWICE = "package firebreak.main_test\n\ntest_x if 1 == 1\n\ntest_x if 1 == 2\n"


def test_the_shipped_folder_is_sound():
    bundle = read_bundle(SHIPPED)
    assert set(bundle.data) == {"roles", "grants"}
    assert all(not module.is_test for module in bundle.modules)
    assert all(module.is_test for module in bundle.tests)
    assert len(bundle.revision) == 64


def test_every_file_changes_the_revision(tmp_path: Path):
    folder = small(tmp_path)
    before = read_bundle(folder).revision
    assert read_bundle(folder).revision == before
    seen = {before}
    for name in ("firebreak/main/decision.rego", "firebreak/main/decision_test.rego", "data/friends.yaml"):
        (folder / name).write_text((folder / name).read_text() + "\n# more\n")
        seen.add(read_bundle(folder).revision)
    assert len(seen) == 4


def test_files_that_do_not_count(tmp_path: Path):
    before = read_bundle(small(tmp_path)).revision
    for name in (
        "README.md",
        ".hidden",
        "firebreak/main/.decision.rego.swp",
        "firebreak/main/decision.rego~",
        ".git/config",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("anything")
    assert read_bundle(tmp_path).revision == before


def test_data_of_several_files_are_one_document(tmp_path: Path):
    files = {"data/more.json": '{"other": {"a": 1}}', "data/team/x.yaml": "deep: 1\n", "data/z.yaml": "other: {b: 2}\n"}
    assert read_bundle(small(tmp_path, files)).data == {
        "friends": ["user:ada"],
        "other": {"a": 1, "b": 2},
        "team": {"deep": 1},
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"firebreak/main/decision.rego": DECISION + "\nbroken := = 1\n"}, "firebreak/main/decision.rego:10: "),
        ({"data/friends.yaml": "friends: [user:ada\n"}, "data/friends.yaml:2: not valid YAML"),
        ({"data/friends.yaml": "- user:ada\n"}, "data/friends.yaml:1: a data file holds a mapping"),
        ({"data/more.yaml": "a: 1\n\nfriends: []\n"}, "data/more.yaml:3: data.friends is in another file already"),
        ({"data/more.yaml": "a: 1\nfirebreak: {}\n"}, "data/more.yaml:2: data.firebreak is the name of a package"),
        ({"notes.txt": "x"}, "notes.txt: unknown file"),
        ({"data/notes.txt": "x"}, "data/notes.txt: unknown file"),
        ({"top.rego": "package top\n"}, "top.rego: unknown file"),
        ({"firebreak/main/x.yaml": "a: 1\n"}, "firebreak/main/x.yaml: unknown file"),
        ({"schemas/deep/x.json": "{}"}, "schemas/deep/x.json: unknown file"),
        ({"firebreak/other/x.rego": "package firebreak.main\n"}, "belongs to the package firebreak.other"),
        ({"firebreak/main/x_test.rego": "package firebreak.main\n"}, "belongs to the package firebreak.main_test"),
        ({"firebreak/main/decision_test.rego": None}, "there is no test"),
        (
            {"firebreak/main/decision.rego": None, "firebreak/main/decision_test.rego": None, "a/x_test.rego": LONELY},
            "the entry point data.firebreak.main.decision is missing",
        ),
        ({"firebreak/main/again_test.rego": TWICE}, ":3: two tests are called test_x"),
        ({"schemas/friends.json": '{"type": "object"}'}, "data/friends.yaml:1: data.friends: "),
        ({"schemas/friends.json": '{"items": {"maxLength": 3}}'}, "data/friends.yaml:1: data.friends.0: "),
        ({"schemas/enemies.json": "{}"}, "schemas/enemies.json: no data file holds data.enemies"),
        ({"schemas/friends.json": '{"type": 3}'}, "schemas/friends.json: not a JSON Schema"),
        ({"schemas/friends.json": "{"}, "schemas/friends.json:1: not valid JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, str | None], expected: str):
    with pytest.raises(BundleError) as caught:
        read_bundle(small(tmp_path, changes))
    assert expected in str(caught.value)


def test_everything_wrong_is_said_at_once(tmp_path: Path):
    changes = {
        "data/friends.yaml": "friends: yes\n",
        "firebreak/main/decision_test.rego": TEST + "x := \n",
        "odd.bin": "x",
    }
    with pytest.raises(BundleError) as caught:
        read_bundle(small(tmp_path, changes))
    assert {problem.file for problem in caught.value.problems} == {
        "data/friends.yaml",
        "firebreak/main/decision_test.rego",
        "odd.bin",
    }


def test_a_file_that_is_no_text(tmp_path: Path):
    small(tmp_path)
    (tmp_path / "data/bytes.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(BundleError, match=r"data/bytes.yaml: not UTF-8"):
        read_bundle(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(BundleError, match="policy folder nowhere is missing"):
        read_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("bad", [object(), 2**70, "\ud800", {1: 2}, {1, 2}])
def test_what_json_cannot_carry_is_no_input(bad: object):
    with pytest.raises(TypeError):
        canonical({"args": {"x": bad}})


def test_mappings_and_tuples_are_plain_json(tmp_path: Path):
    from types import MappingProxyType

    assert canonical({"claims": MappingProxyType({"a": (1, 2)})}) == b'{"claims":{"a":[1,2]}}'
