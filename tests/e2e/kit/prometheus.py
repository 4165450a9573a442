# SPDX-License-Identifier: Apache-2.0
"""A Prometheus of the tests' own, that looks at gateways every fifth of a second."""

import json
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

from kit import wsraw

JOB = "gatehouse"


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: './dev test' provides it"
    return found


def promtool(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False)


class Prometheus:
    def __init__(self, directory: pathlib.Path, targets: list[tuple[str, int]], rules: list[pathlib.Path] = ()):
        self.port = wsraw.free_port()
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
            "rule_files": [str(rule) for rule in rules],
            "scrape_configs": [{"job_name": JOB, "static_configs": [
                {"targets": [f"{host}:{port}" for host, port in targets]}]}]}))
        self.log_file = directory / "prometheus.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [program("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={directory / 'tsdb'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, path: str, **parameters: str) -> dict:
        """Data of an answer; what it says of a mistake is an AssertionError."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=wsraw.SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[dict]:
        return self.ask("query", query=expression)["result"]

    def wait_scraped(self, times: int = 3) -> "Prometheus":
        """Each target so often."""
        def look() -> bool:
            assert self.process.poll() is None, self.log_file.read_text()
            try:
                counts = self.query(f'sum_over_time(up{{job="{JOB}"}}[5m]) >= {times} and up == 1')
            except OSError:
                return False
            return len(counts) == len(self.ask("targets", state="active")["activeTargets"]) > 0
        wsraw.wait_until(look, "each target was scraped")
        return self

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
