"""A site over https, with an authority of its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cli.local import certificates
from tests.unit.services.web_fetch.site import Site, serving


@contextmanager
def secure_site(folder: Path) -> Iterator[tuple[Site, ssl.SSLContext]]:
    """A site for "localhost", and the trust in its authority. Its certificate and key are written to `folder`."""
    now = datetime.now(UTC)
    ca = certificates.authority(now)
    leaf = certificates.server(ca, "spiffe://example.test/site", now)
    (folder / "crt").write_bytes(leaf.certificate_pem)
    (folder / "key").write_bytes(leaf.key_pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "crt", folder / "key")
    with serving(tls) as made:
        yield made, ssl.create_default_context(cadata=ca.certificate_pem.decode())
