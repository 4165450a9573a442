# SPDX-License-Identifier: Apache-2.0
"""`gatehouse ready`: the health check of a container, and what it says when it fails."""

import contextlib
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from kit import wsraw
from kit.certificates import Authority
from kit.gateway import run_binary, with_more_time


def ready(*arguments, seconds: float = 30) -> subprocess.CompletedProcess:
    return run_binary("ready", *arguments, seconds=seconds)


def ready_in_vain(url: str, seen: str) -> subprocess.CompletedProcess:
    """With time enough to see that."""
    return with_more_time(lambda limit: ready(url, "--timeout", limit), lambda got: seen in got.stderr)


@contextlib.contextmanager
def answering(*answers: bytes, tls: ssl.SSLContext | None = None):
    """A server that gives each client the next answer, the last one for ever; None: it
    listens, and says nothing. Yields its URL and what it was asked."""
    asked = []
    with wsraw.listen() as listener:
        def serve():
            with contextlib.suppress(OSError), contextlib.ExitStack() as silent:
                while True:
                    client, _ = listener.accept()
                    if tls is not None:
                        try:
                            client = tls.wrap_socket(client, server_side=True)
                        except OSError as error:
                            asked.append(error)
                            client.close()
                            continue
                    answer = answers[min(len(asked), len(answers) - 1)]
                    asked.append(client.recv(65536))
                    if answer is None:
                        silent.enter_context(client)
                        continue
                    with client:
                        client.sendall(answer)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}/health", asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def http(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


OK = http("200 OK")
STARTING = http("503 Service Unavailable", b'{"reasons":["worker 1 does not listen"]}')


@pytest.mark.parametrize("port", ["public", "admin"])
def test_gateway_is_ready(gateway, port):
    running = gateway()
    host, number = running.admin if port == "admin" else running.address
    url = f"http://{host}:{number}/health"
    got = ready(url)
    assert (got.returncode, got.stdout, got.stderr) == (0, f"{url} is ready\n", "")


def test_draining_gateway_is_not_ready_and_says_so(gateway):
    running = gateway(server={"close_timeout": "1m", "drain_timeout": "1m"})
    with running.open():
        running.signal(signal.SIGTERM)
        running.wait_log("draining")
        got = ready_in_vain("http://{}:{}/health".format(*running.admin), "HTTP 503, not ready")
        assert got.returncode == 1
        assert "HTTP 503, not ready" in got.stderr and "draining" in got.stderr, got.stderr
    assert running.wait_exit() == 0


