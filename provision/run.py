"""One transaction under way: acts as the table says, and writes each state down before it acts.

The pusher may die, the line may be cut and the device may reboot at any moment. Whoever comes
next asks the device, and never starts a change a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

from provision import gate
from provision.configuration import Scope, Sections, same
from provision.dialect import Dialect, Said
from provision.facts import baseline_facts, baseline_of, floor_of, said_facts
from provision.gate import Baseline, Floor, Opinion
from provision.journal import Subject, Transaction
from provision.means import Means
from provision.session import OutOfReachError, RefusedError, Session
from provision.states import Event, Marker, Settling, State, meaning, settle
from tabuah.wall import wall_ms

ENOUGH = 0.5
"""Share of the window that must be left when the change starts."""
CONFIRM_S = 5
"""Before the deadline in which confirming is not begun any more: an answer needs its time."""
GRACE_S = 60.0
"""How long after its deadline a device is waited for, before it counts as out of reach."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be pushed, as it was planned; secrets are in `wanted` and nowhere else."""

    scope: Scope
    before: Sections
    """What the device ran when it was planned."""
    wanted: Sections
    window_s: int
    slow: frozenset[str] = frozenset()
    """Probes that are asked too seldom for the window."""


@dataclass(frozen=True, slots=True)
class Target:
    """A device, and how it is reached."""

    site: str
    device: str
    dialect: Dialect
    connect: Callable[[], Session]
    """Raises OutOfReachError."""


