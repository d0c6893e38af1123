"""Stored reports as samples with their true times, in the names and labels of the metrics page.

A scrape shows the present alone. Here a report counts when it was measured, whenever it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from collector.day import Row
from collector.metrics import KEPT, Measured
from collector.opened import opened
from collector.write_request import Labels, Sample
from inventory.model import Inventory
from tabuah.errors import DecodeError

JOB = "tabuah"

_TEXTS_MOST = 200_000
"""Label texts that are kept read; names come from reports, so they are bounded."""

_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Samples(NamedTuple):
    """What reports come to."""

    samples: list[Sample]
    """By time."""
    ahead: int
    """Reports that are left out: they would lie in the future."""


class Backfill:
    """Makes samples of reports; keeps what it has read of labels."""

    def __init__(self) -> None:
        self._inventory: Inventory | None = None
        self._sites: dict[str, Measured] = {}
        self._labels: dict[tuple[str, str], Labels] = {}

    def samples(self, inventory: Inventory, rows: Iterable[Row], now_ms: int) -> Samples:
        """Return the samples of reports; sites outside the inventory are left out.

        One sample in the future would make Prometheus refuse all that comes before it. A clock
        that runs a little ahead is taken back to the time of arrival.
        """
        if inventory is not self._inventory:
            self._inventory = inventory
            self._sites = {}
        found: dict[tuple[int, Labels], float] = {}
        ahead = 0
        for row in rows:
            site = self._site(inventory, row.site)
            time_ms = min(row.time_ms, row.received_ms)
            if site is None:
                continue
            if time_ms > now_ms:
                ahead += 1
                continue
            try:
                received = opened(row)
            except DecodeError:
                continue
            for name, text, value in site.lines(received):
                found.setdefault((time_ms, self._read(name, text)), float(value))
        ordered = sorted(found.items(), key=lambda item: item[0][0])
        return Samples([Sample(at, labels, value) for (at, labels), value in ordered], ahead)

    def _site(self, inventory: Inventory, code: str) -> Measured | None:
        known = self._sites.get(code)
        if known is None and (site := inventory.find(code)) is not None:
            if len(self._sites) >= KEPT:
                self._sites.clear()
            known = self._sites[code] = Measured(site)
        return known

    def _read(self, name: str, text: str) -> Labels:
        labels = self._labels.get((name, text))
        if labels is None:
            if len(self._labels) >= _TEXTS_MOST:
                self._labels.clear()
            labels = self._labels[name, text] = read_labels(name, text)
        return labels


def read_labels(name: str, text: str) -> Labels:
    """Return a series' labels, sorted by name; empty ones are none, as Prometheus has it."""
    pairs = {"__name__": name, "job": JOB}
    for label, value in _PAIR.findall(text):
        said = _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else str(found[1]), value)
        if said:
            pairs[label] = said
    return tuple(sorted(pairs.items()))
