"""The collector's metrics about itself, in a registry of its own: nothing at module level.

What the sites say is in `collector/metrics.py`; this is what happens to it on the way.
"""

from __future__ import annotations

import math
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    Summary,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.channels import Outcome
from alerts.condition import Condition
from tabuah import __version__
from tabuah.snmp.receiver import STAT_OF, Reason

OUTCOMES: Final = (
    "accepted",
    "late",
    "duplicate",
    "bad_auth",
    "replayed",
    "resync",
    "malformed",
    "unknown_site",
    "unstored",
    "declined",
    "overdue",
)
"""What can become of a report, or of a datagram that was refused; one that was declined rests on a
report that is held no longer, and comes again whole; one that is overdue has waited too long in the
kernel, for more comes than can be taken, and comes again; a resync is an office's first contact
since our start, which is told our time and comes again."""

MISHAPS: Final = (
    "datagram",
    "commit",
    "silence",
    "judgement",
    "alert",
    "ping",
    "trap",
    "upkeep",
    "remote write",
    "sla",
)
"""Where an error can happen that nobody foresaw."""

# A group commit is one fsync: 2 to 20 ms on good disks, a second on a dying SD card.
_COMMIT_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class OwnMetrics:
    """Counters that the collector's other modules move, and the page that shows them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._parts: list[Callable[[], bytes]] = []
        self._reports = Counter(
            "tabuah_reports",
            "Reports by what became of them; accepted counts after the commit, "
            "a refused datagram counts once.",
            ["outcome"],
            registry=self.registry,
        )
        # Created at 0, so that the first refusal is an increase and not a new series.
        self._outcomes = {word: self._reports.labels(word) for word in OUTCOMES}
        usm_stats = Counter(
            "tabuah_usm_stats",
            "Datagrams refused by the user-based security model, by RFC 3414's counters: "
            "unsupported_level is usmStatsUnsupportedSecLevels, not_in_window "
            "usmStatsNotInTimeWindows, unknown_user usmStatsUnknownUserNames, unknown_engine "
            "usmStatsUnknownEngineIDs, wrong_digest usmStatsWrongDigests, decryption "
            "usmStatsDecryptionErrors.",
            ["reason"],
            registry=self.registry,
        )
        self._usm_stats = {reason: usm_stats.labels(reason.value) for reason in STAT_OF}
        mishaps = Counter(
            "tabuah_mishaps",
            "Errors that nobody foresaw; the collector went on, and its log has the traceback.",
            ["where"],
            registry=self.registry,
        )
        self._mishaps = {where: mishaps.labels(where) for where in MISHAPS}
        self.commit_seconds = Histogram(
            "tabuah_commit_seconds",
            "Time of a group commit, until the reports are on disk.",
            buckets=_COMMIT_BUCKETS,
            registry=self.registry,
        )
        self.render_seconds = Summary(
            "tabuah_scrape_render_seconds",
            "Time to render and pack the metrics page.",
            registry=self.registry,
        )
        Gauge(
            "tabuah_build_info",
            "The collector's version; always 1.",
            ["version", "python"],
            registry=self.registry,
        ).labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)

    def watch_disk(self, folder: Path) -> None:
        """Show how full the disk is that holds `folder`; asked of the system at each scrape."""
        for name, says, of in (
            ("tabuah_data_size_bytes", "Size of the disk that holds the data folder.", "total"),
            ("tabuah_data_free_bytes", "Of it, what the collector may still write.", "free"),
        ):
            gauge = Gauge(name, says, registry=self.registry)
            gauge.set_function(partial(_disk, folder, of))

    def watch_channels(
        self, channels: Sequence[AlertChannel], text_failures: Callable[[], int]
    ) -> None:
        """Show whether alerts leave, and how often a user's own text failed."""
        self.registry.register(_Channels(channels, text_failures))

    def watch_remote_write(self, writing: RemoteWriting) -> None:
        """Show how far remote write has come."""
        self.registry.register(_RemoteWrite(writing))

    def show(self, part: Callable[[], bytes]) -> None:
        """Show behind them what `part` returns, families in the text format 0.0.4."""
        self._parts.append(part)

    def count(self, outcome: str, reports: int = 1) -> None:
        """Count what became of reports.

        Raises:
            KeyError: when `outcome` is not one of OUTCOMES.
        """
        self._outcomes[outcome].inc(reports)

    def mishap(self, where: str) -> None:
        """Count an error that nobody foresaw.

        Raises:
            KeyError: when `where` is not one of MISHAPS.
        """
        self._mishaps[where].inc()

    def refused(self, reason: Reason) -> None:
        """Count a refused datagram in usmStats, if its reason is one of theirs."""
        if (counter := self._usm_stats.get(reason)) is not None:
            counter.inc()

    def render(self) -> bytes:
        """Return the families in the text format 0.0.4, without the client's `_created` series."""
        own = generate_latest(_WithoutCreated(self.registry))
        return b"".join((own, *(part() for part in self._parts)))


