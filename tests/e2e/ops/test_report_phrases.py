# SPDX-License-Identifier: Apache-2.0
"""Reports in Chinese say all that the program says of limits, remedies and causes: every text in the code has a phrase, and
nothing English is left in the reports themselves."""

import re

import pytest

from kit.gateway import ROOT, run_binary, with_nofile

pytestmark = pytest.mark.once("documents and what they show")

# What is said in reports. The other texts of these files: of wrong usage, of other commands.
SAID = (
    "src/diag/limit_rows.c",
    "src/diag/limit_rows_own.c",
    "src/diag/limit_rows_clients.c",
    "src/diag/limit_rows_tls.c",
    "src/diag/limit_remedies.c",
    "src/bench/client/bench_cause.c",
    "src/bench/client/bench_tls.c",
    "src/bench/judge/bench_plateau.c",
    "src/io/loop_engine.c",
)
# Ready to paste in every language; the cost of a connection, which no report has; how others are put together.
NOT_SAID = re.compile(r"^(sysctl -w |ulimit |ulimits: |server\.|routes\[|backends\[|admin\.|mem_limit: |--ulimit|--memory|resources: |"
                      r"--pids-limit|pids_limit: |, server|1 \w+|\{\} bytes \(|\{\}\{\}|\{\} \{\}$|, by TLS|\{\} \(\{\}\)$|TLS: \{\} \(\{\}\)\{\}$|\{\}: \{\}$|"
                      r"HTTP \{\}$|listen backlog$)")
SAME = {"shell", "systemd", "compose", "docker", "kubernetes", "sysctl", "{} ({})", "{} ({}; {})"}
PLACEHOLDER = re.compile(r"%(\.\*)?(l|j|z)?[dsuf]")


def literals(source: str) -> list[str]:
    """The texts of a C file, those beside each other as one, {} for each value."""
    source = re.sub(r'/\*.*?\*/|^#include.*?$|\\\n', "", source, flags=re.DOTALL | re.MULTILINE)
    texts = []
    for run in re.findall(r'(?:"(?:\\.|[^"\\])*"|PRIu64)(?:\s*(?:"(?:\\.|[^"\\])*"|PRIu64))*', source):
        pieces = re.findall(r'"((?:\\.|[^"\\])*)"|(PRIu64)', run)
        text = "".join(text + ("u" if number else "") for text, number in pieces)
        text = PLACEHOLDER.sub("{}", text.replace('\\"', '"').replace("%%", "%"))
        texts.append(re.sub(r"(\{\})+", "{}", text))
    return texts


def phrases() -> dict[str, str]:
    table = (ROOT / "src/diag/report_phrases.h").read_text()
    pairs = re.findall(r'X\("((?:\\.|[^"\\])*)", \\\n\t  "((?:\\.|[^"\\])*)"\)', table)
    assert len(pairs) == table.count("\tX(") > 150
    return {english.replace('\\"', '"'): chinese for english, chinese in pairs}


def has_phrase(text: str, known: dict[str, str]) -> bool:
    """It is one, a part of one, or fits one that says something itself."""
    if any(len(re.sub(r"\{\}|\W", "", phrase)) > 7 and re.fullmatch(re.escape(phrase).replace(r"\{\}", ".*?"), text) for phrase in known):
        return True
    text = text.strip()
    if text in known or any(text.removesuffix(" {}") in map(str.strip, phrase.split("{}")) for phrase in known):
        return True
    return any(has_phrase(text[:at.start()], known) and has_phrase(text[at.end():], known) for at in re.finditer("; ", text))


@pytest.mark.parametrize("path", SAID)
def test_each_text_has_a_phrase(path):
    known = phrases()
    texts = [text for text in literals((ROOT / path).read_text()) if " " in text.strip("; ,\"") and not NOT_SAID.match(text)]
    assert len(texts) >= 5, "they are found"
    missing = [text for text in texts if not has_phrase(text, known)]
    assert not missing, "src/diag/report_phrases.h has none of these:\n" + "\n".join(missing)


