"""Reading the configuration: what is right comes out frozen, what is wrong is told at once with file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.adapters.config_files import ConfigError, Loaded, load
from gateway.config import Effect
from gateway.routes import Kind

GATEWAY = """\
listeners:
  - name: public
    address: 127.0.0.1:7500
    accept: [jwt]
admin: 127.0.0.1:7501
identity:
  session_keys: keys
policy:
  path: policies
services:
  - path: services/calculator
    address: unix:calculator.sock
    identity: service:calculator
  - path: services/assistant
    address: unix:assistant.sock
    identity: service:assistant
  - path: services/router
    address: unix:router.sock
    identity: service:router
"""
SERVICES = {
    "calculator": "name: calculator\nkind: tool\nversion: 1.0.0\nentrypoint: a:b\neffect: READ\n",
    "assistant": (
        "name: assistant\nkind: agent\nversion: 1.0.0\nentrypoint: a:b\n"
        "uses:\n  tools:\n    - calculator\n  model: router\n"
    ),
    "router": "name: router\nkind: model\nversion: 1.0.0\nentrypoint: a:b\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A correct configuration; problems name files relative to it."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "firebreak.yaml").write_text(GATEWAY)
    for name, text in SERVICES.items():
        (tmp_path / "services" / name).mkdir(parents=True)
        (tmp_path / "services" / name / "service.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gateway(folder: Path, old: str = "", new: str = "") -> list[str]:
    """Problems after a change of the main file."""
    assert old in GATEWAY
    (folder / "firebreak.yaml").write_text(GATEWAY.replace(old, new, 1) if old else GATEWAY + new)
    return problems()


def service(folder: Path, name: str, old: str = "", new: str = "") -> list[str]:
    """Problems after a change of a service's file."""
    assert old in SERVICES[name]
    text = SERVICES[name].replace(old, new, 1) if old else SERVICES[name] + new
    (folder / "services" / name / "service.yaml").write_text(text)
    return problems()


def problems() -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(Path("firebreak.yaml"))
    return str(caught.value).splitlines()


def test_a_right_configuration_is_loaded(folder: Path) -> None:
    loaded = load(Path("firebreak.yaml"))
    assert [config.name for _, config in loaded.services] == ["calculator", "assistant", "router"]
    entry, calculator = loaded.services[0]
    assert (entry.address, entry.identity) == ("unix:calculator.sock", "service:calculator")
    assert (calculator.kind, calculator.declared_effect) == (Kind.TOOL, Effect.READ)
    assert loaded.root == folder
    assert loaded.config.listeners[0].accept == ("jwt",)


def test_it_is_found_from_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert len(load(folder / "firebreak.yaml").services) == 3
    assert load(Path(os.path.relpath(folder / "firebreak.yaml"))).root == folder


