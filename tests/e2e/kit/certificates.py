# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, by openssl: authorities, and what they sign."""

import pathlib
import subprocess

KEYS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
    "rsa": ("-newkey", "rsa:2048", "-nodes"),
}
HERE = "DNS:localhost,IP:127.0.0.1"


def openssl(*arguments) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Pair:
    """A certificate and its private key, in files of PEM."""

    def __init__(self, directory: pathlib.Path, name: str):
        self.name = name
        self.cert, self.key = directory / f"{name}.pem", directory / f"{name}.key"

    @property
    def files(self) -> dict[str, pathlib.Path]:
        """As options of the bus."""
        return {"cert_file": self.cert, "key_file": self.key}


class Authority(Pair):
    def __init__(self, directory: pathlib.Path, name: str):
        super().__init__(directory, name)
        self.directory = directory
        openssl("req", "-x509", *KEYS["ec"], "-subj", f"/CN={name}", "-days", "2", "-keyout", self.key,
                "-out", self.cert)

    def sign(self, name: str, names: str = HERE, days: int = 2, kind: str = "ec") -> Pair:
        """In files of this name, which are replaced. `days` below 0: it has expired."""
        pair = Pair(self.directory, name)
        request, extensions = self.directory / "request", self.directory / "extensions"
        openssl("req", "-new", *KEYS[kind], "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", pair.cert)
        return pair
