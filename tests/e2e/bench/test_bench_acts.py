# SPDX-License-Identifier: Apache-2.0
"""The acts of a scenario: what they do, and what they must not do."""

import pathlib
import signal
import ssl
import subprocess

import pytest

from kit import wsraw
from kit.bench import Outcome
from kit.certificates import Authority
from kit.gateway import BINARY


def scenario_of(path: pathlib.Path, place, acts: str) -> pathlib.Path:
    path.write_text(f"url: ws://127.0.0.1:{place[1]}/ws/{{n}}\nhold: 1s\nacts:\n{acts}expect: [dropped==0]\n")
    return path


@pytest.fixture
def act(engine, tmp_path, fake):
    """act("lines of acts", option...): one client, and what became of it."""
    place = fake().address

    def run(acts: str, *options, **how) -> Outcome:
        path = tmp_path / "act.json"
        words = [BINARY, "bench", "--quiet", "--engine", engine, "--json", path, "--scenario",
                 scenario_of(tmp_path / "act.yaml", place, acts), *options]
        got = Outcome(subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60,
                                     check=False, **how), path)
        got.text = got.out + got.err
        return got
    run.place = place
    return run


def test_hooks(act, tmp_path):
    mark = tmp_path / "mark"
    got = act("  - {at: 0, hook: go}\n", "--hook", f"go=echo said; cat; echo $$ > {mark}")
    assert got.code == 0, got.text
    assert mark.exists() and "exit code 0" in got.text and "said" in got.text
    got = act("  - {at: 0, hook: go}\n", "--hook", "go=exit 3")
    assert got.code == 1 and "the act 'hook: go' failed: exit code 3" in got.verdict
    got = act("  - {at: 0, hook: go}\n", "--hook", "go=kill -9 $$")
    assert got.code == 1 and "ended by signal 9" in got.verdict


def test_the_end_of_a_hook_is_known_where_its_signal_is_ignored(act):
    """As some supervisors start their children; then wait() knows no exit code."""
    got = act("  - {at: 0, hook: go}\n", "--hook", "go=exit 3",
              preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert got.code == 1 and "the act 'hook: go' failed: exit code 3" in got.verdict


def test_an_act_may_be_the_only_one_that_speaks_tls(act, fake, tmp_path):
    """The URL is ws://, and an act asks https://."""
    pair = Authority(tmp_path, "authority").sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    place = fake(tls=context).address
    got = act(f"  - {{at: 0, call: POST https://127.0.0.1:{place[1]}/x}}\n", "--insecure")
    assert got.code == 0, got.text
    got = act(f"  - {{at: 0, call: POST https://127.0.0.1:{place[1]}/x}}\n")
    assert got.code == 1 and "the server's certificate is vouched for by nobody" in got.verdict, got.text


def test_a_hook_that_hangs_is_killed_with_all_that_it_started(act, tmp_path):
    child = tmp_path / "child"
    got = act("  - {at: 0, hook: go, within: 300ms}\n", "--hook", f"go=sleep 1000 & echo $! > {child}; wait")
    assert got.code == 1 and "was killed, since it had not ended" in got.verdict
    wsraw.wait_until(lambda: not pathlib.Path(f"/proc/{int(child.read_text())}").exists()
                     or ") Z " in pathlib.Path(f"/proc/{int(child.read_text())}/stat").read_text(), "its child's end")


def test_a_command_in_a_file_is_refused(act):
    for acts in ("  - {at: 0, run: [rm]}\n", "  - {at: 0, hook: go}\nhook: go=rm\n"):
        got = act(acts)
        assert got.code == 2, got.text
    got = act("  - {at: 0, hook: go}\n")
    assert got.code == 2 and "act.yaml:4: acts: 'go' is a command of yours, and is not given" in got.text


def test_the_token_goes_to_the_api_alone(act, fake, tmp_path):
    other = fake()
    (tmp_path / "token").write_text("secret" * 8)
    place = f"http://127.0.0.1:{other.address[1]}"
    api = f"http://127.0.0.1:{act.place[1]}"
    got = act(f"  - {{at: 0, call: POST {place}/x}}\n  - {{at: 0, call: POST /x}}\n", "--api", api, "--api-token-file",
              tmp_path / "token")
    assert got.code == 0, got.text
    assert other.tokens == [None]


def test_an_act_that_is_not_reached_is_a_failure(act):
    got = act("  - {at: 10%, await: '/health 503'}\n  - {at: 20%, await: '/health 200'}\n", "--api",
              f"http://127.0.0.1:{act.place[1]}")
    assert got.code == 1 and "the act 'await: /health 503' failed: HTTP 200" in got.verdict
    assert got.json["acts"][1]["seen"] == "was not reached" and got.json["acts"][1]["at_seconds"] is None
