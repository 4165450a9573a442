# SPDX-License-Identifier: Apache-2.0
"""What check, serve and doctor say of certificates, before a client does."""

import calendar
import json
import pathlib
import re
import subprocess
import time

import pytest

from kit.certificates import Authority, openssl
from kit.gateway import run_binary, to_yaml


@pytest.fixture
def own(tmp_path) -> Authority:
    (tmp_path / "ca").mkdir()
    return Authority(tmp_path / "ca", "ca")


@pytest.fixture
def file(tmp_path):
    """file(certificates, **tls) is a configuration."""
    def write(*pairs, **tls) -> pathlib.Path:
        path = tmp_path / "gatehouse.yaml"
        path.write_text(to_yaml({"server": {"listeners": [{"address": "127.0.0.1:0", "tls": {
            "certificates": [pair.files for pair in pairs], **tls}}]}, "admin": {"listen": "127.0.0.1:0"}}))
        return path
    return write


def check(path) -> subprocess.CompletedProcess:
    return run_binary("check", "-c", path)


def assert_refused(path, *words) -> None:
    """With file and line; by serve too."""
    done = check(path)
    assert done.returncode == 1, done
    where = re.escape(str(path)) + r":\d+:\d+: server\.listeners\[0\]\.tls\."
    line = next(line for line in done.stderr.splitlines() if re.match(where, line))
    for word in words:
        assert word in line
    served = run_binary("serve", "-c", path)
    assert served.returncode == 78
    # The log quotes what is quoted in it.
    assert words[0] in served.stderr.replace('\\"', '"')


def assert_warned(path, *words) -> None:
    done = check(path)
    assert done.returncode == 0, done
    lines = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    assert any(all(word in line for word in words) for line in lines), done.stdout


def test_a_good_pair_is_only_said_to_end(own, file):
    done = check(file(own.sign("good", days=60)))
    assert done.returncode == 0 and "warning" not in done.stdout
    assert_warned(file(own.sign("soon", days=9)), "soon.pem: the certificate expires in", "renew it")


def test_a_key_of_another_certificate(own, file):
    first, second = own.sign("first"), own.sign("second")
    first.key.write_bytes(second.key.read_bytes())
    assert_refused(file(first), "is the key of another certificate", "certificates[0].key_file")


@pytest.mark.parametrize("content,words", [
    ("", "holds no certificate"), ("rubbish\n", "holds no certificate"), (None, "cannot be read: No such file")])
def test_a_file_without_a_certificate(own, file, content, words):
    pair = own.sign("empty")
    pair.cert.unlink()
    if content is not None:
        pair.cert.write_text(content)
    assert_refused(file(pair), words, "certificates[0].cert_file")


def test_a_key_with_a_password(own, file):
    pair = own.sign("locked")
    openssl("pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", pair.key.with_suffix(".new"))
    pair.key.with_suffix(".new").rename(pair.key)
    assert_refused(file(pair), "is protected by a password")


def test_a_short_rsa_key(own, file, tmp_path):
    pair = own.sign("short")
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=short", "-addext",
            "subjectAltName=DNS:localhost", "-days", "60", "-keyout", pair.key, "-out", pair.cert)
    assert_refused(file(pair), "its RSA key has 1024 bits")


def test_one_that_has_ended_or_not_begun(own, file):
    assert_warned(file(own.sign("old", days=-1)), "the certificate has expired", "ago")


def test_a_key_for_everybody(own, file):
    pair = own.sign("open", days=60)
    pair.key.chmod(0o644)
    assert_warned(file(pair), "open.key: has mode 0644", "chmod o-rw")


def test_a_chain_in_the_wrong_order(own, file, tmp_path):
    pair = own.sign("chained", days=60)
    stranger = own.sign("stranger", days=60)
    pair.cert.write_bytes(pair.cert.read_bytes() + stranger.cert.read_bytes())
    assert_warned(file(pair), "certificate 2", "has not signed the one before it")


def test_names_that_are_missing(own, file):
    pair = own.sign("nameless")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=localhost", "-days", "60", "-keyout", pair.key, "-out", pair.cert)
    assert_warned(file(pair), "names no host (subjectAltName)")


def test_files_about_clients(own, file, tmp_path):
    pair = own.sign("good", days=60)
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    assert_refused(file(pair, client_ca_file=rubbish, client_certificate="required"),
                   "holds no certificate of an authority", "client_ca_file")
    assert_refused(file(pair, client_ca_file=own.cert, crl_file=rubbish, client_certificate="required"),
                   "holds no list of revoked certificates", "crl_file")
    assert_refused(file(pair, ticket_key_file=rubbish), "does not have 80, 160 or 240 bytes", "ticket_key_file")


def test_every_mistake_is_told_at_once(own, file):
    first, second = own.sign("first"), own.sign("second")
    first.cert.write_text("")
    second.key.write_text("")
    done = check(file(first, second))
    assert "certificates[0].cert_file" in done.stderr and "certificates[1].key_file" in done.stderr
    assert "2 mistakes" in done.stderr


def test_doctor_and_limits_state_the_end(own, file, gateway):
    pair = own.sign("gateway", days=9)
    done = run_binary("doctor", "-c", file(pair))
    row = next(line for line in done.stdout.splitlines() if line.startswith("certificate_expiry "))
    assert "in 8 days" in row or "in 9 days" in row
    running = gateway(server={"listeners": [{"address": "127.0.0.1:0", "tls": {"certificates": [pair.files]}}]})
    rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
    left = rows["certificate_expiry"]["value"]
    assert left in (8, 9) and f"in {left} days" in rows["certificate_expiry"]["note"]
    assert rows["tls_handshakes_max"]["value"] == 512
    ends = running.metric("certificate_expiry_timestamp_seconds")
    text = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", pair.cert],
                          check=True, capture_output=True, text=True).stdout
    assert ends == calendar.timegm(time.strptime(text.strip(), "notAfter=%Y-%m-%d %H:%M:%SZ"))


def test_a_gateway_without_tls_has_no_rows_about_it(gateway):
    running = gateway()
    rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
    for name in ("certificate_expiry", "tls_handshakes_max", "tls_handshake_rate"):
        assert rows[name]["state"] == "off"
    assert running.samples("certificate_expiry_timestamp_seconds") == []
