"""Which credentials count where, and what happens when too many, too few or bad ones are offered."""

from __future__ import annotations

import pytest

from gateway.call import Metadata
from gateway.errors import CallError, Reason
from tests.unit.gateway.adapters.identity.world import ASSISTANT_URI, DESCRIBE, DEVELOPER_URI, World, bearer, call


async def refused(world: World, metadata: Metadata, **where: object) -> CallError:
    with pytest.raises(CallError) as caught:
        await world.made().authenticator.authenticate(call(metadata, **where))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("listener", "named"), [("jwt", "Bearer"), ("mtls", "certificate"), ("both", "Bearer"), ("nowhere", "listener")]
)
async def test_without_credentials_the_caller_learns_what_to_send(world: World, listener: str, named: str) -> None:
    error = await refused(world, (), listener=listener)
    assert error.reason is Reason.CREDENTIALS_MISSING
    assert named in error.message


async def test_a_session_token_alone_is_no_credential(world: World) -> None:
    error = await refused(world, (("firebreak-session", "a.b.c"),))
    assert error.reason is Reason.CREDENTIALS_MISSING


async def test_two_authorization_headers_are_refused_even_when_both_are_good(world: World) -> None:
    twice = bearer(world.user_token()) + bearer(world.user_token())
    assert (await refused(world, twice)).reason is Reason.CREDENTIALS_INVALID


async def test_two_authorization_headers_are_refused_whichever_comes_first(world: World) -> None:
    for metadata in (bearer(world.user_token()) + bearer("x"), bearer("x") + bearer(world.user_token())):
        assert "exactly one" in (await refused(world, metadata)).message


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer  x", "Basic eDp5", "bearer\tx", "x", "Bearer x "])
async def test_a_malformed_header_is_refused(world: World, header: str) -> None:
    error = await refused(world, (("authorization", header),))
    assert error.reason is Reason.CREDENTIALS_INVALID


async def test_the_scheme_is_read_in_any_case(world: World) -> None:
    metadata = (("authorization", f"bEARER {world.user_token()}"),)
    principal, _ = await world.made().authenticator.authenticate(call(metadata))
    assert principal.id == "user:developer"


async def test_a_certificate_says_who_calls(world: World) -> None:
    told = call(listener="mtls", uris=(DEVELOPER_URI,))
    principal, session = await world.made().authenticator.authenticate(told)
    assert (principal.id, principal.issuer, principal.service) == (DEVELOPER_URI, "spiffe://firebreak.local", None)
    assert session.chain == (DEVELOPER_URI,)


@pytest.mark.parametrize(
    "uris",
    [
        (DEVELOPER_URI, DEVELOPER_URI),
        (DEVELOPER_URI, "https://x.test"),
        ("spiffe://other.local/user/developer",),
        ("spiffe://firebreak.local",),
        ("spiffe://firebreak.local/",),
        ("spiffe://firebreak.local/user/",),
        ("spiffe://firebreak.local//user",),
        ("spiffe://firebreak.local/user/../service/assistant",),
        ("spiffe://firebreak.local/user/./developer",),
        ("spiffe://firebreak.local/user/developer?x=1",),
        ("spiffe://firebreak.local/user/developer#x",),
        ("spiffe://firebreak.local/user/%64eveloper",),
        ("spiffe://firebreak.local/user/developer\n",),
        ("spiffe://firebreak.local:443/user/developer",),
        ("spiffe://firebreak.local.evil.test/user/developer",),
        ("SPIFFE://firebreak.local/user/developer",),
        ("spiffe://firebreak.local/" + "x" * 2048,),
        ("",),
    ],
)
async def test_a_certificate_of_nobody_here_is_refused(world: World, uris: tuple[str, ...]) -> None:
    error = await refused(world, (), listener="mtls", uris=uris)
    assert error.reason is Reason.CREDENTIALS_INVALID
    # Nor does a good token make up for it where both count.
    assert (await refused(world, bearer(world.user_token()), listener="both", uris=uris)).reason is error.reason


async def test_a_certificate_counts_only_where_it_is_accepted(world: World) -> None:
    assert (await refused(world, (), uris=(DEVELOPER_URI,))).reason is Reason.CREDENTIALS_MISSING
    principal, _ = await world.made().authenticator.authenticate(
        call(bearer(world.user_token()), uris=("https://transport-only.test",))
    )
    assert principal.id == "user:developer"


async def test_a_token_is_refused_where_only_certificates_count(world: World) -> None:
    error = await refused(world, bearer(world.user_token()), listener="mtls", uris=(DEVELOPER_URI,))
    assert error.reason is Reason.CREDENTIALS_INVALID


async def test_with_both_the_token_says_who_calls(world: World) -> None:
    told = call(bearer(world.user_token()), listener="both", uris=("spiffe://firebreak.local/proxy",))
    principal, _ = await world.made().authenticator.authenticate(told)
    assert principal.id == "user:developer"


async def test_with_both_a_bad_token_is_not_made_up_for_by_the_certificate(world: World) -> None:
    bad = bearer(world.user_token(exp=1))
    error = await refused(world, bad, listener="both", uris=(DEVELOPER_URI,))
    assert error.reason is Reason.CREDENTIALS_EXPIRED


@pytest.mark.parametrize("token", ["user", "calculator"])
async def test_a_services_certificate_carries_nobody_elses_token(world: World, token: str) -> None:
    offered = world.user_token() if token == "user" else world.service_token(token)
    error = await refused(world, bearer(offered), listener="both", uris=(ASSISTANT_URI,), method=DESCRIBE)
    assert "act for others through a session" in error.message


async def test_a_call_says_nothing_of_its_credentials_when_it_is_printed(world: World) -> None:
    made = world.made()
    token = world.user_token()
    await made.authenticator.authenticate(call(bearer(token)))
    printed = f"{made} {made.authenticator!r} {made.sessions!r} {vars(made.authenticator)} {vars(made.sessions)}"
    secret = str(world.session_key.as_dict()["k"])
    assert token not in printed
    assert secret not in printed
