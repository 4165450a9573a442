# SPDX-License-Identifier: Apache-2.0
"""docs/coming-from.md: its configurations are good as they stand."""

import re
import subprocess

import pytest

from kit import certificates, documents
from kit.documents import DOCS
from kit.gateway import run_binary

pytestmark = pytest.mark.once("documents and what they show")

PAGE = (DOCS / "coming-from.md").read_text()
TITLES = re.findall(r"(?m)^## (.*)$", PAGE)[2:]


@pytest.fixture(scope="module")
def etc(tmp_path_factory):
    """/etc/gatehouse, with what these configurations name."""
    directory = tmp_path_factory.mktemp("etc")
    for name, text in {"chargers": "cp-1:sha256:" + "9f" * 32, "devices": "dev-1:sha256:" + "9f" * 32,
                       "keys.json": '{"keys": [{"kty": "oct", "k": "' + "QUJD" * 12 + '"}]}',
                       "secret": "whsec_" + "QUJD" * 8, "token": "ab" * 32}.items():
        (directory / name).write_text(text + "\n")
        (directory / name).chmod(0o600)
    authority = certificates.Authority(directory, "authority")
    (directory / "tls").mkdir()
    for kind, file in authority.sign("gateway", days=90).files.items():
        (directory / "tls" / ("gateway.key" if kind == "key_file" else "gateway.pem")).symlink_to(file)
    return directory


def test_everybody_who_was_promised_a_place_has_one():
    assert TITLES == ["Centrifugo", "nginx and Node", "EMQX", "AWS API Gateway", "SteVe", "CitrineOS"]


@pytest.mark.parametrize("title", TITLES)
def test_the_configuration_passes_check(title, etc, tmp_path):
    """Without a mistake, and without a warning but for ports that are taken here."""
    written, = documents.blocks(documents.section(PAGE, title), "yaml")
    file = tmp_path / "gatehouse.yaml"
    file.write_text(written.replace("/etc/gatehouse", str(etc)))
    checked = run_binary("check", "-c", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"warning: {file}" not in checked.stdout, checked.stdout
