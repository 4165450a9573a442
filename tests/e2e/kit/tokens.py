# SPDX-License-Identifier: Apache-2.0
"""An issuer of tokens, and a server of its keys that can be as bad as servers are. Tokens are made by PyJWT
and python's cryptography."""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import threading
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kit import wsraw

ISSUER, AUDIENCE = "https://id.test", "gatehouse"
# Its first bytes are what is in every token of ours.
MARK = "eyJ"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key pair for one algorithm."""

    def __init__(self, alg: str, kid: str):
        self.alg, self.kid = alg, kid
        if alg.startswith("HS"):
            self.private = os.urandom(64)
        elif alg.startswith("ES"):
            self.private = ec.generate_private_key(
                {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}[alg]())
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwk(self) -> dict:
        base = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if self.alg.startswith("HS"):
            return base | {"kty": "oct", "k": b64(self.private)}
        public = self.private.public_key()
        if self.alg == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return base | {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        numbers = public.public_numbers()
        if self.alg.startswith("ES"):
            size = (public.curve.key_size + 7) // 8
            return base | {"kty": "EC", "crv": f"P-{public.curve.key_size}",
                           "x": number(numbers.x, size), "y": number(numbers.y, size)}
        return base | {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}

    def token(self, client_id: str | None = "cp1", seconds: float = 600, header: dict | None = None,
              **claims) -> str:
        """One that is good for `seconds`; claims that are None are left out."""
        now = int(time.time())
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": client_id, "iat": now, "exp": now + int(seconds)}
        body = {name: value for name, value in (body | claims).items() if value is not None}
        return jwt.encode(body, self.private, self.alg, {"kid": self.kid} | (header or {}))


def jwks(*keys: Key) -> dict:
    return {"keys": [key.jwk() for key in keys]}


def jwks_file(directory: pathlib.Path, *keys: Key) -> pathlib.Path:
    """Put in place by a rename, as whoever does it well."""
    file, new = directory / "jwks.json", directory / "jwks.new"
    new.write_text(json.dumps(jwks(*keys)))
    new.chmod(0o600)
    new.rename(file)
    return file


class JwksServer:
    """Answers each GET as `behaviour` says: "good", "held" (good, once it is told otherwise), "slow" (says nothing
    until then), "huge", "redirect", "rubbish", "error"."""

    def __init__(self, *keys: Key, port: int = 0, max_age: int | None = None):
        self.keys, self.max_age = list(keys), max_age
        self.behaviour = "good"
        self.asked = 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked += 1
                with contextlib.suppress(ConnectionError):
                    getattr(owner, "_" + owner.behaviour)(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, handler, status: int, body: bytes, **headers) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _good(self, handler) -> None:
        age = {} if self.max_age is None else {"Cache_Control": f"public, max-age={self.max_age}"}
        self._answer(handler, 200, json.dumps(jwks(*self.keys)).encode(), **age)

    def _slow(self, handler) -> None:
        wsraw.wait_until(lambda: self.behaviour != "slow", "the test to go on", 120)

    def _held(self, handler) -> None:
        wsraw.wait_until(lambda: self.behaviour != "held", "the test to go on", 120)
        self._good(handler)

    def _huge(self, handler) -> None:
        self._answer(handler, 200, b'{"keys":[' + b" " * (10 << 20) + b"]}")

    def _redirect(self, handler) -> None:
        self._answer(handler, 302, b"", Location=f"{self.url}?again")

    def _rubbish(self, handler) -> None:
        self._answer(handler, 200, b"<html>" + os.urandom(1000))

    def _error(self, handler) -> None:
        self._answer(handler, 500, b"no")

    def close(self) -> None:
        self.behaviour = "error"
        self.server.shutdown()
        self.server.server_close()
