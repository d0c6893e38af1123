"""One incident told whole: its versions, what it rests on, its outages, and what people did. Pure.

the ledger, read -> JSON for the API, lines for a terminal
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from collector.formats import rfc3339
from collector.judgement.ledger import Outage, newest
from collector.judgement.record import Act, Book, Said
from collector.judgement_json import evidence_json, incident_json, outage_json
from collector.sla_ledger import outages_of
from tabuah.errors import NothingMatchedError, did_you_mean
from tabuah.speech import span

if TYPE_CHECKING:
    from collector.judgement.tracking import Incident

Json = dict[str, object]
_V = TypeVar("_V", "Incident", Outage)

_DONE: Final = {
    Act.ACKNOWLEDGED: "acknowledged",
    Act.NOTE: "note",
    Act.TICKET_OPENED: "ticket opened",
    Act.TICKET_CLOSED: "ticket closed",
    Act.LIABILITY: "liability set",
}


def people_json(said: Iterable[Said], about: str) -> Json:
    """Return what people did about one incident or outage, for its entry in a list."""
    own = [one for one in said if one.about == about]
    acknowledged = next((one for one in own if one.act is Act.ACKNOWLEDGED), None)
    liability = [one.text for one in own if one.act is Act.LIABILITY]
    return {
        "acknowledged": None
        if acknowledged is None
        else {"at": rfc3339(acknowledged.at_ms), "by": acknowledged.by},
        "tickets": _tickets(own),
        "notes": [
            {"at": rfc3339(one.at_ms), "by": one.by, "text": one.text}
            for one in own
            if one.act is Act.NOTE
        ],
        "liability": liability[-1] if liability else None,
    }


def story_json(book: Book, incident_id: str, now_ms: int) -> Json:
    """Return all that the ledger knows of an incident.

    Raises:
        NothingMatchedError: it knows no such incident.
    """
    versions = [one for one in book.incidents if one.id == incident_id]
    if not versions:
        ids = {one.id for one in book.incidents}
        raise NothingMatchedError(f"no incident '{incident_id}'{did_you_mean(incident_id, ids)}")
    last = versions[-1]
    outages = outages_of(last, newest(book.outages).values(), now_ms)
    ids = {outage.id for outage in outages}
    histories = {id_: [o for o in book.outages if o.id == id_] for id_ in ids}
    about = {incident_id, *ids}
    said = [one for one in book.said if one.about in about]
    return {
        **incident_json(last),
        **people_json(said, incident_id),
        "versions": [_version(one, at) for one, at in _written(book, incident_id, versions)],
        "outages": [
            {
                **outage_json(outage),
                # Nothing is overwritten: what turned out to be none is told, and told as that.
                "withdrawn": outage.withdrawn,
                **people_json(said, outage.id),
                "versions": [
                    _outage_version(one, at)
                    for one, at in _written(book, outage.id, histories[outage.id])
                ],
            }
            for outage in sorted(outages, key=lambda one: (one.site, one.circuit, one.began_ms))
        ],
        "timeline": _timeline(book, versions, histories, said),
    }


def story_lines(story: dict[str, Any]) -> list[str]:
    """Return a story as a person reads it on a terminal."""
    ended = story["ended"] or "still open"
    lines = [
        f"{story['id']}: {story['alertname']}, {story['severity']}, {story['status']}",
        f"  offices     {', '.join(story['sites']) or '-'}",
        f"  began       {story['began']}",
        f"  ended       {ended}",
        f"  cause       {story['cause']} ({story['confidence']}, version {story['version']})",
        f"  because     {story['reason']}",
    ]
    if story["circuits"]:
        lines.insert(2, f"  circuits    {', '.join(story['circuits'])}")
    if story["upstream"]:
        lines.insert(2, f"  upstream    {story['upstream']}")
    lines += [f"  evidence    {one['source']}: {one['says']}" for one in story["evidence"]]
    lines += [f"  ticket      {_ticket_line(one)}" for one in story["tickets"]]
    if story["liability"]:
        lines.append(f"  liability   {story['liability']}")
    lines.append("")
    lines.append("Timeline (UTC)")
    lines += [f"  {one['time']}  {one['says']}" for one in story["timeline"]]
    for outage in story["outages"]:
        counts = "countable" if outage["countable"] else "not countable"
        if outage["withdrawn"]:
            counts = f"withdrawn: {outage['reason']}"
        lines.append("")
        lines.append(
            f"Outage {outage['id']}: {outage['began']} to {outage['ended'] or 'now'}, "
            f"{outage['cause']}, {outage['confidence']}, {counts}, version {outage['version']}"
        )
        lines += [f"  {one['source']}: {one['says']}" for one in outage["evidence"]]
    return lines


def _ticket_line(ticket: dict[str, Any]) -> str:
    closed = f", closed {ticket['closed']}" if ticket["closed"] else ""
    return f"{ticket['number']}, opened {ticket['opened']}{closed}"


def _tickets(own: Sequence[Said]) -> list[Json]:
    found: dict[str, Json] = {}
    for one in own:
        if one.act is Act.TICKET_OPENED:
            found[one.text] = {"number": one.text, "opened": rfc3339(one.at_ms), "closed": None}
        elif one.act is Act.TICKET_CLOSED:
            ticket = found.setdefault(
                one.text, {"number": one.text, "opened": rfc3339(one.at_ms), "closed": None}
            )
            ticket["closed"] = rfc3339(one.at_ms)
    return list(found.values())


def _written(book: Book, of: str, versions: Sequence[_V]) -> list[tuple[_V, int]]:
    """Return the versions with the times at which they were written."""
    times = [at_ms for id_, at_ms in book.written if id_ == of]
    return list(zip(versions, times, strict=True))


def _version(one: Incident, written_ms: int) -> Json:
    return {
        "version": one.version,
        "written": rfc3339(written_ms),
        "sites": list(one.sites),
        "cause": one.cause.value,
        "confidence": one.confidence.value,
        "ended": None if one.ended_ms is None else rfc3339(one.ended_ms),
        "reason": one.reason,
        "evidence": evidence_json(one.evidence),
    }


def _outage_version(one: Outage, written_ms: int) -> Json:
    return {
        "version": one.version,
        "written": rfc3339(written_ms),
        "began": rfc3339(one.began_ms),
        "ended": None if one.ended_ms is None else rfc3339(one.ended_ms),
        "kind": one.kind.value,
        "cause": one.cause.value,
        "confidence": one.confidence.value,
        "countable": one.countable,
        "reason": one.reason,
        "evidence": evidence_json(one.evidence),
    }


def _timeline(
    book: Book,
    versions: Sequence[Incident],
    histories: dict[str, list[Outage]],
    said: Iterable[Said],
) -> list[Json]:
    first, last = versions[0], versions[-1]
    events = [(first.began_ms, 0, f"{first.alertname} began")]
    seen: set[tuple[int, str]] = set()
    evidence = [each for version in versions for each in version.evidence]
    evidence += [each for line in histories.values() for one in line for each in one.evidence]
    for each in evidence:
        if (each.at_ms, each.says) not in seen:
            seen.add((each.at_ms, each.says))
            events.append((each.at_ms, 1, f"{each.source.value}: {each.says}"))
    for version, at_ms in _written(book, first.id, versions):
        events.append((at_ms, 2, f"version {version.version}: {_judged(version)}"))
    for id_, line in histories.items():
        for outage, at_ms in _written(book, id_, line):
            lasted = "open" if outage.ended_ms is None else span("en", _lasted(outage))
            events.append(
                (at_ms, 3, f"outage {id_} version {outage.version}: {_judged(outage)}, {lasted}")
            )
    for act in said:
        text = f": {act.text}" if act.text else ""
        events.append((act.at_ms, 4, f"{_DONE.get(act.act, act.act.value)} by {act.by}{text}"))
    if last.ended_ms is not None:
        events.append((last.ended_ms, 5, "it ended"))
    events.sort()
    return [{"time": rfc3339(at_ms), "says": says} for at_ms, _, says in events]


def _lasted(outage: Outage) -> int:
    return (outage.ended_ms or outage.began_ms) - outage.began_ms


def _judged(one: Incident | Outage) -> str:
    return f"{one.cause.value}, {one.confidence.value}: {one.reason}"
