"""From the ledger to a month's report: whose tickets, whose fault, since when it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collector.judgement.evidence import Cause, Confidence, Evidence, Source, Window
from collector.judgement.ledger import Entry, Outage, Subject, outage_body
from collector.judgement.planned import entered_windows
from collector.judgement.record import Act, Book, Said, incident_body, said_body, watch_body
from collector.judgement.tracking import Incident
from collector.sla import judge
from collector.sla_ledger import ledger_accounts, outages_of
from collector.sla_model import Account, CircuitMonth, Liability, Share
from collector.sla_source import report_month
from collector.sla_store import LedgerSource
from collector.stretches import Kind, kind_of_downtime
from inventory.model import Circuit, Inventory, Site
from tabuah.chain import append
from tests.support.months import AFTER, CIRCUIT, HOUR, NOVEMBER, SITE, contract

BEGIN = NOVEMBER.window[0]
WATCHED = {(SITE, CIRCUIT): BEGIN - 100 * HOUR}


def outage(
    name: str,
    begin_h: float,
    end_h: float | None,
    cause: Cause = Cause.LAST_MILE,
    *,
    version: int = 1,
    kind: Kind | None = None,
    circuit: str = CIRCUIT,
    site: str = SITE,
) -> Outage:
    return Outage(
        name,
        version,
        site,
        circuit,
        BEGIN + round(begin_h * HOUR),
        None if end_h is None else BEGIN + round(end_h * HOUR),
        kind or kind_of_downtime(cause.value),
        cause,
        Confidence.FINAL,
        "first hop lost",
        (Evidence(Source.AGENT, BEGIN, "not restarted"),),
    )


def incident(
    name: str,
    begin_h: float,
    end_h: float | None,
    sites: tuple[str, ...] = (SITE,),
    circuits: tuple[str, ...] = (),
) -> Incident:
    return Incident(
        id=name,
        version=1,
        key=("down", *sites),
        alertname="TabuahLinkDown",
        severity="critical",
        sites=sites,
        circuits=circuits,
        upstream=None,
        cause=Cause.UNKNOWN,
        confidence=Confidence.PROVISIONAL,
        reason="",
        evidence=(),
        began_ms=BEGIN + round(begin_h * HOUR),
        ended_ms=None if end_h is None else BEGIN + round(end_h * HOUR),
    )


def said(act: Act, about: str, hour: float, text: str = "") -> Said:
    return Said(act, about, BEGIN + round(hour * HOUR), "admin", text)


def november(known: Sequence[Account]) -> CircuitMonth:
    (account,) = known
    return judge(account, NOVEMBER, contract(), None, AFTER)


def test_the_newest_version_of_an_outage_counts_and_a_withdrawn_one_does_not() -> None:
    book = Book(
        outages=(
            outage("a", 10, None, Cause.UNKNOWN, kind=Kind.UNKNOWN),
            outage("b", 50, 60),
            outage("a", 10, 12, version=2),
            outage("b", 50, 50, version=2, kind=Kind.UP),
        ),
        watched=WATCHED,
    )
    month = november(ledger_accounts(book, [], AFTER))
    assert month.times[Share.COUNTABLE] == 2 * HOUR
    assert month.times[Share.UP] == 718 * HOUR
    assert month.episodes[0].evidence == ("agent: not restarted",)


def test_before_a_circuit_was_watched_nothing_is_known_of_it() -> None:
    book = Book(watched={(SITE, CIRCUIT): BEGIN + 100 * HOUR})
    month = november(ledger_accounts(book, [], AFTER))
    assert month.times[Share.UNKNOWN] == 100 * HOUR


def test_a_ticket_on_an_incident_holds_for_its_outages() -> None:
    book = Book(
        outages=(outage("a", 10, 20), outage("b", 100, 110), outage("c", 10, 20, circuit="lte")),
        incidents=(incident("i", 10, 20, circuits=(CIRCUIT,)),),
        said=(
            said(Act.TICKET_OPENED, "i", 12, "INC1"),
            said(Act.TICKET_OPENED, "b", 101, "INC2"),
            said(Act.TICKET_CLOSED, "i", 19, "INC1"),
            said(Act.TICKET_OPENED, "gone", 12, "INC3"),
        ),
        watched=WATCHED,
    )
    month = november(ledger_accounts(book, [], AFTER))
    assert [[t.number for t in e.tickets] for e in month.episodes] == [["INC1"], ["INC2"]]
    assert month.ticketed.countable_ms == (7 + 9) * HOUR


def test_whose_an_outage_is_the_last_word_says() -> None:
    session = outage("a", 10, 20, Cause.SESSION)
    words = [
        ("provider", Liability.PROVIDER),
        ("last_mile", Liability.PROVIDER),
        ("ours", Liability.OTHER),
        ("power", Liability.OTHER),
    ]
    for text, expected in words:
        spoken = (said(Act.LIABILITY, "a", 30, "area"), said(Act.LIABILITY, "i", 40, text))
        book = Book((session,), (incident("i", 10, 20),), spoken, WATCHED)
        assert november(ledger_accounts(book, [], AFTER)).episodes[0].liability is expected
    withdrawn = (said(Act.LIABILITY, "a", 30, "provider"), said(Act.LIABILITY, "a", 40, "unknown"))
    month = november(ledger_accounts(Book((session,), (), withdrawn, WATCHED), [], AFTER))
    assert month.times[Share.OPEN] == 10 * HOUR


def test_announced_work_takes_downtime_away_wherever_it_was_entered() -> None:
    planned = Window(frozenset({SITE}), BEGIN + 10 * HOUR, BEGIN + 11 * HOUR)
    entered = Said(
        Act.MAINTENANCE, "m1", BEGIN + 12 * HOUR, "admin", "", (SITE,), BEGIN + 19 * HOUR
    )
    ended = said(Act.MAINTENANCE_ENDED, "m1", 14)
    book = Book(outages=(outage("a", 10, 20),), said=(entered, ended), watched=WATCHED)
    month = november(ledger_accounts(book, [planned], AFTER))
    assert month.times[Share.COUNTABLE] == 7 * HOUR
    assert month.times[Share.EXCLUDED] == 3 * HOUR
    assert [w.ends_ms for w in entered_windows(book.said, BEGIN)] == [BEGIN + 14 * HOUR]


def test_a_common_incident_speaks_of_each_of_its_offices() -> None:
    area = incident("i", 10, None, sites=(SITE, "13.02.11"))
    found = outages_of(
        area,
        [
            outage("a", 10, 20),
            outage("b", 15, None, site="13.02.11"),
            outage("c", 10, 20, site="13.02.12"),
            outage("d", 5, 10),
        ],
        AFTER,
    )
    assert [one.id for one in found] == ["a", "b"]


def test_a_report_comes_from_the_chained_ledger_and_its_versions_are_kept(tmp_path: Path) -> None:
    bodies = [
        (Subject.WATCH, watch_body(SITE, CIRCUIT, BEGIN - HOUR)),
        (Subject.OUTAGE, outage_body(outage("a", 10, 20))),
        (Subject.INCIDENT, incident_body(incident("i", 10, 20))),
        (Subject.PERSON, said_body(said(Act.TICKET_OPENED, "i", 11, "INC1"))),
    ]
    entries: list[Entry] = []
    for subject, body in bodies:
        entries.append(append(entries[-1] if entries else None, AFTER, subject, body))
    line = Circuit(CIRCUIT, sla=contract())
    inventory = Inventory("x", sites=(Site(SITE, "Kubung", circuits=(line, Circuit("lte"))),))

    def report() -> list[int]:
        source = LedgerSource(inventory, lambda: entries, tmp_path / "sla", AFTER)
        sheets = report_month(source, NOVEMBER, None, AFTER)
        assert sheets[0].month.measured.claim == 138_889 or len(entries) > 4
        assert sheets[1].month.times[Share.UNKNOWN] == 720 * HOUR
        return [sheet.version.number for sheet in sheets]

    assert report() == [1, 1]
    assert report() == [1, 1]
    late = outage_body(outage("a", 10, 15, version=2))
    entries.append(append(entries[-1], AFTER, Subject.OUTAGE, late))
    assert report() == [2, 1]
