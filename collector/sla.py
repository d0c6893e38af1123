"""One circuit's month against its contract: what counts, what does not, what is owed. Pure.

A = 1 - D/H (docs/sla.md has the rules). H is every hour of the month in the organisation's zone,
of the service hours if there are any, while the circuit was in service; excluded time stays in
it. D is downtime for a cause that the provider answers for, in outages longer than the contract's
`min_outage`. Time nobody recorded is unknown: the upper bound of A takes it for up, the lower for
down; restitution is claimed on D, and shown as potential on D and the unknown together.

Everything is told twice: as measured, and within the tickets, for some contracts start the clock
only there. A session fault, and an outage of unknown cause, are measured but do not count until a
person has said whose they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from collector.restitution import Terms, restitution, rupiah
from collector.sla_model import (
    Account,
    CircuitMonth,
    Episode,
    Figures,
    Liability,
    Month,
    Piece,
    Share,
    Ticket,
)
from collector.stretches import (
    COUNTABLE_CAUSES,
    NO_DATA,
    OPEN_CAUSES,
    Kind,
    Stretch,
    cut,
    fill,
    overlay,
)
from collector.windows import Window, common, length, service_windows, union
from inventory.hours import Hours
from inventory.model import Sla

COMPUTATION: Final = 2
"""Raised whenever the same inputs may give other figures."""

WINDOWED: Final = "maintenance"
"""An exclusion for this cause that is no outage is a window: it takes time away, but does not
break an outage in two when its length is compared with `min_outage`."""

_SAME: Final = {Kind.UP: Share.UP, Kind.OFF: Share.OFF, Kind.UNKNOWN: Share.UNKNOWN}


def judge(
    account: Account, month: Month, sla: Sla | None, hours: Hours | None, now_ms: int
) -> CircuitMonth:
    """Return what became of the circuit's month, and what follows from its contract.

    `hours` are the contract's service hours, None = always; `now_ms` is when the report is made:
    what lies beyond it has not come yet.
    """
    begin, end = month.window
    window = _in_service(account.in_service, begin, end)
    promised = service_windows(hours, month.zone, *window)
    hours_ms = length(promised)
    as_of = min(end, max(begin, now_ms))
    past = common(promised, [(begin, as_of)])

    line = _complete(account, (window[0], min(as_of, window[1])))
    windows = _windows(account, line)
    book = _Book(account, sla, line, windows, as_of)
    for stretch in cut(overlay([*line, *windows]), past):
        book.enter(stretch)

    episodes, pieces = book.close()
    times = {share: book.times[share] for share in Share}
    times[Share.AHEAD] = hours_ms - length(past)
    fee = None
    if sla is not None and sla.monthly_fee is not None:
        fee = Fraction(sla.monthly_fee) * (window[1] - window[0]) / (end - begin)
    return CircuitMonth(
        site=account.site,
        circuit=account.circuit,
        month=month,
        window=window,
        as_of_ms=as_of,
        hours=hours,
        sla=sla,
        hours_ms=hours_ms,
        fee=fee,
        times=times,
        measured=_figures(book.times, hours_ms, sla, fee),
        ticketed=_figures(book.within_tickets, hours_ms, sla, fee),
        episodes=episodes,
        pieces=pieces,
    )


def _in_service(asked: tuple[int | None, int | None], begin: int, end: int) -> Window:
    first = begin if asked[0] is None else min(end, max(begin, asked[0]))
    last = end if asked[1] is None else max(first, min(end, asked[1]))
    return first, last


def _is_window(stretch: Stretch) -> bool:
    return stretch.kind is Kind.EXCLUDED and stretch.cause == WINDOWED and stretch.outage is None


def _windows(account: Account, line: Sequence[Stretch]) -> list[Stretch]:
    """Return the windows of maintenance where they take something away: what worked is up."""
    troubled = union(
        (s.begin_ms, s.end_ms) for s in line if s.kind is not Kind.UP and s.cause != WINDOWED
    )
    return cut(overlay(s for s in account.stretches if _is_window(s)), troubled)


def _complete(account: Account, span: Window) -> list[Stretch]:
    """Return the line of time without windows of maintenance, its holes within `span` filled."""
    line = overlay(s for s in account.stretches if not _is_window(s))
    if span[0] >= span[1]:
        return line
    holes = (s for s in fill(line, account.site, account.circuit, [span]) if s.cause == NO_DATA)
    return overlay([*line, *holes])


class _Book:
    """Where each piece of the month is entered under its share and its episode."""

    def __init__(
        self,
        account: Account,
        sla: Sla | None,
        line: Sequence[Stretch],
        windows: Sequence[Stretch],
        as_of_ms: int,
    ) -> None:
        self._account = account
        self._sla = sla
        self._min_ms = 0 if sla is None else round(sla.min_outage_s * 1000)
        self._wholes = sorted(
            (s for s in (*line, *windows) if s.kind is not Kind.UP), key=lambda s: s.begin_ms
        )
        self._unbroken = _unbroken(self._wholes)
        self._tracks = {
            track: [(s.begin_ms, at) for at, s in enumerate(self._wholes) if _is_window(s) is track]
            for track in (False, True)
        }
        self._tickets: dict[str, list[Ticket]] = defaultdict(list)
        for ticket in sorted(account.tickets, key=lambda t: (t.opened_ms, t.number)):
            self._tickets[ticket.outage].append(ticket)
        self._ticket_windows = {
            outage: union(
                (t.opened_ms, as_of_ms if t.closed_ms is None else t.closed_ms) for t in tickets
            )
            for outage, tickets in self._tickets.items()
        }
        self._of_episode: dict[int, dict[Share, int]] = {}
        self._ticketed_of_episode: dict[int, int] = defaultdict(int)
        self.times: dict[Share, int] = defaultdict(int)
        self.within_tickets: dict[Share, int] = defaultdict(int)
        self._pieces: list[tuple[Stretch, Share, int]] = []

    def enter(self, stretch: Stretch) -> None:
        """Enter a piece that lies within H."""
        at = self._episode_of(stretch)
        share = Share.UP if at < 0 else self._share(stretch, self._unbroken[at])
        self._pieces.append((stretch, share, at))
        self.times[share] += stretch.length_ms
        if at < 0:
            return
        of_episode = self._of_episode.setdefault(at, defaultdict(int))
        of_episode[share] += stretch.length_ms
        tickets = self._ticket_windows.get(stretch.outage or "")
        if tickets:
            inside = length(common([(stretch.begin_ms, stretch.end_ms)], tickets))
            self.within_tickets[share] += inside
            if share is Share.COUNTABLE:
                self._ticketed_of_episode[at] += inside

    def close(self) -> tuple[tuple[Episode, ...], tuple[Piece, ...]]:
        """Return the episodes that had a part in the month, in order, and all its pieces."""
        kept = sorted(self._of_episode)
        place = {at: number for number, at in enumerate(kept)} | {-1: -1}
        pieces = (Piece(stretch, share, place[at]) for stretch, share, at in self._pieces)
        return tuple(self._episode(at) for at in kept), tuple(pieces)

    def _episode(self, at: int) -> Episode:
        whole, outage = self._wholes[at], self._wholes[at].outage
        mttr_s = None if self._sla is None else self._sla.mttr_s
        times = dict(self._of_episode[at])
        return Episode(
            stretch=whole,
            unbroken_ms=self._unbroken[at],
            times=times,
            ticketed_ms=self._ticketed_of_episode.get(at, 0),
            tickets=tuple(self._tickets.get(outage or "", ())),
            liability=self._account.liabilities.get(outage or ""),
            evidence=tuple(self._account.evidence.get(outage or "", ())),
            late_repair=Share.COUNTABLE in times
            and mttr_s is not None
            and self._unbroken[at] > mttr_s * 1000,
        )

    def _episode_of(self, piece: Stretch) -> int:
        if piece.kind is Kind.UP:
            return -1
        track = self._tracks[_is_window(piece)]
        return track[bisect_right(track, (piece.begin_ms, len(self._wholes))) - 1][1]

    def _share(self, stretch: Stretch, unbroken_ms: int) -> Share:
        if stretch.kind in _SAME:
            return _SAME[stretch.kind]
        if stretch.kind is Kind.EXCLUDED or self._excludes(stretch.cause):
            return Share.EXCLUDED
        liability = self._account.liabilities.get(stretch.outage or "")
        if liability is Liability.OTHER:
            return Share.EXCLUDED
        if unbroken_ms <= self._min_ms:
            return Share.SHORT
        if stretch.cause in COUNTABLE_CAUSES or liability is Liability.PROVIDER:
            return Share.COUNTABLE
        return Share.OPEN

    def _excludes(self, cause: str) -> bool:
        # Whatever a person sets, a power cut or a full line never becomes the provider's.
        if cause not in COUNTABLE_CAUSES | OPEN_CAUSES:
            return True
        return self._sla is not None and any(e.value == cause for e in self._sla.exclusions)


def _unbroken(wholes: Sequence[Stretch]) -> list[int]:
    """Return for each stretch how long its cause went on without a break, around it."""
    lengths: list[int] = []
    run: list[Stretch] = []
    for stretch in wholes:
        if _is_window(stretch):
            continue
        if run and not (run[-1].end_ms == stretch.begin_ms and _goes_on(run[-1], stretch)):
            lengths.extend([_total(run)] * len(run))
            run = []
        run.append(stretch)
    lengths.extend([_total(run)] * len(run))
    others = iter(lengths)
    return [s.length_ms if _is_window(s) else next(others) for s in wholes]


def _goes_on(earlier: Stretch, later: Stretch) -> bool:
    """Return whether it is one outage still: the judge splits what overran its announced work."""
    same = (earlier.kind, earlier.cause) == (later.kind, later.cause)
    return same or (earlier.cause == WINDOWED and later.kind is Kind.DOWN)


def _total(run: Iterable[Stretch]) -> int:
    return sum(stretch.length_ms for stretch in run)


def _figures(
    times: Mapping[Share, int], hours_ms: int, sla: Sla | None, fee: Fraction | None
) -> Figures:
    down, unknown, open_ms = times[Share.COUNTABLE], times[Share.UNKNOWN], times[Share.OPEN]

    def money(lost_ms: int) -> int | None:
        if sla is None or sla.formula is None or fee is None:
            return None
        if hours_ms == 0:
            return 0
        terms = Terms(fee, Fraction(hours_ms), Fraction(lost_ms), Fraction(sla.availability))
        return rupiah(restitution(sla.formula, terms))

    def availability(lost_ms: int) -> Fraction:
        # Without a single hour of service nothing was missed.
        return 1 - Fraction(lost_ms, hours_ms) if hours_ms else Fraction(1)

    return Figures(
        countable_ms=down,
        open_ms=open_ms,
        unknown_ms=unknown,
        low=availability(down + unknown),
        high=availability(down),
        claim=money(down),
        potential=money(down + unknown),
        with_open=money(down + open_ms),
    )
