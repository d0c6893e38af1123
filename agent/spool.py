"""The spool: reports that no collector has acknowledged, on flash, across kills and power cuts.

It is opened at the start and written only in an outage; each `put` is durable when it returns
(SQLite, WAL, synchronous=FULL). A report is deflated upon another of its time, its base, and
carries a checksum: one that was damaged is set aside and counted, the others go out. When the
spool is full it is thinned as `agent.thinning` says, and what that dropped is counted and said.
Opening the file, and what becomes of a damaged one, is in `agent.spool_file`.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from agent import spool_file
from agent.batching import fitting
from agent.thinning import (
    EDGE,
    EDGES_AT_ONCE,
    STRETCH,
    Epoch,
    Key,
    Signature,
    Thinning,
    expired,
    is_edge,
    level_to_thin,
    signature,
    thin,
)
from tabuah import block
from tabuah.errors import DecodeError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path
    from typing import Self

    from tabuah.block import Packed

log = logging.getLogger(__name__)

MOST_OCTETS: Final = 16 << 20
"""Room for seven days of reports at 10 s, the database's own pages included."""
MOST_AGE_S: Final = 7 * 86_400.0
"""Samples that are older go; edges stay as long as there is room."""
SAY_AGAIN_S: Final = 3600.0
"""Seconds between two words in the log about what a full spool drops."""
_BASE_USES: Final = 256
"""Reports deflated upon one base: a base that is damaged takes them along."""
_ROWS: Final = 64
"""Rows read at a time for a batch."""
_DAMAGED_MOST: Final = 64
"""Damaged reports kept for whoever wants to know; further ones are counted alone."""
_CRC: Final = 4
_SIGN: Final = 1 << 63
_FIRST = Key(0, 0)


