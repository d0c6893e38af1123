"""How many answers strangers get: token buckets, one for each source and one for all.

What cannot be authenticated still gets a Report, because that is how a manager finds our engine
ID. Since source addresses can be forged, those Reports are few.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many tokens a second, and at most so many saved up."""

    per_second: float
    burst: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Policer:
    """Says whether a source may have one more answer."""

    def __init__(
        self,
        each: Rate = Rate(per_second=5, burst=20),
        total: Rate = Rate(per_second=200, burst=400),
        max_sources: int = 4096,
    ) -> None:
        self._each = each
        self._total = total
        self._max_sources = max_sources
        self._sources: dict[str, _Bucket] = {}
        self._all = _Bucket(total.burst, 0.0)

    def allows(self, source: str, now: float) -> bool:
        """Return whether `source` may have an answer at `now` (monotonic seconds), and count it.

        The source unused for longest is forgotten when there are too many; the total holds still.
        """
        bucket = self._sources.pop(source, None)
        if bucket is None:
            bucket = _Bucket(self._each.burst, now)
            if len(self._sources) >= self._max_sources:
                del self._sources[next(iter(self._sources))]
        self._sources[source] = bucket
        _refill(bucket, self._each, now)
        _refill(self._all, self._total, now)
        if bucket.tokens < 1 or self._all.tokens < 1:
            return False
        bucket.tokens -= 1
        self._all.tokens -= 1
        return True


def _refill(bucket: _Bucket, rate: Rate, now: float) -> None:
    earned = max(0.0, now - bucket.at) * rate.per_second
    bucket.tokens = min(rate.burst, bucket.tokens + earned)
    bucket.at = now
