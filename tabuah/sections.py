"""The sections of a report: what each holds, field by field, as tables.

A table names the fields of one dataclass of `tabuah.measurement` or `tabuah.report` in the
order in which they travel; the same table writes and reads. It grows at its end only: a
reader that finds less takes the dataclass's defaults, a reader that finds more leaves it.
A number that an enum does not know (a newer agent's word) reads as the enum's 'unknown'.

Raises `DecodeError` for octets that are no section.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tabuah import varint
from tabuah.errors import DecodeError
from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Stage, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Clock, Device, Host, Interface
from tabuah.varint import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MEASUREMENT, DEVICE, INTERFACE, HOST, AGENT, PATH, READING = 1, 2, 3, 4, 5, 6, 7
"""Section types. An interface or a reading belongs to the device before it."""


@dataclass(frozen=True, slots=True)
class _Codec:
    put: Callable[[bytearray, Any], None]
    take: Callable[[Reader], Any]


@dataclass(frozen=True, slots=True)
class _Table:
    make: Callable[..., Any]
    fields: tuple[tuple[str, _Codec], ...]

    def write(self, out: bytearray, value: object) -> None:
        for name, codec in self.fields:
            codec.put(out, getattr(value, name))

    def read(self, reader: Reader) -> Any:
        values = {}
        for name, codec in self.fields:
            if reader.done:
                break
            values[name] = codec.take(reader)
        try:
            return self.make(**values)
        except TypeError as error:  # a field without a default is missing
            raise DecodeError(f"a section that ends too early: {error}") from error


_MOST = 2**64 - 1


def _number() -> _Codec:
    """A number that cannot be told is told as the nearest that can.

    A device, or a stranger on the way, may have said it: it must not cost a report.
    """

    def put(out: bytearray, value: int) -> None:
        varint.put(out, min(max(value, 0), _MOST))

    return _Codec(put, Reader.number)


NUMBER = _number()
TEXT = _Codec(varint.put_text, Reader.text)


def _optional(codec: _Codec) -> _Codec:
    """Present fields follow a 1, absent ones are a 0."""

    def put(out: bytearray, value: object) -> None:
        out.append(0 if value is None else 1)
        if value is not None:
            codec.put(out, value)

    def take(reader: Reader) -> Any:
        return codec.take(reader) if reader.number() else None

    return _Codec(put, take)


def _small() -> _Codec:
    """An optional number costs no octet more than a number: 0 is absent, n + 1 is n."""

    def put(out: bytearray, value: int | None) -> None:
        varint.put(out, 0 if value is None else min(max(value, 0), _MOST - 1) + 1)

    def take(reader: Reader) -> int | None:
        number = reader.number()
        return None if number == 0 else number - 1

    return _Codec(put, take)


def _signed() -> _Codec:
    def put(out: bytearray, value: int) -> None:
        varint.put(out, varint.zigzag(min(max(value, -(2**63)), 2**63 - 1)))

    return _Codec(put, lambda reader: varint.unzigzag(reader.number()))


def _choice(numbers: Mapping[Any, int], unknown: object) -> _Codec:
    members = {number: member for member, number in numbers.items()}
    return _Codec(
        lambda out, value: varint.put(out, numbers[value]),
        lambda reader: members.get(reader.number(), unknown),
    )


def _nested(table: _Table) -> _Codec:
    """A dataclass within: its fields one after the other, all of them."""

    def take(reader: Reader) -> Any:
        return table.make(*(codec.take(reader) for _, codec in table.fields))

    return _Codec(table.write, take)


_SMALL = _small()
KINDS = {Kind.PING: 1, Kind.UDP: 2, Kind.DNS: 3, Kind.TCP: 4, Kind.HTTP: 5}
_KIND = _choice(KINDS, None)
ROLES = {
    Role.OTHER: 0,
    Role.GATEWAY: 1,
    Role.FIRST_HOP: 2,
    Role.CENTRE: 3,
    Role.PUBLIC: 4,
    Role.SERVICE: 5,
    Role.UPS: 6,
}
_ROLE = _choice(ROLES, Role.OTHER)
_STATUS = _choice({status: int(status) for status in Status}, Status.UNKNOWN)
_STAGE = _choice({stage: int(stage) for stage in Stage}, Stage.ANSWER)
_CLOCK = _choice({clock: int(clock) for clock in Clock}, Clock.UNKNOWN)
_READING_KIND = _choice({kind: int(kind) for kind in ReadingKind}, None)

_TIMING = _Table(
    Timing,
    (("min_us", NUMBER), ("mean_us", NUMBER), ("max_us", NUMBER), ("jitter_us", _SMALL)),
)
_ONE_WAY = _Table(OneWay, (("sent", NUMBER), ("received", NUMBER), ("jitter_us", _SMALL)))
_PHASES = _Table(
    Phases,
    (
        ("resolve_us", _SMALL),
        ("connect_us", _SMALL),
        ("tls_us", _SMALL),
        ("first_byte_us", _SMALL),
        ("body_us", _SMALL),
    ),
)
_MEASUREMENT = _Table(
    Measurement,
    (
        ("probe", TEXT),
        ("kind", _KIND),
        ("role", _ROLE),
        ("status", _STATUS),
        ("stage", _STAGE),
        ("run", NUMBER),
        ("age_ms", NUMBER),
        ("sent", NUMBER),
        ("received", NUMBER),
        ("circuit", _optional(TEXT)),
        ("service", _optional(TEXT)),
        ("rtt", _optional(_nested(_TIMING))),
        ("forward", _optional(_nested(_ONE_WAY))),
        ("backward", _optional(_nested(_ONE_WAY))),
        ("phases", _optional(_nested(_PHASES))),
        ("code", _SMALL),
        ("certificate_days", _optional(_signed())),
    ),
)
_DEVICE = _Table(
    Device,
    (
        ("name", TEXT),
        ("role", _ROLE),
        ("status", _STATUS),
        ("run", NUMBER),
        ("age_ms", NUMBER),
        ("uptime_ticks", _SMALL),
        ("host_uptime_ticks", _SMALL),
        ("load_centi", _SMALL),
        ("memory_available_kib", _SMALL),
    ),
)
_INTERFACE = _Table(
    Interface,
    (
        ("name", TEXT),
        ("oper_status", NUMBER),
        ("speed_bps", NUMBER),
        ("in_octets", NUMBER),
        ("out_octets", NUMBER),
        ("in_errors", NUMBER),
        ("out_errors", NUMBER),
        ("in_discards", NUMBER),
        ("out_discards", NUMBER),
        ("counter_epoch", NUMBER),
        ("last_change_ticks", _SMALL),
    ),
)
_READING = _Table(
    Reading,
    (("kind", _READING_KIND), ("name", TEXT), ("value", _signed())),
)
_HOST = _Table(
    Host,
    (
        ("clock", _CLOCK),
        ("memory_total_kib", NUMBER),
        ("memory_available_kib", NUMBER),
        ("load_centi", NUMBER),
    ),
)
_AGENT = _Table(
    Agent,
    (
        ("version", TEXT),
        ("resident_kib", NUMBER),
        ("backlog", NUMBER),
        ("dropped", NUMBER),
        ("srtt_ms", NUMBER),
        ("written_kib", NUMBER),
    ),
)


@dataclass(frozen=True, slots=True)
class Sections:
    """What the sections of one report said."""

    measurements: tuple[Measurement, ...] = ()
    devices: tuple[Device, ...] = ()
    host: Host = field(default_factory=Host)
    agent: Agent = field(default_factory=Agent)
    path: str = ""


def write(sections: Sections) -> bytes:
    """Return the sections as octets."""
    out = bytearray()

    def section(kind: int, table: _Table, value: object) -> None:
        body = bytearray()
        table.write(body, value)
        out.append(kind)
        varint.put(out, len(body))
        out.extend(body)

    for measurement in sections.measurements:
        section(MEASUREMENT, _MEASUREMENT, measurement)
    for device in sections.devices:
        section(DEVICE, _DEVICE, device)
        for interface in device.interfaces:
            section(INTERFACE, _INTERFACE, interface)
        for reading in device.readings:
            section(READING, _READING, reading)
    section(HOST, _HOST, sections.host)
    section(AGENT, _AGENT, sections.agent)
    if sections.path:
        path = sections.path.encode()
        out.append(PATH)
        varint.put(out, len(path))
        out += path
    return bytes(out)


def read(octets: bytes) -> Sections:
    """Return what the sections say; those of an unknown type are passed over."""
    measurements: list[Measurement] = []
    devices: list[Device] = []
    interfaces: list[Interface] = []
    readings: list[Reading] = []

    def finish_device() -> None:
        if interfaces or readings:
            devices[-1] = replace(
                devices[-1], interfaces=tuple(interfaces), readings=tuple(readings)
            )
            interfaces.clear()
            readings.clear()

    host, agent, path = Host(), Agent(), ""
    for kind, section in _split(octets):
        if kind == MEASUREMENT:
            measurement = _MEASUREMENT.read(Reader(section))
            if measurement.kind is not None:  # else a kind of probe that a newer agent knows
                measurements.append(measurement)
        elif kind == DEVICE:
            finish_device()
            devices.append(_DEVICE.read(Reader(section)))
        elif kind in (INTERFACE, READING):
            if not devices:
                raise DecodeError("an interface or a reading without its device")
            if kind == INTERFACE:
                interfaces.append(_INTERFACE.read(Reader(section)))
            else:
                reading = _READING.read(Reader(section))
                if reading.kind is not None:  # else a kind that a newer agent knows
                    readings.append(reading)
        elif kind == HOST:
            host = _HOST.read(Reader(section))
        elif kind == AGENT:
            agent = _AGENT.read(Reader(section))
        elif kind == PATH:
            path = section.decode(errors="replace")
    finish_device()
    return Sections(tuple(measurements), tuple(devices), host, agent, path)


def line_run(octets: bytes, at: int = 0) -> int | None:
    """Return the run of the poll of the office's line, reading nothing else; None if there is none.

    The line is the first interface of the first gateway that has one.
    """
    gateway = ROLES[Role.GATEWAY]
    run = None
    end = len(octets)
    try:
        while at < end:
            kind, length = octets[at], octets[at + 1]
            if kind >= 0x80 or length >= 0x80:
                reader = Reader(octets, at)
                kind, length = reader.number(), reader.number()
                at = reader.at
            else:
                at += 2
            if kind == INTERFACE and run is not None:
                return run
            if kind == DEVICE:
                # Name, role, status, run; the first three take few octets.
                reader = Reader(octets, at + 1 + octets[at])
                role, _, run = reader.number(), reader.number(), reader.number()
                run = run if role == gateway else None
            at += length
    except (IndexError, DecodeError):
        pass
    return None


def _split(octets: bytes) -> Iterable[tuple[int, bytes]]:
    reader = Reader(octets)
    while not reader.done:
        kind = reader.number()
        yield kind, reader.take(reader.number())
