# SPDX-License-Identifier: Apache-2.0
"""All that is tested of the wire is tested in clear and by TLS, but what is marked `plain`."""

import pytest


@pytest.fixture(params=["plain", "tls"])
def door(request):
    return request.getfixturevalue("sealed_door")() if request.param == "tls" else request.getfixturevalue(
        "plain_door")
