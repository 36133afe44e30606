"""Who claims what, and what a host is started with."""

from __future__ import annotations

from pathlib import Path

import pytest
from firebreak_runtime import landlock, seccomp
from firebreak_runtime.enclose import Enclosed
from firebreak_runtime.generation import Surroundings
from firebreak_runtime.options import read_options
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.walls import NOT_ENCLOSED, PROMISES, Walls, found_untrue, path_of, port_of, walls

NEEDED = ("--service", "s", "--listen", "unix:l", "--gateway", "unix:g", "--token-file", "t")
SERVICE = ServiceFile(Path("s"), "mine", "tool", "1.0.0", "a:b", "READ", env=(("HTTP_PROXY", "http://elsewhere"),))


def test_a_host_claims_nothing_by_itself() -> None:
    assert walls((), NOT_ENCLOSED) == Walls(frozenset(), frozenset(), {})


def test_what_was_promised_and_what_the_host_has_built_are_claimed() -> None:
    enclosed = Enclosed(("limits", "landlock"), {"syscalls": "no filter", "tasks": "root"})
    assert not walls((), enclosed).counted
    assert walls((), Enclosed((), {}, counted=True)).counted
    built = walls(("files", "tasks"), enclosed)
    assert built.claimed == {"files", "tasks", "limits", "landlock"}
    assert built.own == {"limits", "landlock"}
    assert built.missing == {"syscalls": "no filter"}


@pytest.mark.parametrize(("promise", "wall"), [("scratch", "landlock"), ("network", "syscalls")])
def test_a_promise_that_leans_on_a_missing_wall_is_not_claimed(promise: str, wall: str) -> None:
    built = walls(("files", promise), Enclosed((), {wall: "not here"}))
    assert built.claimed == {"files"}
    assert built.missing[promise].startswith("without ")
    assert promise in walls((promise,), Enclosed((wall,), {})).claimed


