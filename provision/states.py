"""The transaction: one push to one device, as a table of states. Pure.

```
 PLANNED -begin-> ARMING -armed-> ARMED -go-> PUSHING -sent-> VERIFYING -good-> CONFIRMING
    | refuse         | untouched    | bad        | bad           | bad         bad |    |
    v                v              v            v               v                 |    | device
 ABORTED <-----------+         ROLLING_BACK <----+---------------+-----------------+    | confirmed
                                 |      |                                               v
                 device restored v      v device not restored                       CONFIRMED
                       ROLLED_BACK     STUCK
```

From any state in which the device may be armed, `lost` leads to UNKNOWN, and only the device's
own word leads out of it. The device is the truth: CONFIRMED is reached by `device confirmed`
alone, ROLLED_BACK by `device restored` alone, and the device cannot say both, because one rename
decides it there (docs/adr/0012). The state that is entered is on disk before its act begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from tabuah.errors import TabuahError


class State(Enum):
    """Where a transaction stands."""

    PLANNED = "planned"
    ARMING = "arming"
    """The dead-man may be armed; nothing was changed."""
    ARMED = "armed"
    """The dead-man's timer was read back; nothing was changed."""
    PUSHING = "pushing"
    """The change may have been started."""
    VERIFYING = "verifying"
    """The change was started; what the office reports is being weighed."""
    CONFIRMING = "confirming"
    """The device was, or will be, told to keep the change."""
    CONFIRMED = "confirmed"
    ROLLING_BACK = "rolling_back"
    """The device undoes the change, or will by itself."""
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    """Nothing was ever changed."""
    STUCK = "stuck"
    """The device says that it could not restore: a person must look. Blocks the device."""
    UNKNOWN = "unknown"
    """The device is out of reach. Blocks it until it was asked."""


class Event(Enum):
    """What moves it on."""

    BEGIN = "begin"
    """The office is healthy, the device is as planned: arm it."""
    REFUSE = "refuse"
    """Something speaks against it, before anything was armed."""
    ARMED = "armed"
    """The device's timer runs, its copy of the configuration is the planned one."""
    GO = "go"
    """The rest of the window suffices: start the change."""
    SENT = "sent"
    """The change was asked for; whether the session lived is no matter."""
    GOOD = "good"
    """Applied, running as planned, and the office's own reports as good as before."""
    BAD = "bad"
    """Refused by the gate, by time or by a person."""
    LOST = "lost"
    """The device is out of reach beyond its deadline."""
    DEVICE_ARMED = "device armed"
    """Asked after a pause, the device says that its dead-man still waits."""
    DEVICE_UNTOUCHED = "device untouched"
    """The device knows nothing of the transaction, or let it go before anything was changed."""
    DEVICE_CONFIRMED = "device confirmed"
    DEVICE_RESTORED = "device restored"
    """It undid the change, and runs what it ran before."""
    DEVICE_NOT_RESTORED = "device not restored"
    """It undid the change, and does not run what it ran before."""


S, E = State, Event