def test_each_phrase_has_its_values():
    """The Chinese names no value that the English does not have, and but for a plural loses none."""
    for english, chinese in phrases().items():
        count = english.count("{}")
        named = {int(number) for number in re.findall(r"\{(\d)\}", chinese)}
        plurals = {english[:at.start()].count("{}") + 1 for at in re.finditer(r"worker\{\}", english)}
        assert named == set(range(1, count + 1)) - plurals, english
        assert re.search("[\u4e00-\u9fff]", chinese) or english in SAME or ": " in english, english


def english_of(report: str) -> list[str]:
    """Three words of English in a row, which is a sentence, but for what is quoted: commands, close reasons, the last line."""
    text = re.sub(r'`[^`]*`|"[^"]*"|^>.*$|^    .*$|^\| [^|]*(?:Linux|gatehouse (?:bench|doctor))[^|]*\|.*$', "", report, flags=re.MULTILINE)
    return re.findall(r"(?<![\w/.])[A-Za-z]{2,} [a-z]+ [a-z]+\b", text.replace("\\", ""))


@pytest.mark.parametrize("arguments", [
    ("--connections", 9000000),
    ("--connections", 9000000, "--engine", "epoll"),
    ("--connections", 5, "--accept-rate", 7, "--message-rate", 5, "--max-connections-per-ip", 3),
    ("--connections", 3, "--max-connections", 2),
    ("--max-connections", 500),
    ("--engine", "epoll"),
], ids=lambda arguments: " ".join(map(str, arguments)))
def test_doctor_leaves_no_english(tmp_path, arguments):
    run_binary("doctor", *arguments, "--report", tmp_path / "r.md", "--lang", "zh", cwd="/", preexec_fn=with_nofile(1024, 4096))
    report = (tmp_path / "r.md").read_text()
    assert "## 起作用的限制" in report and not english_of(report), english_of(report)


def test_doctor_of_a_process_leaves_no_english(gateway, tmp_path):
    running = gateway(server={"max_connections": 3})
    clients = [running.open(f"/ws/{number}") for number in range(3)]
    for more in ((), ("--connections", 50)):
        done = run_binary("doctor", "--pid", running.process.pid, *more, "--report", tmp_path / "r.md", "--lang", "zh")
        report = (tmp_path / "r.md").read_text()
        assert "max_connections" in done.stdout and not english_of(report), english_of(report)
    assert re.search(r"最大|max\\_connections 允许 3（\S+application\.yaml:\d+）", report), report
    assert len(clients) == 3


@pytest.mark.parametrize("case", ["full", "nobody listens", "too many for the tester", "one id"])
def test_bench_leaves_no_english(gateway, tmp_path, case):
    running = gateway(server={"max_connections": 3})
    url, count, more, prepare = running.url("/ws/{n}"), 5, (), None
    if case == "nobody listens":
        url = "ws://127.0.0.1:1/ws"
    if case == "too many for the tester":
        count, more, prepare = 90, ("--engine", "epoll", "--force"), with_nofile(64)
    if case == "one id":
        url = running.url("/ws/same")
    done = run_binary("bench", url, "-c", count, "--hold", "100ms", *more, "--limits", "http://{}:{}/limits".format(*running.admin),
                      "--report", tmp_path / "r.md", "--lang", "zh", preexec_fn=prepare)
    report = (tmp_path / "r.md").read_text()
    assert done.returncode == 1 and "## 根本原因" in report, done.stdout + done.stderr
    assert not english_of(report), english_of(report)
    if case == "full":
        assert re.search(r"`max_connections` = 3：server\.max\\_connections，\S+application\.yaml:\d+", report), report
    assert re.search(r"^> FAIL: ", report, re.MULTILINE), "the program's last line as it is"
