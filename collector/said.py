"""What a person asks to be written down, from the words of a request. Pure.

The words are checked against what is there: an incident that nobody knows, work at no office and
a liability that no contract understands are refused, with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from collector.api import BadRequestError
from collector.judgement.evidence import Cause
from collector.judgement.record import Act, Said
from collector.sla_ledger import PROVIDER
from tabuah.errors import NothingMatchedError, did_you_mean
from tabuah.units import duration_seconds

if TYPE_CHECKING:
    from inventory.model import Inventory

OURS: Final = "ours"
LIABLE: Final = (PROVIDER, OURS, *(cause.value for cause in Cause))
"""Whose an outage may be said to be: a word of its own, or a cause's."""
ALL: Final = "all"
_FIELDS: Final = frozenset(
    {"act", "about", "at", "until", "lasts", "every", "by", "text", "sites", "circuits"}
)
_TICKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{2,39}", re.ASCII)
_LONGEST_TEXT: Final = 2_000
_DAY_S: Final = 86_400

Body = Mapping[str, object]


def read_said(
    body: Body, inventory: Inventory, now_ms: int, known: Collection[str], plans: Sequence[str]
) -> Said:
    """Return what a request says.

    Args:
        body: its JSON: act, about, at, until or lasts, every, by, text, sites, circuits.
        inventory: whose offices and time zone are meant.
        now_ms: the time where none is given.
        known: ids of incidents and outages.
        plans: ids of announced work.

    Raises:
        BadRequestError: it cannot be understood.
        NothingMatchedError: it speaks of nothing that is known.
    """
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        raise BadRequestError(f"unknown field '{unknown[0]}'{did_you_mean(unknown[0], _FIELDS)}")
    try:
        act = Act(body.get("act"))
    except ValueError:
        words = ", ".join(one.value for one in Act)
        raise BadRequestError(f"'act' is one of {words}") from None
    text, by = _text(body, "text"), _text(body, "by") or "unknown"
    at_ms = _instant_ms(body, "at", inventory, now_ms)
    if act is Act.MAINTENANCE:
        return _work(body, inventory, at_ms, by, f"m{len(plans) + 1}")
    about = _text(body, "about")
    among = plans if act is Act.MAINTENANCE_ENDED else known
    if about not in among:
        what = "announced work" if act is Act.MAINTENANCE_ENDED else "incident or outage"
        raise NothingMatchedError(f"no {what} '{about}'{did_you_mean(about, among)}")
    if act is Act.LIABILITY and text not in LIABLE:
        raise BadRequestError(f"'{text}' is no liability; write one of: {', '.join(LIABLE)}")
    if act in {Act.TICKET_OPENED, Act.TICKET_CLOSED} and not _TICKET.fullmatch(text):
        raise BadRequestError(f"'{text}' is no ticket number; write it like INC12345678")
    if act is Act.NOTE and not text:
        raise BadRequestError("a note has a text")
    return Said(act, about, at_ms, by, text)


def _work(body: Body, inventory: Inventory, at_ms: int, by: str, plan: str) -> Said:
    sites, circuits = _touched(_words(body, "sites"), _words(body, "circuits"), inventory)
    lasts = _text(body, "lasts")
    if bool(lasts) == ("until" in body and body["until"] is not None):
        raise BadRequestError("announced work has an end: give 'until', or how long it 'lasts'")
    if lasts:
        until_ms = at_ms + _seconds(lasts) * 1000
    else:
        until_ms = _instant_ms(body, "until", inventory, at_ms)
    if until_ms <= at_ms:
        raise BadRequestError("the work ends before it begins")
    every = _text(body, "every")
    every_ms = _seconds(every) * 1000 if every else None
    if every_ms is not None and (every_ms % (_DAY_S * 1000) or every_ms < until_ms - at_ms):
        raise BadRequestError("'every' is whole days, and no shorter than the work: 1d, 7d")
    return Said(
        Act.MAINTENANCE,
        plan,
        at_ms,
        by,
        _text(body, "text"),
        sites,
        until_ms,
        circuits,
        every_ms,
    )


def _touched(
    named: Sequence[str], circuits: Sequence[str], inventory: Inventory
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the offices that a name means: a code, an upstream's code, or `all`.

    Of a country's offices none is read but to look for a circuit that is named.
    """
    if not named:
        raise BadRequestError("name whom the work touches: sites, an upstream, or all")
    found: dict[str, None] = {}
    for name in named:
        chosen: Iterable[str] = [name]
        if name == ALL:
            chosen = inventory.codes
        elif name in inventory.upstreams:
            chosen = (
                site.code
                for site in inventory.outlines
                if any(up.code == name for up in inventory.upstream_chain(site))
            )
        else:
            inventory.site(name)
        found.update(dict.fromkeys(chosen))
    if not found:
        raise NothingMatchedError(f"no office hangs on {', '.join(named)}")
    for circuit in circuits:
        if all(inventory.site(code).circuit(circuit) is None for code in found):
            ids = {one.id for code in found for one in inventory.site(code).circuits}
            raise NothingMatchedError(f"no circuit '{circuit}' there{did_you_mean(circuit, ids)}")
    return tuple(found), tuple(circuits)


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise BadRequestError(f"'{name}' is a text of at most {_LONGEST_TEXT} characters")
    return value.strip()


def _words(body: Body, name: str) -> list[str]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequestError(f"'{name}' is a list of texts")
    return value


def _seconds(text: str) -> int:
    try:
        return round(duration_seconds(text))
    except ValueError as error:
        raise BadRequestError(str(error)) from error


def _instant_ms(body: Body, name: str, inventory: Inventory, now_ms: int) -> int:
    """Return a time in ms since 1970 UTC; without an offset it is the organisation's."""
    text = _text(body, name)
    if text in {"", "now"}:
        return now_ms
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=inventory.timezone)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadRequestError(
            f"'{name}' is '{text}'; write a date and time like 2026-12-01T22:00"
        ) from None
