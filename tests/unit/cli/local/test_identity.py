"""Local mode's issuer, believed by the gateway's own adapters: what one writes, the other reads."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cli.local.identity import AUDIENCE, SERVICES, TOKEN_LIFE, TRUST_DOMAIN, USERS, LocalIdentity
from gateway.adapters.identity import MadeIdentity, make_identity
from gateway.config import Identity, Issuer
from gateway.errors import CallError
from tests.unit.gateway.adapters.identity.world import DESCRIBE, Time, bearer, call

DAY = 86_400.0


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def local(tmp_path: Path, time: Time) -> LocalIdentity:
    made = LocalIdentity(tmp_path, lambda: time.unix)
    made.ensure()
    return made


def gateway(state: Path, time: Time) -> MadeIdentity:
    """The gateway's side, configured as local mode does it."""
    folder = state / "identity"
    issuers = tuple(
        Issuer(name=one.folder, issuer=one.issuer, audience=AUDIENCE, jwks=str(folder / one.folder / "jwks.json"),
               prefix=prefix)
        for one, prefix in ((USERS, "user:"), (SERVICES, "service:"))
    )  # fmt: skip
    config = Identity(trust_domain=TRUST_DOMAIN, issuers=issuers, session_keys=str(folder / "session-keys"))
    services, accept = {"service:assistant": "assistant"}, {"jwt": ("jwt",)}
    return make_identity(config, services, accept, set(), "one", lambda: time.monotonic, lambda: time.unix)


def session_kids(state: Path) -> list[str]:
    return sorted(path.stem for path in (state / "identity" / "session-keys").iterdir())


def content(state: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in state.rglob("*") if path.is_file()}


async def test_its_tokens_are_believed(tmp_path: Path, time: Time, local: LocalIdentity) -> None:
    made = gateway(tmp_path, time)
    user = local.issue_user("developer").read_text()
    service = local.issue_service("assistant").read_text()
    assert (await made.authenticator.authenticate(call(bearer(user))))[0].id == "user:developer"
    principal, _ = await made.authenticator.authenticate(call(bearer(service), method=DESCRIBE))
    assert (principal.id, principal.service) == ("service:assistant", "assistant")


def test_everything_is_for_this_user_only(tmp_path: Path, local: LocalIdentity) -> None:
    local.issue_user("developer")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert len(modes) > 10
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_no_private_key_is_published(tmp_path: Path, local: LocalIdentity) -> None:
    for issuer in (USERS, SERVICES):
        folder = tmp_path / "identity" / issuer.folder
        private = json.loads((folder / "key.json").read_text())["d"]
        assert private not in (folder / "jwks.json").read_text()


def test_a_second_start_changes_nothing(tmp_path: Path, time: Time, local: LocalIdentity) -> None:
    before = content(tmp_path)
    LocalIdentity(tmp_path, lambda: time.unix).ensure()
    assert content(tmp_path) == before


def test_users_and_services_have_different_keys(tmp_path: Path, local: LocalIdentity) -> None:
    users, services = (
        json.loads((tmp_path / "identity" / issuer.folder / "jwks.json").read_text()) for issuer in (USERS, SERVICES)
    )
    assert users["keys"][0]["kid"] != services["keys"][0]["kid"]


