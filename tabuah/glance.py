"""A glance at a report's octets: is all plainly well there? Pure.

Reading a report takes a quarter of a millisecond, a glance a tenth of that; most reports say that
all is well, and of those nothing more need be known at once. A glance that is not sure says no.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tabuah.block import BODY_AT, VERSION
from tabuah.measurement import Kind, Role, Status
from tabuah.reading import ReadingKind
from tabuah.report import Occasion
from tabuah.sections import AGENT, DEVICE, INTERFACE, KINDS, MEASUREMENT, PATH, READING, ROLES

MOST_OCTETS: Final = 8192
"""Of a report that is glanced at: ten times an office's. What is to be as before is looked for in
all of the report before, so that in larger ones that would take the product of both."""
WELL: Final = 1
_FIRST_HOP: Final = 2
_CENTRE: Final = 4
_PUBLIC: Final = 8
_OWN_PATH: Final = 16
DIVIDES: Final = _FIRST_HOP | _CENTRE | _PUBLIC
"""Bits of what `well` returns: first hop, centre and a public address were asked, and answered."""

_ROLE_BITS: Final = {
    ROLES[Role.FIRST_HOP]: _FIRST_HOP,
    ROLES[Role.CENTRE]: _CENTRE,
    ROLES[Role.PUBLIC]: _PUBLIC,
}
_DNS: Final = KINDS[Kind.DNS]
_GOOD: Final = int(Status.RESPONSE_RECEIVED)
_IF_UP: Final = 1
_ALARMS: Final = frozenset(
    {int(ReadingKind.OPTICAL_RX_LOSS), int(ReadingKind.REDIALS), int(ReadingKind.UPS_ON_BATTERY)}
)
_PLAIN_OCCASIONS: Final = frozenset({int(Occasion.CYCLE), int(Occasion.RETURN)})


class Limits(NamedTuple):
    """Beyond these a line may be worse than usual."""

    rtt_us: int
    jitter_us: int


def same_start(before: bytes, octets: bytes) -> bool:
    """Return whether two reports are of one start of one agent: epoch and boot."""
    return octets[1:9] == before[1:9] and octets[29:45] == before[29:45]


def well(octets: bytes, before: bytes, limits: Limits) -> int:
    """Return bits that say what was asked, WELL among them, or 0 if a report needs to be read.

    Well means: made in its turn, every probe answered without a loss and within the limits, every
    device polled, nothing in the spool. What may be otherwise for good (an interface that is down,
    a device that never answers, the circuit it was sent by) must be as in the report before.

    Args:
        octets: of a packed report.
        before: the same, of the one before it; empty where there is none.
        limits: for what lies beyond the office.
    """
    if octets[0] != VERSION or octets[BODY_AT - 1] not in _PLAIN_OCCASIONS:
        return 0
    if len(octets) > MOST_OCTETS or len(before) > MOST_OCTETS:
        return 0
    said = WELL
    at, end = BODY_AT, len(octets)
    try:
        while at < end:
            kind, length = octets[at], octets[at + 1]
            start = at + 2
            if length >= 0x80:
                length, start = _field(octets, at + 1)
            if kind == MEASUREMENT:
                bits = _measurement(octets, start, limits)
                if bits < 0:
                    return 0
                said |= bits
            elif kind in _LIKE_BEFORE:
                upto = _LIKE_BEFORE[kind](octets, start)
                if upto and octets[start:upto] not in before:
                    return 0
            elif kind == PATH:
                if octets[at : start + length] not in before:
                    return 0
                said |= _OWN_PATH
            elif kind == AGENT and octets[_field(octets, _text(octets, start))[1]]:
                return 0  # the backlog: reports of the past are to come
            at = start + length
    except IndexError:
        return 0
    return said if at == end else 0


def _measurement(octets: bytes, at: int, limits: Limits) -> int:
    """Return the bit of a probe's role, 0 for other roles, -1 if it is not plainly well.

    What most reports have six times: written out, with numbers of one octet where those are usual.
    """
    if octets[at] >= 0x80:
        return -1
    at += 1 + octets[at]  # its name
    kind, role, status = octets[at], octets[at + 1], octets[at + 2]
    if status != _GOOD:
        return -1
    at += 4  # and the stage
    while octets[at] >= 0x80:  # its run
        at += 1
    at += 1
    while octets[at] >= 0x80:  # its age
        at += 1
    at += 1
    sent = octets[at]
    if sent != octets[at + 1] or sent >= 0x80:  # received
        return -1
    at += 2
    if octets[at]:  # its circuit
        at += 1
        if octets[at] >= 0x80:
            return -1
        at += octets[at]
    at += 1
    bit = _ROLE_BITS.get(role, 0)
    if octets[at] or not bit or kind == _DNS:  # a service, or no matter of the line
        return 0
    if not octets[at + 1]:
        return -1  # an answer without a time
    at += 2
    while octets[at] >= 0x80:  # the least round trip
        at += 1
    mean_us, at = _field(octets, at + 1)
    while octets[at] >= 0x80:  # the greatest
        at += 1
    jitter_us, at = _field(octets, at + 1)
    return bit if mean_us <= limits.rtt_us and jitter_us <= limits.jitter_us else -1


def _field(octets: bytes, at: int) -> tuple[int, int]:
    """Return a number, and where it ends; IndexError where it is cut off, or longer than any."""
    octet = octets[at]
    at += 1
    if octet < 0x80:
        return octet, at
    number, shift = octet & 0x7F, 7
    while True:
        octet = octets[at]
        at += 1
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise IndexError  # without end it would take the square of its length


def _text(octets: bytes, at: int) -> int:
    """Return where a text ends."""
    length, at = _field(octets, at)
    return at + length


def _device(octets: bytes, at: int) -> int:
    """Return up to where a device must be as before: its status; 0 if it answered."""
    status_at = _text(octets, at) + 1
    return 0 if octets[status_at] == _GOOD else status_at + 1


def _interface(octets: bytes, at: int) -> int:
    """Return up to where an interface must be as before: its status; 0 if it is up."""
    status_at = _text(octets, at)
    return 0 if octets[status_at] == _IF_UP else status_at + 1


def _reading(octets: bytes, at: int) -> int:
    """Return up to where a reading must be as before; 0 if it alarms nobody."""
    value_at = _text(octets, at + 1)
    if octets[at] not in _ALARMS or not octets[value_at]:
        return 0
    return _field(octets, value_at)[1]


_LIKE_BEFORE: Final = {DEVICE: _device, INTERFACE: _interface, READING: _reading}