def _disk(folder: Path, of: str) -> float:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:  # gone, or its filesystem is: no figure is better than a false one
        return math.nan
    return usage.total if of == "total" else usage.free


class AlertChannel(Protocol):
    """What is asked of `alerts.channels.Outbox`."""

    name: str
    condition: Condition

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Return what became of all tries."""

    @property
    def waiting(self) -> int:
        """Return how many messages are not taken yet."""


class _Channels(Collector):
    def __init__(self, channels: Sequence[AlertChannel], text_failures: Callable[[], int]) -> None:
        self._channels = channels
        self._text_failures = text_failures

    def collect(self) -> Iterator[Metric]:
        """Yield each family."""
        up = GaugeMetricFamily(
            "tabuah_alert_channel_up",
            "1 = the channel's last message was taken, or it had none yet; 0 = it is tried again.",
            labels=["channel"],
        )
        waiting = GaugeMetricFamily(
            "tabuah_alert_channel_waiting_messages",
            "Messages that the channel has not taken yet.",
            labels=["channel"],
        )
        tries = CounterMetricFamily(
            "tabuah_alert_channel_tries",
            "Tries to hand over messages, by what became of them; failed ones are tried again, "
            "what is refused for what it is was given up, lost is what the full queue let go.",
            labels=["channel", "outcome"],
        )
        for channel in self._channels:
            up.add_metric([channel.name], 0.0 if channel.condition.trouble else 1.0)
            waiting.add_metric([channel.name], channel.waiting)
            for outcome, count in channel.counts.items():
                tries.add_metric([channel.name, outcome.value], count)
        yield from (up, waiting, tries)
        yield CounterMetricFamily(
            "tabuah_alert_text_failures",
            "Texts for which the shipped template stood in, since the inventory's own failed.",
            self._text_failures(),
        )


class RemoteWriting(Protocol):
    """What is asked of `collector.remote_write.RemoteWrite`."""

    taken: int
    dropped: int
    failures: int
    waiting: int

    def lag_s(self) -> float:
        """Return how long ago the oldest report came that is not written yet."""


class _RemoteWrite(Collector):
    def __init__(self, writing: RemoteWriting) -> None:
        self._writing = writing

    def collect(self) -> Iterator[Metric]:
        """Yield each family."""
        now = self._writing
        yield GaugeMetricFamily(
            "tabuah_remote_write_lag_seconds",
            "How long ago the oldest report came that is not written yet; 0 when all are.",
            now.lag_s(),
        )
        yield GaugeMetricFamily(
            "tabuah_remote_write_waiting_reports", "Reports that are not written yet.", now.waiting
        )
        yield CounterMetricFamily(
            "tabuah_remote_write_failures",
            "Requests that were not taken, and are tried again.",
            now.failures,
        )
        yield CounterMetricFamily(
            "tabuah_remote_write_samples", "Samples that the receiver has taken.", now.taken
        )
        yield CounterMetricFamily(
            "tabuah_remote_write_dropped_samples",
            "Samples that the receiver will never take: too old, or refused for their values.",
            now.dropped,
        )


class _WithoutCreated(CollectorRegistry):
    """A registry's families without `_created`.

    The text format 0.0.4 has no such sample: it would show as one more gauge for each counter.
    The client's own switch is global to the process.
    """

    def __init__(self, inner: Collector) -> None:
        super().__init__()
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        """Yield each family with the samples that the format knows."""
        for family in self._inner.collect():
            shown = Metric(family.name, family.documentation, family.type)
            shown.samples = [
                sample for sample in family.samples if not sample.name.endswith("_created")
            ]
            yield shown
