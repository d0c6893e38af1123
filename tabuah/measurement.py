"""What one probe, or one poll of a device, saw: the smallest thing that tabuah says.

A failure is a measurement too. Its `status` is in the words of DISMAN-PING-MIB's
OperationResponseStatus (RFC 4560), which already tell 'timed out' from 'no route' from
'name not found', and its `stage` says how far a check of several steps came.

Times are whole microseconds: exact on the wire, exact in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Kind(Enum):
    """How a probe asks. The value is the word in the inventory."""

    PING = "ping"
    UDP = "udp"
    """STAMP, RFC 8762, against the collector's reflector."""
    DNS = "dns"
    TCP = "tcp"
    HTTP = "http"


class Role(Enum):
    """What a probe's or a device's answer is evidence of. The value is the inventory's word."""

    GATEWAY = "gateway"
    FIRST_HOP = "first_hop"
    CENTRE = "centre"
    PUBLIC = "public"
    SERVICE = "service"
    UPS = "ups"
    OTHER = "other"


LINE_ROLES = (Role.CENTRE, Role.PUBLIC, Role.FIRST_HOP)
"""Probes whose packets cross the line, and so tell whether it carries anything; the office's own
gateway and a service's server are evidence of other things. What citizens feel stands first."""


class Status(IntEnum):
    """OperationResponseStatus of DISMAN-PING-MIB (RFC 4560 section 4)."""

    RESPONSE_RECEIVED = 1
    UNKNOWN = 2
    INTERNAL_ERROR = 3
    REQUEST_TIMED_OUT = 4
    UNKNOWN_DESTINATION_ADDRESS = 5
    NO_ROUTE_TO_TARGET = 6
    INTERFACE_INACTIVE_TO_TARGET = 7
    ARP_FAILURE = 8
    MAX_CONCURRENT_LIMIT_REACHED = 9
    UNABLE_TO_RESOLVE_DNS_NAME = 10
    INVALID_HOST_ADDRESS = 11


class Stage(IntEnum):
    """The step of a check that `status` speaks of."""

    ANSWER = 0
    """The only step there is (ping, udp), or all steps done."""
    RESOLVE = 1
    CONNECT = 2
    TLS = 3
    FIRST_BYTE = 4
    BODY = 5
    EXPECT = 6
    """An answer came, but not the expected one: status code, text, DNS rcode."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Round trips of the answered packets of one run, in microseconds; lost ones are not in it."""

    min_us: int
    mean_us: int
    max_us: int
    jitter_us: int | None = None
    """Mean |IPDV| (RFC 3393) of neighbouring answers, the last one of the run before included;
    None with fewer than two."""


@dataclass(frozen=True, slots=True)
class OneWay:
    """Packets of one direction between two answered STAMP packets, and their delay variation.

    Which way a packet was lost shows only in the reflector's own count in the next answer, so
    these counts span all runs since the answer before; they are absent when no answer came.
    """

    sent: int
    received: int
    jitter_us: int | None = None


@dataclass(frozen=True, slots=True)
class Phases:
    """Where the time of an HTTP(S) check went, in microseconds; None = not reached, not needed."""

    resolve_us: int | None = None
    connect_us: int | None = None
    tls_us: int | None = None
    first_byte_us: int | None = None
    body_us: int | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """The last finished run of one probe."""

    probe: str
    """The probe's name, unique in its office."""
    kind: Kind
    role: Role
    status: Status
    stage: Stage = Stage.ANSWER
    circuit: str | None = None
    """The circuit whose interface it leaves by; None = the default route."""
    service: str | None = None
    """The service of the inventory that it checks."""
    run: int = 0
    """Counts the probe's finished runs since the agent began: the same run in two reports is
    one measurement."""
    age_ms: int = 0
    """How long before the report the run ended."""
    sent: int = 1
    received: int = 0
    rtt: Timing | None = None
    """Present when anything was received. For dns, tcp and http the whole exchange is one trip."""
    forward: OneWay | None = None
    """udp only: from the office to the collector."""
    backward: OneWay | None = None
    """udp only: from the collector to the office."""
    phases: Phases | None = None
    """http only."""
    code: int | None = None
    """The HTTP status code, or the DNS rcode."""
    certificate_days: int | None = None
    """Whole days until the peer's certificate ends; negative when it has ended."""

    @property
    def good(self) -> bool:
        """Whether the target answered as expected."""
        return self.status is Status.RESPONSE_RECEIVED