_ASKED: Final[Mapping[Event, State]] = {
    E.DEVICE_CONFIRMED: S.CONFIRMED,
    E.DEVICE_RESTORED: S.ROLLED_BACK,
    E.DEVICE_NOT_RESTORED: S.STUCK,
    E.LOST: S.UNKNOWN,
}
"""What the device's answer means wherever it may be armed."""

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    S.PLANNED: {E.BEGIN: S.ARMING, E.REFUSE: S.ABORTED},
    S.ARMING: {
        E.ARMED: S.ARMED,
        E.BAD: S.ROLLING_BACK,
        E.DEVICE_ARMED: S.ROLLING_BACK,
        E.DEVICE_UNTOUCHED: S.ABORTED,
        # It was armed after all, and its timer ran out: nothing was changed, all was restored.
        E.DEVICE_RESTORED: S.ROLLED_BACK,
        E.DEVICE_NOT_RESTORED: S.STUCK,
        E.LOST: S.UNKNOWN,
    },
    S.ARMED: {
        E.GO: S.PUSHING,
        E.BAD: S.ROLLING_BACK,
        E.DEVICE_ARMED: S.ROLLING_BACK,
        E.DEVICE_RESTORED: S.ROLLED_BACK,
        E.DEVICE_NOT_RESTORED: S.STUCK,
        E.LOST: S.UNKNOWN,
    },
    # Whether the change was started is for the device to say; it is not started again.
    S.PUSHING: {**_ASKED, E.SENT: S.VERIFYING, E.BAD: S.ROLLING_BACK, E.DEVICE_ARMED: S.VERIFYING},
    S.VERIFYING: {
        **_ASKED,
        E.GOOD: S.CONFIRMING,
        E.BAD: S.ROLLING_BACK,
        E.DEVICE_ARMED: S.VERIFYING,
    },
    # The evidence was fresh when it was decided; after a pause it is not.
    S.CONFIRMING: {**_ASKED, E.BAD: S.ROLLING_BACK, E.DEVICE_ARMED: S.ROLLING_BACK},
    S.ROLLING_BACK: {
        **_ASKED,
        E.DEVICE_ARMED: S.ROLLING_BACK,
        E.DEVICE_UNTOUCHED: S.ABORTED,
    },
    S.UNKNOWN: {
        **_ASKED,
        E.DEVICE_ARMED: S.ROLLING_BACK,
        E.DEVICE_UNTOUCHED: S.ABORTED,
    },
    # A person mended it, or asked the device to try again.
    S.STUCK: {
        E.DEVICE_RESTORED: S.ROLLED_BACK,
        E.DEVICE_NOT_RESTORED: S.STUCK,
        E.LOST: S.STUCK,
        E.BAD: S.ROLLING_BACK,
    },
    S.CONFIRMED: {},
    S.ROLLED_BACK: {},
    S.ABORTED: {},
}

SETTLED: Final = frozenset({S.CONFIRMED, S.ROLLED_BACK, S.ABORTED})
"""Nothing is in doubt, and the device is free for the next."""


class TransitionError(TabuahError):
    """An event that the state does not know: a mistake of ours, never of the device."""


def step(state: State, event: Event) -> State:
    """Return the next state.

    Raises:
        TransitionError: the table has no such pair.
    """
    following = TRANSITIONS[state].get(event)
    if following is None:
        raise TransitionError(f"a transaction that is {state.value} cannot take '{event.value}'")
    return following


class Settling(Enum):
    """What to do with a transaction whose pusher is gone."""

    NOTHING = "nothing"
    ABORT = "abort"
    """Nothing was armed: no device needs to be asked."""
    ASK = "ask"
    """Ask the device, and act as the table says."""


def settle(state: State) -> Settling:
    """Return what a start does with a transaction that it finds in `state`."""
    if state in SETTLED:
        return Settling.NOTHING
    return Settling.ABORT if state is S.PLANNED else Settling.ASK


class Marker(Enum):
    """What the device's own marker says; one rename decides between the last two."""

    NONE = "none"
    """It knows no such transaction."""
    ARMED = "armed"
    FIRED = "fired"
    """Undoing, or undone."""
    CONFIRMED = "confirmed"


def meaning(
    marker: Marker, *, restored: bool | None, runs_before: bool, was_armed: bool
) -> Event | None:
    """Return what a device's answer means; None while it is still at work.

    Args:
        marker: its marker.
        restored: whether it finished restoring, and well; None = not finished.
        runs_before: whether it runs what it ran before the change, as we read it ourselves.
        was_armed: whether the transaction was ever seen armed on the device.
    """
    match marker:
        case Marker.CONFIRMED:
            return E.DEVICE_CONFIRMED
        case Marker.ARMED:
            return E.DEVICE_ARMED
        case Marker.FIRED:
            if restored is None:
                return None
            return E.DEVICE_RESTORED if runs_before else E.DEVICE_NOT_RESTORED
        case Marker.NONE:
            if not was_armed:
                return E.DEVICE_UNTOUCHED
            # A missing marker is not 'confirmed', nor 'undone': what the device runs decides.
            return E.DEVICE_RESTORED if runs_before else E.DEVICE_NOT_RESTORED
