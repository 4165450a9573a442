# SPDX-License-Identifier: Apache-2.0
"""`gatehouse doctor --report`: the answer as a document."""

import json
import os
import re

import pytest

from kit.gateway import ENGINES, run_binary


def run(*arguments):
    return run_binary("doctor", *arguments, cwd="/")


def ask(*arguments, code) -> dict:
    done = run("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


HEADINGS = {"en": ["Background", "Environment", "Limits", "Hypotheses", "What binds", "Cure", "The run that proves it"],
            "zh": ["背景", "环境", "限制", "假设与排查", "起作用的限制", "解决办法", "验证"]}
ALLOWS = {"en": "no: {} allows {}", "zh": "不能：{} 允许 {}"}
CONFIRMED = {"en": "**confirmed**", "zh": "**已证实**"}


@pytest.mark.parametrize("lang", sorted(HEADINGS))
def test_report(tmp_path, engine, lang):
    """Its outcome is the exit code's, its lines are those of the answer."""
    path = tmp_path / "report.md"
    arguments = ["--engine", engine, "--connections", 900000000]
    answer = ask(*arguments, "--report", path, "--lang", lang, code=1)
    text = path.read_text()
    assert re.findall(r"^## (.*)$", text, re.M) == HEADINGS[lang]
    colon = {"en": ": ", "zh": "："}[lang]
    assert re.search(rf"^- \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ{colon}", text, re.M), "when"
    bound = re.match(r"no: (\S+) allows (\d[\d,]*\d)", answer["verdict"])
    assert CONFIRMED[lang] in text and ALLOWS[lang].format(*bound.groups()) in text
    for change in answer["changes"]:
        if lang == "en":
            assert f"- {change['place']}: `{change['text']}`" in text
        else:  # commands, and what is said of them, are translated (test_report_phrases.py); their numbers are not
            numbers = re.findall(r"\d{4,}", change["text"])
            assert numbers and all(number in text for number in numbers), change
    for limit in answer["limits"]:
        assert limit["value"] is None or f"| `{limit['limit']}` |" in text


def test_report_of_what_fits(tmp_path):
    path = tmp_path / "report.md"
    done = run("--connections", 10, "--report", path)
    assert done.returncode == 0 and done.stdout.startswith("yes: 10 fit. ")
    text = path.read_text()
    assert text.startswith("# Limits of connections: this machine with a configuration; nothing needs to run (it fits)\n")
    assert "Nothing has to be changed" in text and "What would stop a larger test first" in text
    assert "gatehouse doctor --connections 10\n" in text


def test_report_of_a_full_gateway(gateway, tmp_path):
    path = tmp_path / "report.md"
    running = gateway(server={"max_connections": 3})
    clients = [running.open(f"/ws/{number}") for number in range(3)]
    pid = running.process.pid
    done = run("--pid", pid, "--connections", 100, "--report", path)
    assert done.returncode == 1
    text = path.read_text()
    assert f"# Limits of connections: gatehouse (pid {pid}) (it does not fit)\n" in text
    if os.geteuid() == 0:  # only root finds its admin listener
        assert re.search(r"The gateway's own limit is lower \| \*\*confirmed\*\* \| max\\_connections is 3 and allows 3", text)
        assert re.search(r"A limit is used up now \| \*\*confirmed\*\* \| max\\_connections is used to 100%", text)
        assert "`server.max_connections: 100`" in text
        assert re.search(rf"gatehouse bench 'ws://127\.0\.0\.1:{running.address[1]}/ws/c-\{{n\}}' -c 100 "
                         rf"--limits http://127\.0\.0\.1:{running.admin[1]}/limits ", text), "what is looked at is what is tested"
    assert f"gatehouse doctor --pid {pid} --connections 100\n" in text
    for client in clients:
        client.close()


PROOFS = {
    "tls, on all addresses": (
        {"server": {"listeners": [{"address": "unix:/tmp/gatehouse-never.sock"},
                                  {"address": "[::]:18443", "tls": {"certificates": ["PAIR"]}}]},
         "admin": {"listen": "0.0.0.0:18444"}, "routes": [{"path": "/ocpp/{client_id}/x"}]},
        "'wss://[::1]:18443/ocpp/c-{n}/x' -c 10000 --limits http://127.0.0.1:18444/limits --report"),
    "a path without ids": ({"server": {"listen": "127.0.0.2:18443"}, "routes": [{"path": "/chat"}]},
                           "'ws://127.0.0.2:18443/chat' -c 10000 --limits http://127.0.0.1:8081/limits --report"),
    "no port": ({"server": {"listeners": [{"address": "unix:/tmp/gatehouse-never.sock"}]}},
                "'ws://HOST:PORT/PATH' -c 10000 --limits http://127.0.0.1:8081/limits --report"),
}


@pytest.mark.parametrize("name", PROOFS)
def test_the_proof_is_of_what_is_configured(tmp_path, pair, name):
    config, command = PROOFS[name]
    path, file = tmp_path / "report.md", tmp_path / "gatehouse.yaml"
    file.write_text(json.dumps(config).replace('"PAIR"', json.dumps(pair.files, default=str)))
    run("-c", file, "--connections", 10000, "--report", path)
    assert f"\n    gatehouse bench {command} PROOF.md\n" in path.read_text()


@pytest.mark.skipif("io_uring" not in ENGINES, reason="only rings are helped by it")
def test_a_line_that_helps_twice_is_said_once(tmp_path, monkeypatch):
    """It makes more rings, too; and by itself it would do nothing while a variable says otherwise."""
    path = tmp_path / "report.md"
    monkeypatch.setenv("GATEHOUSE_SERVER_MAX_CONNECTIONS", "999")
    answer = ask("--engine", "io_uring", "--connections", 200000, "--report", path, code=1)
    lines = [change["text"] for change in answer["changes"] if change["text"].startswith("server.max_connections: ")]
    assert lines == ["server.max_connections: 200000 # and take GATEHOUSE_SERVER_MAX_CONNECTIONS out of the environment, which beats "
                     "the file"]
    assert path.read_text().count("`server.max_connections: 200000") == 1


def test_report_that_cannot_be_written(tmp_path):
    done = run("--report", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"gatehouse doctor: --report: cannot write '{tmp_path}': Is a directory" in done.stderr
    done = run("--report", "/dev/full")
    assert done.returncode == 1 and "--report: writing '/dev/full'" in done.stderr
    assert "No space left on device" in done.stderr and done.stdout.startswith("This machine")
    done = run("--report", tmp_path / "x.md", "--lang", "de")
    assert done.returncode == 2 and "is no language here; there are en and zh" in done.stderr
    assert not (tmp_path / "x.md").exists()
    done = run("--pid", 4194303, "--report", tmp_path / "gone.md")
    assert done.returncode == 1 and "there is none" in done.stderr
