# SPDX-License-Identifier: Apache-2.0
"""Back ends that speak HTTP/2 or TLS: nghttpd, which others wrote. It sends every body back."""

import shutil
import socket
import subprocess

import pytest

from kit import wsraw

BACKEND = {"name": "hook", "type": "webhook", "http2": "true", "retries": 1, "retry_min": "1ms",
           "retry_max": "20ms", "timeout": "5s"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(key, certificate) for 127.0.0.1."""
    directory = tmp_path_factory.mktemp("tls")
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return str(key), str(cert)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def nghttpd():
    """nghttpd(*arguments) -> its port."""
    if shutil.which("nghttpd") is None:
        pytest.skip("nghttpd is not installed (Debian: nghttp2-server)")
    running = []

    def run(*arguments: str, before=()) -> int:
        port = wsraw.free_port()
        running.append(subprocess.Popen(["nghttpd", *before, "--echo-upload", "-a", "127.0.0.1",
                                         str(port), *arguments], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL))
        wsraw.wait_until(lambda: listens(port), "nghttpd listens")
        return port

    yield run
    for process in running:
        process.kill()
        process.wait()


def assert_echoes(running) -> None:
    clients = [running.open(f"/ws/c-{n}") for n in range(10)]
    for turn in range(20):
        for number, client in enumerate(clients):
            client.send_frame(wsraw.BINARY, f"{turn} of {number}".encode())
    for number, client in enumerate(clients):
        for turn in range(20):
            assert client.read_message() == (wsraw.BINARY, f"{turn} of {number}".encode())
        client.close()


def test_messages_over_http2_without_tls(gateway, nghttpd):
    port = nghttpd(before=["--no-tls"])
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                      backends=[BACKEND | {"url": f"http://127.0.0.1:{port}/"}])
    assert_echoes(running)
    running.stop()  # before the back end


def test_trailers_over_http2(gateway, nghttpd):
    """gRPC servers and others end each answer with a second block of headers."""
    port = nghttpd("--trailer=etag: 1", "--trailer=x-sum: 2", before=["--no-tls"])
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                      backends=[BACKEND | {"url": f"http://127.0.0.1:{port}/"}])
    assert_echoes(running)
    running.wait_metric("backend_retries_total", 0, backend="hook")
    running.stop()  # before the back end


def test_messages_over_http2_and_tls(gateway, nghttpd, certificate):
    """All clients share the connections to the back end."""
    key, cert = certificate
    port = nghttpd(key, cert)
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                      backends=[BACKEND | {"url": f"https://127.0.0.1:{port}/", "ca_file": cert}])
    assert_echoes(running)
    assert running.metric("backend_events_total", type="message", outcome="delivered") == 200
    assert running.metric("backend_connections_opened_total") < 10
    running.stop()


def test_a_certificate_that_nobody_vouches_for(gateway, nghttpd, certificate):
    port = nghttpd(*certificate)
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                      backends=[BACKEND | {"url": f"https://127.0.0.1:{port}/"}])
    answer = running.connect().handshake("/ws/one")
    assert answer.status == 503
    assert "hook" in str(answer.body)
    assert running.metric("backend_failures_total", cause="tls") > 0
    running.wait_log("a back end did not decide")
