# SPDX-License-Identifier: Apache-2.0
"""What others make of our TLS: OpenSSL, GnuTLS, NSS, curl, Python, Node; Go, Bun and chromium now and then.
Versions, suites, kinds of certificates, resumption, new keys under way, certificates of clients."""

import contextlib
import re
import shutil
import ssl
import subprocess

import pytest

from kit import tlsraw, wsraw

ASK = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
# OpenSSL's names; kind of the certificate that goes with it.
SUITES_12 = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": "ec", "ECDHE-ECDSA-AES256-GCM-SHA384": "ec",
    "ECDHE-ECDSA-CHACHA20-POLY1305": "ec", "ECDHE-RSA-AES128-GCM-SHA256": "rsa",
    "ECDHE-RSA-AES256-GCM-SHA384": "rsa", "ECDHE-RSA-CHACHA20-POLY1305": "rsa",
    "AES128-GCM-SHA256": "rsa", "AES256-GCM-SHA384": "rsa",
}
SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
IANA = {"AES128-GCM-SHA256": "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES256-GCM-SHA384": "TLS_RSA_WITH_AES_256_GCM_SHA384"}
SIGNATURES = {"ec": "ECDSA+SHA256", "rsa": "RSA-PSS+SHA256"}


def iana(suite: str) -> str:
    """The name that metrics have, of one of OpenSSL's."""
    if suite in IANA or suite.startswith("TLS_"):
        return IANA.get(suite, suite)
    kind, cipher = suite.removeprefix("ECDHE-").split("-", 1)
    cipher = cipher.replace("AES", "AES_").replace("POLY1305", "POLY1305-SHA256").replace("-", "_")
    return f"TLS_ECDHE_{kind}_WITH_{cipher}"


def assert_only_suite(running, suite: str, count: int = 1) -> None:
    by_suite = running.metrics("tls_suites_total", "suite")
    assert {name: value for name, value in by_suite.items() if value} == {iana(suite): count}
    assert len(by_suite) == 15  # however many clients, with whatever they offer


