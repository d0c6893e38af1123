"""What people are told: Alertmanager's own webhook messages, and when each arrived.

A message is what makes a telephone ring once, however many alerts stand in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tests.lab.inside import Arrival

FIRING, RESOLVED = "firing", "resolved"


@dataclass(frozen=True, slots=True)
class Told:
    """One message."""

    at: float
    """When it arrived, by `time.monotonic`."""
    status: str
    names: tuple[str, ...]
    """The alertnames in it."""
    sites: tuple[str, ...]
    """The offices that it names."""

    def shown(self, since: float) -> str:
        """Return it in a line, its time from `since` on."""
        return (
            f"{self.at - since:.1f} s {self.status} {'+'.join(self.names)} {' '.join(self.sites)}"
        )


def told(arrivals: Iterable[Arrival], path: str) -> list[Told]:
    """Return what Alertmanager sent to `path`, in order (its webhook format, version 4)."""
    found = []
    for arrival in arrivals:
        if arrival.path != path:
            continue
        message = json.loads(arrival.body)
        # A message of the group tells what ended beside what lasts.
        names, sites = set(), set()
        for alert in message["alerts"]:
            names.add(str(alert["labels"]["alertname"]))
            named = alert["annotations"].get("sites") or alert["labels"].get("site", "")
            sites |= set(named.split(", ")) - {""}
        found.append(
            Told(arrival.at, message["status"], tuple(sorted(names)), tuple(sorted(sites)))
        )
    return found


def said(arrivals: Iterable[Arrival], path: str) -> list[Told]:
    """Return what the collector's own webhook channel sent to `path`, in order."""
    found = []
    for arrival in arrivals:
        if arrival.path == path:
            message = json.loads(arrival.body)
            found.append(
                Told(
                    arrival.at,
                    message["status"],
                    (str(message["alertname"]),),
                    tuple(sorted(message["sites"])),
                )
            )
    return found


def of(site: str, messages: Iterable[Told], since: float = 0.0) -> list[Told]:
    """Return the messages that name a site, from a moment on."""
    return [each for each in messages if site in each.sites and each.at >= since]


def first(messages: Iterable[Told], status: str) -> float | None:
    """Return when the first message of that status arrived, or None."""
    return next((each.at for each in messages if each.status == status), None)
