# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench --report` and `--compare`: the story of a run, and two runs side by side."""

import json
import re
import shlex
import time

import pytest

from kit.bench import TEXT, frame, good, plain
from kit.wsraw import free_port

SECTIONS = ["Background", "Environment", "Limits of both sides", "What was seen", "Hypotheses", "Root cause", "Cure",
            "The run that proves it"]
SECTIONS_ZH = ["背景", "环境", "双方的限制", "观察结果", "假设与排查", "根本原因", "解决办法", "验证"]


def parts_of(text: str) -> dict[str, str]:
    """What stands below each heading of the second rank."""
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2]))


def hypotheses(parts: dict[str, str], title: str = "Hypotheses") -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+) \|$", parts[title], re.MULTILINE)[2:]
    return {text: (outcome, evidence) for text, outcome, evidence in rows}


def outcome_of(rows: dict, begin: str) -> tuple[str, str]:
    return next(row for text, row in rows.items() if text.startswith(begin))


def limits_of(running) -> str:
    return "http://{}:{}/limits".format(*running.admin)


def test_a_limit_of_the_server_is_the_root_cause_and_then_cured(gateway, bench, tmp_path):
    running = gateway(server={"max_connections": 20, "accept_rate": 1000})
    first = bench(running.url("/ws/r-{n}"), "-c", 30, "--hold", "1s", "--limits", limits_of(running),
                  "--report", tmp_path / "one.md")
    assert first.code == 1
    parts = parts_of((tmp_path / "one.md").read_text())
    assert list(parts) == SECTIONS
    rows = hypotheses(parts)
    assert len(rows) == 12
    assert outcome_of(rows, "The server refuses")[0] == "**confirmed**"
    assert "max\\_connections" in outcome_of(rows, "The server refuses")[1]
    assert outcome_of(rows, "A limit of the server")[1] == "max\\_connections is used up: 20 / 20"
    for other in ("The tester cannot", "Nobody listens", "The network", "TLS", "What answers", "Connections are cut"):
        assert outcome_of(rows, other)[0] == "excluded", other
    assert "max\\_connections" in parts["Root cause"]
    assert re.search(r"^- `max_connections` = 20: server\.max\\_connections, \S+/application\.yaml:\d+$", parts["Root cause"], re.MULTILINE)
    assert "`server.max_connections: 30`" in parts["Cure"]
    assert "FAIL" in parts["The run that proves it"]
    assert shlex.split(parts["The run that proves it"].splitlines()[-1]) == [
        "gatehouse", "bench", running.url("/ws/r-{n}"), "-c", "30", "--hold", "1s", "--limits", limits_of(running),
        "--compare", str(tmp_path / "result.json"), "--report", "AFTER.md"]
    (tmp_path / "result.json").rename(tmp_path / "before.json")
    before = json.loads((tmp_path / "before.json").read_text())
    memory = next(row for row in before["server_limits"]["limits"] if row["limit"] == "payload_memory")
    memory["value"] = memory["value"] * 105 // 100  # less was free then
    (tmp_path / "before.json").write_text(json.dumps(before))

    running = gateway(server={"max_connections": 40, "accept_rate": 1005})
    second = bench(running.url("/ws/r-{n}"), "-c", 30, "--hold", "1s", "--limits", limits_of(running),
                   "--report", tmp_path / "two.md", "--compare", tmp_path / "before.json", "--lang", "zh")
    assert second.code == 0
    parts = parts_of((tmp_path / "two.md").read_text())
    assert list(parts) == [*SECTIONS_ZH, "前后对比"]
    assert all(outcome != "**已证实**" for outcome, _ in hypotheses(parts, "假设与排查").values())
    assert "| 已连接 | 20 | 30 |" in parts["前后对比"]
    assert re.search(r"`max_connections`：20 → 40（\S+:\d+ → \S+:\d+）", parts["前后对比"])
    assert "`accept_rate`：1,000 → 1,005" in parts["前后对比"], "what somebody has set is compared exactly"
    assert "payload_memory" not in parts["前后对比"]


def test_nobody_listens(bench, tmp_path):
    done = bench(f"ws://127.0.0.1:{free_port()}/ws", "-c", 3, "--report", tmp_path / "report.md")
    assert done.code == 1
    rows = hypotheses(parts_of((tmp_path / "report.md").read_text()))
    assert outcome_of(rows, "Nobody listens") == ("**confirmed**", "3 were refused by TCP")
    assert outcome_of(rows, "What answers")[0] == "not known"
    assert outcome_of(rows, "A limit of the server")[0] == "not known"


@pytest.mark.parametrize("lang", ("en", "zh"))
def test_a_limit_that_nobody_asked_about(gateway, bench, tmp_path, lang):
    """What raises it is said once, and who knows what has set it; that it is some limit is not said beside that."""
    running = gateway(env={"GATEHOUSE_SERVER_MAX_CONNECTIONS": "3"})
    done = bench(running.url("/ws/r-{n}"), "-c", 10, "--hold", "1s", "--report", tmp_path / "report.md", "--lang", lang)
    assert done.code == 1
    parts = parts_of((tmp_path / "report.md").read_text())
    cure = parts["Cure" if lang == "en" else "解决办法"].strip().splitlines()
    assert len(cure) == 1 and cure[0].startswith("- `server.max_connections: 10`") and "`--limits URL`" in cure[0]
    limits = parts["Limits of both sides" if lang == "en" else "双方的限制"]
    assert limits.strip().splitlines()[-1] == (
        "not known: with `--limits URL` a gateway says at /limits of its admin listener what each limit is, and what has set it"
        if lang == "en" else "未知：用 `--limits URL` 询问网关管理监听端的 /limits，它会说明每个限制的数值和由什么设定")


