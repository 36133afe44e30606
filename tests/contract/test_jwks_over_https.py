"""An issuer's keys over real TLS: trust, rotation, outages, and a token shaped like a Kubernetes one."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from cli.local import certificates
from gateway.adapters.identity.live_keys import LiveKeys
from gateway.adapters.identity.sources import source
from gateway.config import Issuer
from gateway.errors import CallError, Reason
from tests.unit.gateway.adapters.identity.world import DESCRIBE, World, bearer, call, key_set, sign

CLUSTER = "https://kubernetes.default.svc.cluster.local"
NOW = 1_800_000_000.0


@dataclass
class Cluster:
    """A key server on loopback; `answer` is what it says to each request."""

    ca: Path
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "cluster-1"}))
    answer: Callable[[], web.StreamResponse] | None = None
    asked: int = 0
    url: str = ""
    bearer: str | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.bearer = request.headers.get("authorization")
        return self.answer() if self.answer else web.Response(body=key_set(self.key), content_type="application/json")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path / "ca.crt")
    trust = authority(tmp_path, "ca")
    application = web.Application()
    application.router.add_get("/openid/v1/jwks", made.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trust)
    await site.start()
    made.url = f"https://localhost:{runner.addresses[0][1]}/openid/v1/jwks"
    yield made
    await runner.cleanup()


def authority(folder: Path, name: str) -> ssl.SSLContext:
    """Writes a new authority to NAME.crt; answers a server's TLS context with a certificate of it."""
    now = certificates.utc(time.time())
    ca = certificates.authority(now)
    pair = certificates.server(ca, "spiffe://cluster.test/api", now)
    (folder / f"{name}.crt").write_bytes(ca.certificate_pem)
    (folder / "server.pem").write_bytes(pair.key_pem + pair.certificate_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


def issuer(cluster: Cluster, **changes: Any) -> Issuer:
    return Issuer.model_validate(
        {
            "name": "cluster",
            "issuer": CLUSTER,
            "audience": "firebreak",
            "jwks": cluster.url,
            "claims": ("kubernetes.io",),
            **changes,
        }
    )


def live(cluster: Cluster, ca: Path | None, clock: Callable[[], float] = lambda: 0.0) -> LiveKeys:
    return source(issuer(cluster), ca, clock)


def service_account_token(key: RSAKey, **changes: Any) -> str:
    """A projected service-account token, claim by claim as the API server writes it."""
    claims = {
        "aud": ["firebreak"],
        "exp": int(NOW) + 3607,
        "iat": int(NOW),
        "iss": CLUSTER,
        "jti": "6f9d2bd2-3f39-4fd6-9a52-3c7b4a1d8f10",
        "kubernetes.io": {
            "namespace": "agents",
            "node": {"name": "node-1", "uid": "0c6cbb7e-6b1f-4d0b-8f57-b4b3c1b9d7aa"},
            "pod": {"name": "assistant-7d9c5", "uid": "e7a1c0f4-25c6-4c4a-9b7f-54b2a9d3f0cc"},
            "serviceaccount": {"name": "assistant", "uid": "a2b6c1d8-98c8-4f0e-8f43-21f8e2a6b4dd"},
            "warnafter": int(NOW) + 3607,
        },
        "nbf": int(NOW),
        "sub": "system:serviceaccount:agents:assistant",
        **changes,
    }
    return sign({"alg": "RS256", "kid": key.kid}, claims, key)


async def test_a_service_account_token_works_as_it_is(cluster: Cluster, world: World) -> None:
    config = world.config().model_copy(update={"issuers": (issuer(cluster),)})
    made = world.made(config=config, ca_bundle=cluster.ca)
    principal, session = await made.authenticator.authenticate(call(bearer(service_account_token(cluster.key))))
    assert principal.id == "system:serviceaccount:agents:assistant"
    assert principal.claims["kubernetes.io"]["pod"]["name"] == "assistant-7d9c5"
    assert session.chain == (principal.id,)


@pytest.mark.parametrize("changes", [{"aud": ["https://kubernetes.default.svc"]}, {"iss": "https://other-cluster"}])
async def test_another_audiences_or_clusters_token_does_not(
    cluster: Cluster, world: World, changes: dict[str, Any]
) -> None:
    config = world.config().model_copy(update={"issuers": (issuer(cluster),)})
    made = world.made(config=config, ca_bundle=cluster.ca)
    with pytest.raises(CallError) as caught:
        await made.authenticator.authenticate(call(bearer(service_account_token(cluster.key, **changes))))
    assert caught.value.reason is Reason.CREDENTIALS_INVALID


async def test_a_pod_is_the_service_of_its_account(cluster: Cluster, world: World) -> None:
    changes = {"prefix": "service:", "subject_prefix": "system:serviceaccount:agents:", "ca_file": str(cluster.ca)}
    made = world.made(config=world.config().model_copy(update={"issuers": (issuer(cluster, **changes),)}))
    token = service_account_token(cluster.key, aud=["https://kubernetes.default.svc", "firebreak"])
    principal, _ = await made.authenticator.authenticate(call(bearer(token), method=DESCRIBE))
    assert (principal.id, principal.service) == ("service:assistant", "assistant")
    for sub in ("system:serviceaccount:other:assistant", "system:serviceaccount:agents:assistant:x", "assistant"):
        with pytest.raises(CallError, match="subject_prefix"):
            await made.authenticator.authenticate(call(bearer(service_account_token(cluster.key, sub=sub))))


async def test_a_file_of_authorities_comes_before_the_systems_and_is_read_for_each_request(
    cluster: Cluster, tmp_path: Path
) -> None:
    keys = source(issuer(cluster, ca_file=str(cluster.ca)), None, lambda: 0.0)
    await keys.refresh()
    assert keys.loaded
    assert cluster.bearer is None, "keys are asked for without a credential"
    cluster.ca.rename(tmp_path / "away")
    await keys.refresh()
    assert "authorities cannot be read" in keys.problem
    assert "ca.crt" in keys.problem
    assert await keys.find("cluster-1")


async def test_a_rotated_key_is_found_when_the_first_token_comes(cluster: Cluster) -> None:
    now = 0.0
    keys = live(cluster, cluster.ca, lambda: now)
    assert await keys.find("cluster-1")
    cluster.key = RSAKey.generate_key(2048, {"kid": "cluster-2"})
    assert await keys.find("cluster-2") is None, "asked at most once a second"
    now = 1.0
    assert await keys.find("cluster-2")
    assert cluster.asked == 2


@pytest.mark.parametrize("bundle", ["none", "foreign", "missing"])
async def test_a_server_that_is_not_trusted_is_not_believed(cluster: Cluster, tmp_path: Path, bundle: str) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    authority(foreign, "ca")
    ca = {"none": None, "foreign": foreign / "ca.crt", "missing": tmp_path / "no.crt"}[bundle]
    keys = live(cluster, ca)
    await keys.refresh()
    assert not keys.loaded
    assert ("not trusted" in keys.problem) != (bundle == "missing")
    assert cluster.asked == 0


async def test_a_bundle_that_is_mended_counts_without_a_restart(cluster: Cluster, tmp_path: Path) -> None:
    good = cluster.ca.read_bytes()
    cluster.ca.write_text("-----BEGIN CERTIFICATE-----\nhalf")
    keys = live(cluster, cluster.ca)
    await keys.refresh()
    assert keys.problem
    cluster.ca.write_bytes(good)
    await keys.refresh()
    assert (keys.problem, keys.loaded) == ("", True)


def redirect() -> web.StreamResponse:
    raise web.HTTPFound("/openid/v1/jwks?again")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: web.Response(status=500), "HTTP 500"),
        (lambda: web.Response(status=401), "HTTP 401, and no credential is ever sent"),
        (redirect, "HTTP 302"),
        (lambda: web.Response(text="<html>"), "not JSON"),
        (lambda: web.Response(body=b'{"keys":['), "not JSON"),
        (lambda: web.Response(body=b'{"keys":[]}'), "no key"),
        (lambda: web.Response(body=b" " * 300_000), "larger than"),
    ],
)
async def test_a_bad_answer_never_replaces_good_keys(
    cluster: Cluster, answer: Callable[[], web.StreamResponse], why: str
) -> None:
    keys = live(cluster, cluster.ca)
    await keys.refresh()
    cluster.answer = answer
    await keys.refresh()
    assert why in keys.problem
    assert await keys.find("cluster-1")


async def test_an_issuer_that_is_down_is_said_and_its_keys_are_kept(cluster: Cluster) -> None:
    keys = live(cluster, cluster.ca)
    await keys.refresh()
    down = Cluster(cluster.ca, url="https://localhost:1/openid/v1/jwks")
    never = live(down, cluster.ca)
    await never.refresh()
    assert not never.loaded
    assert "no connection" in never.problem
    assert await keys.find("cluster-1")