@pytest.mark.parametrize(("abi", "claimed"), [(3, False), (4, True)])
def test_a_proxy_that_can_be_gone_around_leaves_the_network_unclaimed(
    monkeypatch: pytest.MonkeyPatch, abi: int, claimed: bool
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    built = walls(("network",), Enclosed(("landlock",), {}), proxied=True)
    assert ("network" in built.claimed, "network" in built.missing) == (claimed, not claimed)
    assert "network" in walls(("network",), Enclosed(("landlock",), {})).claimed
    assert "network" not in walls(("network",), NOT_ENCLOSED, proxied=True).claimed


@pytest.mark.parametrize("filtered", [True, False])
def test_a_filter_of_system_calls_that_was_promised_and_is_not_there(
    monkeypatch: pytest.MonkeyPatch, filtered: bool
) -> None:
    monkeypatch.setattr(seccomp, "filtered", lambda: filtered)
    assert bool(found_untrue(["files", "syscalls"])) is not filtered
    assert found_untrue(["files"]) == {}
    untrue = {"syscalls": "none"}
    assert walls(("syscalls",), NOT_ENCLOSED, untrue).untrue == untrue


def test_what_the_place_is_like_is_told_by_options() -> None:
    more = ("--network-policy", "--reads", "/a", "--reads", "/b", "--variable", "HOSTNAME", "--variable", "K_*")
    options = read_options([*NEEDED, *more])
    assert (options.network_policy, options.reads, options.variable) == (True, ["/a", "/b"], ["HOSTNAME", "K_*"])
    plain = read_options(NEEDED)
    assert (plain.network_policy, plain.reads, plain.variable, plain.health) == (False, [], [], "")


def test_workers_are_told_how_names_are_asked_for_and_which_authorities_there_are() -> None:
    own = {"GRPC_DNS_RESOLVER": "native", "SSL_CERT_FILE": "/etc/ssl/all.crt", "HOSTNAME": "x"}
    told = Surroundings(SERVICE, "g", Path("t"), ()).variables(own)
    assert {name: told.get(name) for name in own} == {**own, "HOSTNAME": None}


def test_options_of_the_walls() -> None:
    options = read_options([*NEEDED, "--enclose", "required", "--promise", "files", "--promise", "tasks"])
    assert (options.enclose, options.promise) == ("required", ["files", "tasks"])
    more = read_options([*NEEDED, "--writable", "/a", "--writable", "/b", "--egress", "unix:/e", "--secrets", "/s"])
    assert (more.writable, more.readable, more.egress, more.secrets) == (["/a", "/b"], [], "unix:/e", "/s")
    plain = read_options(NEEDED)
    assert (plain.enclose, plain.promise, plain.egress, plain.secrets) == ("none", [], "", "")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--promise", "peace"), "invalid choice: 'peace'"),
        (("--enclose", "maybe"), "invalid choice: 'maybe'"),
        (("--egress", "127.0.0.1:1"), 'is not "unix:" and an absolute path'),
    ],
)
def test_options_that_make_no_sense(wrong: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_options([*NEEDED, *wrong])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_promises_that_are_tested_and_those_that_the_launcher_proves() -> None:
    assert len(set(PROMISES)) == len(PROMISES) == 14
    assert PROMISES[-3:] == ("memory", "cpu", "tasks")


def test_only_a_unix_address_has_a_path() -> None:
    assert path_of("unix:/a/b") == "/a/b"
    assert path_of("unix:b") == str(Path.cwd() / "b")
    assert path_of("127.0.0.1:80") == path_of("") == ""


def test_workers_are_told_of_the_proxy_and_of_secrets() -> None:
    service = ServiceFile(Path("s"), "mine", "tool", "1.0.0", "a:b", "READ", egress=("example.org", "*.example.net"))
    around = Surroundings(service, "g", Path("t"), (), egress="unix:/e", proxy=3128, secrets="/s")
    env = around.variables({"HOME": "/tmp", "TMPDIR": "/tmp", "API_KEY": "leaked", "NO_PROXY": "*"})
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        assert env[name] == "http://127.0.0.1:3128"
    assert (env["FIREBREAK_EGRESS"], env["FIREBREAK_SECRETS"]) == ("example.org *.example.net", "/s")
    assert (env["HOME"], env["TMPDIR"]) == ("/tmp", "/tmp")
    assert not {"API_KEY", "NO_PROXY", "no_proxy"} & set(env)


def test_a_service_does_not_get_around_the_proxy_by_its_settings_and_without_one_it_may_have_its_own() -> None:
    assert Surroundings(SERVICE, "g", Path("t"), (), proxy=1).variables({})["HTTP_PROXY"] == "http://127.0.0.1:1"
    plain = Surroundings(SERVICE, "g", Path("t"), ()).variables({})
    assert plain["HTTP_PROXY"] == "http://elsewhere"
    assert not {"FIREBREAK_EGRESS", "FIREBREAK_SECRETS", "HTTPS_PROXY"} & set(plain)


def test_a_zygote_is_told_where_workers_may_write() -> None:
    around = Surroundings(SERVICE, "g", Path("t"), ("zygote",), writable=("/tmp", "/dev/shm"))
    assert around.command()[-4:] == ["--writable", "/tmp", "--writable", "/dev/shm"]


def test_a_zygote_is_told_what_to_leave_to_its_host() -> None:
    around = Surroundings(SERVICE, "g", Path("t"), ("zygote",), workers_group=0, processes=48)
    assert around.command()[-4:] == ["--processes", "48", "--group", "0"]
    assert not {"--processes", "--group"} & {*Surroundings(SERVICE, "g", Path("t"), ("zygote",)).command()}


@pytest.mark.parametrize(
    ("address", "port"),
    [("unix:gateway:7500", 0), ("127.0.0.1:7600", 7600), ("dns:///calculator:7600", 7600), ("[::1]:1", 1)],
)
def test_the_port_of_an_address(address: str, port: int) -> None:
    assert port_of(address) == port


@pytest.mark.parametrize("address", ["localhost", "localhost:", "localhost:http", ":7500", "localhost:123456"])
def test_an_address_that_is_none_is_told(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_options(["--service", ".", "--listen", address, "--gateway", "unix:g", "--token-file", "t"])
    assert 'neither "unix:PATH" nor "host:port"' in capsys.readouterr().err
