# SPDX-License-Identifier: Apache-2.0
"""The configuration's file is in a bad state when it is read again."""

import concurrent.futures
import os
import pathlib
import signal

import pytest

from kit.api import Api
from kit.gateway import base_config, run_binary, to_yaml

WS = {"path": "/ws/{client_id}"}
OTHER = {"path": "/other/{client_id}"}


@pytest.fixture
def running(gateway):
    return gateway(routes=[WS, OTHER])


def text_of(running, engine: str, *routes: dict) -> str:
    config = base_config(engine)
    config["server"]["listen"] = "{}:{}".format(*running.address)
    config["admin"]["listen"] = "{}:{}".format(*running.admin)
    return to_yaml(config | {"routes": list(routes)})


def routes_of(answer: dict) -> list[dict]:
    return [one for one in answer["changed"] if one["option"].startswith("routes")]


def test_one_that_is_written_while_it_is_read_is_read_again(running, engine):
    """What was read is good, and has fewer routes: it was never all of the file."""
    path = pathlib.Path(running.config_file)
    new = path.with_suffix(".new")
    new.write_text(text_of(running, engine, WS, OTHER, {"path": "/new/{client_id}"}))
    os.utime(new, (1e9, 1e9))
    path.unlink()
    os.mkfifo(path)
    os.utime(path, (1e9, 1e9))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(Api(running.admin).post, "/reload")
        with path.open("w", encoding="ascii") as pipe:  # waits until somebody reads
            new.rename(path)
            pipe.write(text_of(running, engine, WS))
        answer = asking.result()
    assert answer["outcome"] == "changed"
    assert routes_of(answer) == [{"change": "added", "option": "routes[new]"}]
    assert running.metric("config_reloads_total") == 1


def test_an_empty_one_is_no_wish_for_the_defaults(running, engine):
    path = pathlib.Path(running.config_file)
    path.write_text("")
    answer = Api(running.admin).post("/reload", status=422)
    assert len(answer["mistakes"]) == 1 and f"{path}: is empty" in answer["mistakes"][0]
    with running.open("/other/a") as client:
        client.echo(b"as before")
    path.write_text("# the defaults\n" + text_of(running, engine, WS))
    assert Api(running.admin).post("/reload")["outcome"] == "changed"


def test_a_new_token_comes_by_a_signal(gateway, tmp_path):
    """The command has the new one from the file, and the gateway knows the old one only."""
    token = tmp_path / "token"
    token.write_text("a" * 40)
    token.chmod(0o600)
    running = gateway(admin={"token_file": str(token)})
    token.write_text("b" * 40)
    told = run_binary("reload", "-c", running.config_file, "--admin-listen", "{}:{}".format(*running.admin))
    assert told.returncode == 1 and "kill -HUP" in told.stderr, told
    running.signal(signal.SIGHUP)
    running.wait_log("the configuration was read again: nothing of it has changed")
    told = run_binary("reload", "-c", running.config_file, "--admin-listen", "{}:{}".format(*running.admin))
    assert told.returncode == 0, told