@pytest.mark.parametrize("name", ["", "..", "../x", "A", "1a", "a/b", "a b", "a\n", "x" * 64])
def test_a_name_is_no_way_out_of_the_folder(local: LocalIdentity, name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        local.issue_service(name)


def test_a_user_and_a_service_of_one_name_have_a_token_each(local: LocalIdentity) -> None:
    service, user = local.issue_service("assistant"), local.issue_user("assistant")
    assert service != user
    assert service == local.service_token("assistant")
    assert [path.name for path in service.parent.iterdir()] == ["token"]


def test_a_token_is_renewed_after_twenty_minutes_and_not_before(time: Time, local: LocalIdentity) -> None:
    file = local.issue_user("developer")
    first = file.read_text()
    time.pass_by(1199)
    local.rotate()
    assert file.read_text() == first
    time.pass_by(1)
    local.rotate()
    assert file.read_text() != first


def test_a_services_token_that_was_withdrawn_is_gone_and_stays_so(time: Time, local: LocalIdentity) -> None:
    file, user = local.issue_service("assistant"), local.issue_user("assistant")
    local.withdraw("assistant")
    time.pass_by(1200)
    local.rotate()
    assert not file.parent.exists()
    local.withdraw("assistant")
    assert user.exists()


def test_a_token_is_renewed_when_the_clock_was_set_back(time: Time, local: LocalIdentity) -> None:
    file = local.issue_user("developer")
    first = file.read_text()
    time.unix -= 3600
    local.rotate()
    assert file.read_text() != first


async def test_a_token_dies_an_hour_after_it_was_issued(tmp_path: Path, time: Time, local: LocalIdentity) -> None:
    made = gateway(tmp_path, time)
    token = local.issue_user("developer").read_text()
    time.pass_by(TOKEN_LIFE - 1)
    await made.authenticator.authenticate(call(bearer(token)))
    time.pass_by(10)
    with pytest.raises(CallError, match="expired"):
        await made.authenticator.authenticate(call(bearer(token)))


def test_session_keys_turn_daily_and_old_ones_stay_two_more_days(
    tmp_path: Path, time: Time, local: LocalIdentity
) -> None:
    first = session_kids(tmp_path)
    time.pass_by(DAY - 60)
    local.rotate()
    assert session_kids(tmp_path) == first
    time.pass_by(60)
    local.rotate()
    assert len(session_kids(tmp_path)) == 2
    assert session_kids(tmp_path)[0] == first[0], "key ids sort by age"
    for _ in range(2):
        time.pass_by(DAY)
        local.rotate()
    assert first[0] not in session_kids(tmp_path)
    assert len(session_kids(tmp_path)) == 3


@pytest.mark.parametrize(
    "name", ["users/key.json", "users/jwks.json", "ca.crt", "ca.key", "gateway.key", "developer.crt"]
)
async def test_a_broken_file_is_made_anew_and_works(
    tmp_path: Path, time: Time, local: LocalIdentity, name: str
) -> None:
    whole = (tmp_path / "identity" / name).read_bytes()
    (tmp_path / "identity" / name).write_bytes(whole[: len(whole) // 2])
    local.rotate()
    assert len((tmp_path / "identity" / name).read_bytes()) > len(whole) // 2
    token = local.issue_user("developer").read_text()
    await gateway(tmp_path, time).authenticator.authenticate(call(bearer(token)))


def test_a_broken_session_key_gets_a_successor(tmp_path: Path, time: Time, local: LocalIdentity) -> None:
    (tmp_path / "identity" / "session-keys" / f"{session_kids(tmp_path)[0]}.json").write_bytes(b"{")
    local.rotate()
    assert len(session_kids(tmp_path)) == 2
    made = gateway(tmp_path, time)
    assert made.sessions._keys.newest[0] in session_kids(tmp_path)


def test_session_keys_that_somebody_else_put_there_are_left_alone(
    tmp_path: Path, time: Time, local: LocalIdentity
) -> None:
    own = tmp_path / "identity" / "session-keys" / "mine.json"
    own.write_text("{}")
    time.pass_by(30 * DAY)
    local.rotate()
    assert own.read_text() == "{}"


def test_certificates_are_renewed_before_they_end_and_their_authority_stays(
    tmp_path: Path, time: Time, local: LocalIdentity
) -> None:
    before = content(tmp_path / "identity")
    time.pass_by(61 * DAY)
    local.rotate()
    after = content(tmp_path / "identity")
    changed = {Path(name).name for name in before if before[name] != after.get(name, before[name])}
    assert changed == {"gateway.crt", "gateway.key", "developer.crt", "developer.key"}


def test_nothing_secret_is_printed(tmp_path: Path, local: LocalIdentity) -> None:
    token = local.issue_user("developer").read_text()
    assert token not in f"{local!r} {vars(local)}"