def test_waits_until_it_is_ready():
    with answering(STARTING, STARTING, OK) as (url, asked):
        got = ready(url, "--timeout", "20s")
    assert got.returncode == 0, got.stderr
    assert len(asked) == 3
    assert asked[0].startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize("answer, seen", [
    (STARTING, "HTTP 503, not ready: {\"reasons\":[\"worker 1 does not listen\"]}"),
    (http("404 Not Found"), "something else answers there; is this the right port and path?"),
    (http("301 Moved", b"over there"), "HTTP 301, which is not 200"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP; is this the right port?"),
    (b"", "closed without an answer"),
    (None, "timed out"),
])
def test_in_vain_tells_what_was_seen(answer, seen):
    with answering(answer) as (url, _):
        got = ready_in_vain(url, seen)
    assert (got.returncode, got.stdout) == (1, "")
    assert re.match(f"gatehouse ready: {url} did not answer 200 within (0.3|3.0|20.0) s; ", got.stderr), got.stderr
    assert seen in got.stderr
    assert len(got.stderr.splitlines()) == 1


def test_port_where_nothing_listens_is_named():
    with wsraw.listen() as unused:
        port = unused.getsockname()[1]
    got = ready_in_vain(f"http://127.0.0.1:{port}/health", "nothing listens there")
    assert got.returncode == 1
    assert f":{port}/health did not answer" in got.stderr
    assert "nothing listens there (Connection refused)" in got.stderr


def test_name_that_does_not_resolve_is_named():
    """'..' can be no name, so no name server is asked."""
    got = ready_in_vain("http://no..name/health", "has no address")
    assert got.returncode == 1
    assert "the host 'no..name' has no address: " in got.stderr


# --- https ---


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


def server_context(pair, client_authority=None, version=None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if client_authority is not None:
        context.load_verify_locations(client_authority.cert)
        context.verify_mode = ssl.CERT_REQUIRED
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_https_is_asked(authority, version):
    tls = server_context(authority.sign("server"), version=version)
    with answering(OK, tls=tls) as (url, asked):
        checked = ready(url, "--ca", authority.cert)
        unchecked = ready(url, "--insecure")
    assert (checked.returncode, checked.stdout) == (0, f"{url} is ready\n"), checked.stderr
    assert unchecked.returncode == 0, unchecked.stderr
    assert all(head.startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:") for head in asked)


def test_https_shows_a_client_certificate(authority):
    tls = server_context(authority.sign("server"), client_authority=authority)
    client = authority.sign("client")
    with answering(OK, tls=tls) as (url, _):
        shown = ready(url, "--ca", authority.cert, "--cert", client.cert, "--key", client.key)
        hidden = ready_in_vain_with(url, "wants a client certificate", "--ca", authority.cert)
    assert shown.returncode == 0, shown.stderr
    assert hidden.returncode == 1 and "--cert FILE and --key FILE show one" in hidden.stderr


def ready_in_vain_with(url: str, seen: str, *options) -> subprocess.CompletedProcess:
    return with_more_time(lambda limit: ready(url, "--timeout", limit, *options),
                          lambda got: seen in got.stderr)


@pytest.mark.parametrize("names, days, options, seen", [
    (None, 2, [], "vouched for by nobody"),
    ("DNS:elsewhere", 2, ["--ca"], "no certificate for the name"),
    (None, -1, ["--ca"], "certificate has expired"),
])
def test_https_in_vain_tells_why(authority, names, days, options, seen):
    pair = authority.sign("server", days=days, **({"names": names} if names else {}))
    arguments = ["--ca", authority.cert] if options else []
    with answering(OK, tls=server_context(pair)) as (url, _):
        got = ready_in_vain_with(url, seen, *arguments)
    assert got.returncode == 1 and "seen last: TLS: the server" in got.stderr
    assert seen in got.stderr and len(got.stderr.splitlines()) == 1


def test_wrong_scheme_is_told():
    with answering(http("400 Bad Request")) as (url, _):
        got = ready_in_vain_with(url.replace("http:", "https:"), "no TLS", "--insecure")
        assert got.returncode == 1 and "what the server answered is no TLS" in got.stderr
    with answering(bytes.fromhex("15 03 01 00 02 02 46")) as (url, _):  # protocol_version
        got = ready_in_vain(url, "https is spoken there")
        assert got.returncode == 1 and "https is spoken there" in got.stderr


def test_unusable_files_are_named(tmp_path):
    got = ready("https://127.0.0.1:1/", "--ca", tmp_path / "none.pem")
    assert got.returncode == 1 and f"{tmp_path}/none.pem" in got.stderr


@pytest.mark.parametrize("arguments, message", [
    ([], "no URL given"),
    (["ws://127.0.0.1:1/"], "does not begin with http://"),
    (["http://127.0.0.1:1/", "--insecure"], "does not begin with https://"),
    (["https://127.0.0.1:1/", "--ca"], "needs the name of a file"),
    (["https://127.0.0.1:1/", "--ca=x", "--insecure"], "exclude each other"),
    (["https://127.0.0.1:1/", "--key", "x"], "needs --cert"),
    (["http://127.0.0.1:0/"], "not in 1..65535"),
    (["http://127.0.0.1:1/{n}"], "has {n}"),
    (["http://127.0.0.1:1/", "http://127.0.0.1:2/"], "is a second URL"),
    (["http://127.0.0.1:1/", "--timeout"], "needs a value"),
    (["http://127.0.0.1:1/", "--timeout", "2"], "has no unit"),
    (["http://127.0.0.1:1/", "--timeout=soon"], "'soon'"),
    (["http://127.0.0.1:1/", "--timeout", "0"], "not in 1ms..1d"),
    (["http://127.0.0.1:1/", "--timeout", "2d"], "not in 1ms..1d"),
    (["http://127.0.0.1:1/", "--retries"], "'gatehouse ready --help'"),
])
def test_wrong_usage_is_explained(arguments, message):
    got = ready(*arguments)
    assert (got.returncode, got.stdout) == (2, "")
    assert message in got.stderr


def test_help_is_printed():
    got = ready("--help")
    assert got.returncode == 0 and got.stderr == ""
    assert "--timeout TIME" in got.stdout
