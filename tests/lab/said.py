"""What the collector's API says, as dataclasses: the one place that knows its JSON here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class OneWaySaid:
    """One direction of a STAMP run."""

    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class MeasurementSaid:
    """One measurement of a report."""

    probe: str
    status: str
    run: int
    sent: int
    received: int
    rtt_min_s: float | None
    forward: OneWaySaid | None
    backward: OneWaySaid | None


@dataclass(frozen=True, slots=True)
class ReportSaid:
    """One report, newest knowledge of it."""

    epoch: str
    seq: int
    time: datetime
    received: datetime
    late: bool
    measurements: tuple[MeasurementSaid, ...]
    device_status: Mapping[str, str]


def reports_said(text: str) -> list[ReportSaid]:
    """Return the reports of an answer of /api/v1/sites/CODE/reports."""
    return [_report(entry) for entry in json.loads(text)]


def states_said(text: str) -> dict[str, str]:
    """Return code -> state of an answer of /api/v1/sites."""
    return {str(entry["code"]): str(entry["state"]) for entry in json.loads(text)}


def _report(entry: Mapping[str, Any]) -> ReportSaid:
    return ReportSaid(
        epoch=str(entry["epoch"]),
        seq=int(entry["seq"]),
        time=datetime.fromisoformat(entry["time"]),
        received=datetime.fromisoformat(entry["received"]),
        late=bool(entry["late"]),
        measurements=tuple(_measurement(each) for each in entry["measurements"]),
        device_status={str(each["name"]): str(each["status"]) for each in entry["devices"]},
    )


def _measurement(entry: Mapping[str, Any]) -> MeasurementSaid:
    rtt = entry.get("rtt")
    return MeasurementSaid(
        probe=str(entry["probe"]),
        status=str(entry["status"]),
        run=int(entry["run"]),
        sent=int(entry["sent"]),
        received=int(entry["received"]),
        rtt_min_s=None if rtt is None else rtt["min_us"] / 1e6,
        forward=_one_way(entry.get("forward")),
        backward=_one_way(entry.get("backward")),
    )


def _one_way(entry: Mapping[str, Any] | None) -> OneWaySaid | None:
    return None if entry is None else OneWaySaid(int(entry["sent"]), int(entry["received"]))
