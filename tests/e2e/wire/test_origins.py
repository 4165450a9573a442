# SPDX-License-Identifier: Apache-2.0
"""Whose pages may connect: routes[].origins and require_origin."""

import json

import pytest

LISTED = ["https://example.com", "https://*.example.com:8443", "'http://[::1]:3000'"]
ROUTES = [
    {"path": "/any/{client_id}", "backend": "echo"},
    {"path": "/same/{client_id}", "backend": "echo", "origins": "same"},
    {"path": "/list/{client_id}", "backend": "echo", "origins": LISTED},
    {"path": "/must/{client_id}", "backend": "echo", "origins": "any", "require_origin": "true"},
]


def ask(running, target, *origins, host="gate.example:8080", extra=()):
    """The answer to an upgrade, and for a good one whether it works."""
    with running.connect() as client:
        response = client.handshake(target, host=host,
                                    extra=(*[f"Origin: {origin}" for origin in origins], *extra))
        if response.status == 101:
            client.echo(b"x")
        return response


def assert_refused(response, reason):
    assert response.status == 403
    assert response.headers["content-type"].split(";")[0] == "application/problem+json"
    assert json.loads(response.body)["reason"] == reason


def test_any_and_none(gateway):
    """A route that says nothing takes whatever comes, also none and nonsense."""
    running = gateway(routes=ROUTES)
    for origins in ([], ["https://evil.example"], ["null"], ["x y"], ["https://a", "https://b"]):
        assert ask(running, "/any/a", *origins).status == 101
    assert running.metric("origins_refused_total") == 0


def test_listed_ones_alone(gateway):
    running = gateway(routes=ROUTES)
    good = ["https://example.com", "https://EXAMPLE.com:443", "https://www.example.com:8443",
            "http://[0:0:0:0:0:0:0:1]:3000"]
    bad = ["http://example.com", "https://example.com:444", "https://www.example.com",
           "https://a.b.example.com:8443", "https://example.com.evil.test", "https://evilexample.com",
           "https://gate.example:8080", "https://xn--exmple-cua.com"]
    for origin in good:
        assert ask(running, "/list/a", origin).status == 101, origin
    for origin in bad:
        response = ask(running, "/list/a", origin)
        assert_refused(response, "origin_foreign")
        assert json.loads(response.body)["seen"] == origin
    assert running.metric("origins_refused_total", route="list") == len(bad)
    assert running.metric("handshakes_rejected_total") == len(bad)
    assert running.metric("clients") == 0 and running.metric("connections_accepted_total") == len(good)


def test_what_is_no_origin(gateway):
    running = gateway(routes=ROUTES)
    for route in ("same", "list"):
        for origin in ("null", "https://example.com/", "https://u@example.com", "example.com",
                       "https://example.com https://example.com", "https://b\xfccher.example", "",
                       "https://" + "a" * 4000):
            assert_refused(ask(running, f"/{route}/a", origin), "origin_malformed")
        assert_refused(ask(running, f"/{route}/a", "https://example.com", "https://example.com"),
                       "origin_repeated")
        assert ask(running, f"/{route}/a").status == 101, "a program that is no browser"


def test_required(gateway):
    running = gateway(routes=ROUTES)
    assert_refused(ask(running, "/must/a"), "origin_missing")
    assert ask(running, "/must/a", "https://whoever.example").status == 101
    assert running.metric("origins_refused_total", route="must") == 1


def test_same_is_by_host_and_scheme(gateway):
    """By TLS the pages of this host are https, else http."""
    running = gateway(routes=ROUTES)
    own, other, port = ("https", "http", 443) if running.tls else ("http", "https", 80)
    for host, origin, is_good in (
            ("gate.example:8080", f"{own}://gate.example:8080", True),
            ("Gate.Example:8080", f"{own}://gate.example:8080", True),
            ("gate.example", f"{own}://gate.example", True),
            (f"gate.example:{port}", f"{own}://gate.example", True),
            ("[::1]:8080", f"{own}://[::1]:8080", True),
            ("gate.example:8080", f"{own}://gate.example", False),
            ("gate.example:8080", f"{other}://gate.example:8080", False),
            ("gate.example", f"{other}://gate.example", False),
            ("gate.example:8080", f"{own}://other.example:8080", False),
            ("gate.example:8080", f"{own}://x.gate.example:8080", False)):
        response = ask(running, "/same/a", origin, host=host)
        assert (response.status == 101) == is_good, (host, origin)
        if not is_good:
            assert_refused(response, "origin_foreign")
            assert "trusted_proxies" in json.loads(response.body)["detail"]


@pytest.mark.plain
@pytest.mark.parametrize("trusted", [True, False])
def test_same_behind_a_proxy(gateway, trusted):
    """What it says of scheme and host counts, but from a proxy that is trusted alone."""
    running = gateway(routes=ROUTES,
                      server={"trusted_proxies": ["127.0.0.1"]} if trusted else None)
    proto, forwarded_host = "X-Forwarded-Proto: https", "X-Forwarded-Host: www.example"
    for host, origin, extra in (
            ("gate.example", "https://gate.example", [proto]),
            ("gate.example", "https://gate.example", ["X-Forwarded-Proto: wss, http"]),
            ("inner:8080", "https://www.example", [proto, forwarded_host]),
            ("inner:8080", "https://www.example", [proto, "X-Forwarded-Host: www.example, inner"])):
        response = ask(running, "/same/a", origin, host=host, extra=extra)
        assert response.status == (101 if trusted else 403), extra
    assert_refused(ask(running, "/same/a", "http://gate.example", host="gate.example",
                       extra=[proto] if trusted else [forwarded_host, proto, "Origin: x"]),
                   "origin_foreign" if trusted else "origin_repeated")


def test_log_names_the_origin(gateway):
    running = gateway(routes=ROUTES)
    ask(running, "/list/a", "https://evil.example")
    line = running.wait_log("request rejected")
    assert (line["status"], line["reason"]) == ("403", "origin_foreign")
    assert (line["seen"], line["path"]) == ("https://evil.example", "/list/a")
