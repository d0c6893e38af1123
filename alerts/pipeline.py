"""From an incident to what each channel is told of it. Pure; each step returns its reason.

    incident -> maintenance -> severity and audience -> group by common cause
             -> dedupe and repeat -> text -> channels

`Pipeline.decide` is that line. What it decides is written down (`collector.logbook`) before a
channel hears of it; the text is made when the channel's turn comes, of what is known by then.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from alerts import audience as hearing
from alerts import escalation, grouping, telling
from alerts.case import Case
from alerts.grouping import Lately
from alerts.maintenance import Work, muted
from alerts.message import Message, Status
from alerts.steps import Decided, Decision, Step
from alerts.telling import Ear
from inventory.model import DEFAULT_ZONE, Alerts

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from alerts.incident import Incident
    from alerts.text import Text

REMEMBERED: Final = 20_000
"""Ids of what is over: an old version of it that comes late is no news."""
ESCALATE_MS: Final = 5_000
"""How often it is looked whether nobody acknowledged."""


@dataclass(slots=True)
class Outcome:
    """What came of a look: to be written down, and then said."""

    cases: dict[str, Case] = field(default_factory=dict)
    """That changed."""
    members: dict[str, tuple[Incident, str]] = field(default_factory=dict)
    """Incidents that are told as another, or not yet (an empty id)."""
    decided: list[Decided] = field(default_factory=list)
    due: list[tuple[Case, Ear]] = field(default_factory=list)
    """What is to be said, in order."""
    revised: dict[str, Case] = field(default_factory=dict)
    """Known better now, for those who go on telling what lasts."""


@dataclass(slots=True)
class Pipeline:
    """Decides what to say of each incident, and remembers what was said."""

    write: Callable[[Incident], Text]
    """Finds the words for an incident: of its end once it has one, else of its beginning."""
    alerts: Alerts = field(default_factory=Alerts)
    language: str = "id"
    zone: ZoneInfo = DEFAULT_ZONE
    works: Callable[[], Collection[Work]] = tuple
    """Announced work around now."""
    acknowledged: Callable[[str], bool] = lambda _: False
    """Whether a person looks after the incident of that id."""
    _cases: dict[str, Case] = field(default_factory=dict)
    """Told, and not ended."""
    _told_as: dict[str, str] = field(default_factory=dict)
    """The id of the case of each incident that was told and lasts."""
    _waiting: dict[str, tuple[Incident, int]] = field(default_factory=dict)
    """Not told yet, and when to look again."""
    _over: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _lately: dict[tuple[str, str], Lately] = field(default_factory=lambda: defaultdict(Lately))
    """By alertname and kind."""
    _noted: dict[str, dict[tuple[Step, str], Decision]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """By id, the last decision of each step: what is decided again is not written again."""
    _quiet: tuple[int, int | None] = (-1, None)
    """A minute, and until when it is quiet then."""
    _looked_ms: int = 0
    """When it was last looked whether somebody is to be told again."""
    _out: Outcome = field(default_factory=Outcome)

    # --- the line -----------------------------------------------------------------------

    def look(self, incidents: Iterable[Incident], now_ms: int) -> Outcome:
        """Return what comes of incidents as they are now."""
        for incident in incidents:
            self.decide(incident, now_ms)
        return self._drain()

    def tick(self, now_ms: int) -> Outcome:
        """Return what time alone brings: ends of work and of quiet hours, and escalations."""
        for incident in [one for one, at_ms in self._waiting.values() if at_ms <= now_ms]:
            self.decide(incident, now_ms)
        if now_ms - self._looked_ms >= ESCALATE_MS:
            self._looked_ms = now_ms
            for case in list(self._cases.values()):
                if escalation.ripe(case, self.alerts.escalate_after_s, now_ms):
                    self._escalate(case, now_ms)
        return self._drain()

    def decide(self, incident: Incident, now_ms: int) -> None:
        """Take one incident down the line, as far as it goes."""
        case = self._case_of(incident.id)
        if case is not None:
            self._go_on(case, incident, now_ms)
            return
        if incident.id in self._over or incident.ended_ms is not None:
            self._let_go(incident, now_ms)
            return
        work = muted(incident, self.works(), now_ms)
        self._note(incident.id, now_ms, work.decision)
        if work.until_ms is not None:
            self._wait(incident, work.until_ms)
            return
        whom = hearing.audience(incident, self.alerts, self._quiet_until(now_ms))
        self._note(incident.id, now_ms, *whom.decisions)
        if whom.until_ms is not None:
            self._wait(incident, whom.until_ms)
            return
        lately = self._lately[incident.alertname, incident.kind]
        group = grouping.group(incident, lately, now_ms)
        grouping.note(lately, group, incident, now_ms)
        self._note(incident.id, now_ms, group.decision)
        case = self._join(group.id, incident)
        began = "it began, and nobody was told yet"
        self._say(case, whom.channels, Status.FIRING, began, now_ms)

    # --- its steps ----------------------------------------------------------------------

    def _go_on(self, case: Case, incident: Incident, now_ms: int) -> None:
        """Note how a told incident is now; say its end, if with it all of its case ended."""
        case.take(incident)
        if case.many:
            self._out.members[incident.id] = (incident, case.id)
        if incident.ended_ms is not None:
            del self._told_as[incident.id]
            self._remember_over(incident.id)
        if case.lasts:
            over = incident.ended_ms is not None
            reason = "others that are told with it last" if over else "it was said already"
            self._note(incident.id, now_ms, Decision(Step.REPEAT, "nothing new said", reason))
            self._out.revised[case.id] = case
            return
        del self._cases[case.id]
        self._remember_over(case.id)
        changes = telling.ended(case.sayings, now_ms)
        new = case.change(changes)
        self._out.cases[case.id] = case
        self._out.due += [(case, ear) for ear in new]
        told = ", ".join(channel for channel, _ in new)
        reason = "it ended, and those who were told are told so"
        decision = Decision(Step.REPEAT, f"resolved: {told}" if told else "nothing said", reason)
        if not told:
            decision = replace(decision, reason="it ended before anybody was told")
        self._note(case.id, now_ms, decision)
        self._forget_notes(incident.id, case.id)

    def _let_go(self, incident: Incident, now_ms: int) -> None:
        """Say nothing of what is over."""
        self._waiting.pop(incident.id, None)
        if incident.id in self._over:
            return
        self._remember_over(incident.id)
        reason = "it ended before anybody was told"
        self._note(incident.id, now_ms, Decision(Step.REPEAT, "nothing said", reason))
        self._out.members[incident.id] = (incident, "")
        self._forget_notes(incident.id)

    def _wait(self, incident: Incident, until_ms: int) -> None:
        if incident.id not in self._waiting:
            self._out.members[incident.id] = (incident, "")
        self._waiting[incident.id] = (incident, until_ms)

    def _join(self, id_: str, incident: Incident) -> Case:
        """Return the case under which an incident is told, made if it is new."""
        self._waiting.pop(incident.id, None)
        case = self._cases.get(id_)
        if case is None:
            first = incident if id_ == incident.id else grouping.together(id_, [incident])
            case = self._cases[id_] = Case(id_, first)
        case.take(incident)
        self._told_as[incident.id] = id_
        if case.many:
            self._out.members[incident.id] = (incident, id_)
        return case

    def _say(
        self, case: Case, channels: Iterable[str], status: Status, why: str, now_ms: int
    ) -> None:
        """Have a message said to those who have not heard it."""
        new = case.change(telling.due(case.sayings, channels, status, now_ms))
        if not new and case.sayings:
            self._out.revised[case.id] = case
            return
        self._out.cases[case.id] = case
        self._out.due += [(case, ear) for ear in new]
        told = ", ".join(channel for channel, _ in new) or "nobody"
        self._note(case.id, now_ms, Decision(Step.REPEAT, f"{status.value}: {told}", why))

    def _escalate(self, case: Case, now_ms: int) -> None:
        """Tell that nobody looks after it, once, unless somebody does or now is not the time."""
        whom = [
            channel
            for channel in hearing.escalated_to(case.first, self.alerts)
            if (channel, Status.ESCALATED) not in case.sayings
        ]
        if not whom or any(self.acknowledged(id_) for id_ in (case.id, *case.members)):
            return
        quiet = hearing.kept_quiet(case.first, self.alerts.quiet_hours, self._quiet_until(now_ms))
        if quiet is not None:
            self._note(case.id, now_ms, quiet)
            return
        work = muted(case.now(), self.works(), now_ms)
        if work.until_ms is not None:
            self._note(case.id, now_ms, work.decision)
            return
        self._say(case, whom, Status.ESCALATED, escalation.REASON, now_ms)

    # --- what is said -------------------------------------------------------------------

    def message(self, status: Status, case: Case) -> Message:
        """Return what is said of a case's beginning or end, by what is known now."""
        incident = case.now()
        if status is not Status.RESOLVED:
            incident = replace(incident, ended_ms=None)
        said = self.write(incident)
        summary = said.summary
        if status is Status.ESCALATED:
            summary = escalation.marked(summary, self.language, self.alerts.escalate_after_s)
        return Message(status, incident, summary, said.description)

    # --- what was said ------------------------------------------------------------------

    def renew(self, alerts: Alerts, language: str, zone: ZoneInfo) -> None:
        """Decide so from now on; what was said is still known."""
        self.alerts, self.language, self.zone = alerts, language, zone
        self._quiet = (-1, None)

    def remember(self, case: Case) -> None:
        """Go on with a case that was told before the start, before anything is decided."""
        self._cases[case.id] = case
        for incident in case.members.values():
            if incident.ended_ms is None:
                self._told_as[incident.id] = case.id
        if case.many:
            self._lately[case.first.alertname, case.first.kind].storm = case.id

    def remember_over(self, ids: Iterable[str]) -> None:
        """Know what is over, told or not: the newest last."""
        for id_ in ids:
            self._remember_over(id_)

    def is_firing(self, incident: str) -> bool:
        """Return whether the begin of the incident of that id was said, and not its end."""
        return incident in self._told_as

    def _case_of(self, incident: str) -> Case | None:
        return self._cases.get(self._told_as.get(incident, ""))

    def _remember_over(self, id_: str) -> None:
        self._over[id_] = None
        if len(self._over) > REMEMBERED:
            self._over.popitem(last=False)

    # --- notes --------------------------------------------------------------------------

    def _quiet_until(self, now_ms: int) -> int | None:
        minute = now_ms // 60_000
        if self._quiet[0] != minute:
            until_ms = hearing.quiet_until(self.alerts.quiet_hours, self.zone, now_ms)
            self._quiet = (minute, until_ms)
        return self._quiet[1]

    def _note(self, incident: str, now_ms: int, *decisions: Decision) -> None:
        noted = self._noted[incident]
        for decision in decisions:
            key = (decision.step, decision.channel)
            if noted.get(key) != decision:
                noted[key] = decision
                self._out.decided.append(Decided(incident, now_ms, decision))

    def _forget_notes(self, *ids: str) -> None:
        for id_ in ids:
            self._noted.pop(id_, None)

    def _drain(self) -> Outcome:
        out, self._out = self._out, Outcome()
        for id_ in out.cases:
            out.revised.pop(id_, None)
        return out
