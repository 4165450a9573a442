# SPDX-License-Identifier: Apache-2.0
"""Gateways behind TLS, with a certificate of each kind of key."""

import dataclasses
import pathlib

import pytest

from kit import certificates, tlsraw


@dataclasses.dataclass
class Shown:
    """Who signs, and what a gateway shows: by kind of key."""

    authority: certificates.Authority
    pairs: dict[str, certificates.Pair]
    client: certificates.Pair

    @property
    def ca(self) -> pathlib.Path:
        return self.authority.cert

    def keys(self, **more) -> dict:
        """The section `tls` of a listener."""
        return {"certificates": [pair.files for pair in self.pairs.values()]} | more


@pytest.fixture(scope="session")
def shown(authority) -> Shown:
    return Shown(authority, {kind: authority.sign(f"gateway-{kind}", kind=kind) for kind in ("ec", "rsa")},
                 authority.sign("client", names="DNS:client.example"))


@pytest.fixture
def sealed(gateway, shown):
    """sealed(tls={...}, routes=, backends=, **server): a gateway whose clients come by TLS. Its port is
    `address`, and connect() trusts it."""
    def run(tls: dict | None = None, *, routes=None, backends=None, **server):
        listener = {"address": "127.0.0.1:0", "tls": shown.keys(**(tls or {}))}
        return gateway(server={"listeners": [listener]} | server, tls=tlsraw.client_context(shown.ca),
                       routes=routes or [{"path": "/ws/{client_id}", "backend": "echo"}], backends=backends)
    return run
