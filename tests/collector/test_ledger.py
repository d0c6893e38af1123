"""The ledger proves itself: whatever is changed, removed or inserted shows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from collector.judgement.evidence import Cause, Confidence, Evidence, Source
from collector.judgement.ledger import (
    Entry,
    Outage,
    Subject,
    export_csv,
    export_json,
    newest,
    outage_body,
    read_outage,
    stretches,
)
from collector.judgement.record import (
    Act,
    Said,
    incident_body,
    read_book,
    read_said,
    said_body,
)
from collector.judgement.tracking import Incident
from collector.ledger_store import LedgerStore
from collector.store import Store
from collector.stretches import Kind
from tabuah.chain import append, canonical, verify
from tabuah.main import main

BEGIN_MS = 1_795_500_000_000

OUTAGE = Outage(
    id="kubung/telkom/1795500000000",
    version=1,
    site="kubung",
    circuit="telkom",
    began_ms=BEGIN_MS,
    ended_ms=None,
    kind=Kind.UNKNOWN,
    cause=Cause.UNKNOWN,
    confidence=Confidence.PROVISIONAL,
    reason="nothing is known of this time yet",
    evidence=(Evidence(Source.COLLECTOR, BEGIN_MS, "no report"),),
)
FINAL = replace(
    OUTAGE,
    version=2,
    ended_ms=BEGIN_MS + 600_000,
    kind=Kind.DOWN,
    cause=Cause.LAST_MILE,
    confidence=Confidence.FINAL,
)

INCIDENT = Incident(
    id="down-kubung-1795500000000",
    version=1,
    key=("down", "kubung"),
    alertname="TabuahLinkDown",
    severity="critical",
    sites=("kubung",),
    circuits=(),
    upstream=None,
    cause=Cause.UNKNOWN,
    confidence=Confidence.PROVISIONAL,
    reason="nothing is known of this time yet",
    evidence=(Evidence(Source.COLLECTOR, BEGIN_MS, "no report"),),
    began_ms=BEGIN_MS,
)


def _chain() -> list[Entry]:
    entries: list[Entry] = []
    for outage in (OUTAGE, FINAL, replace(OUTAGE, id="another")):
        last = entries[-1] if entries else None
        entries.append(append(last, BEGIN_MS + 1, Subject.OUTAGE, outage_body(outage)))
    return entries


def test_a_chain_as_written_holds() -> None:
    assert verify(_chain()) is None
    assert verify([]) is None


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_changed_entry_shows(index: int) -> None:
    entries = _chain()
    entries[index] = replace(entries[index], body=entries[index].body.replace("kubung", "sundi"))
    fault = verify(entries)
    assert fault is not None
    assert fault.number == index + 1


@pytest.mark.parametrize("index", [0, 1])
def test_a_removed_entry_shows(index: int) -> None:
    entries = _chain()
    del entries[index]
    fault = verify(entries)
    assert fault is not None
    assert fault.number == index + 1


def test_an_entry_that_was_made_anew_in_the_middle_shows() -> None:
    entries = _chain()
    entries[1] = append(
        entries[0], BEGIN_MS + 1, Subject.OUTAGE, outage_body(replace(FINAL, cause=Cause.AREA))
    )
    fault = verify(entries)
    assert fault is not None
    assert fault.number == 3


def test_an_outage_comes_back_as_it_was_written() -> None:
    for entry, outage in zip(_chain(), (OUTAGE, FINAL), strict=False):
        assert read_outage(entry.body) == outage


def test_only_the_newest_version_counts() -> None:
    line = stretches([OUTAGE, FINAL], {("kubung", "telkom"): BEGIN_MS - 1}, BEGIN_MS + 900_000)
    down = [s for s in line if s.kind is Kind.DOWN]
    assert [(s.begin_ms, s.end_ms, s.cause) for s in down] == [
        (BEGIN_MS, BEGIN_MS + 600_000, "last_mile")
    ]
    assert newest([FINAL, OUTAGE])[OUTAGE.id] == FINAL


def test_the_exports_carry_every_version() -> None:
    entries = _chain()
    assert export_json(entries).count("\n") == 3
    rows = export_csv(entries).splitlines()
    assert len(rows) == 4
    assert "last_mile,yes,final" in rows[2]


def test_the_ledger_on_disk_goes_on_where_it_stopped(place: Path | str) -> None:
    with Store.open(place) as store:
        LedgerStore(store).append(BEGIN_MS, [(Subject.OUTAGE, outage_body(OUTAGE))])
    with Store.open(place) as store:
        kept = LedgerStore(store)
        incident = (Subject.INCIDENT, incident_body(INCIDENT))
        kept.append(BEGIN_MS + 1, [(Subject.OUTAGE, outage_body(FINAL)), incident])
        entries = kept.entries()
        assert [entry.number for entry in entries] == [1, 2, 3]
        assert kept.verify() is None
    book = read_book(entries)
    assert book.outages == (OUTAGE, FINAL)
    assert book.incidents == (INCIDENT,)


def test_what_a_person_said_comes_back() -> None:
    said = Said(Act.TICKET_OPENED, "down-kubung-1", BEGIN_MS, "root", "INC12345678")
    assert read_said(canonical(said_body(said))) == said


def test_the_command_names_the_entry_that_somebody_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = [(Subject.OUTAGE, outage_body(outage)) for outage in (OUTAGE, FINAL)]
    with Store.open(tmp_path) as store:
        LedgerStore(store).append(BEGIN_MS, verdicts)
    argv = ["outages", "verify", "--data", str(tmp_path)]
    assert main(argv) == 0
    assert capsys.readouterr().out.startswith("2 entries hold")
    (file,) = tmp_path.glob("*.db")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("update ledger set body = replace(body, 'last_mile', 'power')")
    assert main(argv) == 1
    assert capsys.readouterr().out.startswith("entry 2: ")
