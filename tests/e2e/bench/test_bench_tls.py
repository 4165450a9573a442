# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench wss://`: against servers of others, good ones and those that fail in each way."""

import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import threading

import pytest

from kit import wsraw
from kit.bench import Server, good, plain, refuse_with
from kit.certificates import Authority
from kit.gateway import ROOT
from kit.wsraw import wait_until

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


def context(pair, version=None, clients=None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pair.cert, pair.key)
    if version is not None:
        made.minimum_version = made.maximum_version = VERSIONS[version]
    if clients is not None:
        made.load_verify_locations(clients.cert)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


# --- good servers ---


@pytest.mark.parametrize("version", VERSIONS)
def test_echoes_over_tls(bench, server, authority, version):
    srv = server(good, tls=context(authority.sign("server")))
    got = bench(srv.url + "/ws/dev-{n}", "-c", 20, "--hold", "500ms", "--message-rate", 10,
                "--ca", authority.cert, "--tls-version", version)
    assert got.code == 0, got.out + got.err
    assert got.verdict_held(0.5) == "PASS: 20 of 20 connected, 20 held 0.5 s, 100 echoes, all correct"
    totals = got.json["totals"]
    assert (totals["secured"], totals["resumed"], totals["closed_cleanly"]) == (20, 0, 20)
    assert got.json["tls"]["version"] == f"TLSv{version}"
    steps = got.json["step_seconds"]
    assert {name: step["count"] for name, step in steps.items()} == {"tcp": 20, "tls": 20, "http": 20}
    whole, parts = got.json["handshake_seconds"]["mean"], sum(step["mean"] for step in steps.values())
    assert parts == pytest.approx(whole, rel=0.02)
    assert "\n  TCP " in got.out and "\n  TLS " in got.out and "\n  HTTP " in got.out


@pytest.mark.parametrize("size", ["0", "16KiB", "70000"])
def test_sizes_over_tls(bench, server, authority, size):
    srv = server(good, tls=context(authority.sign("server")))
    got = bench(srv.url, "-c", 2, "--message-rate", 10, "--hold", "500ms", "--size", size, "--insecure")
    assert got.code == 0, got.out + got.err
    assert got.json["totals"]["received"] == 10


