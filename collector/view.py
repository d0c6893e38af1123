"""What the page, the metrics and the API ask of the collector, and nothing more.

`collector/app.py` answers; the tests answer with a small class of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from collector.health import threshold_s
from collector.live import Received, SiteView, State
from inventory.model import Circuit, Inventory
from tabuah.measurement import LINE_ROLES
from tabuah.report import Report

if TYPE_CHECKING:  # the process that renders the page needs neither
    from collector.judgement.tracking import Incident
    from collector.own_metrics import OwnMetrics
    from collector.traffic import Rates

CLONED_FOR_MS: Final = 600_000
"""How long after its last report a second agent is still said to be there."""

_NOTHING: Final[Mapping[str, State]] = MappingProxyType({})
LIVE_STATES: Final = frozenset({State.UP, State.DEGRADED})
"""Those in which a report may be shown as the present."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether reports are being taken and kept."""

    storing: bool
    """The last commit succeeded."""
    hearing: bool
    """The socket is open and being read."""
    detail: str = ""
    """Why not, for a person; when both are true, what to mind, or nothing."""

    @property
    def ready(self) -> bool:
        """Whether the collector does its work."""
        return self.storing and self.hearing


class Centre(Protocol):
    """The collector, as seen from its faces. Called in the event loop, but for `reports`.

    `rates` may be called anywhere.
    """

    @property
    def inventory(self) -> Inventory:
        """What exists, as last loaded; a reload gives another object."""

    @property
    def own(self) -> OwnMetrics:
        """The collector's metrics about itself."""

    def now_ms(self) -> int:
        """Return the collector's clock, ms since 1970 UTC."""

    def views(self) -> Sequence[SiteView]:
        """Return the live view of every site, in any order."""

    def view(self, code: str) -> SiteView | None:
        """Return one site's live view, or None if there is no such site."""

    def rates(self, code: str) -> Rates | None:
        """Return the traffic now; None without two reports of the same counter epoch."""

    def open_incidents(self) -> Sequence[Incident]:
        """Return what is wrong now, by its begin."""

    def readiness(self) -> Readiness:
        """Return whether reports are being taken and kept."""

    def reports(
        self, site: str, from_ms: int | None, to_ms: int | None, limit: int | None
    ) -> Iterator[Received]:
        """Yield the site's reports with from_ms <= time_ms < to_ms, oldest first.

        None means without bound. Blocks on the disk now and then: read in a worker thread.
        """


def live_report(view: SiteView, now_ms: int) -> Report | None:
    """Return what `live` finds, without when it came."""
    received = live(view, now_ms)
    return None if received is None else received.report


def live(view: SiteView, now_ms: int) -> Received | None:
    """Return the report whose measurements may be shown as the present; None when there is none.

    Only a site that is up or degraded has one. The age is looked at too: if the judge of silence
    itself stood still, an old number must not pass for a live one. The bound is twice the line's
    own threshold of silence, so that it never takes a number away before the judge does.
    """
    last = view.last
    if last is None or view.state not in LIVE_STATES:
        return None
    received = last.opened()
    return received if now_ms <= live_until_ms(received) else None


def live_until_ms(received: Received) -> int:
    """Return until when a report may be shown as the present, if its office is up."""
    report = received.report
    bound_s = max(60.0, 2 * threshold_s(report.interval_ms, report.agent.srtt_ms))
    return received.received_ms + round(1000 * bound_s)


def cloned_ms(view: SiteView, now_ms: int) -> int | None:
    """Return when a second agent with the site's configuration last showed; None = none of late."""
    if view.cloned_ms is None or now_ms - view.cloned_ms > CLONED_FOR_MS:
        return None
    return view.cloned_ms


def circuit_up(circuit: Circuit, circuits: Sequence[Circuit], report: Report) -> bool | None:
    """Return whether a circuit carries traffic, by the report's own probes; None = not known.

    A probe without a circuit leaves by the default route, and speaks for the circuit that has
    no interface of its own, or for the only one there is.
    """
    default = circuit.interface is None or len(circuits) == 1
    if report.path == circuit.id or (default and not report.path):
        return True
    answers = [
        measurement.good
        for measurement in report.measurements
        if measurement.role in LINE_ROLES
        and (measurement.circuit == circuit.id or (default and measurement.circuit is None))
    ]
    return any(answers) if answers else None


def circuit_state(
    circuit: Circuit,
    circuits: Sequence[Circuit],
    report: Report | None,
    judged: Mapping[str, State] = _NOTHING,
) -> State:
    """Return the state of one of an office's circuits; without a live report nothing is known.

    `judged` are circuits that several reports together showed degraded or down.
    """
    if report is not None and circuit.id in judged:
        return judged[circuit.id]
    up = circuit_up(circuit, circuits, report) if report is not None else None
    return State.UNKNOWN if up is None else State.UP if up else State.DOWN
