"""A Report: all that an office says at one moment, and the name it is known by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from tabuah.measurement import Measurement, Role, Status
from tabuah.reading import Reading, ReadingKind


class ReportId(NamedTuple):
    """The name of a report: retries and replays repeat it, nothing else does."""

    site: str
    epoch: int
    """64 random bits, drawn at each start of the agent."""
    seq: int
    """Counts from 1 within the epoch."""


class Occasion(IntEnum):
    """Why a report was made."""

    CYCLE = 0
    """Its time had come."""
    RETURN = 1
    """The collector answered after a gap: state first, without waiting for the phase."""
    GOODBYE_AGENT = 2
    """The agent stops; the host runs on."""
    GOODBYE_HOST = 3
    """The host is shutting down."""


class Clock(IntEnum):
    """Whether the kernel says that its clock is disciplined (adjtimex)."""

    UNKNOWN = 0
    UNSYNCHRONISED = 1
    SYNCHRONISED = 2


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a polled device: IF-MIB (RFC 2863), found by ifName."""

    name: str
    oper_status: int
    """ifOperStatus: 1 up, 2 down, 3 testing, 4 unknown, 5 dormant, 6 notPresent,
    7 lowerLayerDown."""
    speed_bps: int = 0
    """From ifHighSpeed or ifSpeed; 0 = the device does not say."""
    in_octets: int = 0
    out_octets: int = 0
    """Totals that only grow within `counter_epoch`: 32-bit wraps are already undone."""
    in_errors: int = 0
    out_errors: int = 0
    in_discards: int = 0
    out_discards: int = 0
    counter_epoch: int = 0
    """Changes when the totals began anew (discontinuity, reboot, redial)."""
    last_change_ticks: int | None = None
    """ifLastChange: the device's sysUpTime, in 1/100 s, at the last change of state."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the last finished poll of one device said."""

    name: str
    role: Role
    status: Status
    run: int = 0
    age_ms: int = 0
    uptime_ticks: int | None = None
    """sysUpTime.0: the SNMP daemon's, in hundredths of a second."""
    host_uptime_ticks: int | None = None
    """hrSystemUptime.0: the device's own."""
    load_centi: int | None = None
    """laLoadInt.1: the load of the last minute times 100."""
    memory_available_kib: int | None = None
    interfaces: tuple[Interface, ...] = ()
    readings: tuple[Reading, ...] = ()

    def reading(self, kind: ReadingKind, name: str = "") -> int | None:
        """Return one reading's value; None where the device does not say."""
        for one in self.readings:
            if one.kind is kind and one.name == name:
                return one.value
        return None


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that the agent runs on."""

    clock: Clock = Clock.UNKNOWN
    memory_total_kib: int = 0
    memory_available_kib: int = 0
    load_centi: int = 0


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent's word about itself."""

    version: str = ""
    resident_kib: int = 0
    backlog: int = 0
    """Reports in the spool that no collector has acknowledged."""
    dropped: int = 0
    """Reports lost for want of room since the spool was made."""
    srtt_ms: int = 0
    """Smoothed round trip to the collector (RFC 6298); 0 = not known yet."""
    written_kib: int = 0
    """What the agent has written to disk since its start: on flash, its share of the wear."""


@dataclass(frozen=True, slots=True)
class Report:
    """One cycle of one office."""

    id: ReportId
    wall_ms: int
    """The host's clock when the report was made, ms since 1970 UTC. May be wrong: see Host."""
    uptime_ms: int
    """CLOCK_BOOTTIME of the host: monotonic, counts sleep."""
    boot_id: bytes
    """The 16 octets of /proc/sys/kernel/random/boot_id."""
    interval_ms: int
    occasion: Occasion = Occasion.CYCLE
    path: str = ""
    """The circuit that it was first sent by; empty = the default route."""
    measurements: tuple[Measurement, ...] = ()
    devices: tuple[Device, ...] = ()
    host: Host = field(default_factory=Host)
    agent: Agent = field(default_factory=Agent)
