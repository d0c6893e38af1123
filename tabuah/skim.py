"""A report's sections read in passing: what tells how a line is, in a fifth of the time of `read`.

The centre looks at every report that speaks of now, and nearly all of them say that all is well.
`sections` makes an object of every field; this makes tuples of those that the judge asks for, and
steps over the rest. It knows the fields by their places, which never change (`tabuah.sections`);
whatever is not as our own agents write it is read by `sections.read` instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tabuah import sections
from tabuah.errors import DecodeError
from tabuah.measurement import Kind, Role, Stage
from tabuah.reading import ReadingKind
from tabuah.sections import AGENT, DEVICE, INTERFACE, MEASUREMENT, PATH, READING

if TYPE_CHECKING:
    from tabuah.measurement import Measurement
    from tabuah.report import Device
    from tabuah.sections import Sections


class Probe(NamedTuple):
    """What a measurement says; see `tabuah.measurement.Measurement`."""

    role: Role
    dns: bool
    good: bool
    stage: Stage
    circuit: str | None
    service: str | None
    run: int
    age_ms: int
    sent: int
    received: int
    rtt_us: int | None
    """The mean."""
    jitter_us: int | None


class Port(NamedTuple):
    """What an interface says; see `tabuah.report.Interface`."""

    name: str
    oper_status: int
    in_octets: int
    out_octets: int
    counter_epoch: int


class Polled(NamedTuple):
    """What a device says; see `tabuah.report.Device`."""

    name: str
    role: Role
    good: bool
    run: int
    age_ms: int
    uptime_ticks: int | None
    host_uptime_ticks: int | None
    ports: tuple[Port, ...]
    readings: tuple[tuple[ReadingKind, str, int], ...]
    """Of the kinds in `TELLING`: kind, name, value."""


class Skimmed(NamedTuple):
    """What a report says of its lines."""

    path: str
    backlog: int
    srtt_ms: int
    probes: tuple[Probe, ...]
    devices: tuple[Polled, ...]


NOTHING: Final = Skimmed("", 0, 0, (), ())
TELLING: Final = {
    int(kind): kind
    for kind in (ReadingKind.REDIALS, ReadingKind.OPTICAL_RX_LOSS, ReadingKind.UPS_ON_BATTERY)
}
"""Readings that tell how a line is, by their numbers on the wire."""

_DNS: Final = 3
_KINDS: Final = range(1, 6)
_RECEIVED: Final = 1
_ROLES: Final = {number: role for role, number in sections.ROLES.items()}
_STAGES: Final = {int(stage): stage for stage in Stage}


def skim(octets: bytes) -> Skimmed:
    """Return what the sections say of the lines.

    Raises:
        DecodeError: they are damaged.
    """
    try:
        return _skim(octets)
    except (_UnusualError, IndexError, ValueError):
        return skimmed(sections.read(octets))


def skimmed(said: Sections) -> Skimmed:
    """Return the same of sections that were read."""
    return Skimmed(
        said.path,
        said.agent.backlog,
        said.agent.srtt_ms,
        tuple(_probe(one) for one in said.measurements),
        tuple(_polled(one) for one in said.devices),
    )


class _UnusualError(Exception):
    """Not as our agents write it."""


def _probe(one: Measurement) -> Probe:
    return Probe(
        one.role,
        one.kind is Kind.DNS,
        one.good,
        one.stage,
        one.circuit,
        one.service,
        one.run,
        one.age_ms,
        one.sent,
        one.received,
        None if one.rtt is None else one.rtt.mean_us,
        None if one.rtt is None else one.rtt.jitter_us,
    )


def _polled(one: Device) -> Polled:
    return Polled(
        one.name,
        one.role,
        one.status.value == _RECEIVED,
        one.run,
        one.age_ms,
        one.uptime_ticks,
        one.host_uptime_ticks,
        tuple(
            Port(i.name, i.oper_status, i.in_octets, i.out_octets, i.counter_epoch)
            for i in one.interfaces
        ),
        tuple((r.kind, r.name, r.value) for r in one.readings if int(r.kind) in TELLING),
    )


def _skim(octets: bytes) -> Skimmed:
    """Read in one run: a call for each number would cost more than the number."""
    at, size = 0, len(octets)
    probes: list[Probe] = []
    devices: list[Polled] = []
    ports: list[Port] = []
    readings: list[tuple[ReadingKind, str, int]] = []
    path, backlog, srtt_ms = "", 0, 0
    while at < size:
        kind, length = octets[at], octets[at + 1]
        at += 2
        if kind > 127:
            raise _UnusualError
        if length > 127:
            length, at = _more(octets, at, length)
        end = at + length
        if end > size:
            raise DecodeError(f"{length} octets announced, {size - at} left")
        if kind == MEASUREMENT:
            at = _over_text(octets, at)
            what, role, status, stage = octets[at : at + 4]
            if what > 127 or role > 127 or status > 127 or stage > 127:
                raise _UnusualError
            at += 4
            run = octets[at]
            at += 1
            if run > 127:
                run, at = _more(octets, at, run)
            age_ms = octets[at]
            at += 1
            if age_ms > 127:
                if octets[at] < 128:
                    age_ms += (octets[at] - 1) << 7
                    at += 1
                else:
                    age_ms, at = _more(octets, at, age_ms)
            sent, received = octets[at], octets[at + 1]
            at += 2
            if sent > 127 or received > 127:
                sent, at = _number(octets, at - 2)
                received, at = _number(octets, at)
            circuit = service = rtt_us = jitter_us = None
            at += 1
            if octets[at - 1]:
                circuit, at = _text(octets, at)
            at += 1
            if octets[at - 1]:
                service, at = _text(octets, at)
            at += 1
            if octets[at - 1]:
                while octets[at] > 127:
                    at += 1
                at += 1
                rtt_us = octets[at]
                at += 1
                if rtt_us > 127:
                    rtt_us, at = _more(octets, at, rtt_us)
                while octets[at] > 127:
                    at += 1
                at += 1
                jitter_us = octets[at]
                at += 1
                if jitter_us > 127:
                    jitter_us, at = _more(octets, at, jitter_us)
                jitter_us = jitter_us - 1 if jitter_us else None
            if at > end:
                raise _UnusualError
            if what in _KINDS:  # else a kind of probe that a newer agent knows
                probes.append(
                    Probe(
                        _ROLES.get(role, Role.OTHER),
                        what == _DNS,
                        status == _RECEIVED,
                        _STAGES.get(stage, Stage.ANSWER),
                        circuit,
                        service,
                        run,
                        age_ms,
                        sent,
                        received,
                        rtt_us,
                        jitter_us,
                    )
                )
        elif kind == READING:
            said = TELLING.get(octets[at])
            if not devices:
                raise _UnusualError
            if said is not None:
                name, at = _text(octets, at + 1)
                value, at = _number(octets, at)
                if at > end:
                    raise _UnusualError
                readings.append((said, name, (value >> 1) ^ -(value & 1)))
        elif kind == INTERFACE:
            if not devices:
                raise _UnusualError
            name, at = _text(octets, at)
            status, at = _number(octets, at)
            while octets[at] > 127:
                at += 1
            received, at = _number(octets, at + 1)
            sent, at = _number(octets, at)
            for _ in range(4):
                while octets[at] > 127:
                    at += 1
                at += 1
            epoch, at = _number(octets, at)
            if at > end:
                raise _UnusualError
            ports.append(Port(name, status, received, sent, epoch))
        elif kind == DEVICE:
            if ports or readings:
                devices[-1] = devices[-1]._replace(ports=tuple(ports), readings=tuple(readings))
                ports, readings = [], []
            name, at = _text(octets, at)
            role, at = _number(octets, at)
            status, at = _number(octets, at)
            run, at = _number(octets, at)
            age_ms, at = _number(octets, at)
            ticks, at = _number(octets, at)
            host_ticks, at = _number(octets, at)
            if at > end:
                raise _UnusualError
            devices.append(
                Polled(
                    name,
                    _ROLES.get(role, Role.OTHER),
                    status == _RECEIVED,
                    run,
                    age_ms,
                    ticks - 1 if ticks else None,
                    host_ticks - 1 if host_ticks else None,
                    (),
                    (),
                )
            )
        elif kind == AGENT:
            at = _over_text(octets, at)
            while octets[at] > 127:
                at += 1
            backlog, at = _number(octets, at + 1)
            while octets[at] > 127:
                at += 1
            srtt_ms, at = _number(octets, at + 1)
            if at > end:
                raise _UnusualError
        elif kind == PATH:
            path = octets[at:end].decode(errors="replace")
        at = end
    if ports or readings:
        devices[-1] = devices[-1]._replace(ports=tuple(ports), readings=tuple(readings))
    return Skimmed(path, backlog, srtt_ms, tuple(probes), tuple(devices))


def _number(octets: bytes, at: int) -> tuple[int, int]:
    first = octets[at]
    return (first, at + 1) if first < 128 else _more(octets, at + 1, first)


def _more(octets: bytes, at: int, first: int) -> tuple[int, int]:
    """Return a number of several octets, of which the first was taken, and where it ends."""
    number, shift = first & 0x7F, 7
    while True:
        octet = octets[at]
        at += 1
        number |= (octet & 0x7F) << shift
        if octet < 128:
            break
        shift += 7
        if shift > 63:  # a number without end would take the square of its length
            raise _UnusualError
    if number >> 64:
        raise _UnusualError
    return number, at


def _text(octets: bytes, at: int) -> tuple[str, int]:
    begin, end = at + 1, at + 1 + octets[at]
    if octets[at] > 127 or end > len(octets):
        raise _UnusualError
    return octets[begin:end].decode(), end


def _over_text(octets: bytes, at: int) -> int:
    if octets[at] > 127:
        raise _UnusualError
    return at + 1 + octets[at]
