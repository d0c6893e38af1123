"""The record as commands read it: from the running collector, or from its store when none runs.

The store is opened to read only, and in the organisation's default zone: the inventory may be
anywhere. What is to be written down takes a running collector.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from collector.api import Selection
from collector.asking import NotRunningError, ask, ask_text, tell
from collector.explaining import explain_json
from collector.judgement.ledger import Entry, export_json, newest
from collector.judgement.planned import plans
from collector.judgement.record import Book, read_book
from collector.record_json import in_month, incidents_json, outages_json, plan_json
from collector.story import story_json
from inventory.model import DEFAULT_ZONE
from tabuah.errors import NothingMatchedError, TabuahError
from tabuah.wall import wall_ms

TIMEOUT_S = 60.0
"""A ledger of years is read whole."""


def incidents(
    data: Path, site: str | None, status: str | None, month: str | None
) -> list[dict[str, Any]]:
    """Return incidents as the API lists them; None chooses all.

    Raises:
        NothingMatchedError: there is no such office.
        TabuahError: neither collector nor store can be read.
    """
    try:
        asked = _given(site=site, status=status, month=month)
        listed: list[dict[str, Any]] = ask(data, "/api/v1/incidents", asked, TIMEOUT_S)
        return listed
    except NotRunningError:
        book = stored(data)
    found = sorted({one.id: one for one in book.incidents}.values(), key=lambda i: i.began_ms)
    _known(site, {code for one in found for code in one.sites})
    want = in_month(Selection(), month, DEFAULT_ZONE)
    return incidents_json(found, book.said, site, status, want)


def story(data: Path, incident: str) -> dict[str, Any]:
    """Return one incident whole.

    Raises:
        NothingMatchedError: there is no such incident.
        TabuahError: neither collector nor store can be read.
    """
    try:
        told: dict[str, Any] = ask(data, f"/api/v1/incidents/{incident}", {}, TIMEOUT_S)
    except NotRunningError:
        return story_json(stored(data), incident, wall_ms())
    return told


def explanation(data: Path, incident: str) -> dict[str, Any]:
    """Return what was decided of one incident on its way to people, and why.

    Raises:
        NothingMatchedError: there is no such incident.
        TabuahError: neither collector nor store can be read.
    """
    try:
        told: dict[str, Any] = ask(data, f"/api/v1/incidents/{incident}/explain", {}, TIMEOUT_S)
    except NotRunningError:
        return _stored_explanation(data, incident)
    return told


def outages(data: Path, site: str | None, month: str | None) -> list[dict[str, Any]]:
    """Return outages as the API lists them; None chooses all.

    Raises:
        NothingMatchedError: there is no such office.
        TabuahError: neither collector nor store can be read.
    """
    try:
        asked = _given(site=site, month=month)
        listed: list[dict[str, Any]] = ask(data, "/api/v1/outages", asked, TIMEOUT_S)
        return listed
    except NotRunningError:
        book = stored(data)
    kept = (one for one in newest(book.outages).values() if not one.withdrawn)
    found = sorted(kept, key=lambda one: (one.began_ms, one.site, one.circuit))
    _known(site, {one.site for one in found})
    return outages_json(found, book.said, site, in_month(Selection(), month, DEFAULT_ZONE))


def maintenance(data: Path) -> list[dict[str, Any]]:
    """Return the announced work that people entered.

    Raises:
        TabuahError: neither collector nor store can be read.
    """
    try:
        listed: list[dict[str, Any]] = ask(data, "/api/v1/maintenance")
    except NotRunningError:
        now_ms = wall_ms()
        return [plan_json(one, now_ms) for one in plans(stored(data).said)]
    return listed


def ledger(data: Path) -> str:
    """Return the chained ledger, one JSON object a line.

    Raises:
        TabuahError: neither collector nor store can be read.
    """
    try:
        return ask_text(data, "/api/v1/ledger", {}, TIMEOUT_S)
    except NotRunningError:
        return export_json(_entries(data))


def ticket(data: Path, incident: str) -> str:
    """Return the text that opens a ticket; takes a running collector, which has the inventory."""
    return ask_text(data, f"/api/v1/incidents/{incident}/ticket", {}, TIMEOUT_S)


def say(data: Path, act: str, about: str = "", **more: object) -> dict[str, Any]:
    """Have the running collector write down what a person says; return what it wrote.

    Raises:
        NothingMatchedError: it speaks of nothing that is known.
        TabuahError: none is running, or it refuses.
    """
    body = {"act": act, "about": about, "by": _person(), **more}
    told: dict[str, Any] = tell(
        data, "/api/v1/said", {name: value for name, value in body.items() if value is not None}
    )
    return told


def stored(data: Path) -> Book:
    """Return the ledger of a store that no collector has open, read."""
    return read_book(_entries(data))


def _entries(data: Path) -> list[Entry]:
    from collector.ledger_store import LedgerStore  # noqa: PLC0415 - SQLAlchemy is slow to load,
    from collector.store import Store  # noqa: PLC0415 - and where a collector runs not needed

    try:
        with Store.open(data, read_only=True) as store:
            return LedgerStore(store).entries()
    except TabuahError as error:
        raise TabuahError(f"no collector runs with {data}, and {error}") from error


def _stored_explanation(data: Path, incident: str) -> dict[str, Any]:
    from collector.ledger_store import LedgerStore  # noqa: PLC0415 - SQLAlchemy is slow to load,
    from collector.store import Store  # noqa: PLC0415 - and where a collector runs not needed

    try:
        with Store.open(data, read_only=True) as store:
            noted, decided = store.what_was_said(incident)
            book = read_book(LedgerStore(store).entries())
    except TabuahError as error:
        raise TabuahError(f"no collector runs with {data}, and {error}") from error
    kept = [one for one in newest(book.outages).values() if not one.withdrawn]
    ids = {one.id for one in book.incidents}
    return explain_json(incident, noted, decided, kept, ids)


def _known(site: str | None, sites: set[str]) -> None:
    if site is not None and site not in sites:
        raise NothingMatchedError(f"nothing is written of a site '{site}'")


def _given(**parameters: str | None) -> Mapping[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "unknown"