class Spool:
    """Unacknowledged reports, oldest first. For one thread at a time."""

    def __init__(
        self,
        path: Path,
        site: str,
        most_octets: int = MOST_OCTETS,
        most_age_s: float = MOST_AGE_S,
    ) -> None:
        """Open the spool of an office.

        Raises:
            TabuahError: another program holds the file.
        """
        self._path = path
        self._site = site
        self._most_octets = most_octets
        self._most_age_s = most_age_s
        self._database = spool_file.open_spool(path, site)
        self._levels: Counter[int] = Counter()
        """Reports of each level."""
        self._uses: Counter[int] = Counter()
        """Reports upon each base."""
        self._base: tuple[int, bytes] | None = None
        """The base of new reports."""
        self._bases: dict[int, bytes] = {}
        """The one that was read last."""
        self._last: tuple[int, Key, Signature] | None = None
        """Epoch as in reports, key and signature of the report that was kept last."""
        self._thinned: dict[int, Key] = {}
        """How far each level has been thinned."""
        self._puts = 0
        self._said: float | None = None
        self.count = 0
        self.dropped = 0
        """Reports lost for want of room, or damaged, since the spool was made."""
        self._recount()
        self._unsaid = 0
        self._take_over_older()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put(self, report: Packed) -> None:
        """Keep a report; it is on flash when this returns.

        Raises:
            TabuahError: the file system refuses (full, read-only).
        """
        before = self.dropped
        with self._changing("keep a report"):
            self._make_room()
            self._insert(report)
            self._puts += 1
            if self._puts % STRETCH == 0:
                self._drop_old()
        self._unsaid += self.dropped - before
        self._say_dropped()

    def oldest(
        self,
        limit: int,
        skip: Collection[tuple[int, int]] = (),
        base: Packed | None = None,
    ) -> list[Packed]:
        """Return the oldest reports: as many as make a block of `limit` octets, at least one.

        Args:
            limit: of the block.
            skip: epoch and seq of reports that are under way already.
            base: the report that the block will rest on.

        Raises:
            TabuahError: they cannot be read.
        """
        damaged: list[Key] = []
        try:
            found = fitting(self._read(skip, damaged), limit, base)
        except sqlite3.Error as error:
            raise TabuahError(f"{self._path}: cannot read what was kept: {error}") from error
        if damaged:
            self._set_aside(damaged)
        return found

    def discard(self, reports: Sequence[Packed]) -> None:
        """Forget acknowledged reports.

        That need not be on flash at once: what comes back after a power cut goes out again and is
        known there as a duplicate.
        """
        try:
            self._database.execute("PRAGMA synchronous = NORMAL")
            with self._changing("forget acknowledged reports"):
                for report in reports:
                    epoch = self._epoch_id(report.epoch)
                    if epoch is not None:
                        self._delete([Key(epoch, report.seq)])
        except TabuahError as error:
            log.warning("%s", error)
        finally:
            self._database.execute(f"PRAGMA synchronous = {spool_file.SYNCHRONOUS}")

    # --- one report in and out ----------------------------------------------------------------

    def _insert(self, report: Packed) -> None:
        epoch = self._epoch_id(report.epoch)
        if epoch is None:
            epoch = self._new_epoch(report)
        key = Key(epoch, report.seq)
        base, octets = self._deflated(report)
        level = self._judge_edge(report, key)
        row = (*key, level, base, report.uptime_ms // 1000 % _SIGN, octets)
        if self._database.execute(
            "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?, ?, ?)", row
        ).rowcount:
            self.count += 1
            self._levels[level] += 1
            self._uses[base] += 1

    def _judge_edge(self, report: Packed, key: Key) -> int:
        """Return the new report's level; with an edge, the one before is made one too."""
        before = self._last
        try:
            after = signature(block.read(self._site, report))
        except DecodeError:  # of a newer version of this agent: nothing is known of it
            return EDGE
        self._last = (report.epoch, key, after)
        follows = before is not None and before[:2] == (report.epoch, Key(key.epoch, key.seq - 1))
        if not is_edge(before[2] if before else None, after, report.occasion, follows=follows):
            return 0
        last = self._database.execute(
            "SELECT epoch, seq, level FROM kept WHERE (epoch, seq) < (?, ?) "
            "ORDER BY epoch DESC, seq DESC LIMIT 1",
            key,
        ).fetchone()
        if last is not None and last[2] != EDGE:
            self._database.execute(
                "UPDATE kept SET level = ? WHERE epoch = ? AND seq = ?", (EDGE, *last[:2])
            )
            self._levels[last[2]] -= 1
            self._levels[EDGE] += 1
        return EDGE

    def _deflated(self, report: Packed) -> tuple[int, bytes]:
        """Return the base that a report rests on, and what is written of it."""
        base = self._base
        if base is None or self._uses[base[0]] >= _BASE_USES:
            alone = zlib.compress(report.octets, 9, wbits=-15)
            base_id = self._database.execute(
                "INSERT INTO base (octets) VALUES (?)", (_checked(report.octets, alone),)
            ).lastrowid
            assert base_id is not None
            self._bases.pop(base_id, None)  # of one that is gone: SQLite gives its number again
            base = self._base = (base_id, report.octets)
        deflater = zlib.compressobj(9, wbits=-15, zdict=base[1])
        upon = deflater.compress(report.octets) + deflater.flush()
        return base[0], _checked(report.octets, upon)

    def _read(self, skip: Collection[tuple[int, int]], damaged: list[Key]) -> Iterator[Packed]:
        """Yield the reports oldest first, and note the keys of those that cannot be read."""
        after = _FIRST
        while True:
            rows = self._database.execute(
                "SELECT kept.epoch, seq, base, octets, epoch.epoch FROM kept JOIN epoch "
                "ON kept.epoch = epoch.id WHERE (kept.epoch, seq) > (?, ?) "
                "ORDER BY kept.epoch, seq LIMIT ?",
                (*after, _ROWS),
            ).fetchall()
            for epoch_id, seq, base, octets, epoch in rows:
                after = Key(epoch_id, seq)
                if (_unsigned(epoch), seq) in skip:
                    continue
                try:
                    report = block.unpack(_inflated(octets, self._base_octets(base)))
                except DecodeError:
                    damaged.append(after)
                    continue
                if (report.epoch, report.seq) != (_unsigned(epoch), seq):
                    damaged.append(after)  # under another's name it would never be discarded
                    continue
                yield report
            if len(rows) < _ROWS:
                return

    def _base_octets(self, base: int) -> bytes:
        if base not in self._bases:
            row = self._database.execute("SELECT octets FROM base WHERE id = ?", (base,)).fetchone()
            if row is None:
                raise DecodeError("its base is gone")
            self._bases = {base: _inflated(row[0], b"")}
        return self._bases[base]

    def _set_aside(self, damaged: list[Key]) -> None:
        log.error(
            "%s: %d kept reports are damaged: set aside in table 'damaged', and counted as lost",
            self._path,
            len(damaged),
        )
        with contextlib.suppress(TabuahError), self._changing("set damaged reports aside"):
            self._database.executemany(
                "INSERT INTO damaged SELECT epoch, seq, octets FROM kept WHERE epoch = ? AND "
                "seq = ? AND (SELECT count(*) FROM damaged) < ?",
                [(*key, _DAMAGED_MOST) for key in damaged],
            )
            self._drop(damaged)

    # --- room ---------------------------------------------------------------------------------

    def _make_room(self) -> None:
        """Thin until there is room for one more report, and a base."""
        while self.count and self.octets > self._most_octets - 3 * self._page_octets():
            self._thin()

    @property
    def octets(self) -> int:
        """What the reports take of the file, by the pages in use."""
        (free,) = self._database.execute("PRAGMA freelist_count").fetchone()
        (pages,) = self._database.execute("PRAGMA page_count").fetchone()
        return int(pages - free) * self._page_octets()

    def _page_octets(self) -> int:
        (octets,) = self._database.execute("PRAGMA page_size").fetchone()
        return int(octets)

    def _thin(self) -> None:
        level = level_to_thin(self._levels)
        after = self._thinned.get(level, _FIRST)
        most = EDGES_AT_ONCE if level == EDGE else STRETCH
        rows = self._database.execute(
            "SELECT epoch, seq FROM kept WHERE (epoch, seq) > (?, ?) AND level = ? "
            "ORDER BY epoch, seq LIMIT ?",
            (*after, level, most),
        )
        stretch = [Key(*row) for row in rows]
        self._thinned[level] = stretch[-1] if len(stretch) == most and level != EDGE else _FIRST
        if not stretch:
            if after == _FIRST:  # there are none, whatever was counted
                self._levels[level] = 0
            return  # else from the beginning, next time
        chosen = Thinning(tuple(stretch)) if level == EDGE else thin(stretch)
        self._drop(chosen.victims)
        self._database.executemany(
            "UPDATE kept SET level = level + 1 WHERE epoch = ? AND seq = ?", chosen.survivors
        )
        self._levels[level] -= len(chosen.survivors)
        self._levels[level + 1] += len(chosen.survivors)
        self._close_ranks(stretch[0], stretch[-1])

    def _close_ranks(self, first: Key, last: Key) -> None:
        """Write a stretch anew: pages that are half empty are pages that are in use."""
        where = "(epoch, seq) BETWEEN (?, ?) AND (?, ?)"
        place = (*first, *last)
        rows = self._database.execute(f"SELECT * FROM kept WHERE {where}", place).fetchall()  # noqa: S608 - our own words
        self._database.execute(f"DELETE FROM kept WHERE {where}", place)  # noqa: S608 - the same
        self._database.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _drop_old(self) -> None:
        """Drop the samples that are too old."""
        rows = self._database.execute(
            "SELECT kept.epoch, boot_id, max(uptime_s) FROM kept JOIN epoch "
            "ON kept.epoch = epoch.id GROUP BY kept.epoch ORDER BY kept.epoch"
        )
        epochs = [Epoch(epoch, boot_id, uptime_s * 1000) for epoch, boot_id, uptime_s in rows]
        for epoch, uptime_ms in expired(epochs, round(self._most_age_s * 1000)):
            old = self._database.execute(
                "SELECT epoch, seq FROM kept WHERE epoch = ? AND uptime_s < ? AND level <> ?",
                (epoch, uptime_ms // 1000, EDGE),
            )
            self._drop([Key(*row) for row in old.fetchall()])

    def _drop(self, keys: Sequence[Key]) -> None:
        """Lose reports, and count them."""
        gone = self._delete(keys)
        self.dropped += gone
        self._database.execute(
            "UPDATE counter SET value = value + ? WHERE name = 'dropped'", (gone,)
        )

    def _delete(self, keys: Sequence[Key]) -> int:
        gone = 0
        for key in keys:
            row = self._database.execute(
                "DELETE FROM kept WHERE epoch = ? AND seq = ? RETURNING level, base", key
            ).fetchone()
            if row is None:
                continue
            gone += 1
            level, base = row
            self.count -= 1
            self._levels[level] -= 1
            self._uses[base] -= 1
            if self._uses[base] <= 0 and (self._base is None or self._base[0] != base):
                del self._uses[base]
                self._database.execute("DELETE FROM base WHERE id = ?", (base,))
        return gone

    def _say_dropped(self) -> None:
        now = time.monotonic()
        if self._unsaid and (self._said is None or now - self._said >= SAY_AGAIN_S):
            log.warning(
                "%s: there is no more room or they are too old: %d samples between changes of "
                "state were dropped (%d in all); the changes are kept",
                self._path,
                self._unsaid,
                self.dropped,
            )
            self._said, self._unsaid = now, 0

    # --- bookkeeping --------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """Make one transaction of what is done within; if it fails, nothing was done.

        Raises:
            TabuahError: it failed.
        """
        try:
            with self._database:
                yield
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._recount()
            raise TabuahError(f"{self._path}: cannot {what}: {error}") from error

    def _recount(self) -> None:
        """Take all counts from the file, as they stand after its last commit."""
        ask = self._database.execute
        self._levels = Counter(dict(ask("SELECT level, count(*) FROM kept GROUP BY level")))
        self._uses = Counter(dict(ask("SELECT base, count(*) FROM kept GROUP BY base")))
        self._base = self._last = None
        self.count = self._levels.total()
        (self.dropped,) = ask("SELECT value FROM counter WHERE name = 'dropped'").fetchone()

    def _epoch_id(self, epoch: int) -> int | None:
        row = self._database.execute(
            "SELECT id FROM epoch WHERE epoch = ?", (_signed(epoch),)
        ).fetchone()
        return None if row is None else int(row[0])

    def _new_epoch(self, report: Packed) -> int:
        self._database.execute("DELETE FROM epoch WHERE id NOT IN (SELECT epoch FROM kept)")
        self._database.execute(
            "INSERT INTO epoch (id, epoch, boot_id) "
            "SELECT 1 + coalesce(max(id), 0), ?, ? FROM epoch",
            (_signed(report.epoch), report.boot_id),
        )
        made = self._epoch_id(report.epoch)
        assert made is not None
        return made

    def _take_over_older(self) -> None:
        for octets in spool_file.older_reports(self._database):
            with contextlib.suppress(DecodeError):
                self.put(block.unpack(octets))
        spool_file.drop_older(self._database)


def _checked(octets: bytes, deflated: bytes) -> bytes:
    return zlib.crc32(octets).to_bytes(_CRC, "big") + deflated


def _inflated(stored: bytes, base: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=-15, zdict=base)
    try:
        octets = inflater.decompress(stored[_CRC:], block.MAX_INFLATED)
    except zlib.error as error:
        raise DecodeError(f"a kept report that does not inflate: {error}") from error
    if zlib.crc32(octets) != int.from_bytes(stored[:_CRC], "big"):
        raise DecodeError("a kept report whose checksum is another")
    return octets


def _signed(epoch: int) -> int:
    """SQLite's integers are signed."""
    return epoch - (1 << 64) if epoch & _SIGN else epoch


def _unsigned(epoch: int) -> int:
    return epoch % (1 << 64)