MAIN = [
    ("admin: 127", "amdin: 127", ["5: amdin: is no known key; did you mean admin?", "1: admin: is missing"]),
    ("    accept: [jwt]", "    acept: [jwt]", ["4: listeners[0].acept: is no known key; did you mean accept?"]),
    ("accept: [jwt]", "accept: [jwt, basic]", ["4: listeners[0].accept[1]: should be 'jwt' or 'mtls'"]),
    ("accept: [jwt]", "accept: []", ["4: listeners[0].accept: needs at least one entry"]),
    ("accept: [jwt]", "accept: [mtls]", ["2: listeners[0]: accept: mtls needs tls with client_ca"]),
    ("address: 127.0.0.1:7500", "address: 0.0.0.0:7500", ["2: listeners[0]: a listener without tls is on loopback"]),
    ("address: 127.0.0.1:7500", "address: 127.0.0.1:70000", ['3: listeners[0].address: is not written "host:port"']),
    ("address: 127.0.0.1:7500", "address: 7500", ["3: listeners[0].address: is not text"]),
    ("admin: 127.0.0.1:7501", "admin: unix:a", ['5: admin: is not written "host:port"']),
    ("admin: 127.0.0.1:7501", "admin: 127.0.0.1:7500", ["3: listeners[0].address: 127.0.0.1:7500 is used on line 5"]),
    ("path: policies", "path: nowhere", ["9: policy.path: there is no folder nowhere"]),
    ("path: policies", "path: policies\n  timeout: 3", ["10: policy.timeout: a duration is written like"]),
    ("path: policies", "path: policies\n  opa:\n    url: http://x", ["10: policy.opa: has no effect"]),
    ("services/router", "services/nope", ["17: services[2].path: there is no services/nope/service.yaml"]),
    ("unix:router.sock", "unix:calculator.sock", ["18: services[2].address: unix:calculator.sock is used on line 12"]),
    ("service:router", "service:assistant", ["19: services[2].identity: service:assistant is that of services[1]"]),
    ("path: services/router", "path: services/assistant", ["17: services[2].path: assistant is that of services[1]"]),
    ("unix:router.sock", "unix:" + "x" * 108, ["18: services[2].address: has a socket path that is empty or longer"]),
    ("service:router", "firebreak:probe", ["19: services[2].identity: begins with firebreak:, as only the gateway's"]),
    *(
        (
            "session_keys: keys",
            f"session_keys: keys\n  issuers:\n    - {{name: a, issuer: b, audience: c, jwks: d, prefix: '{prefix}'}}",
            ["9: identity.issuers[0].prefix: could make principals that begin with firebreak:"],
        )
        for prefix in ("firebreak:", "firebreak:users:", "firebreak", "f")
    ),
    ("", "drain: 5\n", ["20: drain: a duration is written like"]),
    ("", "admin: 127.0.0.1:1\n", ["20: admin: is given twice; first on line 5"]),
    ("", "telemetry:\n  sample: 0.5\n", ["21: telemetry.sample: has no effect"]),
    ("", "admission:\n  in_flight: 0\n", ["21: admission.in_flight: should be greater than or equal to 1"]),
    ("", "journal:\n  mode: none\n  buffer: 1MiB\n", ["22: journal.buffer: has no effect: journal.mode is none"]),
    ("", "journal:\n  mode: none\n  retention:\n    size: 1GiB\n", ["22: journal.retention: has no effect"]),
    ("", "journal:\n  dsn_file: dsn\n", ["21: journal.dsn_file: has no effect: journal.store is sqlite"]),
    ("", "journal:\n  store: postgresql\n", ["20: journal: store: postgresql needs dsn_file"]),
    (
        "",
        "journal:\n  store: postgresql\n  dsn_file: dsn\n  path: journal.db\n",
        ["23: journal.path: has no effect: journal.store is postgresql"],
    ),
    ("", "journal:\n  timeout: 2s\n", ["21: journal.timeout: has no effect: with journal.mode best-effort"]),
    ("", "journal:\n  buffer: 1KiB\n", ["20: journal: inline is more than buffer"]),
    ("", "journal:\n  retention:\n    record: 2d\n", ["21: journal.retention: content is kept no longer than"]),
    ("", "journal:\n  mod: none\n", ["21: journal.mod: is no known key; did you mean mode?"]),
    ("", "? [a]\n: 1\n", ["20: has a key that is no plain text"]),
    ("session_keys: keys", "session_keys: &a keys", ["7: YAML: anchors and aliases are not allowed"]),
    ("session_keys: keys", "session_keys: [", ["9: YAML: "]),
    ("session_keys: keys", "session_keys: 2024-13-45", ["7: identity.session_keys: is no valid value"]),
]


@pytest.mark.parametrize(("old", "new", "expected"), MAIN)
def test_what_is_wrong_in_the_main_file_names_its_line(folder: Path, old: str, new: str, expected: list[str]) -> None:
    found = gateway(folder, old, new)
    for problem in expected:
        assert any(line.startswith(f"firebreak.yaml:{problem}") for line in found), found


