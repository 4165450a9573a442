# SPDX-License-Identifier: Apache-2.0
"""The parts of the console that need no page: what they make of numbers, times and strangers' text."""

import json
import shutil
import subprocess

import pytest

from kit.gateway import ROOT

pytestmark = pytest.mark.once("scripts that run in a browser")

ASSETS = ROOT / "src" / "admin" / "console" / "assets"
MODULES = ("text.js", "format.js", "sse.js", "series.js")

# Each is an expression and what it comes to, as JSON.
CASES = {
    "text": [
        ("text.plain('till-7')", "till-7"),
        ("text.plain('a\\u202eb')", "a<U+202E>b"),
        ("text.plain('\\u0000\\n\\t\\u200b\\ufeff')", "<U+0000><U+000A><U+0009><U+200B><U+FEFF>"),
        ("text.plain('\\u{e0041}\\u2066x\\u2069')", "<U+E0041><U+2066>x<U+2069>"),
        ("text.plain('<b>&amp;</b>')", "<b>&amp;</b>"),
        ("text.plain('till-7\\ufe0f \\u034f\\u180b')", "till-7<U+FE0F> <U+034F><U+180B>"),
        ("text.plain('\\u2764\\ufe0f')", "\u2764\ufe0f"),
        ("text.plain('a\\u00a0b\\u3000c')", "a<U+00A0>b<U+3000>c"),
        ("text.parts('a\\u00a0b\\u3000c', false).length", 1),
        ("text.plain('充电桩 ١ 🚗')", "充电桩 ١ 🚗"),
        ("text.plain('x'.repeat(1000)).length", 301),
        ("text.parts('a\\nb', false)", [{"text": "a\nb", "odd": False}]),
        ("text.parts('\\u202e')", [{"text": "U+202E", "odd": True}]),
        ("text.parts('')", []),
        ("[...text.fromHex('48 65:6c')]", [0x48, 0x65, 0x6c]),
        ("text.fromHex('4')", None), ("text.fromHex('zz')", None), ("text.fromHex('').length", 0),
        ("text.toHex(Uint8Array.of(0, 255))", "00 ff"),
        ("text.decoded(btoa('plain'))", "plain"), ("text.decoded('77u/cGxhaW4=')", None), ("text.decoded('/w==')", None), ("text.decoded('AAE=')", None),
    ],
    "format": [
        ("format.count(1234567)", "1,234,567"), ("format.count(null)", "–"), ("format.count(undefined)", "–"),
        ("format.brief(999)", "999"), ("format.brief(12345)", "12.3 k"), ("format.brief(1e6)", "1 M"),
        ("format.brief(999999)", "1 M"), ("format.brief(0.123456)", "0.12"), ("format.brief(100)", "100"),
        ("format.bytes(0)", "0 B"), ("format.bytes(1023)", "1023 B"), ("format.bytes(1024)", "1 KiB"),
        ("format.bytes(25276510208)", "23.5 GiB"), ("format.perSecond(2)", "2/s"), ("format.bytesPerSecond(2048)", "2 KiB/s"),
        ("format.percent(0.5)", "50 %"), ("format.percent(0.1234)", "12.3 %"), ("format.percent(NaN)", "–"),
        ("format.duration(0)", "0 s"), ("format.duration(0.0005)", "500 µs"), ("format.duration(0.25)", "250 ms"),
        ("format.duration(59.5)", "59.5 s"), ("format.duration(125)", "2 m 5 s"), ("format.duration(3600)", "1 h"),
        ("format.duration(90061)", "1 d 1 h"), ("format.duration(undefined)", "–"),
        ("format.inUnit(5, 'descriptors')", "5 descriptors"), ("format.inUnit(2048, 'bytes')", "2 KiB"),
        ("format.ticks(7, 4)", [0, 2, 4, 6, 8]), ("format.ticks(0, 4)", [0, 0.5, 1]), ("format.ticks(100, 4)", [0, 50, 100]),
        ("format.ticks(3000, 4, true)", [0, 1024, 2048, 3072]), ("format.ticks(1048576, 4, true)", [262144 * n for n in range(5)]),
        ("format.ticks(6153, 4).at(-1) >= 6153", True),
        ("format.timeTicks(0, 300000, 5)", [60000 * n for n in range(6)]),
        ("format.timeTicks(1000, 59000, 5)", [15000, 30000, 45000]),
    ],
    "sse": [
        ("events('event: a\\ndata: 1\\n\\n')", [["a", "1"]]),
        ("events(': comment\\n\\ndata:x\\ndata: y\\n\\n')", [["message", "x\ny"]]),
        ("events('event: a\\r\\ndata: 1\\r\\n\\r\\n')", [["a", "1"]]),
        ("events('data: 1\\n')", []), ("events('event: a\\n\\ndata: 2\\n\\n')", [["message", "2"]]),
        ("events('id: 7\\nretry: 5\\ndata\\n\\n')", [["message", ""]]),
        ("(() => { try { new sse.EventReader(() => {}).push('x'.repeat(5 << 20)); } catch (e) { return e.message; } })()",
         "a line of the stream is too long"),
    ],
    "series": [
        ("series.rate(100, 300, 2000)", 100), ("series.rate(300, 100, 2000)", None), ("series.rate(undefined, 1, 1000)", None),
        ("series.rate(0, 1, 60000)", None),
        ("series.rates([{at: 0, n: 0}, {at: 1000, n: 9}, {at: 5000, n: 50}], 'n')", [{"at": 5000, "value": 10}]),
        ("series.gauge([{at: 0, n: 1}, {at: 60000, n: 2}], 'n')",
         [{"at": 0, "value": 1}, {"at": 1, "value": None}, {"at": 60000, "value": 2}]),
        ("series.sampleOf({at_ms: 5, totals: {connections: 1, accepted: 2, messages_received: 3, messages_sent: 4, "
         "received_bytes: 5, sent_bytes: 6}, refused: {a: 1, b: 2}, closed: {}})",
         {"at": 5, "connections": 1, "accepted": 2, "refused": 3, "closed": 0, "messages_received": 3,
          "messages_sent": 4, "received_bytes": 5, "sent_bytes": 6}),
        ("(() => { const s = new series.Samples(); s.add({at: 10000}); s.add({at: 10000}); s.add({at: 30000}); "
         "s.addHistory({columns: ['at_ms', 'connections'], rows: [[5000, 1], [9000, 2], [20000, 3], [31000, 4], [35000, 5]]}); "
         "return s.rows.map((r) => r.at); })()", [5000, 10000, 20000, 30000, 35000]),
        ("(() => { const s = new series.Samples(); for (let i = 1; i < 9000; i++) s.add({at: i}); return s.rows.length; })()", 4000),
    ],
}