class Run:
    """One transaction under way."""

    def __init__(
        self, means: Means, tx: Transaction, target: Target, scope: Scope, slow: frozenset[str]
    ) -> None:
        self.tx = tx
        self._means = means
        self._target = target
        self._dialect = target.dialect
        self._scope = scope
        self._slow = slow
        self._session: Session | None = None
        self._deadline = self._means.clock() + _left_s(tx)
        """Of the device, by our own monotonic clock; no wall clock decides anything."""
        self._floor: Floor | None = floor_of(tx)
        self._last_words = ""
        self._stopping = False
        self._orphaned = False
        """Whether it is found without a pusher: what is undone then was not judged bad."""
        self._entered_anew = False
        """Whether the session was opened after the change was complete."""

    def close(self) -> None:
        """Leave the device; unless something still is under way there, the work is over."""
        if self.tx.settled or self.tx.state in (State.STUCK, State.UNKNOWN):
            self._means.work_ended(self.tx.facts.get("work"))
        self._leave()

    def _leave(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def move(self, event: Event, **facts: object) -> None:
        """Go on to the state that the table has for the event."""
        self.tx = self._means.moved(self.tx.id, event, **facts)

    # From PLANNED to PUSHING

    def begin(self, order: Order) -> None:
        """Arm and start the change, if nothing speaks against it."""
        refusal = self._preflight(order)
        if refusal is not None:
            self.move(Event.REFUSE, reason=refusal)
            return
        self._deadline = self._means.clock() + order.window_s
        try:
            session = self._connected()
            armed = self._dialect.arm(
                session, self.tx.id, order.window_s, order.scope, order.wanted
            )
        except (RefusedError, OutOfReachError) as error:
            self._learn(str(error))
            return
        said = armed.said
        wrong = None
        if said.marker is not Marker.ARMED or not said.timer:
            wrong = f"its dead-man is not armed: {said.marker.value}"
        elif not same(armed.before, order.before):
            wrong = "the device runs something else than when it was planned; plan again"
        elif dict(armed.wanted) != {name: _lined(text) for name, text in order.wanted.items()}:
            wrong = "the change did not arrive there as it was sent"
        if wrong is not None:
            self.move(Event.BAD, reason=wrong, armed=said.marker is Marker.ARMED)
            return
        left = float(said.left_s or 0)
        self._deadline = self._means.clock() + left
        self.move(Event.ARMED, armed=True, deadline_ms=wall_ms() + round(left * 1000))
        if left < ENOUGH * order.window_s:
            self.move(Event.BAD, reason=f"only {left:.0f} s of the window are left")
            return
        self._means.heed()
        self.move(Event.GO)
        try:
            self._dialect.apply(session, self.tx.id)
        except (RefusedError, OutOfReachError) as error:
            # Whether it was started is for the device to say.
            self._means.noted(self.tx.id, Subject.DEVICE, words=str(error))
            self._leave()
        self.move(Event.SENT)

    def _preflight(self, order: Order) -> str | None:
        """Go on to ARMING, or return what speaks against it."""
        before = self._means.baseline(self._target.site)
        if isinstance(before, str):
            return before
        try:
            running = self._dialect.read(self._connected(), order.scope)
        except (RefusedError, OutOfReachError) as error:
            return str(error)
        if not same(running, order.before):
            return "the device runs something else than when it was planned; plan again"
        self._means.heed()
        work = self._means.announced(self._target.site, order.window_s, self.tx.id)
        self.move(Event.BEGIN, window_s=order.window_s, baseline=baseline_facts(before), work=work)
        return None

    def _learn(self, words: str) -> None:
        """After a failed arming: ask what became of it."""
        self._means.noted(self.tx.id, Subject.DEVICE, words=words)
        self._last_words = words
        self._leave()
        while self.tx.state is State.ARMING:
            if not self._ask() and self._given_up():
                return

    # From PUSHING to the end

    def settle(self) -> None:
        """Do what a start does with a transaction that is found."""
        match settle(self.tx.state):
            case Settling.ABORT:
                self.move(Event.REFUSE, reason="its pusher was gone before anything was armed")
            case Settling.ASK if self.tx.state is State.STUCK:
                self.move(Event.BAD, reason="asked to restore once more")
            case Settling.ASK:
                self._orphaned = True
                self._ask()
                self._orphaned = False
            case Settling.NOTHING:
                pass

    def vouch(self, who: str, why: str) -> None:
        """Take a person's word in place of the office's reports."""
        self._leave()
        said = self._said()
        if self.tx.state is not State.VERIFYING or said is None or not said.applied:
            raise RefusedError(f"{self.tx.id} is {self.tx.state.value}: not applied, or undone")
        refusal = self._runs_something_else()
        if refusal is not None:
            raise RefusedError(f"{self.tx.id}: {refusal}")
        self.move(Event.GOOD, asked_by=who, reason=f"vouched for: {why}")

    def drive(self) -> None:
        """Go on until it is settled, stuck, or the device is out of reach."""
        while True:
            match self.tx.state:
                case State.VERIFYING:
                    self._verify()
                case State.CONFIRMING:
                    self._confirm()
                case State.ROLLING_BACK:
                    if not self._roll_back():
                        return
                case State.CONFIRMED | State.ROLLED_BACK | State.ABORTED:
                    self._release()
                    return
                case State.ARMING | State.ARMED | State.PUSHING:
                    if not self._ask() and self._given_up():
                        return
                case _:
                    return

    def interrupted(self) -> None:
        """Leave nothing in doubt when a person stops us: have the device undo it now."""
        self._stopping = True
        if self.tx.settled or self.tx.state in (State.UNKNOWN, State.STUCK):
            return
        if self.tx.state is State.PLANNED:
            self.move(Event.REFUSE, reason="interrupted")
            return
        if self.tx.state is not State.ROLLING_BACK:
            self.move(Event.BAD, reason="interrupted", unjudged=True)
        self.drive()

    def _verify(self) -> None:
        """Weigh until it is good, or there is no time left to confirm."""
        before = baseline_of(self.tx)
        while (reason := self._weigh(before)) is not None:
            self._tell(reason)
            if self._left() < CONFIRM_S:
                self.move(Event.BAD, reason=f"no time left: {reason}")
                return
            self._means.pause(stopping=self._stopping)

    def _is(self, state: State) -> bool:
        return self.tx.state is state

    def _weigh(self, before: Baseline) -> str | None:
        """Move on if it can be decided now, and return None; else return what is waited for."""
        said = self._said()
        if said is None:
            return "the device is out of reach"
        if said.marker is not Marker.ARMED:
            self._ask()
            return "the device is undoing it" if self._is(State.VERIFYING) else None
        if said.applied is None:
            if said.changing:
                return "the change is under way"
            self.move(Event.BAD, reason="the change was never started, or died")
            return None
        if not self._entered_anew:
            # A session that was there before outlives rules that let no new one in.
            self._leave()
            self._entered_anew = True
            return self._weigh(before)
        reports = self._means.heard(self._target.site)
        if reports is None:
            # Without it nobody knows which reports are new.
            return "the collector does not answer"
        if self._floor is None:
            try:
                refusal = self._runs_something_else()
            except (RefusedError, OutOfReachError) as error:
                self._leave()
                return f"the device cannot be read again yet: {error}"
            if refusal is not None:
                self.move(Event.BAD, reason=refusal)
                return None
            self._floor = gate.floor(reports)
            self.move(Event.DEVICE_ARMED, floor=asdict(self._floor))
        weighed = gate.weigh(before, self._floor, reports, self._slow)
        if weighed.opinion is Opinion.GOOD:
            self.move(Event.GOOD, reason=weighed.reason, evidence=list(weighed.evidence))
            return None
        return weighed.reason

    def _runs_something_else(self) -> str | None:
        """Return in words that it does not run what was planned; None when it does.

        Raises:
            RefusedError, OutOfReachError: it cannot be read.
        """
        running = self._dialect.read(self._connected(), self._scope)
        if self._means.digest(running) != self.tx.facts.get("want_digest"):
            return "it was applied, and the device does not run what was planned"
        return None

    def _confirm(self) -> None:
        try:
            self._dialect.confirm(self._connected(), self.tx.id)
        except (RefusedError, OutOfReachError) as error:
            self._means.noted(self.tx.id, Subject.DEVICE, words=str(error))
            self._leave()
        while self.tx.state is State.CONFIRMING:
            if not self._ask() and self._given_up():
                return

    def _roll_back(self) -> bool:
        """Have it undone, or wait until the device did so; False when it stays out of reach."""
        asked = False
        while self.tx.state is State.ROLLING_BACK:
            said = self._said()
            if said is None:
                if self._given_up():
                    return False
                continue
            if not asked and (said.marker is Marker.ARMED or said.restored is False):
                asked = self._ask_for_undoing()
                said = self._said()
            elif said.marker is Marker.FIRED and said.restored is None and self._left() < 0:
                # It was killed while restoring, or has no timer any more.
                asked = self._ask_for_undoing()
            self._ask()
            if self.tx.state is State.ROLLING_BACK:
                self._means.pause(stopping=self._stopping)
        return True

    def _ask_for_undoing(self) -> bool:
        try:
            self._dialect.roll_back(self._connected(), self.tx.id)
        except (RefusedError, OutOfReachError):
            self._leave()
            return False
        return True

    def _release(self) -> None:
        """The device may forget it; if it does not hear us, the next one makes it."""
        if "baseline" not in self.tx.facts:
            return  # it never came so far as to touch the device
        try:
            self._dialect.release(self._connected(), self.tx.id)
        except RefusedError as error:
            # Confirmed and not saved, on a full disk: the next boot would not know of it.
            self._tell(str(error))
        except OutOfReachError:
            self._leave()

    # Asking

    def _said(self) -> Said | None:
        """Return what the device says; None when it is out of reach."""
        try:
            return self._dialect.ask(self._connected(), self.tx.id)
        except (RefusedError, OutOfReachError) as error:
            self._tell(str(error))
            self._leave()
            return None

    def _ask(self) -> bool:
        """Take the step that the device's answer means; False when it gave none."""
        said = self._said()
        if said is None:
            return False
        runs_before = False
        if said.marker is Marker.FIRED and said.restored is None:
            return True
        if said.marker in (Marker.FIRED, Marker.NONE):
            try:
                running = self._dialect.read(self._connected(), self._scope)
            except (RefusedError, OutOfReachError):
                self._leave()
                return False
            runs_before = self._means.digest(running) == self.tx.facts.get("before_digest")
        event = meaning(
            said.marker,
            restored=said.restored,
            runs_before=runs_before,
            was_armed=self.tx.was_armed,
        )
        if event is None:
            return True
        if event is Event.DEVICE_ARMED and said.left_s is not None:
            self._deadline = self._means.clock() + said.left_s
            if self.tx.state in (State.ROLLING_BACK, State.VERIFYING):
                return True
        if event is Event.DEVICE_CONFIRMED and not said.saved:
            with suppress(RefusedError, OutOfReachError):
                self._dialect.confirm(self._connected(), self.tx.id)
        # The reason for which it was sent back says more than that it is back.
        known = self.tx.state is State.ROLLING_BACK or event is Event.DEVICE_CONFIRMED
        why = "" if known else said.words or self._last_words
        facts: dict[str, object] = {"reason": why} if why else {}
        if self._orphaned and event is not Event.DEVICE_CONFIRMED:
            facts["unjudged"] = True
        self.move(event, said=said_facts(said), **facts)
        return True

    def _given_up(self) -> bool:
        """Wait a little; True when the device counts as out of reach from now on."""
        if self._left() < -GRACE_S:
            self.move(Event.LOST, reason=self._last_words, last_contact_ms=wall_ms())
            return True
        self._means.pause(stopping=self._stopping)
        return False

    def _left(self) -> float:
        return self._deadline - self._means.clock()

    def _connected(self) -> Session:
        if self._session is None:
            self._session = self._target.connect()
        return self._session

    def _tell(self, words: str) -> None:
        if words != self._last_words:
            self._last_words = words
            self._means.told(self.tx, words)


def _left_s(tx: Transaction) -> float:
    """Return how long the device may still wait, by what it said when it was armed.

    Whatever the clock says by now, never longer than its window.
    """
    deadline, window_s = tx.facts.get("deadline_ms"), tx.facts.get("window_s")
    if not isinstance(deadline, int) or not isinstance(window_s, int):
        return 0.0
    return min((deadline - wall_ms()) / 1000, float(window_s))


def _lined(text: str) -> str:
    """Return a text as it arrives: every line ended."""
    return "".join(f"{line}\n" for line in text.splitlines())
