# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench --compression`: what it says it saved is what the gateway counted."""

import json
import subprocess

import pytest

from kit.gateway import BINARY, run_binary

ROUTES = [{"path": f"/{mode}/{{client_id}}", "compression": mode} for mode in ("off", "shared", "window")]


@pytest.mark.parametrize("mode", ["off", "shared", "window"])
@pytest.mark.parametrize("payload", ["json", "noise"])
def test_what_was_saved(gateway, engine, tmp_path, mode, payload):
    running = gateway(routes=ROUTES)
    path = tmp_path / "result.json"
    got = subprocess.run([BINARY, "bench", running.url(f"/{mode}/{{n}}"), "-q", "--engine", engine, "-c", "20", "--depth", "4",
                          "--duration", "500ms", "--size", "2KiB", "--compression", "--payload", payload, "--json", path],
                         capture_output=True, text=True, timeout=120, check=False)
    assert got.returncode == 0, got.stdout + got.stderr
    result = json.loads(path.read_text())
    packed = result["compression"]
    if mode == "off":
        assert packed["connections"] == packed["sent_plain_bytes"] == 0
        return
    assert packed["connections"] == 20 and "Compressed 20 connections agreed" in got.stdout
    assert packed["sent_plain_bytes"] == 2048 * result["totals"]["sent"]
    assert (packed["sent_percent"] < 40) == (packed["received_percent"] < 40) == (payload == "json")
    assert running.metric("compression_received_bytes_total") == packed["sent_bytes"]
    assert running.metric("compression_sent_bytes_total") == packed["received_bytes"]


def test_a_small_window_is_kept_to(gateway, engine):
    running = gateway(routes=ROUTES)
    done = run_binary("bench", running.url("/shared/{n}"), "-q", "--engine", engine, "-c", "5", "--depth", "2", "--duration",
                      "300ms", "--size", "4KiB", "--compression", "--window-bits", "8", "--payload", "json")
    assert done.returncode == 0 and "Compressed 5 connections agreed" in done.stdout


def test_bad_options_are_told():
    for words, problem in ((["--payload", "xml"], "neither noise nor json"),
                           (["--window-bits", "9"], "needs --compression"),
                           (["--compression", "--raw-echo", "--depth", "1"], "exclude each other")):
        done = run_binary("bench", "ws://127.0.0.1:1/", *words)
        assert done.returncode == 2 and problem in done.stderr, done.stderr
