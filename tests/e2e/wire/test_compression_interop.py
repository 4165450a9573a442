# SPDX-License-Identifier: Apache-2.0
"""permessage-deflate with clients that others wrote: python3-websockets, npm's ws and Node's own; Go's gorilla and
nhooyr, Bun and chromium now and then. Each sends messages of many sizes and expects each back."""

import asyncio
import json
import shutil
import subprocess

import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from kit import wsraw
from kit.deflated import records

ROUTES = [{"path": "/shared/{client_id}", "compression": "shared"}, {"path": "/window/{client_id}", "compression": "window"},
          {"path": "/wide/{client_id}", "compression": "window", "compression_window_bits": 15}]
ROADS = ["/shared/a", "/window/a", "/wide/a"]
SIZES = [0, 1, 100, 255, 256, 1000, 4096, 20000, 65535, 65536, 131072]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command, **options) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=10 * wsraw.SECONDS, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_used(running, clients: int) -> None:
    """They did agree, and both sides did compress."""
    assert running.metric("compression_received_bytes_total") > 0
    assert running.metric("compression_sent_bytes_total") > 0
    assert running.metric("connections_closed_total", reason="client_closed") == clients
    assert running.metric("connections_closed_total") == clients


# --- Python ---

OFFERS = [{}, {"client_max_window_bits": True}, {"client_max_window_bits": 9}, {"server_max_window_bits": 9},
          {"server_max_window_bits": 15, "client_max_window_bits": 15},
          {"server_no_context_takeover": True, "client_no_context_takeover": True},
          {"server_no_context_takeover": True, "server_max_window_bits": 11}]


async def python_client(url: str, ssl, offer: dict) -> None:
    factory = ClientPerMessageDeflateFactory(**offer)
    options = {"ssl": ssl, "server_hostname": "localhost"} if ssl else {}
    async with websockets.connect(url, extensions=[factory], max_size=None, **options) as socket:
        assert [type(e).__name__ for e in socket.extensions] == ["PerMessageDeflate"]
        for number, size in enumerate(SIZES * 2):
            text = records(size, number)
            message = text.decode() if number % 2 else text
            third = len(message) // 3
            await socket.send([message[:third], message[third:2 * third], message[2 * third:]] if number % 5 == 4 and third
                              else message)
            assert await socket.recv() == message


@pytest.mark.parametrize("road", ROADS)
def test_python_websockets(gateway, door, road):
    running = gateway(routes=ROUTES)
    for offer in OFFERS:
        asyncio.run(python_client(running.url(road), door.tls, offer))
    running.wait_metric("connections", 0)
    assert_used(running, len(OFFERS))


# --- Node ---

NODE = """
const WebSocket = require('ws');
const [url, ca, sizes] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];
const options = {maxPayload: 0, servername: 'localhost', ca: ca ? require('fs').readFileSync(ca) : undefined,
  perMessageDeflate: JSON.parse(process.argv[5])};
const socket = new WebSocket(url, options);
const word = '{"id":1234,"time":"2026-11-30T12:00:00Z","value":17.5},';
let at = 0, waiting;
function next() {
  if (at === sizes.length) { console.log(at, socket.extensions); socket.close(1000); return; }
  const text = (word.repeat(sizes[at] / word.length + 1)).slice(0, sizes[at]);
  waiting = at % 2 ? text : Buffer.from(text);
  if (at % 5 === 4 && text.length > 10) {
    socket.send(text.slice(0, 5), {fin: false, binary: at % 2 === 0, compress: true});
    socket.send(text.slice(5), {fin: true, compress: true});
  } else socket.send(waiting, {compress: true});
  at++;
}
socket.on('open', next);
socket.on('message', (data, isBinary) => {
  if (Buffer.compare(Buffer.from(waiting), data) !== 0) { console.error('wrong echo', at); process.exit(1); }
  next();
});
socket.on('error', (error) => { console.error(error); process.exit(1); });
"""
WS_OFFERS = [True, {"serverNoContextTakeover": True, "clientNoContextTakeover": True},
             {"serverMaxWindowBits": 9, "clientMaxWindowBits": 10}, {"threshold": 0}]


@pytest.mark.parametrize("road", ROADS)
def test_npm_ws(gateway, door, authority, charger_modules, tmp_path, road):
    running = gateway(routes=ROUTES)
    script = tmp_path / "client.js"
    script.write_text(NODE)
    for offer in WS_OFFERS:
        said = run(tool("node"), script, running.url(road), authority.cert if door.tls else "", json.dumps(SIZES * 2),
                   json.dumps(offer), env={"NODE_PATH": str(charger_modules / "node_modules"), "PATH": "/usr/bin:/bin"})
        assert said.split() == [str(2 * len(SIZES)), "permessage-deflate"]
    running.wait_metric("connections", 0)
    assert_used(running, len(WS_OFFERS))


# --- now and then ---