SERVICE = [
    ("calculator", "effect: READ\n", "", ["1: a tool declares its effect"]),
    ("calculator", "effect: READ", "effect: SOMETIMES", ["5: effect: "]),
    ("calculator", "kind: tool", "kind: gadget", ["2: kind: "]),
    ("calculator", "name: calculator", "name: calc", ["1: name: is calc, but the folder is calculator"]),
    ("calculator", "name: calculator", "name: Calc", ["1: name: does not match"]),
    ("calculator", "entrypoint: a:b", "entrypoint: a.b", ["4: entrypoint: does not match"]),
    ("calculator", "", "uses:\n  tools: [router]\n", ["1: uses is only for agents"]),
    ("router", "", "store: [notes]\n", ["1: store is only for tools"]),
    ("calculator", "", "store: []\n", ["6: store: "]),
    ("calculator", "", "store: [notes..mine]\n", ["6: store"]),
    ("calculator", "", "limits:\n  deadlin: 5s\n", ["7: limits.deadlin: is no known key; did you mean deadline?"]),
    ("calculator", "", "limits:\n  deadline: 500s\n", ["6: limits: deadline is more than max_deadline"]),
    ("calculator", "", "limits:\n  request_bytes: 1GiB\n", ["7: limits.request_bytes: has no effect"]),
    (
        "calculator",
        "",
        "runtime:\n  mode: sync\n  calls_per_worker: 2\n",
        ["8: runtime.calls_per_worker: has no effect"],
    ),
    ("calculator", "", "runtime:\n  reuse: false\n", ["6: runtime: reuse can be false only with mode: sync"]),
    (
        "calculator",
        "",
        "journal:\n  requests: full\n  answers: hashed\n  mask: [badge]\n",
        ["9: journal.mask: has no effect: neither requests nor answers are masked"],
    ),
    ("calculator", "", "journal:\n  requests: some\n", ["7: journal.requests: "]),
    ("calculator", "", "retry:\n  attempts: 1\n  backoff: 1s\n", ["8: retry.backoff: has no effect"]),
    ("calculator", "", "env:\n  A: 5\n", ["7: env.A: is not text"]),
    (
        "calculator",
        "",
        "probes:\n  allow:\n    - {name: a, prompt: b}\n",
        ["1: probes: a calls a tool, which takes args"],
    ),
    (
        "calculator",
        "",
        "probes:\n  deny:\n    - {name: stranger, args: {}}\n",
        ["8: probes.deny[0].name: stranger is the probe that every service has"],
    ),
    (
        "calculator",
        "",
        "probes:\n  allow:\n    - {name: a, args: {day: 2026-01-01}}\n",
        ["8: probes.allow[0].args: is not what JSON can carry"],
    ),
    ("assistant", "- calculator", "- calculater", ["7: uses.tools[0]: there is no service calculater"]),
    ("assistant", "- calculator", "- router", ["7: uses.tools[0]: router is a model, not a tool"]),
    ("assistant", "model: router", "model: calculator", ["8: uses.model: calculator is a tool, not a model"]),
    ("router", "name: router", "name: [router", ["2: YAML: "]),
]


@pytest.mark.parametrize(("name", "old", "new", "expected"), SERVICE)
def test_what_is_wrong_in_a_services_file_names_its_line(
    folder: Path, name: str, old: str, new: str, expected: list[str]
) -> None:
    found = service(folder, name, old, new)
    for problem in expected:
        assert any(line.startswith(f"services/{name}/service.yaml:{problem}") for line in found), found


def changed(folder: Path, journal: str = "", recorded: str = "") -> Loaded:
    """A right configuration with these settings of the journal, and of what it keeps of the calculator's calls."""
    (folder / "firebreak.yaml").write_text(GATEWAY + (f"journal:\n{journal}" if journal else ""))
    (folder / "services/calculator/service.yaml").write_text(SERVICES["calculator"] + f"journal:\n{recorded}")
    return load(Path("firebreak.yaml"))


def test_a_services_file_serves_gateways_with_and_without_a_journal(folder: Path) -> None:
    for mode in ("best-effort", "none"):
        changed(folder, f"  mode: {mode}\n", "  requests: full\n")


