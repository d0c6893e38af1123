"""What a gateway runs by right: what was confirmed on it, or what a person has accepted since."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.configuration import Scope
from provision.drifts import Drifts, Known, differences
from provision.journal import Journal
from provision.states import Event

GW = ("13.02.10", "gw")
SCOPE = {"interfaces": ["wan0"], "keys": ["net.ipv4.ip_forward"]}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    confirm(journal, "t1", "d1")
    return journal


def confirm(journal: Journal, tx: str, digest: str) -> None:
    facts = {"want": {"ip": "a\n"}, "want_digest": digest, "scope": SCOPE}
    journal.open(tx, *GW, facts, 1_000)
    for now_ms, event in enumerate(
        (Event.BEGIN, Event.ARMED, Event.GO, Event.SENT, Event.GOOD, Event.DEVICE_CONFIRMED), 1_001
    ):
        journal.move(tx, event, now_ms)


def test_what_was_confirmed_is_right_until_a_person_accepts_something_else(
    journal: Journal,
) -> None:
    drifts = Drifts(journal)
    assert drifts.known()[GW].digest == "d1"
    drifts.saw(GW, 2_000, drifted=True)
    assert journal.read("SELECT drifted FROM drift") == [(1,)]
    said = {"by": "ani", "because": "8443 for the cashier", "at_ms": 3_000}
    drifts.accept(GW, {"ip": "b\n"}, "d2", SCOPE, said)
    known = drifts.known()[GW]
    assert (known.digest, known.want, known.facts["scope"]) == ("d2", {"ip": "b\n"}, SCOPE)
    assert journal.read("SELECT drifted FROM drift") == [(0,)]
    assert "8443 for the cashier" in journal.audit()[-1].body
    assert journal.verify() is None


def test_what_is_confirmed_after_that_is_right_again_whatever_the_clock_says(
    journal: Journal,
) -> None:
    drifts = Drifts(journal)
    said = {"by": "ani", "because": "x", "at_ms": 3_600_000}
    drifts.accept(GW, {"ip": "b\n"}, "d2", SCOPE, said)
    assert drifts.known()[GW].digest == "d2"
    confirm(journal, "t2", "d3")
    assert drifts.known()[GW].digest == "d3"


def test_what_a_plan_has_anew_among_ours_has_not_drifted() -> None:
    want = {
        "sysctl": "net.ipv4.ip_forward = 1\n",
        "ip": "mtu wan0 1500\nroute default via 10.0.0.1 dev wan0\n",
    }
    known = Known(want, "d1", {"scope": SCOPE})
    scope = Scope(
        interfaces=("lan0", "wan0"), keys=("net.ipv4.ip_forward", "net.ipv4.tcp_syncookies")
    )
    running = {
        "sysctl": "net.ipv4.ip_forward = 1\nnet.ipv4.tcp_syncookies = 1\n",
        "ip": "mtu lan0 1500\nmtu wan0 1500\nroute default via 10.0.0.1 dev wan0\n",
        "/etc/motd": "welcome\n",
    }
    assert differences(known, running, scope) == ()
    changed = {**running, "ip": running["ip"].replace("10.0.0.1", "10.0.0.9")}
    (found,) = differences(known, changed, scope)
    assert found.section == "ip"
    narrower = Scope(interfaces=("wan0",), keys=())
    assert differences(known, {**running, "sysctl": ""}, narrower) == ()
