"""Where the alert scenarios happen: the product, its peers, and what each of them told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from bench.alert_peers import SETTINGS, Peers
from bench.measure import Figures, say
from tests.lab.alerted import AlertedStack
from tests.lab.net import Office
from tests.lab.told import Told, of
from tests.lab.town import Town

OURS = "tabuah"


@dataclass(frozen=True, slots=True)
class Ground:
    """A running laboratory."""

    stack: AlertedStack
    peers: Peers | None
    draw: Random
    """Of this scenario alone: it draws the same whatever else runs."""

    @property
    def town(self) -> Town:
        """The lines, which can be cut."""
        return self.stack.lab

    def told(self) -> dict[str, list[Told]]:
        """Return what each stack's Alertmanager told so far."""
        found = {OURS: self.stack.told()}
        if self.peers is not None:
            found |= {name: self.peers.told(name) for name in SETTINGS}
        return found

    def code(self, office: Office) -> str:
        """Return an office's code."""
        return self.stack.codes[office]

    def about(self, office: Office, since: float = 0.0) -> list[Told]:
        """Return what our Alertmanager told of an office."""
        return of(self.code(office), self.stack.told(), since)

    def await_told(self, office: Office, status: str, since: float, seconds: float) -> float | None:
        """Return when a message of that status came of an office; None if not within `seconds`."""
        until = since + seconds
        while time.monotonic() < until:
            for each in self.about(office, since):
                if each.status == status:
                    return each.at
            time.sleep(0.1)
        return None


Scenario = Callable[[Ground], Figures]


def at(moments: Sequence[tuple[float, Callable[[], object]]], began: float) -> None:
    """Do things in order of their time, in seconds after `began`."""
    for when, act in sorted(moments, key=lambda moment: moment[0]):
        time.sleep(max(0.0, began + when - time.monotonic()))
        act()


def told_shown(messages: Iterable[Told], since: float) -> list[Figures]:
    """Return messages as JSON can hold them, with seconds after `since`."""
    return [
        {
            "at_s": round(each.at - since, 1),
            "status": each.status,
            "alerts": list(each.names),
            "sites": list(each.sites),
        }
        for each in messages
    ]


def spread(values: Iterable[float | None]) -> Figures:
    """Return median, least and most of what came; and how many never did."""
    listed = list(values)
    came = sorted(value for value in listed if value is not None)
    missing = len(listed) - len(came)
    if not came:
        return {"never": missing}
    return {
        "median_s": round(statistics.median(came), 1),
        "least_s": round(came[0], 1),
        "most_s": round(came[-1], 1),
        **({"never": missing} if missing else {}),
    }


def after(moment: float | None, since: float) -> float | None:
    """Return how long after `since` a moment is."""
    return None if moment is None else round(moment - since, 2)


def note(words: str) -> None:
    """Tell of progress."""
    say(f"alerts: {words}")