@pytest.mark.parametrize("classes", ["requests: full", "answers: none", "requests: hashed\n  answers: masked"])
def test_masked_names_have_an_effect_where_either_class_is_masked(folder: Path, classes: str) -> None:
    _, calculator = changed(folder, "", f"  {classes}\n  mask: [badge]\n").services[0]
    assert calculator.journal.mask == ("badge",)


def test_waiting_for_the_journal_has_an_effect_where_it_is_required(folder: Path) -> None:
    journal = changed(folder, "  mode: required\n  timeout: 2s\n  buffer: 4KiB\n  inline: 4KiB\n", "  {}\n")
    assert (journal.config.journal.timeout, journal.config.journal.buffer) == (2.0, 4096)


def test_the_file_with_the_journals_connection_string_must_be_there(folder: Path) -> None:
    (folder / "keys").mkdir()
    loaded = changed(folder, "  store: postgresql\n  dsn_file: dsn\n", "  {}\n")
    assert list(map(str, loaded.missing_files())) == ["firebreak.yaml:22: journal.dsn_file: there is no file dsn"]
    (folder / "dsn").touch()
    assert loaded.missing_files() == []


@pytest.mark.parametrize(
    "address",
    [
        "http://x",
        "redis://",
        "redis://:secret@x",
        "redis://a:secret@x/0",
        "redis://x:secret/0",
        "redis://x/y",
        "redis://x?db=secret",
        "rediss://user:secret@x",
        "rediss://user:se/cret@x",
        "rediss://user:@x",
    ],
)
def test_an_address_of_redis_is_sound_and_holds_no_password(folder: Path, address: str) -> None:
    (found,) = gateway(folder, new=f"quotas: {{redis: '{address}'}}\n")
    assert "is written like" in found
    assert "secret" not in found


def test_quotas_are_those_of_each_gateway_unless_said(folder: Path) -> None:
    assert load(folder / "firebreak.yaml").config.quotas is None
    assert gateway(folder, new="quotas: {redis: 'rediss://user@x:6380/1', other: 1}\n") != []
    files = "password_file: no-password, ca_file: no-ca"
    (folder / "firebreak.yaml").write_text(f"{GATEWAY}quotas: {{redis: 'rediss://user@x', {files}}}\n")
    loaded = load(folder / "firebreak.yaml")
    quotas = loaded.config.quotas
    assert quotas is not None
    assert (quotas.timeout, quotas.when_gone) == (0.05, "local")
    missing = [str(each).partition(": ")[2] for each in loaded.missing_files()]
    for field, file in (("password_file", "no-password"), ("ca_file", "no-ca")):
        assert f"quotas.{field}: there is no file {file}" in missing


def test_authorities_for_redis_are_for_tls(folder: Path) -> None:
    (found,) = gateway(folder, new="quotas: {redis: 'redis://x', ca_file: ca.crt}\n")
    assert "ca_file is for a rediss:// address" in found


def test_everything_that_is_wrong_is_told_at_once_in_order(folder: Path) -> None:
    service(folder, "calculator", "effect: READ", "effect: NO")
    service(folder, "router", "kind: model", "kind: modal")
    found = gateway(folder, "admin: 127.0.0.1:7501", "admin: nowhere")
    places = [line.split(": ")[0] for line in found]
    assert places == sorted(places)
    assert places == [
        "firebreak.yaml:5",
        "services/calculator/service.yaml:5",
        "services/router/service.yaml:2",
    ]


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"- a\n", b"text", b"\xff\xfe", b"a: 1\n---\nb: 2\n"])
def test_a_file_that_is_no_mapping_is_an_error(folder: Path, content: bytes) -> None:
    (folder / "firebreak.yaml").write_bytes(content)
    assert problems()[0].startswith("firebreak.yaml:")


def test_a_missing_file_is_an_error(folder: Path) -> None:
    (folder / "firebreak.yaml").unlink()
    assert problems() == ["firebreak.yaml:1: cannot be read: No such file or directory"]


