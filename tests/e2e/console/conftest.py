# SPDX-License-Identifier: Apache-2.0
"""A browser for all tests of this room that want one."""

import pytest

from kit import chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.PROGRAM is None:
        pytest.skip("no chromium")
    one = chromium.Browser(tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


@pytest.fixture
def page_of(browser):
    """page_of(gateway, hash, width=, height=, theme=): the console of it. At the end nobody may have complained."""
    pages = []

    def open_page(running, place="", **options):
        page = browser.page(**options)
        pages.append(page)
        page.open(f"http://127.0.0.1:{running.admin[1]}/console{place}")
        return page

    yield open_page
    for page in pages:
        assert page.complaints == []
        page.close()
