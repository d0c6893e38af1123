"""What can be done with a push: begin it, go on with one that was left, undo it, vouch for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from provision.configuration import Scope
from provision.journal import Transaction
from provision.means import Means
from provision.run import Order, Run, Target
from provision.states import Event, Settling, State, settle


class Pusher:
    """Drives transactions of one journal. Blocks; one thread for each device."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def push(self, tx: str, target: Target, order: Order) -> Transaction:
        """Return the transaction `tx`, which the journal has as PLANNED, as far as it came.

        Raises:
            KeyboardInterrupt: after the device was told to undo what was not confirmed.
        """
        with self._running(tx, target, order.scope, order.slow) as run:
            run.begin(order)
            run.drive()
        return run.tx

    def resume(self, tx: str, target: Target, scope: Scope, slow: frozenset[str]) -> Transaction:
        """Return the transaction `tx`, whose pusher is gone, as far as the device settles it.

        Raises:
            KeyboardInterrupt: as `push`.
        """
        with self._running(tx, target, scope, slow) as run:
            run.settle()
            run.drive()
        return run.tx

    def undo(self, tx: str, target: Target, scope: Scope, who: str) -> Transaction:
        """Return the transaction `tx` after a person wanted it undone."""
        with self._running(tx, target, scope) as run:
            if settle(run.tx.state) is Settling.ASK and run.tx.state is not State.UNKNOWN:
                run.move(Event.BAD, asked_by=who, reason="a person asked")
            else:
                run.settle()
            run.drive()
        return run.tx

    def vouch(self, tx: str, target: Target, scope: Scope, who: str, why: str) -> Transaction:
        """Return the transaction `tx` after a person at the office vouched for it.

        The device still must have applied it and run what was planned.

        Raises:
            RefusedError: it has not, or does not.
        """
        with self._running(tx, target, scope) as run:
            run.settle()
            run.vouch(who, why)
            run.drive()
        return run.tx

    @contextmanager
    def _running(
        self, tx: str, target: Target, scope: Scope, slow: frozenset[str] = frozenset()
    ) -> Iterator[Run]:
        run = Run(self._means, self._means.journal.get(tx), target, scope, slow)
        try:
            yield run
        except KeyboardInterrupt:
            run.interrupted()
            raise
        finally:
            run.close()
