"""What the centre's own eyes see, and what was refused in the offices' names, as metrics.

Read in the thread that answers a scrape: only whole values are taken from what the loop moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.eyes import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.eyes_watch import Watch
    from collector.refusals import Refusals


class EyesMetrics(Collector):
    """The families, made anew for each scrape."""

    def __init__(self, watch: Watch, refusals: Refusals) -> None:
        self._watch, self._refusals = watch, refusals

    def collect(self) -> Iterator[Metric]:
        """Yield each family; what could not be asked, or has not answered yet, has no sample."""
        for kind, label, name, what in (
            (Kind.REFERENCE, "reference", "tabuah_reference", "a reference of the collector's"),
            (Kind.ADDRESS, "site", "tabuah_site_address", "an office's address"),
        ):
            up = GaugeMetricFamily(
                f"{name}_up", f"Whether {what} answers the collector's pings.", labels=[label]
            )
            rtt = GaugeMetricFamily(
                f"{name}_rtt_seconds",
                f"Round trip of the last ping to {what}; absent if it was not answered.",
                labels=[label],
            )
            for target in list(self._watch.eyes.targets.values()):
                if target.ask.kind is kind and (answers := target.up) is not None:
                    up.add_metric([target.ask.name], float(answers))
                    if (took_s := target.rtt_s) is not None:
                        rtt.add_metric([target.ask.name], took_s)
            yield up
            yield rtt
        pings = CounterMetricFamily(
            "tabuah_centre_pings", "Pings that the collector sent, by outcome.", labels=["outcome"]
        )
        for outcome, number in dict(self._watch.pings).items():
            pings.add_metric([outcome], number)
        yield pings
        refused = CounterMetricFamily(
            "tabuah_site_refused_datagrams",
            "Datagrams in an office's name that did not pass, by reason as in tabuah_usm_stats; "
            "anyone can send them.",
            labels=["site", "reason"],
        )
        for (site, reason), number in dict(self._refusals.total).items():
            refused.add_metric([site, reason.value], number)
        yield refused
