# SPDX-License-Identifier: Apache-2.0
"""Commands that ask a gateway, where somebody else listens at its admin address."""

import contextlib
import http.server
import threading

import pytest

from kit.gateway import run_binary

COMMANDS = (("reload",), ("upgrade",), ("drain",), ("drain", "--cancel"), ("drain", "--no-wait"))


@contextlib.contextmanager
def stranger(status: int, body: bytes):
    """An HTTP server that says the same to everything; its address."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_DELETE = do_POST

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield "127.0.0.1:{}".format(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("body", (b"hello", b"{}", b"[]", b'{"outcome": 3, "state": null}'))
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_answer_of_somebody_else_is_no_success(tmp_path, command, body):
    file = tmp_path / "gatehouse.yaml"
    file.write_text("# the defaults\n")
    with stranger(200, body) as address:
        done = run_binary(command[0], "-c", file, *command[1:], "--admin-listen", address)
    assert done.returncode == 1 and done.stdout == "", done
    assert address in done.stderr and "is no gateway" in done.stderr


def test_a_mistake_of_somebody_else_is_none_of_the_configuration(tmp_path):
    file = tmp_path / "gatehouse.yaml"
    file.write_text("# the defaults\n")
    with stranger(422, b'{"mistakes": [1]}') as address:
        done = run_binary("reload", "-c", file, "--admin-listen", address)
    assert done.returncode == 1 and "(null)" not in done.stderr, done