def tool(name: str) -> str:
    """./dev test installs it; a machine with DEV_NO_INSTALL may lack it."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


class Program:
    """One that sends what it is given through TLS, and prints what comes."""

    def __init__(self, directory, *command):
        self.file = directory / f"said-{len(list(directory.iterdir()))}"
        with self.file.open("wb") as out:
            self.process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=out, stderr=out)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return self.file.read_text(errors="replace")

    def say(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait(self, pattern: str, count: int = 1) -> None:
        wsraw.wait_until(lambda: len(re.findall(pattern, self.said)) >= count,
                         lambda: f"{count} times {pattern} in:\n{self.said}")

    def ask(self, count: int) -> None:
        """One more answer, so that there are `count`."""
        self.say(ASK)
        self.wait(r"HTTP/1\.1 200 OK", count)

    def end(self) -> str:
        self.process.stdin.close()
        self.process.wait(wsraw.SECONDS)
        return self.said


@pytest.fixture
def program(tmp_path):
    directory = tmp_path / "programs"
    directory.mkdir()
    return lambda *command: Program(directory, *command)


# --- OpenSSL ---


@pytest.fixture
def s_client(program, shown):
    def run(running, *options) -> Program:
        host, port = running.address
        return program(tool("openssl"), "s_client", "-connect", f"{host}:{port}", "-servername", "localhost",
                       "-CAfile", shown.ca, "-verify_return_error", "-verify_hostname", "localhost", *options)
    return run


@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("suite", SUITES_12)
def test_openssl_by_tls_1_2(sealed, s_client, suite, detach):
    running = sealed({"detach": detach})
    with s_client(running, "-tls1_2", "-cipher", suite) as client:
        client.ask(1)
        client.ask(2)
        assert f"New, TLSv1.2, Cipher is {suite}" in client.said
        assert f"subject=CN = gateway-{SUITES_12[suite]}" in client.said
    assert running.metric("tls_versions_total", version="1.2") == 1
    assert_only_suite(running, suite)


@pytest.mark.parametrize("kind", SIGNATURES)
@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("suite", SUITES_13)
def test_openssl_by_tls_1_3(sealed, s_client, suite, kind, detach):
    running = sealed({"detach": detach})
    with s_client(running, "-tls1_3", "-ciphersuites", suite, "-sigalgs", SIGNATURES[kind]) as client:
        client.ask(1)
        client.ask(2)
        assert f"New, TLSv1.3, Cipher is {suite}" in client.said
        assert f"subject=CN = gateway-{kind}" in client.said
    assert running.metric("tls_versions_total", version="1.3") == 1
    assert_only_suite(running, suite)


@pytest.mark.tsan
@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("suite", SUITES_13)
def test_new_keys_under_way(sealed, s_client, suite, detach):
    """k: its keys are new. K: it asks for ours as well."""
    running = sealed({"detach": detach})
    with s_client(running, "-tls1_3", "-ciphersuites", suite, "-msg") as client:
        client.ask(1)
        for count, command in enumerate((b"k", b"K", b"K", b"k", b"K"), 2):
            client.say(command + b"\n")
            client.wait(r"KEYUPDATE", count - 1)
            client.ask(count)
        client.wait(r"<<< TLS 1\.3, Handshake \[length 0005\], KeyUpdate", 3)
    assert running.metric("tls_failures_total") == 0


@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("command", [b"k\n", b"K\n"], ids=["its own", "ours too"])
def test_a_flood_of_new_keys_ends(sealed, s_client, command, detach):
    """They cost us a key each, and bring nothing: 32 in a row are enough, where the records are ours. Others
    do not notice."""
    running = sealed({"detach": detach})
    with s_client(running, "-tls1_3") as client, running.open() as other:
        client.ask(1)
        for number in range(1, 61):
            with contextlib.suppress(BrokenPipeError):
                client.say(command)
            # It takes one command at a time, and ends when the gateway has.
            wsraw.wait_until(lambda n=number: client.said.count("KEYUPDATE") >= n or client.process.poll() is not None,
                             lambda: client.said)
            other.echo(b"beside it")
        if detach == "on":
            running.wait_metric("tls_failures_total", 1, cause="record")
            assert client.said.count("KEYUPDATE") < 60
        other.echo(b"behind it")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes(sealed, s_client, tmp_path, version):
    running = sealed()
    session = tmp_path / "session"
    with s_client(running, version, "-sess_out", session) as client:
        client.ask(1)
        client.wait("TLS session ticket")
        wsraw.wait_until(lambda: session.exists() and session.stat().st_size > 0, "a ticket")
    with s_client(running, version, "-sess_in", session) as client:
        client.ask(1)
        client.wait(r"Reused, TLSv1\.")
    running.wait_metric("tls_handshakes_total", 1, kind="resumed")
    assert running.metric("tls_handshakes_total", kind="full") == 1


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused_counted_and_logged(sealed, s_client, version):
    running = sealed()
    with s_client(running, version, "-cipher", "ALL:@SECLEVEL=0") as client:
        client.wait("alert protocol version")
    running.wait_metric("tls_failures_total", 1, cause="version")
    line = running.wait_log("TLS handshake failed")
    assert (line["event"], line["cause"], line["alert"], line["alert_from"]) == (
        "security", "version", "70", "gatehouse")
    assert line["version"] == {"-tls1": "TLSv1", "-tls1_1": "TLSv1.1"}[version]
    assert line["remote"].startswith("127.0.0.1:") and "TLS 1.2" in line["remedy"]
    assert running.metric("connections") == 0


def test_no_way_down(sealed, s_client):
    """min_version 1.3 refuses 1.2."""
    running = sealed({"min_version": '"1.3"'})
    with s_client(running, "-tls1_2") as client:
        client.wait("alert protocol version")
    running.wait_metric("tls_failures_total", 1, cause="version")
    with s_client(running, "-tls1_3") as client:
        client.ask(1)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "AES128-SHA", "ECDHE-RSA-AES256-SHA384"])
def test_suites_without_aead_are_refused(sealed, s_client, suite):
    running = sealed()
    with s_client(running, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0") as client:
        client.wait("alert handshake failure")
    running.wait_metric("tls_failures_total", 1, cause="suite")


def test_renegotiation_is_refused(sealed, s_client):
    running = sealed()
    with s_client(running, "-tls1_2") as client:
        client.ask(1)
        client.say(b"R\n")
        client.wait("RENEGOTIATING")
        client.wait("no renegotiation|alert|closed")
    with running.open() as client:
        client.echo(b"goes on")


# --- GnuTLS ---

PRIORITIES = {
    "1.2 ECDSA AES-128": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:-CIPHER-ALL:+AES-128-GCM",
    "1.2 ECDSA AES-256": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:-CIPHER-ALL:+AES-256-GCM",
    "1.2 RSA AES-128": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM",
    "1.2 RSA ChaCha20": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:-CIPHER-ALL:+CHACHA20-POLY1305",
    "1.2 static RSA": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:-CIPHER-ALL:+AES-256-GCM",
    "1.3 AES-128": "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM",
    "1.3 AES-256": "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM",
    "1.3 ChaCha20": "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305",
}


@pytest.fixture
def gnutls(program, shown):
    def run(running, *options) -> Program:
        return program(tool("gnutls-cli"), "--x509cafile", shown.ca, "-p", running.address[1],
                       *options, "localhost")
    return run


@pytest.mark.parametrize("name", PRIORITIES)
def test_gnutls(sealed, gnutls, name):
    running = sealed()
    with gnutls(running, "--priority", PRIORITIES[name]) as client:
        client.wait("Handshake was completed")
        client.ask(1)
        client.ask(2)
        assert "The certificate is trusted." in client.said
        assert f"(TLS{name[:3]}" in client.said
    assert running.metric("tls_failures_total") == 0


def test_gnutls_takes_new_keys(sealed, gnutls):
    running = sealed()
    with gnutls(running, "--inline-commands", "--priority", PRIORITIES["1.3 AES-256"]) as client:
        client.wait("Handshake was completed")
        client.ask(1)
        for count, command in enumerate((b"^rekey1^", b"^rekey^", b"^rekey^"), 2):
            client.say(command + b"\n")
            client.wait("Rekey was completed", count - 1)
            client.ask(count)
    assert running.metric("tls_failures_total") == 0


@pytest.mark.parametrize("name", ["1.2 ECDSA AES-128", "1.3 AES-128"])
def test_gnutls_resumes(sealed, gnutls, name):
    running = sealed()
    with gnutls(running, "--resume", "--priority", PRIORITIES[name]) as client:
        client.wait(r"This is a resumed session")
        client.ask(1)
    assert running.metric("tls_handshakes_total", kind="resumed") == 1


# --- NSS ---


@pytest.fixture
def nss(program, shown, tmp_path):
    def run(running, *options) -> Program:
        tool("tstclnt")
        store = f"sql:{tmp_path / 'nss'}"
        (tmp_path / "nss").mkdir(exist_ok=True)
        for command in (["-N", "--empty-password"], ["-A", "-n", "authority", "-t", "C,,", "-i", str(shown.ca)]):
            subprocess.run([tool("certutil"), *command, "-d", store], check=True, capture_output=True)
        return program(tool("tstclnt"), "-h", "127.0.0.1", "-a", "localhost", "-p", running.address[1], "-d", store,
                       "-v", *options)
    return run


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_nss(sealed, nss, version):
    running = sealed()
    with nss(running, "-V", f"tls{version}:tls{version}") as client:
        client.wait("SSL version")
        client.ask(1)
        client.ask(2)
    assert running.metric("tls_versions_total", version=version) == 1


# --- curl ---


def curl(running, shown, *options) -> subprocess.CompletedProcess:
    return subprocess.run([tool("curl"), "-sS", "--max-time", "60", "--cacert", str(shown.ca), *options,
                           f"https://localhost:{running.address[1]}/health"], capture_output=True, text=True,
                          timeout=2 * wsraw.SECONDS, check=False)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(sealed, shown, version):
    done = curl(sealed(), shown, f"--tlsv{version}", "--tls-max", version, "-w", " %{http_version} %{http_code}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" 1.1 200")


def test_curl_is_told_that_it_is_too_old(sealed, shown):
    done = curl(sealed(), shown, "--tls-max", "1.1", "--tlsv1.0", "--ciphers", "ALL:@SECLEVEL=0")
    assert done.returncode == 35 and "protocol version" in done.stderr


# --- Python ---


@pytest.mark.tsan
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_fleet_comes_back_by_tickets(sealed, shown, version):
    """50 clients, cut at once: nine in ten need no private key any more."""
    count = 50
    running = sealed(workers=2)
    context = tlsraw.client_context(shown.ca, minimum=version, maximum=version)
    clients = [running.connect(tls=context).open(f"/ws/c-{number}") for number in range(count)]
    for client in clients:
        client.echo(b"so that its ticket has come")
    sessions = [client.sock.tls.session for client in clients]
    assert running.metric("tls_handshakes_total", kind="full") == count
    for client in clients:
        client.sock.sock.close()
    running.wait_metric("connections", 0)
    again = [running.connect(tls=context, session=session).open(f"/ws/c-{number}")
             for number, session in enumerate(sessions)]
    for client in again:
        client.echo(b"here again")
    assert sum(client.sock.tls.session_reused for client in again) >= 0.9 * count
    assert running.metric("tls_handshakes_total", kind="resumed") >= 0.9 * count


@pytest.mark.parametrize("server_name, kind", [("localhost", "ec"), (None, "ec")])
def test_who_names_nobody_is_shown_the_first(sealed, shown, server_name, kind):
    running = sealed()
    context = tlsraw.client_context(None)
    with running.connect(tls=context, name=server_name) as client:
        shown_der = client.sock.tls.getpeercert(True)
    assert shown_der == ssl.PEM_cert_to_DER_cert(shown.pairs[kind].cert.read_text())


# --- Node ---

NODE = """
const https = require('https'), crypto = require('crypto'), fs = require('fs');
const [port, ca, min, max, ciphers] = process.argv.slice(2);
const options = {host: 'localhost', port, ca: fs.readFileSync(ca), minVersion: min, maxVersion: max,
    path: '/ws/node', headers: {Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64')}};
if (ciphers) options.ciphers = ciphers;
const request = https.request(options);
request.on('upgrade', (response, socket, head) => {
    const text = Buffer.from('hello from node'), mask = Buffer.from([1, 2, 3, 4]);
    socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, text.map((b, i) => b ^ mask[i % 4])]));
    let got = head;
    const look = () => {
        if (got.length < 2 + text.length) return;
        console.log(socket.getProtocol(), socket.getCipher().name, got.subarray(2).toString());
        process.exit(0);
    };
    socket.on('data', (data) => { got = Buffer.concat([got, data]); look(); });
    look();
});
request.on('response', (response) => { console.log('HTTP', response.statusCode); process.exit(1); });
request.on('error', (error) => { console.log(error.code); process.exit(1); });
request.end();
"""


@pytest.mark.parametrize("version, suite", [("TLSv1.3", ""), ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
                                            ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256")])
def test_node(sealed, shown, tmp_path, version, suite):
    running = sealed()
    script = tmp_path / "client.js"
    script.write_text(NODE)
    done = subprocess.run([tool("node"), script, str(running.address[1]), shown.ca, version, version, suite],
                          capture_output=True, text=True, timeout=2 * wsraw.SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.split(maxsplit=2)
    assert said[0] == version and said[1] == (suite or said[1])
    assert said[2].strip() == "hello from node"


# --- certificates of clients ---


def certified_context(shown, pair, version):
    return tlsraw.client_context(shown.ca, minimum=version, maximum=version, pair=pair)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("detach", ["on", "off"])
def test_who_shows_a_certificate_comes_in(sealed, shown, version, detach):
    running = sealed({"client_certificate": "required", "client_ca_file": shown.ca, "detach": detach})
    with running.connect(tls=certified_context(shown, shown.client, version)) as client:
        client.open("/ws/a").echo(b"known")


@pytest.mark.parametrize("option", ["required", "optional"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_shows_none(sealed, shown, option, version):
    running = sealed({"client_certificate": option, "client_ca_file": shown.ca})
    context = certified_context(shown, None, version)
    if option == "optional":
        with running.connect(tls=context) as client:
            client.open("/ws/a").echo(b"unknown")
        return
    with pytest.raises((ssl.SSLError, ConnectionResetError, EOFError)):
        running.connect(tls=context).open("/ws/a")
    running.wait_metric("tls_failures_total", 1, cause="no_certificate")
    assert running.wait_log("TLS handshake failed")["cause"] == "no_certificate"


# --- now and then ---

GO = """
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	pem, err := os.ReadFile(os.Args[2])
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	versions := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	config := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: versions[os.Args[3]],
		MaxVersion: versions[os.Args[3]], ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for i := 0; i < 3; i++ {
		conn, err := tls.Dial("tcp", os.Args[1], config)
		check(err)
		fmt.Fprintf(conn, "GET /ws/go-%d HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"+
			"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n", i)
		reader := bufio.NewReader(conn)
		response, err := http.ReadResponse(reader, nil)
		check(err)
		conn.Write([]byte("\\x81\\x85\\x00\\x00\\x00\\x00hello"))
		frame := make([]byte, 7)
		_, err = io.ReadFull(reader, frame)
		check(err)
		fmt.Println(response.StatusCode, conn.ConnectionState().DidResume, string(frame[2:]))
		check(conn.Close())
	}
}
"""


@pytest.mark.rare
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_go(sealed, shown, tmp_path, version):
    running = sealed()
    program = tmp_path / "client.go"
    program.write_text(GO)
    done = subprocess.run([tool("go"), "run", program, f"127.0.0.1:{running.address[1]}", shown.ca, version],
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout.splitlines() == ["101 false hello", "101 true hello", "101 true hello"], (
        done.stdout + done.stderr)


BUN = """
const socket = new WebSocket(process.argv[2], {tls: {ca: Bun.file(process.argv[3])}});
socket.onopen = () => socket.send('hello from bun');
socket.onmessage = (event) => { console.log(event.data); process.exit(0); };
socket.onclose = (event) => { console.log('closed', event.code, event.reason); process.exit(1); };
"""


@pytest.mark.rare
def test_bun(sealed, shown, tmp_path):
    """BoringSSL."""
    installed = subprocess.run([tool("npm"), "install", "--no-audit", "--no-fund", "--prefix", tmp_path, "bun"],
                               capture_output=True, text=True, timeout=600, check=False)
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install bun: {installed.stderr[-200:]}")
    running = sealed()
    script = tmp_path / "client.js"
    script.write_text(BUN)
    done = subprocess.run([tmp_path / "node_modules" / ".bin" / "bun", script,
                           f"wss://localhost:{running.address[1]}/ws/bun", shown.ca],
                          capture_output=True, text=True, timeout=2 * wsraw.SECONDS, check=False)
    assert done.stdout.strip() == "hello from bun", done.stdout + done.stderr


PAGE = """<!doctype html><title>page</title><script>
const socket = new WebSocket('wss://localhost:PORT/ws/page');
socket.onopen = () => socket.send('hello from a page');
socket.onmessage = (event) => { if (event.data === 'hello from a page') socket.send('and its echo came'); };
</script>"""


@pytest.mark.rare
def test_a_page_in_chromium(sealed, program, tmp_path):
    running = sealed()
    page = tmp_path / "page.html"
    page.write_text(PAGE.replace("PORT", str(running.address[1])))
    with program(tool("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
                 f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()) as browser:
        wsraw.wait_until(lambda: running.metric("messages_received_total") == 2, lambda: browser.said)
    assert running.metric("tls_versions_total", version="1.3") >= 1
    assert running.metric("tls_failures_total") == 0
