# SPDX-License-Identifier: Apache-2.0
"""`served` runs a gateway that is asked over its API, `shared_api` one for all cases of a file."""

import pytest

from kit.api import Api


@pytest.fixture
def served(gateway, request):
    """served(**options): (gateway, its API). What SERVED in the test's file says holds unless an option does."""
    def run(**options):
        running = gateway(**(getattr(request.module, "SERVED", {}) | options))
        return running, Api(running.admin)
    return run


@pytest.fixture
def shared_api(shared, request):
    """As served, of a gateway that the tests of a file share: see `shared`."""
    def run(**options):
        running = shared(**(getattr(request.module, "SERVED", {}) | options))
        return running, Api(running.admin)
    return run
