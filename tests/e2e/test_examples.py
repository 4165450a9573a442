# SPDX-License-Identifier: Apache-2.0
"""The examples run as they stand."""

import os
import subprocess
import sys

import conftest
import pytest
import wsraw

EXAMPLES = conftest.ROOT / "examples"


@pytest.fixture
def python_backend():
    """The webhook back end of examples/, on a free port: (process, port)."""
    process = subprocess.Popen([sys.executable, EXAMPLES / "webhook-backend" / "backend.py", "0"],
                               stdout=subprocess.PIPE, text=True)
    yield process, int(process.stdout.readline().split(":")[2].split("/")[0])
    process.kill()
    process.wait()
    process.stdout.close()


def test_webhook_backend(gateway, python_backend):
    process, port = python_backend
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "upper"}],
                      backends=[{"name": "upper", "type": "webhook",
                                 "url": f"http://127.0.0.1:{port}/events",
                                 "secret_file": EXAMPLES / "webhook-backend" / "secret"}])
    client = running.open("/ws/me")
    client.send_frame(wsraw.TEXT, "größe".encode())
    assert client.read_message() == (wsraw.TEXT, "GRÖSSE".encode())
    refused = running.connect().handshake("/ws/nobody")
    assert (refused.status, refused.body) == (403, b"nobody is not let in\n")
    client.send(wsraw.close_frame(1000))
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[-1].startswith("me: disconnected client_closed"), lines


def test_webhook_backend_does_not_believe_another_secret(gateway, python_backend, tmp_path):
    _, port = python_backend
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "QUJD" * 8 + "\n")
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "upper"}],
                      backends=[{"name": "upper", "type": "webhook",
                                 "url": f"http://127.0.0.1:{port}/events",
                                 "secret_file": secret}])
    assert running.connect().handshake().status == 403


def test_the_configuration_beside_it_is_good():
    checked = subprocess.run(
        [conftest.BINARY, "check", "-c", "examples/webhook-backend/gatehouse.yaml"],
        cwd=conftest.ROOT, capture_output=True, text=True, env=os.environ | {})
    assert checked.returncode == 0, checked.stderr
    assert "warning: " not in checked.stdout.replace("warning: this machine", "")