NODE_SERVER = r"""
const https = require('https'), crypto = require('crypto'), fs = require('fs');
const server = https.createServer({cert: fs.readFileSync(process.argv[2]), key: fs.readFileSync(process.argv[3])});
server.on('upgrade', (request, socket) => {
  const accept = crypto.createHash('sha1')
    .update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
               'Sec-WebSocket-Accept: ' + accept + '\r\n\r\n');
  let held = Buffer.alloc(0);
  socket.on('data', data => {
    held = Buffer.concat([held, data]);
    while (held.length >= 6 && held.length >= 6 + (held[1] & 127)) {  // small frames only
      const length = held[1] & 127, key = held.subarray(2, 6), body = Buffer.from(held.subarray(6, 6 + length));
      for (let i = 0; i < length; i++) body[i] ^= key[i & 3];
      socket.write(Buffer.concat([Buffer.from([held[0], length]), body]));
      if ((held[0] & 15) === 8) socket.end();
      held = held.subarray(6 + length);
    }
  });
  socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


def test_against_node(bench, authority, tmp_path):
    pair = authority.sign("server")
    script = tmp_path / "server.js"
    script.write_text(NODE_SERVER)
    node = subprocess.Popen(["node", script, pair.cert, pair.key], stdout=subprocess.PIPE, text=True)
    try:
        url = f"wss://localhost:{int(node.stdout.readline())}/"
        got = bench(url, "-c", 20, "--message-rate", 10, "--hold", "500ms", "--ca", authority.cert)
        assert got.code == 0, got.out + got.err
        assert got.json["totals"]["received"] == 100
        again = bench(url, "-c", 4, "--tls-resume", "--hold", "3s", "--cut-after", "200ms",
                      "--ca", authority.cert, "--expect", "reopened==100%", "--expect", "resumed==4")
        assert again.code == 0, again.out + again.err
    finally:
        node.kill()
        node.wait()
        node.stdout.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_resumed(bench, server, authority, version):
    """Cut off, all come back, each with its own session."""
    srv = server(good, tls=context(authority.sign("server"), version))
    got = bench(srv.url, "-c", 10, "--tls-resume", "--hold", "3s", "--cut-after", "100ms", "--ca", authority.cert,
                "--expect", "resumed==100%", "--expect", "comeback.max<3s", "--expect", "held==100%")
    assert got.code == 0, got.out + got.err
    totals = got.json["totals"]
    assert (totals["cut"], totals["reopened"], totals["offered"], totals["resumed"]) == (10, 10, 10, 10)
    assert totals["secured"] == 20 and got.json["tls"]["resumed_percent"] == 100
    assert got.json["step_seconds"]["comeback"]["count"] == 10
    assert sorted(srv.resumed) == [False] * 10 + [True] * 10
    assert "10 of 10 TLS sessions resumed" in got.verdict
    assert "\nCut        10 at once, of which 10 came back\n" in got.out


def test_new_ones_share_a_session(bench, server, authority):
    srv = server(good, tls=context(authority.sign("server")))
    got = bench(srv.url, "-c", 10, "--tls-resume", "--in-flight", 1, "--workers", 1, "--ca", authority.cert)
    assert got.code == 0, got.out + got.err
    assert srv.resumed == [False] + [True] * 9
    without = bench(srv.url, "-c", 3, "--in-flight", 1, "--workers", 1, "--ca", authority.cert)
    assert without.code == 0 and srv.resumed[10:] == [False] * 3
    assert "resumed" not in without.verdict


def test_shows_its_certificate(bench, server, authority):
    srv = server(good, tls=context(authority.sign("server"), clients=authority))
    client = authority.sign("client")
    both = pathlib.Path(client.cert).with_name("both.pem")
    both.write_text(client.cert.read_text() + client.key.read_text())
    for shown in (["--cert", client.cert, "--key", client.key], ["--cert", both]):
        got = bench(srv.url, "-c", 3, "--ca", authority.cert, *shown)
        assert got.code == 0, got.out + got.err


# --- whose fault it is ---


def fails(got, kind: str, side: str, text: str, advice: str) -> None:
    assert got.code == 1, got.out + got.err
    failure = got.only_failure()
    assert (failure["kind"], failure["side"], failure["before_open"]) == (kind, side, True), failure
    assert text in failure["text"] and advice in (failure["advice"] or ""), failure
    assert text in got.out and text in got.verdict


@pytest.mark.parametrize("names, days, trusted, side, text, advice", [
    (None, 2, False, "mine", "vouched for by nobody that this tester believes", "--ca FILE"),
    ("DNS:elsewhere.example", 2, True, "yours", "no certificate for the name in the URL", "subjectAltName"),
    ("IP:127.0.0.9", 2, True, "yours", "no certificate for the name in the URL", "subjectAltName"),
    (None, -1, True, "yours", "the server's certificate has expired", "renew it"),
])
def test_certificates_that_are_not_believed(bench, server, authority, tmp_path, names, days, trusted, side, text,
                                            advice):
    pair = authority.sign("server", days=days, **({"names": names} if names else {}))
    believed = authority if trusted else Authority(tmp_path, "another")
    srv = server(good, tls=context(pair))
    fails(bench(srv.url, "--ca", believed.cert), "tls", side, text, advice)
    assert bench(srv.url, "--insecure").code == 0


def test_no_version_in_common(bench, server, authority):
    for theirs, ours in (("1.3", "1.2"), ("1.2", "1.3")):
        srv = server(good, tls=context(authority.sign("server"), theirs))
        fails(bench(srv.url, "--ca", authority.cert, "--tls-version", ours), "tls", "yours",
              "none of the versions of TLS offered", "without --tls-version")


@pytest.mark.parametrize("version, text", [("1.3", "the server wants a client certificate"),
                                           ("1.2", "or wants a client certificate")])
def test_no_client_certificate(bench, authority, version, text):
    """openssl lets its alert arrive; python's close of the socket may overtake it."""
    pair = authority.sign("server")
    with s_server(pair, "-Verify", "1", "-verify_return_error", "-CAfile", authority.cert,
                  "-tls" + version.replace(".", "_")) as port:
        got = bench(f"wss://localhost:{port}/", "--ca", authority.cert)
    fails(got, "tls", "mine" if version == "1.3" else "yours", text, "--cert")


