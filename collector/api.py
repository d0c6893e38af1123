"""The JSON of the API: values in, plain dicts out, and the reading of its parameters.

Times are RFC 3339 in UTC with milliseconds; every other quantity carries its unit in its key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from collector.formats import rfc3339
from collector.judgement.tracking import Incident
from collector.live import Received, SiteView, State
from collector.view import circuit_state, cloned_ms, live_report
from inventory.model import Site
from tabuah.errors import TabuahError, did_you_mean
from tabuah.measurement import Measurement, OneWay, Phases, Timing
from tabuah.reading import Reading, shown, unit
from tabuah.report import Agent, Device, Host, Interface

Json = dict[str, object]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_LIMIT: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_PARAMETERS: Final = ("from", "to", "limit")


class BadRequestError(TabuahError):
    """A request's parameters cannot be understood; the message says which and how to write it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which reports are asked for: from_ms <= time < to_ms; None means without bound."""

    from_ms: int | None = None
    to_ms: int | None = None
    limit: int | None = None


def selection(parameters: Sequence[tuple[str, str]]) -> Selection:
    """Return what a query string asks for.

    Raises:
        BadRequestError: an unknown, repeated or unreadable parameter, or `from` after `to`.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in _PARAMETERS:
            known = ", ".join(_PARAMETERS)
            hint = did_you_mean(name, _PARAMETERS)
            raise BadRequestError(f"unknown parameter '{name}' (known: {known}){hint}")
        if name in given:
            raise BadRequestError(f"'{name}' is given twice")
        given[name] = value
    begin = _instant_ms("from", given["from"]) if "from" in given else None
    end = _instant_ms("to", given["to"]) if "to" in given else None
    if begin is not None and end is not None and begin > end:
        raise BadRequestError("'from' is after 'to'")
    limit = given.get("limit")
    if limit is not None and not _LIMIT.fullmatch(limit):
        raise BadRequestError(f"'limit' is '{limit}'; write a whole number from 1")
    return Selection(begin, end, int(limit) if limit is not None else None)


def _instant_ms(name: str, text: str) -> int:
    """Return an RFC 3339 time in ms since 1970 UTC, rounded up to the next whole one.

    Rounding up keeps `from` inclusive and `to` exclusive, since reports have whole ms.
    """
    # A `+` that was not percent-encoded arrives as a space.
    text = text.replace(" ", "+")
    moment = _instant(text) if _RFC3339.fullmatch(text) else None
    if moment is None:
        raise BadRequestError(
            f"'{name}' is '{text}'; write an RFC 3339 time with its zone, "
            "like 2026-11-24T07:00:00Z or 2026-11-24T14:00:00+07:00"
        )
    return -((_EPOCH - moment) // timedelta(milliseconds=1))


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        # The right shape, and no such day or minute.
        return None


def site_json(
    site: Site, view: SiteView | None, now_ms: int, incident: Incident | None = None
) -> Json:
    """Return one entry of /api/v1/sites; a site without a view is unknown.

    Args:
        site: of the inventory.
        view: how it is.
        now_ms: when.
        incident: the worst open one that names it.
    """
    lines = dict(view.lines) if view is not None else {}
    report = live_report(view, now_ms) if view is not None else None
    last = view.last if view is not None else None
    cloned = cloned_ms(view, now_ms) if view is not None else None
    return {
        "code": site.code,
        "name": site.name,
        "state": (view.state if view is not None else State.UNKNOWN).value,
        "since": rfc3339(view.since_ms) if view is not None else None,
        "last_report": rfc3339(last.received_ms) if last is not None else None,
        "circuits": [
            {
                "id": circuit.id,
                "state": circuit_state(circuit, site.circuits, report, lines).value,
            }
            for circuit in site.circuits
        ],
        "cause": None if incident is None else incident.cause.value,
        "incident": None if incident is None else incident.id,
        "cloned": rfc3339(cloned) if cloned is not None else None,
    }


def report_json(received: Received) -> Json:
    """Return one entry of /api/v1/sites/CODE/reports.

    `epoch` is hexadecimal text: JSON readers keep 53 bits of a number, and it has 64. Of one that
    is `unread` only the head is known: what it measured waits for a newer collector.
    """
    report = received.report
    return {
        "epoch": f"{report.id.epoch:016x}",
        "seq": report.id.seq,
        "time": rfc3339(received.time_ms),
        "received": rfc3339(received.received_ms),
        "late": received.late,
        "corrected": received.corrected,
        "unread": received.unread,
        "occasion": report.occasion.name.lower(),
        "interval_ms": report.interval_ms,
        "path": report.path,
        "wall": rfc3339(report.wall_ms),
        "uptime_ms": report.uptime_ms,
        "boot_id": report.boot_id.hex(),
        "measurements": [_measurement(one) for one in report.measurements],
        "devices": [_device(one) for one in report.devices],
        "host": _host(report.host),
        "agent": _agent(report.agent),
    }


def _measurement(one: Measurement) -> Json:
    return {
        "probe": one.probe,
        "kind": one.kind.value,
        "role": one.role.value,
        "circuit": one.circuit,
        "service": one.service,
        "good": one.good,
        "status": one.status.name.lower(),
        "stage": one.stage.name.lower(),
        "run": one.run,
        "age_ms": one.age_ms,
        "sent": one.sent,
        "received": one.received,
        "rtt": _timing(one.rtt),
        "forward": _one_way(one.forward),
        "backward": _one_way(one.backward),
        "phases": _phases(one.phases),
        "code": one.code,
        "certificate_days": one.certificate_days,
    }


def _timing(rtt: Timing | None) -> Json | None:
    if rtt is None:
        return None
    return {
        "min_us": rtt.min_us,
        "mean_us": rtt.mean_us,
        "max_us": rtt.max_us,
        "jitter_us": rtt.jitter_us,
    }


def _one_way(way: OneWay | None) -> Json | None:
    if way is None:
        return None
    return {"sent": way.sent, "received": way.received, "jitter_us": way.jitter_us}


def _phases(phases: Phases | None) -> Json | None:
    if phases is None:
        return None
    return {
        "resolve_us": phases.resolve_us,
        "connect_us": phases.connect_us,
        "tls_us": phases.tls_us,
        "first_byte_us": phases.first_byte_us,
        "body_us": phases.body_us,
    }


def _device(device: Device) -> Json:
    return {
        "name": device.name,
        "role": device.role.value,
        "status": device.status.name.lower(),
        "run": device.run,
        "age_ms": device.age_ms,
        "uptime_ms": _ticks_ms(device.uptime_ticks),
        "host_uptime_ms": _ticks_ms(device.host_uptime_ticks),
        "load_1m": _load(device.load_centi),
        "memory_available_kib": device.memory_available_kib,
        "interfaces": [_interface(one) for one in device.interfaces],
        "readings": [_reading(one) for one in device.readings],
    }


def _interface(one: Interface) -> Json:
    return {
        "name": one.name,
        "oper_status": one.oper_status,
        "speed_bps": one.speed_bps,
        "in_octets": one.in_octets,
        "out_octets": one.out_octets,
        "in_errors": one.in_errors,
        "out_errors": one.out_errors,
        "in_discards": one.in_discards,
        "out_discards": one.out_discards,
        "counter_epoch": one.counter_epoch,
        "last_change_ms": _ticks_ms(one.last_change_ticks),
    }


def _reading(one: Reading) -> Json:
    """Return a reading in the base unit that `unit` names; empty for counts, states, yes or no."""
    return {
        "kind": one.kind.name.lower(),
        "name": one.name,
        "value": shown(one),
        "unit": unit(one.kind).word,
    }


def _host(host: Host) -> Json:
    return {
        "clock": host.clock.name.lower(),
        "memory_total_kib": host.memory_total_kib,
        "memory_available_kib": host.memory_available_kib,
        "load_1m": _load(host.load_centi),
    }


def _agent(agent: Agent) -> Json:
    return {
        "version": agent.version,
        "resident_kib": agent.resident_kib,
        "backlog": agent.backlog,
        "dropped": agent.dropped,
        "srtt_ms": agent.srtt_ms,
        "written_kib": agent.written_kib,
    }


def _ticks_ms(ticks: int | None) -> int | None:
    """Return hundredths of a second (TimeTicks, RFC 2578) in milliseconds."""
    return ticks * 10 if ticks is not None else None


def _load(centi: int | None) -> float | None:
    return centi / 100 if centi is not None else None