GO_COMMON = """
func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func message(size int) []byte {
	word := `{"id":1234,"time":"2026-11-30T12:00:00Z","value":17.5},`
	return []byte(strings.Repeat(word, size/len(word)+1)[:size])
}

var sizes = []int{0, 1, 100, 255, 256, 1000, 4096, 20000, 65535, 65536, 131072}

func config() *tls.Config {
	pem, err := os.ReadFile(os.Args[2])
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}
"""
GORILLA = """
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/gorilla/websocket"
)
""" + GO_COMMON + """
func main() {
	dialer := websocket.Dialer{EnableCompression: true, TLSClientConfig: config()}
	socket, response, err := dialer.Dial(os.Args[1], nil)
	check(err)
	for _, size := range sizes {
		sent := message(size)
		check(socket.WriteMessage(websocket.TextMessage, sent))
		_, got, err := socket.ReadMessage()
		check(err)
		if !bytes.Equal(sent, got) {
			check(fmt.Errorf("wrong echo of %d", size))
		}
	}
	fmt.Println(response.Header.Get("Sec-WebSocket-Extensions"))
	check(socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "")))
	socket.ReadMessage()
}
"""
NHOOYR = """
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"nhooyr.io/websocket"
)
""" + GO_COMMON + """
func main() {
	mode := websocket.CompressionNoContextTakeover
	if os.Args[3] == "takeover" {
		mode = websocket.CompressionContextTakeover
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config()}}
	socket, response, err := websocket.Dial(context.Background(), os.Args[1],
		&websocket.DialOptions{HTTPClient: client, CompressionMode: mode, CompressionThreshold: 1})
	check(err)
	socket.SetReadLimit(1 << 20)
	for _, size := range sizes {
		sent := message(size)
		check(socket.Write(context.Background(), websocket.MessageText, sent))
		_, got, err := socket.Read(context.Background())
		check(err)
		if !bytes.Equal(sent, got) {
			check(fmt.Errorf("wrong echo of %d", size))
		}
	}
	fmt.Println(response.Header.Get("Sec-WebSocket-Extensions"))
	check(socket.Close(1000, ""))
}
"""


@pytest.mark.rare
@pytest.mark.parametrize("source", [GORILLA, NHOOYR], ids=["gorilla", "nhooyr"])
def test_go(gateway, door, authority, tmp_path, source):
    """By Debian's packages, without a module proxy."""
    running = gateway(routes=ROUTES)
    (tmp_path / "client.go").write_text(source)
    env = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(tmp_path / "cache"), "HOME": str(tmp_path),
           "PATH": "/usr/bin:/bin"}
    run(tool("go"), "build", "-o", tmp_path / "client", tmp_path / "client.go", env=env)
    ways = [(road, mode) for road in ROADS for mode in ("alone", "takeover")]
    for road, mode in ways:
        assert "permessage-deflate" in run(tmp_path / "client", running.url(road), authority.cert, mode)
    running.wait_metric("connections", 0)
    assert_used(running, len(ways))


BUN = """
const socket = new WebSocket(process.argv[2], process.argv[3] ? {tls: {ca: Bun.file(process.argv[3])}} : undefined);
const sizes = JSON.parse(process.argv[4]);
const word = '{"id":1234,"time":"2026-11-30T12:00:00Z","value":17.5},';
let at = 0, waiting;
function next() {
  if (at === sizes.length) { console.log(at, socket.extensions); socket.close(1000); return; }
  waiting = (word.repeat(sizes[at] / word.length + 1)).slice(0, sizes[at++]);
  socket.send(waiting);
}
socket.onopen = next;
socket.onmessage = (event) => { if (event.data !== waiting) { console.error('wrong echo', at); process.exit(1); } next(); };
socket.onclose = (event) => process.exit(event.code === 1000 ? 0 : 1);
"""


@pytest.fixture(scope="session")
def bun(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bun")
    installed = subprocess.run([tool("npm"), "install", "--no-audit", "--no-fund", "--prefix", directory, "bun"],
                               capture_output=True, text=True, timeout=600, check=False)
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install bun: {installed.stderr[-200:]}")
    return directory / "node_modules" / ".bin" / "bun"


@pytest.mark.rare
@pytest.mark.parametrize("road", ROADS)
def test_bun(gateway, door, authority, bun, tmp_path, road):
    running = gateway(routes=ROUTES)
    script = tmp_path / "client.js"
    script.write_text(BUN)
    url = running.url(road).replace("127.0.0.1", "localhost")
    said = run(bun, script, url, authority.cert if door.tls else "", json.dumps(SIZES))
    assert said.split()[0] == str(len(SIZES)), said
    running.wait_metric("connections", 0)
    assert_used(running, 1)


PAGE = """<!doctype html><title>page</title><script>
const sizes = SIZES, word = '{"id":1234,"time":"2026-11-30T12:00:00Z","value":17.5},';
for (const road of ROADS) {
  const socket = new WebSocket('URL' + road);
  let at = 0, waiting;
  const next = () => {
    if (at === sizes.length) { socket.close(1000, socket.extensions.slice(0, 100)); return; }
    waiting = word.repeat(sizes[at] / word.length + 1).slice(0, sizes[at++]);
    socket.send(waiting);
  };
  socket.onopen = next;
  socket.onmessage = (event) => { if (event.data === waiting) next(); else socket.close(4000, 'wrong echo'); };
}
</script>"""


@pytest.mark.rare
def test_a_page_in_chromium(gateway, door, tmp_path):
    running = gateway(routes=ROUTES)
    page = tmp_path / "page.html"
    page.write_text(PAGE.replace("SIZES", json.dumps(SIZES)).replace("ROADS", json.dumps(ROADS))
                    .replace("URL", running.url("").replace("127.0.0.1", "localhost")))
    with (tmp_path / "said").open("wb") as out:
        browser = subprocess.Popen([tool("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu",
                                    "--ignore-certificate-errors", f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            running.wait_metric("connections_closed_total", len(ROADS), reason="client_closed")
        finally:
            browser.kill()
            browser.wait()
    assert running.metric("messages_received_total") == len(ROADS) * len(SIZES)
    assert_used(running, len(ROADS))
