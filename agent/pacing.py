"""How much of a line the past may take: a token bucket for each circuit. Pure.

History may use a share of a circuit's uplink, so that citizens' work on the same line does not
feel it. What is counted are the octets of IP packets that go up. The answers come down, where lines
are as fast or faster, and are a sixth of what draws them. Live reports are never held back; what
they take is counted all the same, down to an empty bucket of the depth below zero: the retries of a
dead line must not hold up history for minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHARE: Final = 0.1
"""Of a circuit's uplink, where the configuration says nothing else."""
UNKNOWN_UPLINK_BPS: Final = 1_000_000
"""Of a circuit whose bandwidth nobody wrote down: slower lines are rare, and a tenth is little."""
DEPTH_S: Final = 1.0
"""A bucket that has filled up lets so many seconds' worth pass at once..."""
DEPTH_LEAST: Final = 3_700
"""... or three large informs, if that is more: in octets."""
HEADERS: Final = 28
"""Octets of IPv4 and UDP before a datagram's payload; IPv6 has 20 more, which are left out."""


@dataclass(slots=True)
class Bucket:
    """What may still be sent by one circuit now. `now` is monotonic seconds."""

    octets_per_s: float
    _tokens: float = 0.0
    _counted: float | None = None
    """Until when the tokens are counted; None = a new bucket, which is full."""

    @property
    def depth(self) -> float:
        """The most that may be sent at once, in octets."""
        return max(self.octets_per_s * DEPTH_S, float(DEPTH_LEAST))

    def take(self, octets: int, now: float) -> None:
        """Note octets that left, whether or not there was room for them."""
        self._fill(now)
        self._tokens = max(self._tokens - octets, -self.depth)

    def wait_s(self, now: float) -> float:
        """Return the seconds until history may send again; 0 = now.

        A datagram may leave while anything is left, and is paid back afterwards.
        """
        self._fill(now)
        return 0.0 if self._tokens > 0 else (1.0 - self._tokens) / self.octets_per_s

    def _fill(self, now: float) -> None:
        if self._counted is None:
            self._tokens = self.depth
        else:
            gained = max(0.0, now - self._counted) * self.octets_per_s
            self._tokens = min(self._tokens + gained, self.depth)
        self._counted = now


def bucket(uplink_bps: int | None, share: float) -> Bucket:
    """Return the bucket of a circuit: `share` of its uplink in bits per second, if known."""
    return Bucket((uplink_bps or UNKNOWN_UPLINK_BPS) * share / 8)


def on_the_line(payload: int) -> int:
    """Return the octets of IP that a datagram of so many takes."""
    return payload + HEADERS
