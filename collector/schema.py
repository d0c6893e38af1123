"""The tables of the store: a catalogue of days, and one table of raw reports for each day.

Reports are only ever appended, in order of arrival, to the table of the UTC day they arrived
in. Its index by site and time is made once, when the day is over: keeping reports clustered by
site from the start writes some twenty times the bytes and takes a quarter of the rows a second.
It is a table, so that it can be made in small steps (`collector.indexing`).
The tables that every database has are made by `collector/migrations/`; those of the days are
made as the days come.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
)

HEAD = "0009"
"""The newest migration: what a database must carry for this program to use it."""

VERSION_TABLE = "alembic_version"

LATE = 1
CORRECTED = 2
"""Bits of a report's `flags`."""

DAY_MS = 86_400_000

metadata = MetaData()

days = Table(
    "days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # 20261231, of arrival, UTC
    Column("closed", Boolean, nullable=False),
    # Of `time_ms`; known once the day is closed.
    Column("min_ms", BigInteger),
    Column("max_ms", BigInteger),
    Column("reports", BigInteger),
    # How far the day strays from being sorted by arrival; see `collector.day.Order`.
    Column("ahead_ms", BigInteger, nullable=False),
    Column("back_ms", BigInteger, nullable=False),
)

heard = Table(
    "heard",
    metadata,
    Column("site", String, primary_key=True),
    Column("day", Integer, nullable=False),  # the last one with a report that was not late
)


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


def _hourly(name: str, *columns: Column[str] | Column[int]) -> Table:
    """Return a table whose rows speak of one site and one hour."""
    return Table(
        name,
        metadata,
        Column("site", String, primary_key=True),
        Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
        *columns,
        sqlite_with_rowid=False,
    )


# How far a task of the upkeep has come in a day's table: up to which id.
progress = Table(
    "progress",
    metadata,
    Column("task", String, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, nullable=False),
)

# What an hour of reports comes to: `collector.rollup` says what the columns mean.
hours = _hourly(
    "hours",
    *_numbers("reports", "late", "good_ms", "impaired_ms", "cut_ms", "unmeasured_ms"),
)
hour_probes = _hourly(
    "hour_probes",
    Column("probe", String, primary_key=True),
    *_numbers("runs", "good", "sent", "received"),
    Column("rtt_min_us", BigInteger),
    Column("rtt_mean_us", BigInteger),
    Column("rtt_max_us", BigInteger),
    *_numbers("forward_sent", "forward_received", "backward_sent", "backward_received"),
)
hour_interfaces = _hourly(
    "hour_interfaces",
    Column("device", String, primary_key=True),
    Column("interface", String, primary_key=True),
    *_numbers("in_octets", "out_octets", "up_ms"),
)

# Reports beside which something changed; never dropped.
edges = Table(
    "edges",
    metadata,
    Column("site", String, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),  # u64, as in the days
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),
    Column("block", LargeBinary, nullable=False),
)


# The sequence numbers that a closed day holds, both ends inclusive.
ranges = Table(
    "ranges",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("site", String, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),  # u64, as in the days
    Column("low", BigInteger, primary_key=True, autoincrement=False),
    Column("high", BigInteger, nullable=False),
)

# Incidents as they were first told, and cases: what is told as one.
incidents = Table(
    "incidents",
    metadata,
    Column("id", String, primary_key=True),
    Column("alertname", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("ending", String, nullable=False),
    Column("fired", Boolean, nullable=False),
    Column("resolved", Boolean, nullable=False),
    Column("sites", String, nullable=False),  # JSON: a list of codes; likewise circuits
    Column("circuits", String, nullable=False),
    Column("about", String, nullable=False),
    Column("found", String, nullable=False),
    Column("upstream", String),
    # The case's id, its own if it is told alone; empty = not told, or by an earlier version.
    Column("told_as", String, nullable=False),
    Index("incidents_by_case", "told_as"),
)

# How far each message of a case has come at each channel: `alerts.telling` has the stages.
told = Table(
    "told",
    metadata,
    Column("incident", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("status", String, primary_key=True),
    Column("stage", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# What each step of the alert path decided, and why: `alerts.steps`.
decisions = Table(
    "decisions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("incident", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("step", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("decided", String, nullable=False),
    Column("reason", String, nullable=False),
    Index("decisions_by_incident", "incident"),
)

# The ledger: `collector.judgement.ledger` says what its entries are. Never changed, never dropped.
ledger = Table(
    "ledger",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("written_ms", BigInteger, nullable=False),
    Column("subject", String, nullable=False),
    Column("body", String, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)


# What foreign devices said by themselves: `collector.traps.book` says what a body holds.
traps = Table(
    "traps",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("site", String, nullable=False),  # empty = nobody can tell whose it is
    Column("at_ms", BigInteger, nullable=False),
    Column("body", String, nullable=False),
    Index("traps_by_site", "site", "at_ms"),
    Index("traps_by_time", "at_ms"),
)


def day_of(ms: int) -> int:
    """Return the UTC day of `ms` since 1970 as a number that reads as a date: 20261231."""
    # Whole days first: a float of milliseconds need not be exact at midnight.
    date = datetime.fromtimestamp(ms // DAY_MS * 86_400, UTC)
    return date.year * 10_000 + date.month * 100 + date.day


def day_table(owner: MetaData, day: int) -> Table:
    """Return the table of one day's reports, index included, registered with `owner`."""
    name = f"reports_{day}"
    if name in owner.tables:
        return owner.tables[name]
    return Table(
        name,
        owner,
        # On SQLite an INTEGER PRIMARY KEY is the row's own number, and costs nothing.
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("site", String, nullable=False),
        Column("epoch", BigInteger, nullable=False),  # u64, kept as the signed 64 bits
        Column("seq", BigInteger, nullable=False),
        Column("time_ms", BigInteger, nullable=False),
        Column("received_ms", BigInteger, nullable=False),
        Column("flags", SmallInteger, nullable=False),
        Column("block", LargeBinary, nullable=False),
    )


def day_index(owner: MetaData, day: int) -> Table:
    """Return the table that finds a closed day's reports by site and time."""
    name = f"index_{day}"
    if name in owner.tables:
        return owner.tables[name]
    return Table(
        name,
        owner,
        Column("site", String, primary_key=True),
        Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