def test_unknown_client_certificate(bench, authority, tmp_path):
    stranger = Authority(tmp_path, "stranger").sign("client")
    with s_server(authority.sign("server"), "-Verify", "1", "-verify_return_error", "-CAfile",
                  authority.cert) as port:
        got = bench(f"wss://localhost:{port}/", "--ca", authority.cert, "--cert", stranger.cert, "--key", stranger.key)
    fails(got, "tls", "mine", "the server does not know the issuer of the client certificate", "client_ca_file")


def test_no_suite_in_common(bench, authority):
    with s_server(authority.sign("server"), "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA") as port:
        got = bench(f"wss://localhost:{port}/", "--ca", authority.cert)
    fails(got, "tls", "yours", "no cipher suite in common", "--cert")


class s_server:
    """`openssl s_server`, which takes each connection and says nothing that is HTTP."""

    def __init__(self, pair, *options):
        self.command = ["openssl", "s_server", "-quiet", "-cert", pair.cert, "-key", pair.key, *options]

    def __enter__(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        self.process = subprocess.Popen([str(word) for word in (*self.command, "-accept", f"127.0.0.1:{port}")],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_until(lambda: self.listens(port), "openssl s_server listens")
        return port

    @staticmethod
    def listens(port: int) -> bool:
        with open("/proc/net/tcp", encoding="ascii") as lines:
            return any(f":{port:04X} " in line and " 0A " in line for line in lines)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


def test_plain_http_answers(bench, server):
    srv = server(refuse_with("400 Bad Request"))

    def answer_at_once(peer, _number):
        peer.sock.recv(1)
        peer.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.sock.shutdown(socket.SHUT_WR)
        while peer.sock.recv(4096):
            pass

    srv = server(answer_at_once)
    fails(bench(srv.url.replace("ws:", "wss:"), "--insecure"), "tls", "mine", "what the server answered is no TLS",
          "is it a ws://")


def test_ends_in_the_handshake(bench, server):
    def end(peer, _number):
        peer.sock.recv(4096)

    got = bench(server(end).url.replace("ws:", "wss:"), "--insecure")
    fails(got, "tls_lost", "yours", "in the TLS handshake", "is TLS spoken at that port?")


def test_says_nothing(bench, server):
    def wait(peer, _number):
        while peer.sock.recv(4096):
            pass

    got = bench(server(wait).url.replace("ws:", "wss:"), "--insecure", "--handshake-timeout", "300ms")
    fails(got, "tls_timeout", "between", "TLS: time out", "--handshake-timeout")


def test_refused_after_tls(bench, server, authority):
    srv = server(refuse_with("503 Service Unavailable", b"full"), tls=context(authority.sign("server")))
    got = bench(srv.url, "--ca", authority.cert)
    failure = got.only_failure()
    assert (failure["kind"], failure["code"], failure["example"]) == ("http", 503, "full")


def test_breaks_while_open(bench, server, authority):
    """A record that is not authentic, behind a good handshake."""
    def spoil(peer, _number):
        peer.upgrade()
        peer.receive()
        raw = socket.socket(fileno=socket.dup(peer.sock.fileno()))
        raw.sendall(bytes.fromhex("17 03 03 00 20") + bytes(32))
        with raw:
            while raw.recv(4096):
                pass

    got = bench(server(spoil, tls=context(authority.sign("server"))).url, "--ca", authority.cert,
                "--message-rate", 10, "--hold", "3s")
    failure = got.only_failure()
    assert got.code == 1 and (failure["kind"], failure["side"]) == ("tls_broken", "yours"), failure
    assert "a record of the server's broke the protocol" in failure["text"] and not failure["before_open"]


def test_files_that_cannot_be_used(tmp_path, authority):
    for option, name in (("--ca", "none.pem"), ("--cert", "none.pem")):
        got = plain("wss://127.0.0.1:1/", option, tmp_path / name)
        assert got.returncode == 1 and f"{tmp_path}/{name}" in got.stderr
    got = plain("wss://127.0.0.1:1/", "--cert", authority.cert, "--key", authority.sign("x").key)
    assert got.returncode == 1 and "not that of the certificate" in got.stderr


# --- tickets ---


class TicketOffice(Server):
    """Answers POSTs with tickets, and keeps what it was asked."""

    def __init__(self, tls=None, status="201 Created", body=None):
        self.asked = []

        def behave(peer, _number):
            head = peer.read_head()
            request = peer.read(int(peer.header("Content-Length"))).decode()
            self.asked.append((head.splitlines()[0], request, peer.header("Authorization")))
            answer = json.dumps({"ticket": f"T-{json.loads(request)['client_id']}"}) if body is None else body
            peer.answer(status, ["Content-Type: application/json"], answer.encode())

        super().__init__(behave, tls=tls)
        self.url = self.url.replace("ws", "http", 1)


@pytest.mark.parametrize("is_tls", [False, True])
def test_each_comes_with_a_ticket(bench, server, authority, is_tls):
    tls = context(authority.sign("server")) if is_tls else None
    office, srv = TicketOffice(tls), server(good, tls=tls)
    try:
        got = bench(srv.url + "/ws/{n}?x=1", "-c", 4, "--ticket-url", office.url + "/tickets/{n}", "--ticket-body",
                    '{"client_id": "dev-{n}"}', "--basic", "app:secret", "--hold", "100ms",
                    *(["--ca", authority.cert] if is_tls else []))
    finally:
        office.close()
    assert got.code == 0, got.out + got.err
    assert sorted(office.asked) == [(f"POST /tickets/{n} HTTP/1.1", f'{{"client_id": "dev-{n}"}}',
                                     "Basic YXBwOnNlY3JldA==") for n in (1, 2, 3, 4)]
    assert sorted(head.split()[1] for head in srv.heads) == [f"/ws/{n}?x=1&ticket=T-dev-{n}" for n in (1, 2, 3, 4)]
    assert not any("Authorization" in head for head in srv.heads)
    assert got.json["step_seconds"]["ticket"]["count"] == 4
    assert "\n  ticket " in got.out


@pytest.mark.parametrize("status, body, code, side, text", [
    ("401 Unauthorized", '{"detail": "who are you?"}', 401, "mine", "no ticket: HTTP 401"),
    ("500 Oops", "", 500, "yours", "no ticket: HTTP 500"),
    ("200 OK", "{}", 0, "yours", "no member 'ticket'"),
    ("200 OK", '{"ticket": "a b"}', 0, "yours", "no member 'ticket'"),
    ("200 OK", '{"ticket": 5}', 0, "yours", "no member 'ticket'"),
    ("200 OK", "ticket", 0, "yours", "no member 'ticket'"),
])
def test_no_ticket(bench, server, status, body, code, side, text):
    office, srv = TicketOffice(status=status, body=body), server(good)
    try:
        got = bench(srv.url, "--ticket-url", office.url, "--ticket-body", "{}")
    finally:
        office.close()
    fails(got, "ticket", side, text, "")
    assert got.only_failure()["code"] == code and srv.arrivals == []


def test_nobody_gives_tickets(bench, server):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    got = bench(server(good).url, "--ticket-url", f"http://127.0.0.1:{port}/", "--ticket-body", "{}")
    fails(got, "ticket", "yours", "Connection refused", "must answer a POST")


# --- the scenario ---


def test_the_storm_in_small(bench, server, authority):
    srv = server(good, tls=context(authority.sign("server")))
    got = bench(srv.url + "/ws/{n}", "-c", 20, "--hold", "3s", "--cut-after", "100ms", "--ca", authority.cert,
                "--scenario", ROOT / "scenarios" / "tls-storm.yaml")
    assert got.code == 0, got.out + got.err
    assert got.json["totals"]["resumed"] == 20 and len(got.json["checks"]) == 3


def test_what_comes_behind_the_end_of_tls_is_passed_over(bench, authority):
    """An answer without a length, close_notify, and more: the answer counts, and nothing breaks."""
    listener = wsraw.listen(8)

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            came, leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context(pair).wrap_bio(came, leaves, server_side=True)

            def step(what):
                while True:
                    try:
                        return what()
                    except ssl.SSLWantReadError:
                        sock.sendall(leaves.read())
                        came.write(sock.recv(65536))
            with sock:
                step(tls.do_handshake)
                step(lambda: tls.read(65536))
                tls.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
                with contextlib.suppress(ssl.SSLError):
                    tls.unwrap()  # says close_notify, and wants the other's
                sock.sendall(leaves.read() + b"more of what nobody can read")
                with contextlib.suppress(OSError):
                    sock.recv(1)

    pair = authority.sign("server")
    threading.Thread(target=serve, daemon=True).start()
    srv = Server(good)
    got = bench(srv.url, "--wait-ready", f"https://127.0.0.1:{listener.getsockname()[1]}/", "--ca", authority.cert)
    srv.close()
    listener.close()
    assert got.code == 0, got.out + got.err
