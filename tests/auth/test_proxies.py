"""Proxies: whose word counts, and whose request it is."""

from __future__ import annotations

import pytest

from ecs_admission.auth.attempts import LIMIT, REPORT_SECONDS, WINDOW_SECONDS, Attempts
from ecs_admission.auth.proxies import TrustedProxies
from ecs_admission.errors import SettingsError

PROXIES = TrustedProxies.read("10.0.0.0/8, 192.0.2.1, 2001:db8::/32, unix", None)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.0.2.1", "::ffff:10.1.2.3", "2001:db8::1", ""])
def test_what_is_listed_is_trusted(address: str) -> None:
    assert PROXIES.trusts(address)


@pytest.mark.parametrize("address", ["192.0.2.2", "11.0.0.1", "2001:db9::1", "nonsense", "::ffff:11.0.0.1"])
def test_nothing_else_is(address: str) -> None:
    assert not PROXIES.trusts(address)
    assert not TrustedProxies().trusts(address)
    assert not TrustedProxies().trusts("")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", ("203.0.113.9",), "198.51.100.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("1.1.1.1, 203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("1.1.1.1, 203.0.113.9, 10.0.0.2",), "203.0.113.9"),
        ("10.0.0.1", ("1.1.1.1", "203.0.113.9"), "203.0.113.9"),
        ("10.0.0.1", ("1.1.1.1, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.9",), "10.0.0.1"),
        ("", ("203.0.113.9",), "203.0.113.9"),
        ("", (), "unix"),
    ],
)
def test_a_client_is_the_last_that_is_no_proxy(peer: str, forwarded: tuple[str, ...], client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


@pytest.mark.parametrize("addresses", ["example.com", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0"])
def test_what_is_no_address_or_everybody_is_refused(addresses: str) -> None:
    with pytest.raises(SettingsError, match="trusted_proxies"):
        TrustedProxies.read(addresses, None)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_slowed_down_for_a_while() -> None:
    clock = Clock()
    attempts = Attempts(clock=clock)
    for _ in range(LIMIT):
        assert not attempts.is_limited("192.0.2.1")
        attempts.fail("192.0.2.1", "x")
    assert attempts.is_limited("192.0.2.1")
    assert not attempts.is_limited("192.0.2.2")
    clock.now += WINDOW_SECONDS
    assert not attempts.is_limited("192.0.2.1")


def test_a_flood_is_one_report_a_minute_and_bounded() -> None:
    clock = Clock()
    attempts = Attempts(clock=clock)
    assert attempts.report() is None
    attempts.fail("a", "x")
    assert attempts.report() == {"count": 1, "reasons": ["x 1"], "addresses": ["a 1"]}
    for number in range(10_000):
        attempts.fail(f"address-{number}", "y")
    assert attempts.report() is None
    assert len(attempts._windows) == len(attempts._addresses) == 4096
    clock.now += REPORT_SECONDS
    report = attempts.report()
    assert report is not None
    assert (report["count"], len(report["addresses"])) == (10_000, 20)
    assert attempts.report(now=True) is None
