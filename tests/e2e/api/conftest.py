# SPDX-License-Identifier: Apache-2.0
"""`served` runs a gateway that is asked over its API."""

import pytest

from kit.api import Api


@pytest.fixture
def served(gateway, request):
    """served(**options): (gateway, its API). What SERVED in the test's file says holds unless an option does."""
    def run(**options):
        running = gateway(**(getattr(request.module, "SERVED", {}) | options))
        return running, Api(running.admin)
    return run
