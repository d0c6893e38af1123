"""What every probe's run needs: its memory, its failures, and the Measurement at its end.

A probe raises `ProbeFailure` (or an OSError of the network) inside; `conclude` turns whatever
happened into a Measurement, so that no caller sees an exception.
"""

from __future__ import annotations

import errno
import logging
import time
from asyncio import Future
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from itertools import pairwise

from agent.config import Probe
from tabuah import draw
from tabuah.errors import TabuahError
from tabuah.measurement import Measurement, Stage, Status, Timing

log = logging.getLogger(__name__)

NS_PER_US = 1000

Addresses = list[tuple[int, str]]
"""(address family, numeric host), best first."""


@dataclass(slots=True)
class Session:
    """A STAMP session (RFC 8762), which one SSID (RFC 8972) names at the reflector."""

    ssid: int = field(default_factory=lambda: draw.below(0xFFFF) + 1)
    next_seq: int = 0
    last_seq: int = -1
    """The highest sender's sequence number that was answered so far."""
    last_count: int = -1
    """The highest sequence number of the reflector's so far."""
    last_forward_ns: int | None = None
    last_backward_ns: int | None = None
    """One-way times of the last answer; their zero is unknown, their differences are exact."""


@dataclass(slots=True)
class Memory:
    """What one probe remembers between its runs."""

    runs: int = 0
    last_rtt_ns: int | None = None
    """Of the last answer of the last run; None when that run had none."""
    sequence: int = 0
    """ICMP: the next sequence number."""
    session: Session = field(default_factory=Session)
    addresses: Addresses = field(default_factory=list)
    """Of the last lookup."""
    looked_up_s: float = 0.0
    """When that was, on the monotonic clock."""
    lookup: Future[Addresses] | None = None
    """The name lookup under way: a resolver that hangs holds one thread a probe, not one a run."""


class Deadline:
    """When a run must be over, on the monotonic clock."""

    def __init__(self, timeout_s: float) -> None:
        self._at = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Return the seconds left; never below zero."""
        return max(0.0, self._at - time.monotonic())


class ProbeFailure(TabuahError):  # noqa: N818  a failed run is a finding, not a fault of ours
    """The run ended without the expected answer."""

    def __init__(self, status: Status, stage: Stage = Stage.ANSWER) -> None:
        self.status = status
        self.stage = stage
        super().__init__(f"{status.name.lower()} at {stage.name.lower()}")


def measurement(
    probe: Probe, status: Status = Status.RESPONSE_RECEIVED, stage: Stage = Stage.ANSWER
) -> Measurement:
    """Return a Measurement that carries the probe's names and nothing measured yet."""
    return Measurement(
        probe=probe.name,
        kind=probe.kind,
        role=probe.role,
        status=status,
        stage=stage,
        circuit=probe.circuit,
        service=probe.service,
        sent=probe.count,
    )


async def conclude(
    probe: Probe, memory: Memory, run: Coroutine[None, None, Measurement]
) -> Measurement:
    """Return what `run` measured, or what its failure says; counts the run."""
    try:
        result = await run
    except ProbeFailure as failure:
        result = measurement(probe, failure.status, failure.stage)
    except OSError as error:
        result = measurement(probe, status_of(error))
    except Exception:
        log.exception("probe %s failed in itself", probe.name)
        result = measurement(probe, Status.INTERNAL_ERROR)
    if result.rtt is None:
        memory.last_rtt_ns = None
    memory.runs += 1
    return replace(result, run=memory.runs)


_STATUS_OF_ERRNO = {
    errno.ETIMEDOUT: Status.REQUEST_TIMED_OUT,
    errno.ENETUNREACH: Status.NO_ROUTE_TO_TARGET,
    errno.EHOSTUNREACH: Status.NO_ROUTE_TO_TARGET,
    errno.EADDRNOTAVAIL: Status.NO_ROUTE_TO_TARGET,
    errno.ENETDOWN: Status.INTERFACE_INACTIVE_TO_TARGET,
    errno.ENODEV: Status.INTERFACE_INACTIVE_TO_TARGET,
    errno.ENXIO: Status.INTERFACE_INACTIVE_TO_TARGET,
    errno.EHOSTDOWN: Status.ARP_FAILURE,
    errno.EINVAL: Status.INVALID_HOST_ADDRESS,
    errno.EACCES: Status.INVALID_HOST_ADDRESS,  # a broadcast address (connect(2))
    errno.EMFILE: Status.MAX_CONCURRENT_LIMIT_REACHED,
    errno.ENFILE: Status.MAX_CONCURRENT_LIMIT_REACHED,
    errno.EPERM: Status.INTERNAL_ERROR,
    errno.ENOMEM: Status.INTERNAL_ERROR,
    errno.ENOBUFS: Status.INTERNAL_ERROR,
}


def status_of(error: OSError) -> Status:
    """Return the DISMAN word (RFC 4560) for an error of the network.

    A refusal (ECONNREFUSED, ECONNRESET) is UNKNOWN, the word for 'failed' that claims neither
    silence nor a missing route: an answer did come, and none of the eleven words means 'no'.
    The stage beside it (CONNECT) tells a refusal from other unknowns.
    """
    return _STATUS_OF_ERRNO.get(error.errno or 0, Status.UNKNOWN)


def timing(rtts_ns: list[int], before_ns: int | None) -> Timing | None:
    """Return the Timing of answers in the order sent; None when there are none.

    `before_ns` is the last one of the run before, or None. Jitter is the mean |IPDV| of RFC 3393.
    """
    if not rtts_ns:
        return None
    return Timing(
        min_us=min(rtts_ns) // NS_PER_US,
        mean_us=sum(rtts_ns) // len(rtts_ns) // NS_PER_US,
        max_us=max(rtts_ns) // NS_PER_US,
        jitter_us=mean_variation_us(rtts_ns, before_ns),
    )


def mean_variation_us(delays_ns: list[int], before_ns: int | None) -> int | None:
    """Return the mean |d_i - d_(i-1)| in us; None with fewer than two delays."""
    row = delays_ns if before_ns is None else [before_ns, *delays_ns]
    if len(row) < 2:
        return None
    steps = [abs(later - earlier) for earlier, later in pairwise(row)]
    return sum(steps) // len(steps) // NS_PER_US