@pytest.mark.parametrize("text", ("| a | b |", "<script>", "`rm`", "[x](y)", "# head", "\x1b[2J", "\\"))
def test_what_a_server_says_is_no_markup(server, bench, tmp_path, text):
    def behave(peer, _number):
        peer.read_head()
        peer.answer(503, [f"Gatehouse-Limit: {text}"])

    target = server(behave)
    done = bench(target.url, "-c", 2, "--report", tmp_path / "report.md")
    assert done.code == 1
    written = (tmp_path / "report.md").read_text()
    assert list(parts_of(written)) == SECTIONS
    assert "<script>" not in written.replace("\\<script\\>", "") and "\x1b" not in written
    for line in written.splitlines():
        if line.startswith("| 2 |"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


@pytest.mark.parametrize("content, said", ((None, "No such file"), ("{", "line 1"), ("{}", "has no verdict"),
                                           ("[1, 2]", "has no verdict"), ('{"verdict": 1, "totals": {}}', "no verdict")))
def test_an_earlier_run_that_is_none(bench, tmp_path, content, said):
    if content is not None:
        (tmp_path / "before.json").write_text(content)
    done = bench("ws://127.0.0.1:1/", "--compare", tmp_path / "before.json")
    assert done.code in (1, 2) and "--compare" in done.err and said in done.err


def test_one_of_another_version_is_read_as_far_as_it_goes(server, bench, tmp_path):
    (tmp_path / "before.json").write_text(json.dumps({"verdict": "PASS: old | new", "totals": {"connected": 7}}))
    done = bench(server(good).url, "-c", 2, "--compare", tmp_path / "before.json")
    assert done.code == 0
    assert "| connected | 7 | 2 |" in done.out and "| dropped later | not known | 0 |" in done.out
    assert "PASS: old \\| new" in done.out


def test_no_number_of_an_earlier_run_is_too_large(server, bench, tmp_path):
    (tmp_path / "before.json").write_text(json.dumps(
        {"verdict": "PASS", "totals": {"connected": 1e300, "failed": -5, "dropped": 1 << 62}, "connected_per_second": 1e19,
         "handshake_seconds": {"count": 1, "p50": 1e300, "p99": -1}}))
    done = bench(server(good).url, "-c", 2, "--compare", tmp_path / "before.json")
    assert done.code == 0, done.err
    assert "| connected | 1,000,000,000,000,000,000 | 2 |" in done.out and "| failed to connect | 0 | 0 |" in done.out
    assert re.search(r"^\| handshake, half of them within \| 1000000000 s \|", done.out, re.MULTILINE), done.out


def test_the_earlier_run_may_be_the_file_that_is_written(server, bench, tmp_path):
    """--json and --compare of one file: it is read before it is written, and only written if it can be read."""
    result = tmp_path / "result.json"
    result.write_text(json.dumps({"verdict": "PASS: old", "totals": {"connected": 7}}))
    done = bench(server(good).url, "-c", 2, "--compare", result)
    assert done.code == 0, done.err
    assert "| connected | 7 | 2 |" in done.out and done.json["totals"]["connected"] == 2
    result.write_text("{")
    done = plain(server(good).url, "-c", 2, "--json", result, "--compare", result)
    assert done.returncode == 1 and "--compare: " in done.stderr and result.read_text() == "{"


def test_two_runs_that_receive_are_compared_by_what_was_pushed(server, bench, tmp_path):
    (tmp_path / "before.json").write_text(json.dumps(
        {"verdict": "PASS: old", "totals": {"connected": 1}, "push_seconds": {"count": 3, "p50": 0.25, "p99": 0.5}}))

    def behave(peer, _number):
        peer.upgrade(then=frame(TEXT, f"gh1 1 {time.time_ns()}".encode()))
        peer.echo()

    done = bench(server(behave).url, "--receive", "--hold", "300ms", "--compare", tmp_path / "before.json")
    assert done.code == 0, done.out + done.err
    assert re.search(r"^\| push, half of them within \| 250 ms \| [^|]*s \|$", done.out, re.MULTILINE), done.out
    assert re.search(r"^\| push, 99% of them within \| 500 ms \| ", done.out, re.MULTILINE)


def test_wrong_words(bench, tmp_path):
    done = bench("ws://127.0.0.1:1/", "--lang", "de")
    assert done.code == 2 and "there are en and zh" in done.err
    done = bench("ws://127.0.0.1:1/", "--report", tmp_path / "x", "--html", tmp_path / "x")
    assert done.code == 2 and "give each its own file" in done.err
    done = bench("ws://127.0.0.1:1/", "--report", "/nowhere/report.md")
    assert "nothing was tested" in done.err


def test_a_full_disk(server, bench):
    done = bench(server(good).url, "-c", 1, "--report", "/dev/full")
    assert done.code == 1 and "--report: writing '/dev/full' failed" in done.err
