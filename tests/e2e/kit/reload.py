# SPDX-License-Identifier: Apache-2.0
"""A gateway whose configuration is changed while it runs."""

import copy
import signal

from kit import wsraw
from kit.gateway import Gateway, log_fields, to_yaml


def rewrite(running: Gateway, config: dict) -> None:
    """As editors do it: at no time there is half a file."""
    new = running.config_file.with_suffix(".new")
    new.write_text(to_yaml(config))
    new.rename(running.config_file)


def reload(running: Gateway) -> dict[str, list[str]]:
    """By SIGHUP; what the log tells of it: `changed`, `needs_restart`, `mistake`."""
    def told() -> list[dict]:
        lines = (log_fields(line) for line in running.log.splitlines(keepends=True) if line.endswith("\n"))
        return [line for line in lines if "msg" in line]

    before = len(told())
    running.signal(signal.SIGHUP)

    def new() -> list[dict]:
        lines = told()[before:]
        heads = [line for line in lines if line.get("asked_by") == "SIGHUP"]
        if not heads:
            return []
        found = [line for line in lines if line["msg"].startswith("option") or "mistake" in line]
        wanted = sum(int(heads[0].get(key, 0)) for key in ("changed", "needs_restart", "mistakes"))
        return [heads[0], *found] if len(found) >= wanted else []

    _, *lines = wsraw.wait_until(new, lambda: f"the end of a reload in:\n{running.log}")

    def of(message: str) -> list[str]:
        return [value for line in lines if line["msg"] == message for key, value in line.items()
                if key in ("changed", "added", "removed")]

    return {"changed": of("option"), "needs_restart": of("option needs a restart, and stays as it was"),
            "mistake": [line["mistake"] for line in lines if "mistake" in line]}


class Changing:
    """A gateway, and the configuration in its file."""

    def __init__(self, running: Gateway, config: dict):
        self.running, self.config = running, config

    def try_with(self, section: str = "server", **keys) -> dict[str, list[str]]:
        """Other keys of a section, and nothing else; None takes one out. What was told of it."""
        config = copy.deepcopy(self.config)
        config.setdefault(section, {}).update(keys)
        rewrite(self.running, config)
        report = reload(self.running)
        if not report["mistake"]:
            self.config = config
        return report

    def set(self, section: str = "server", **keys) -> None:
        """The same; all of them are in force then."""
        report = self.try_with(section, **keys)
        assert not report["mistake"] and not report["needs_restart"], report
        assert report["changed"], report
