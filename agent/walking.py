"""Decides how a device is asked for many variables: GETs in lots, and walks of tables. Pure.

RFC 3416 says what an agent may answer; the devices of small offices do not all know it. Here a
device may answer out of order, in a circle, twice, with less than was asked or with something
that was not asked; it may say tooBig, genErr or (as in SNMPv1) noSuchName for the whole because
of one; end its table early, or say nothing at all when the answer would be large. What it says of
what was asked is taken, the rest is left, and every job ends:

* a `Fetch` or `Walk` gives the next `Request`, and takes the answer to it;
* each answer to a Fetch takes a variable off it, or halves what is asked at once;
* each answer to a Walk brings new rows, closes a column, or halves what is asked at once; rows,
  answers and octets are bounded;
* `rungs` says what to try when nothing is heard: the same again, half, one.

How much a device bears is its `Pace`, which the caller keeps from poll to poll.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tabuah.snmp.pdu import Oid, Pdu, PduType, Tag, VarBind

MOST_VARIABLES = 42
"""Of one answer: three interfaces' of a poll, whose answer stays below 1,400 octets."""
MOST_REPETITIONS = 16
MOST_ROWS = 512
"""Variables of one walk, all its columns together."""
MOST_ANSWERS = 64
MOST_OCTETS = 256 * 1024
"""Texts of one walk."""

TOO_BIG, NO_SUCH_NAME = 1, 2
NO_VALUE = (Tag.NO_SUCH_OBJECT, Tag.NO_SUCH_INSTANCE, Tag.END_OF_MIB_VIEW, Tag.NULL)
"""NULL is in no honest answer; what RFC 1905 called unSpecified looks so."""

_SMALL = 8
"""An answer of so many variables is hardly lost for its size."""
_PATIENCE = 16
_MOST_PATIENCE = 1024


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one device is asked for at once."""

    variables: int = MOST_VARIABLES
    bulk: bool = True
    """Whether it answers GETBULK."""
    good: int = 0
    """Answers of that size since it last changed."""
    patience: int = _PATIENCE
    """After so many of them it grows; doubles at each setback."""

    def answered(self, asked: int) -> Pace:
        """Return the pace after an answer: grown by an eighth when it has been good for long."""
        if self.variables >= MOST_VARIABLES or asked * 2 <= self.variables:
            return self
        if self.good + 1 < self.patience:
            return replace(self, good=self.good + 1)
        grown = min(MOST_VARIABLES, self.variables + max(1, self.variables // 8))
        return replace(self, variables=grown, good=0)

    def too_large(self, asked: int) -> Pace:
        """Return the pace after an answer of `asked` variables was too large: half of them."""
        return replace(
            self,
            variables=max(1, min(self.variables, asked) // 2),
            good=0,
            patience=min(_MOST_PATIENCE, self.patience * 2),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask next."""

    type: PduType
    oids: tuple[Oid, ...]
    repetitions: int = 1

    @property
    def asked(self) -> int:
        """How many variables the answer may hold."""
        return len(self.oids) * self.repetitions

    def pdu(self, request_id: int) -> Pdu:
        """Return the PDU that asks it."""
        if self.type is PduType.GETBULK:
            return Pdu.bulk(request_id, *self.oids, max_repetitions=self.repetitions)
        return Pdu.asking(self.type, request_id, *self.oids)


class Fetch:
    """The values of given variables."""

    def __init__(self, oids: Sequence[Oid]) -> None:
        self.found: list[VarBind] = []
        self.refused: dict[Oid, int] = {}
        """The error-status for which a variable was given up."""
        self._waiting = dict.fromkeys(oids)
        self._most = MOST_VARIABLES

    def next(self, pace: Pace) -> Request | None:
        """Return what to ask; None when nothing is left."""
        lot = tuple(self._waiting)[: min(pace.variables, self._most)]
        return Request(PduType.GET, lot) if lot else None

    def answered(self, request: Request, answer: Pdu, pace: Pace) -> Pace:
        """Take the answer to `request`; return the pace after it."""
        asked = request.oids
        names = frozenset(asked)
        heard = {bound.oid: bound for bound in answer.varbinds if bound.oid in names}
        if answer.error_status == TOO_BIG and len(asked) > 1:
            return pace.too_large(len(asked))
        if answer.error_status or not heard:
            culprit = answer.error_index if len(asked) > 1 else 1
            if answer.error_status and 1 <= culprit <= len(asked):
                self._refuse(asked[culprit - 1], answer.error_status)
            elif len(asked) == 1:
                self._refuse(asked[0], answer.error_status)
            else:  # nobody says which: smaller lots find it
                self._most = len(asked) // 2
            return pace
        for oid, bound in heard.items():
            del self._waiting[oid]
            if bound.tag not in NO_VALUE:
                self.found.append(bound)
        return pace.answered(len(asked))

    def silent(self, pace: Pace) -> Pace:
        """Return the pace of a device that answered one variable, and none of many."""
        return pace

    def _refuse(self, oid: Oid, status: int) -> None:
        self.refused[oid] = status
        del self._waiting[oid]


