"""Principals of different issuers can never be taken for one another."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.adapters.identity.issuers import counted
from gateway.adapters.identity.jws import BadTokenError
from gateway.config import Identity, Issuer
from gateway.errors import CallError
from tests.unit.gateway.adapters.identity.world import ASSISTANT_URI, World, bearer, call, ec_key, key_set, sign

OTHER = "https://other.test"


OTHER_KEY = ec_key("other-1")


def with_other(world: World, prefix: str) -> Identity:
    """A third issuer with `prefix`, whose subjects anyone may choose."""
    (world.folder / "other.json").write_bytes(key_set(OTHER_KEY))
    issuer = Issuer(
        name="other", issuer=OTHER, audience="firebreak", jwks=str(world.folder / "other.json"), prefix=prefix
    )
    return world.config().model_copy(update={"issuers": (*world.config().issuers, issuer)})


def other_token(world: World, sub: str) -> str:
    return sign({"alg": "ES256", "kid": "other-1"}, world.claims(OTHER, sub), OTHER_KEY)


@pytest.mark.parametrize(
    "sub", ["user:developer", "service:assistant", "user:", ASSISTANT_URI, "spiffe://other.test/x"]
)
async def test_a_subject_cannot_reach_into_another_issuers_names(world: World, sub: str) -> None:
    made = world.made(config=with_other(world, ""))
    with pytest.raises(CallError, match="another issuer"):
        await made.authenticator.authenticate(call(bearer(other_token(world, sub))))


async def test_the_same_subject_of_two_issuers_is_two_principals(world: World) -> None:
    made = world.made(config=with_other(world, "other:"))
    theirs, _ = await made.authenticator.authenticate(call(bearer(other_token(world, "developer"))))
    ours, _ = await made.authenticator.authenticate(call(bearer(world.user_token())))
    assert (theirs.id, ours.id) == ("other:developer", "user:developer")


async def test_the_longest_prefix_owns_a_name(world: World) -> None:
    made = world.made(config=with_other(world, "user:guest-"))
    guest, _ = await made.authenticator.authenticate(call(bearer(other_token(world, "one"))))
    assert guest.id == "user:guest-one"
    with pytest.raises(CallError, match="another issuer"):
        await made.authenticator.authenticate(call(bearer(world.user_token(sub="guest-one"))))


async def test_an_issuer_without_prefix_is_fine_where_nothing_collides(world: World) -> None:
    made = world.made(config=with_other(world, ""))
    principal, _ = await made.authenticator.authenticate(call(bearer(other_token(world, "developer"))))
    assert (principal.id, principal.issuer) == ("developer", "other")


async def test_an_issuer_of_the_same_name_in_the_configuration_is_another_issuer(world: World) -> None:
    config = with_other(world, "")
    renamed = config.issuers[2].model_copy(update={"name": "users"})
    made = world.made(config=config.model_copy(update={"issuers": (*config.issuers[:2], renamed)}))
    with pytest.raises(CallError, match="another issuer"):
        await made.authenticator.authenticate(call(bearer(other_token(world, "user:developer"))))


@pytest.mark.parametrize("change", [{"prefix": "user:"}, {"issuer": "https://users.test"}])
def test_issuers_that_clash_stop_the_start(world: World, change: dict[str, str]) -> None:
    config = with_other(world, "other:")
    clash = config.issuers[2].model_copy(update=change)
    with pytest.raises(ValueError, match="two issuers"):
        world.made(config=config.model_copy(update={"issuers": (*config.issuers[:2], clash)}))


@pytest.mark.parametrize("jwks", ["http://users.test/keys", "file:///etc/keys", "ftp://users.test"])
def test_keys_come_from_a_file_or_https_only(world: World, jwks: str) -> None:
    with pytest.raises(ValueError, match="https"):
        world.made(config=world.config(jwks=jwks))


NAMESPACE = "system:serviceaccount:agents:"


def of_namespace(world: World, prefix: str = "workload:") -> Identity:
    """A third issuer, whose subjects count in one namespace only."""
    config = with_other(world, prefix)
    counted = config.issuers[2].model_copy(update={"subject_prefix": NAMESPACE})
    return config.model_copy(update={"issuers": (*config.issuers[:2], counted)})


async def test_the_subjects_prefix_is_taken_away_before_the_issuers_own_is_put_there(world: World) -> None:
    made = world.made(config=of_namespace(world))
    principal, _ = await made.authenticator.authenticate(call(bearer(other_token(world, f"{NAMESPACE}assistant"))))
    assert (principal.id, principal.issuer) == ("workload:assistant", "other")


@pytest.mark.parametrize(
    "sub",
    [
        "assistant",
        NAMESPACE,
        f"{NAMESPACE}:",
        f"{NAMESPACE}other:assistant",
        f"{NAMESPACE}{NAMESPACE}assistant",
        f" {NAMESPACE}assistant",
        f"{NAMESPACE.upper()}assistant",
        "system:serviceaccount:agents",
        "system:serviceaccount:agents-2:assistant",
        "system:serviceaccount:other:assistant",
    ],
)
async def test_no_other_subject_counts(world: World, sub: str) -> None:
    made = world.made(config=of_namespace(world))
    with pytest.raises(CallError, match="subject_prefix"):
        await made.authenticator.authenticate(call(bearer(other_token(world, sub))))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sub=st.text(alphabet="a:systemerviccountagnt-", max_size=40) | st.just(NAMESPACE).map(lambda it: it + "a:b"))
def test_only_what_begins_with_it_and_holds_nothing_more_to_take_apart(world: World, sub: str) -> None:
    issuer = of_namespace(world).issuers[2]
    for subject in (sub, NAMESPACE + sub):
        counts = subject.startswith(NAMESPACE) and subject != NAMESPACE and subject.count(":") == NAMESPACE.count(":")
        if counts:
            assert NAMESPACE + counted(issuer, subject) == subject
        else:
            with pytest.raises(BadTokenError):
                counted(issuer, subject)


async def test_what_remains_cannot_reach_into_another_issuers_names(world: World) -> None:
    made = world.made(config=of_namespace(world, ""))
    principal, _ = await made.authenticator.authenticate(call(bearer(other_token(world, f"{NAMESPACE}developer"))))
    assert principal.id == "developer"
    with pytest.raises(CallError, match="subject_prefix"):
        await made.authenticator.authenticate(call(bearer(other_token(world, f"{NAMESPACE}user:developer"))))


def test_issuers_with_the_same_prefix_clash_whatever_their_subjects_begin_with(world: World) -> None:
    with pytest.raises(ValueError, match="two issuers"):
        world.made(config=of_namespace(world, "user:"))
