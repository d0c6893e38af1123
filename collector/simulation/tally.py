"""What a simulation counts, and says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tabuah.errors import TabuahError

Figure = int | float | None


class NobodyAnswersError(TabuahError):
    """No collector was heard."""


@dataclass(slots=True)
class Tally:
    """Counts of a run. Times are monotonic seconds."""

    datagrams: int = 0
    """Sent, retries and all."""
    octets: int = 0
    retries: int = 0
    reports: int = 0
    """Made, history among them."""
    history: int = 0
    """Of them, given as backlog at the start."""
    acknowledged: int = 0
    acknowledged_late: int = 0
    """Of them, out of a spool."""
    lost_with_power: int = 0
    """Of the made: too young to be in the spool when the power went, as with an agent."""
    declined: int = 0
    """Asked for again, whole."""
    resyncs: int = 0
    """The collector told its time."""
    answers: int = 0
    macs_checked: int = 0
    macs_wrong: int = 0
    overtaken: int = 0
    """Answers to what was answered, or had become history, before."""
    refused: int = 0
    """Datagrams of offices that the collector did not know yet, as it says."""
    unreadable: int = 0
    """Answers that could not be opened."""
    latencies_s: list[float] = field(default_factory=list)
    """From the first transmission of a live report to its acknowledgement."""
    live_offices: int = 0
    """Heard by the collector since they began, or since their power returned."""
    behind_s: float = 0.0
    """The most that a report left after its time: the simulator's own lateness."""
    began: float = 0.0
    returned: float = 0.0
    """The start, or the last return of power."""
    ended: float = 0.0
    """The last acknowledgement."""
    all_live: float | None = None
    """When the last office was heard."""
    caught_up: float | None = None
    """When the last report that waited in a spool was acknowledged."""
    cpu_s: float = 0.0

    @property
    def missing(self) -> int:
        """Reports that nobody has acknowledged, and that a spool should still hold."""
        return self.reports - self.lost_with_power - self.acknowledged

    def figures(self) -> dict[str, Figure]:
        """Return all that there is to say, for JSON."""
        lasted_s = max(self.ended - self.began, 1e-9)
        return {
            "seconds": round(self.ended - self.began, 3),
            "reports": self.reports,
            "backlog_reports": self.history,
            "acknowledged": self.acknowledged,
            "acknowledged_late": self.acknowledged_late,
            "missing": self.missing,
            "lost_with_power": self.lost_with_power,
            "acknowledged_per_second": round(self.acknowledged / lasted_s, 1),
            "datagrams": self.datagrams,
            "octets": self.octets,
            "retries": self.retries,
            "declined": self.declined,
            "resyncs": self.resyncs,
            "answers": self.answers,
            "macs_checked": self.macs_checked,
            "macs_wrong": self.macs_wrong,
            "overtaken": self.overtaken,
            "refused": self.refused,
            "unreadable": self.unreadable,
            "all_live_s": self._after_return(self.all_live),
            "caught_up_s": self._after_return(self.caught_up),
            "behind_s": round(self.behind_s, 3),
            "cpu_us_a_report": round(self.cpu_s / max(1, self.acknowledged) * 1e6, 1),
            **self.latency_ms(),
        }

    def latency_ms(self) -> dict[str, Figure]:
        """Return percentiles of the latency of live reports; None while none was acknowledged."""
        taken = sorted(self.latencies_s)
        last = len(taken) - 1
        return {
            f"{name}_ms": round(taken[min(last, int(len(taken) * share))] * 1000, 2)
            if taken
            else None
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        }

    def progress(self, now: float, backlog: int) -> str:
        """Return one line on how it goes."""
        line = (
            f"{now - self.began:.0f} s: {self.reports - self.history} reports made, "
            f"{self.acknowledged} acknowledged, {self.retries} retries"
        )
        return f"{line}, {backlog} in spools" if backlog else line

    def _after_return(self, at: float | None) -> float | None:
        return None if at is None else round(at - self.returned, 3)