class Walk:
    """Columns of tables that have one integer as index."""

    def __init__(self, columns: Sequence[Oid]) -> None:
        self.found: dict[Oid, dict[int, VarBind]] = {column: {} for column in columns}
        self._cursors = {column: column for column in columns}
        """Of the columns that are not at their end."""
        self._seen: set[Oid] = set()
        self._answers = 0
        self._octets = 0
        self._singly = False
        self._no_bulk = False

    def next(self, pace: Pace) -> Request | None:
        """Return what to ask; None when all columns are at their end, or a bound is reached."""
        rows_left = MOST_ROWS - len(self._seen)
        if rows_left <= 0 or self._answers >= MOST_ANSWERS or self._octets > MOST_OCTETS:
            return None
        width = 1 if self._singly else min(pace.variables, rows_left)
        oids = tuple(self._cursors.values())[:width]
        if not oids:
            return None
        repetitions = min(MOST_REPETITIONS, min(pace.variables, rows_left) // len(oids))
        if pace.bulk and not self._no_bulk and repetitions > 1:
            return Request(PduType.GETBULK, oids, repetitions)
        return Request(PduType.GETNEXT, oids)

    def answered(self, request: Request, answer: Pdu, pace: Pace) -> Pace:
        """Take the answer to `request`; return the pace after it."""
        self._answers += 1
        columns = tuple(self._cursors)[: len(request.oids)]
        if answer.error_status == TOO_BIG or not (answer.error_status or answer.varbinds):
            if request.asked > 1:
                return pace.too_large(request.asked)
            del self._cursors[columns[0]]
            return pace
        if answer.error_status:
            self._refused(request, columns, answer.error_index)
            return pace
        advanced = self._take(columns, answer.varbinds)
        # A column whose turn came and brought nothing new is at its end, or goes in a circle.
        for column in columns[: len(answer.varbinds)]:
            if column not in advanced:
                del self._cursors[column]
        return self.silent(pace) if self._no_bulk else pace.answered(request.asked)

    def silent(self, pace: Pace) -> Pace:
        """Return the pace of a device that answered GETNEXT, and no GETBULK."""
        return replace(pace, bulk=False)

    def _take(self, columns: tuple[Oid, ...], varbinds: Sequence[VarBind]) -> set[Oid]:
        """Keep what is new and was asked; return the columns that it is of.

        Rows are known by their names, not by their places: there are devices that leave out of
        a repetition those columns that have ended.
        """
        advanced = set()
        for bound in varbinds:
            column = next((one for one in columns if bound.oid[: len(one)] == one), None)
            if (
                column is None
                or len(bound.oid) == len(column)
                or bound.tag in NO_VALUE
                or bound.oid in self._seen
                or len(self._seen) >= MOST_ROWS
            ):
                continue
            self._seen.add(bound.oid)
            self._octets += len(bound.value) if isinstance(bound.value, bytes) else 0
            if len(bound.oid) == len(column) + 1:
                self.found[column][bound.oid[-1]] = bound
            # Even if it is not behind the one before: the device knows its own next.
            self._cursors[column] = bound.oid
            advanced.add(column)
        return advanced

    def _refused(self, request: Request, columns: tuple[Oid, ...], culprit: int) -> None:
        if request.type is PduType.GETBULK:
            self._no_bulk = True
        elif 1 <= culprit <= len(columns):
            # In SNMPv1 noSuchName is the way to say that nothing follows.
            del self._cursors[columns[culprit - 1]]
        elif len(columns) == 1:
            del self._cursors[columns[0]]
        else:
            self._singly = True


Job = Fetch | Walk


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of what to try while nothing is heard."""

    request: Request
    attempts: int
    pace: Pace
    """The device's, if this is answered."""


def rungs(job: Job, pace: Pace) -> Iterator[Rung]:
    """Yield what to try, one after the other, until the device answers; nothing = job is done.

    Silence may be loss, a device that is gone, or an answer too large for the device or the
    line: a smaller one is lost no more. Only what was answered teaches the pace.
    """
    request = job.next(pace)
    if request is None:
        return
    if request.asked == 1:
        yield Rung(request, 3, pace)
        return
    yield Rung(request, 2, pace)
    half = pace.too_large(request.asked)
    taught = half
    if request.asked > _SMALL:
        smaller = job.next(half)
        assert smaller is not None
        yield Rung(smaller, 1, half)
        taught = half.too_large(half.variables)
    one = job.next(replace(pace, variables=1))
    assert one is not None
    yield Rung(one, 1, job.silent(taught))