def test_a_file_nested_without_end_is_an_error(folder: Path) -> None:
    assert any("is nested more than" in line for line in gateway(folder, "", f"x: {'[' * 60}{']' * 60}\n"))


def test_named_files_that_are_not_there_are_told_with_their_line(folder: Path) -> None:
    tls = "\n    tls:\n      certificate: a.crt\n      key: a.key\n      client_ca: ca.crt"
    issuers = "keys\n  issuers:\n    - {name: users, issuer: 'https://a', audience: b, jwks: jwks.json}"
    text = GATEWAY.replace("accept: [jwt]", "accept: [jwt]" + tls).replace(
        "session_keys: keys", f"session_keys: {issuers}"
    )
    (folder / "firebreak.yaml").write_text(text)
    loaded = load(Path("firebreak.yaml"))
    assert sorted(map(str, loaded.missing_files())) == [
        "firebreak.yaml:11: identity.session_keys: there is no folder keys",
        "firebreak.yaml:13: identity.issuers[0].jwks: there is no file jwks.json",
        "firebreak.yaml:6: listeners[0].tls.certificate: there is no file a.crt",
        "firebreak.yaml:7: listeners[0].tls.key: there is no file a.key",
        "firebreak.yaml:8: listeners[0].tls.client_ca: there is no file ca.crt",
    ]
    (folder / "keys").mkdir()
    for name in ("a.crt", "a.key", "ca.crt", "jwks.json"):
        (folder / name).touch()
    assert loaded.missing_files() == []


def test_files_for_fetching_keys_and_for_the_way_to_services_must_be_there(folder: Path) -> None:
    issuer = "{name: users, issuer: a, audience: b, jwks: 'https://a', ca_file: pod.crt}"
    tls = "\n    tls: {ca: ca.crt, certificate: own.crt, key: own.key}"
    text = GATEWAY.replace("session_keys: keys", f"session_keys: keys\n  issuers:\n    - {issuer}")
    text = text.replace("address: unix:router.sock", f"address: dns:///router:7600{tls}")
    (folder / "firebreak.yaml").write_text(text)
    (folder / "keys").mkdir()
    loaded = load(Path("firebreak.yaml"))
    missing = [str(problem).partition(": ")[2] for problem in loaded.missing_files()]
    assert missing == [
        "identity.issuers[0].ca_file: there is no file pod.crt",
        "services[2].tls.ca: there is no file ca.crt",
        "services[2].tls.certificate: there is no file own.crt",
        "services[2].tls.key: there is no file own.key",
    ]
    for name in ("pod.crt", "ca.crt", "own.crt", "own.key"):
        (folder / name).touch()
    assert loaded.missing_files() == []


@pytest.mark.parametrize("address", ["dns:///router", "dns:///unix:/s", "dns://1.1.1.1/router:1", "dns:router:1"])
def test_a_name_to_look_up_is_written_with_its_port(folder: Path, address: str) -> None:
    assert gateway(folder, "address: unix:router.sock", f"address: {address}")


def test_a_listener_is_no_name_to_look_up(folder: Path) -> None:
    assert gateway(folder, "address: 127.0.0.1:7500", "address: dns:///localhost:7500\n    plaintext: true")


def test_the_shipped_configuration_is_right() -> None:
    root = Path(__file__).parents[5]
    assert len(load(root / "firebreak.yaml").services) == 8


@pytest.mark.parametrize("name", ["addresses", "egress", "gateway"])
def test_a_service_takes_no_name_that_firebreak_needs_itself(folder: Path, name: str) -> None:
    (folder / "services" / name).mkdir()
    (folder / "services" / name / "service.yaml").write_text(SERVICES["router"].replace("router", name))
    told = gateway(folder, new=f"  - path: services/{name}\n")
    assert told == [
        f"firebreak.yaml:20: services[3].path: {name} is a name that Firebreak needs itself; rename the folder and its service"
    ]
