"""What a service.yaml says of its walls and probes: what is right is taken, what is wrong is told with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.config_files import ConfigError, load
from gateway.config import PROBE, AllowProbe, Egress, Sandbox, ServiceConfig

GATEWAY = """\
listeners:
  - {name: public, address: "127.0.0.1:7500", accept: [jwt]}
admin: 127.0.0.1:7501
identity: {session_keys: keys}
policy: {path: policies}
services:
  - path: services/shop
"""
HEAD = "name: shop\nkind: tool\nversion: 1.0.0\nentrypoint: a:b\neffect: READ\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "services/shop").mkdir(parents=True)
    (tmp_path / "firebreak.yaml").write_text(GATEWAY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, head: str = HEAD) -> ServiceConfig:
    Path("services/shop/service.yaml").write_text(head + text)
    return load(Path("firebreak.yaml")).services[0][1]


def wrong(text: str, head: str = HEAD) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, head)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "scheme", "host", "port", "below"),
    [
        ("docs.python.org", "https", "docs.python.org", 443, False),
        ('"*.example.org"', "https", "example.org", 443, True),
        ("http://example.org", "http", "example.org", 80, False),
        ("https://models.example.com:8443", "https", "models.example.com", 8443, False),
        ("http://127.0.0.1:65535", "http", "127.0.0.1", 65535, False),
    ],
)
def test_a_host_is_read_from_its_short_form(written: str, scheme: str, host: str, port: int, below: bool) -> None:
    (egress,) = read(f"egress:\n  - {written}\n").egress
    assert (egress.scheme, egress.host, egress.port, egress.below) == (scheme, host, port, below)
    assert not egress.private


def test_a_host_may_be_declared_private() -> None:
    assert read('egress:\n  - {to: "http://127.0.0.1:8000", private: true}\n').egress == (
        Egress(to="http://127.0.0.1:8000", private=True),
    )


@pytest.mark.parametrize(
    "written",
    [
        "https://example.org:0",
        "https://example.org:65536",
        "https://example.org:0443",
        "ftp://example.org",
        "https://example.org/path",
        "https://user@example.org",
        "Example.org",
        "example..org",
        '"*"',
        '"*.*.org"',
        '"-example.org"',
        '"[::1]"',
    ],
)
def test_what_is_no_host_is_told_with_its_line(written: str) -> None:
    assert "services/shop/service.yaml:7: egress[0]: is not written like" in wrong(f"egress:\n  - {written}\n")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('"127.1"', "no IPv4 address"),
        ("0x7f.1", "no IPv4 address"),
        ("1.2.3.999", "no IPv4 address"),
        ("example.0x1f", "no IPv4 address"),
        ('"*.10.0.0.1"', "nothing is below an address"),
        (".".join(["a" * 63] * 4), "too long"),
        ('"*.' + ".".join(["a" * 63] * 3 + ["a" * 60]) + '"', "too long"),
    ],
)
def test_a_name_that_others_could_read_otherwise_is_refused(written: str, problem: str) -> None:
    assert problem in wrong(f"egress:\n  - {written}\n")


def test_the_longest_names_are_taken() -> None:
    label, name = "a" * 63, ".".join(["a" * 63] * 3 + ["a" * 61])
    assert read(f"egress:\n  - {label}.org\n  - {name}\n").egress[1].host == name
    assert "is not written like" in wrong(f"egress:\n  - {label}a.org\n")


def test_an_unknown_key_of_a_host_is_an_error() -> None:
    assert "service.yaml:7: egress[0].public" in wrong("egress:\n  - {to: example.org, public: true}\n")


def test_files_to_read_are_absolute_and_not_everything() -> None:
    assert read("reads: [/var/lib/shop, /srv/a b]\n").reads == ("/var/lib/shop", "/srv/a b")
    for path in ("data", "./data", "/", "/srv/"):
        assert "service.yaml:6: reads[0]" in wrong(f"reads: [{path}]\n")


def test_the_bounds_have_defaults() -> None:
    assert read("").sandbox == Sandbox(memory=None, cpus=1.0, processes=256, scratch="64MiB")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("least", "below"), [("cpus: 0.01", "cpus: 0"), ("processes: 16", "processes: 15"), ("scratch: 1B", "scratch: 0B")]
)
def test_the_bounds_have_least_values(least: str, below: str) -> None:
    read(f"sandbox: {{{least}}}\n")
    assert "service.yaml:6: sandbox." in wrong(f"sandbox: {{{below}}}\n")


@pytest.mark.parametrize(
    ("most", "above"), [("cpus: 1024", "cpus: 1024.5"), ("processes: 1000000", "processes: 1000001")]
)
def test_the_bounds_have_greatest_values(most: str, above: str) -> None:
    read(f"sandbox: {{{most}}}\n")
    assert "service.yaml:6: sandbox." in wrong(f"sandbox: {{{above}}}\n")


def test_the_memory_of_a_service_is_that_of_its_workers_and_its_host_or_as_it_says() -> None:
    runtime = "runtime: {workers: 3, spare: 1, memory: 256MiB}\n"
    assert read(runtime).memory == (512 + 4 * 256) * 1024**2
    assert read(runtime + "sandbox: {memory: 300MiB}\n").memory == 300 * 1024**2


def test_a_probe_is_made_as_the_prober_unless_it_says_otherwise() -> None:
    probes = read(
        "probes:\n"
        '  allow: [{name: adds, args: {expression: "6 * 7"}, expect: "42"}, {name: tells, action: describe}]\n'
        '  deny: [{name: other, as: "service:assistant", args: {}}]\n'
    ).probes
    assert probes.allow == (
        AllowProbe(name="adds", args={"expression": "6 * 7"}, expect="42"),
        AllowProbe(name="tells", action="describe"),
    )
    assert [probe.as_ for probe in (*probes.allow, *probes.deny)] == [PROBE, PROBE, "service:assistant"]


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        ("{name: a}", "a calls a tool, which takes args"),
        ("{name: a, prompt: hello}", "a calls a tool, which takes args"),
        ("{name: a, action: describe, args: {}}", "takes neither args nor a prompt"),
        ("{name: a, args: {}, as: nobody}", "as"),
        ("{name: A, args: {}}", "name"),
        ("{name: a, args: {}, reason: x}", "reason"),
    ],
)
def test_a_probe_that_says_too_little_or_too_much_is_an_error(probe: str, problem: str) -> None:
    assert problem in wrong(f"probes:\n  deny:\n    - {probe}\n")


def test_only_what_is_answered_can_be_expected() -> None:
    assert "probes.deny[0].expect" in wrong('probes:\n  deny: [{name: a, args: {}, expect: "x"}]\n')


def test_two_probes_of_a_kind_have_two_names() -> None:
    assert "two probes have the same name" in wrong(
        "probes:\n  allow: [{name: a, args: {}}, {name: a, args: {x: 1}}]\n"
    )
    read("probes:\n  allow: [{name: a, args: {}}]\n  deny: [{name: a, args: {}}]\n")


@pytest.mark.parametrize("kind", ["agent", "model"])
def test_agents_and_models_are_probed_with_a_prompt(kind: str) -> None:
    head = f"name: shop\nkind: {kind}\nversion: 1.0.0\nentrypoint: a:b\n"
    read("probes:\n  allow: [{name: a, prompt: hello}]\n", head)
    assert "takes a prompt" in wrong("probes:\n  allow: [{name: a, args: {}}]\n", head)


@pytest.mark.parametrize("kind", ["retriever", "embedding"])
def test_other_kinds_are_only_asked_what_they_are(kind: str) -> None:
    head = f"name: shop\nkind: {kind}\nversion: 1.0.0\nentrypoint: a:b\n"
    read("probes:\n  allow: [{name: a, action: describe}]\n", head)
    assert "only action: describe is possible" in wrong("probes:\n  deny: [{name: a, args: {}}]\n", head)
