"""What a simulation counts, and says at its end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of a run."""

    datagrams: int = 0
    """Sent, retries and all."""
    octets: int = 0
    retries: int = 0
    reports: int = 0
    """Made, history among them."""
    history: int = 0
    """Of them, given as backlog at the start."""
    acknowledged: int = 0
    declined: int = 0
    """Asked for again, whole."""
    answers: int = 0
    macs_checked: int = 0
    macs_wrong: int = 0
    unreadable: int = 0
    """Answers that were none to anything sent, or could not be opened."""
    latencies_s: list[float] = field(default_factory=list)
    """From the first transmission of a live report to its acknowledgement."""
    began: float = 0.0
    ended: float = 0.0

    def figures(self) -> dict[str, int | float]:
        """Return all that there is to say, for JSON."""
        lasted = max(self.ended - self.began, 1e-9)
        return {
            "seconds": round(lasted, 3),
            "reports": self.reports,
            "backlog_reports": self.history,
            "acknowledged": self.acknowledged,
            "missing": self.reports - self.acknowledged,
            "acknowledged_per_second": round(self.acknowledged / lasted, 1),
            "datagrams": self.datagrams,
            "octets": self.octets,
            "retries": self.retries,
            "declined": self.declined,
            "answers": self.answers,
            "macs_checked": self.macs_checked,
            "macs_wrong": self.macs_wrong,
            "unreadable": self.unreadable,
            **self.latency_ms(),
        }

    def latency_ms(self) -> dict[str, float]:
        """Return percentiles of the latency of live reports; empty when none was acknowledged."""
        taken = sorted(self.latencies_s)
        if not taken:
            return {}
        last = len(taken) - 1
        return {
            f"{name}_ms": round(taken[min(last, int(len(taken) * share))] * 1000, 2)
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        }