START = """
import * as text from "./text.js";
import * as format from "./format.js";
import * as sse from "./sse.js";
import * as series from "./series.js";
const events = (whole) => {
	// However it is cut.
	const runs = [whole.length, 1, 3].map((step) => {
		const found = [];
		const reader = new sse.EventReader((type, data) => found.push([type, data]));
		for (let at = 0; at < whole.length; at += step)
			reader.push(whole.slice(at, at + step));
		return JSON.stringify(found);
	});
	if (new Set(runs).size !== 1)
		throw new Error(`cut otherwise it is otherwise: ${runs}`);
	return JSON.parse(runs[0]);
};
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of all cases, in one process."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    folder = tmp_path_factory.mktemp("modules")
    (folder / "package.json").write_text('{"type": "module"}')
    for name in MODULES:
        shutil.copy(ASSETS / name, folder)
    expressions = [expression for cases in CASES.values() for expression, _ in cases]
    (folder / "run.js").write_text(START + "console.log(JSON.stringify([" + ",\n".join(expressions) + "]));\n")
    done = subprocess.run([node, folder / "run.js"], capture_output=True, text=True, timeout=60, check=False,
                          env={"TZ": "UTC"})
    assert done.returncode == 0, done.stderr
    return dict(zip(expressions, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("module", CASES)
def test_module(results, module):
    for expression, want in CASES[module]:
        assert results[expression] == want, expression


def test_all_of_them_are_javascript():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    script = ("const vm = require('vm'), fs = require('fs'); for (const file of process.argv.slice(1)) "
              "new vm.SourceTextModule(fs.readFileSync(file, 'utf8'), {identifier: file});")
    done = subprocess.run([node, "--experimental-vm-modules", "-e", script, *sorted(ASSETS.glob("*.js"))],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
