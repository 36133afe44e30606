"""Which addresses may take calls without TLS, and what secures the way to services."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config import Issuer, Listener, ServiceEntry, ServiceTls

TLS = {"certificate": "a.crt", "key": "a.key"}


def listener(**changes: Any) -> Listener:
    return Listener.model_validate({"name": "public", "address": "0.0.0.0:7500", "accept": ["jwt"], **changes})


def issuer(**changes: Any) -> Issuer:
    return Issuer.model_validate({"name": "a", "issuer": "a", "audience": "b", "jwks": "https://a/keys", **changes})


def test_beyond_this_machine_a_listener_has_tls_or_says_that_it_has_none() -> None:
    assert listener(plaintext=True).plaintext
    assert not listener(tls=TLS).plaintext
    assert not listener(address="127.0.0.1:7500").plaintext
    with pytest.raises(ValidationError, match="plaintext: true allows any address"):
        listener()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tls": TLS}, "contradicts tls"),
        ({"address": "127.0.0.1:7500"}, "no effect"),
        ({"address": "[::1]:7500"}, "no effect"),
        ({"address": "unix:public.sock"}, "no effect"),
        ({"accept": ["mtls"]}, "needs tls"),
        ({"plaintext": "yes"}, "bool"),
    ],
)
def test_plaintext_is_for_nothing_else(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        listener(**{"plaintext": True, **changes})


@pytest.mark.parametrize("jwks", ["keys.json", "http://a/keys"])
def test_authorities_for_fetching_keys_are_for_https_only(jwks: str) -> None:
    assert issuer(ca_file="file").ca_file == "file"
    with pytest.raises(ValidationError, match="https://"):
        issuer(jwks=jwks, ca_file="file")


@pytest.mark.parametrize("half", ["certificate", "key"])
def test_a_certificate_and_its_key_come_together(half: str) -> None:
    assert ServiceTls(ca="ca", certificate="c", key="k").files == ("ca", "c", "k")
    assert ServiceTls(ca="ca").files == ("ca",)
    with pytest.raises(ValidationError, match="come together"):
        ServiceTls.model_validate({"ca": "ca", half: "file"})


def test_a_unix_socket_has_no_tls() -> None:
    assert ServiceEntry.model_validate({"path": "a", "address": "a:1", "tls": {"ca": "ca"}}).tls is not None
    with pytest.raises(ValidationError, match="no unix socket"):
        ServiceEntry.model_validate({"path": "a", "tls": {"ca": "ca"}})
