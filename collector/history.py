"""What is kept when raw reports go: roll-ups by the hour and edges, written and read.

All work on a connection that they are given. Writing an hour replaces it: an hour may be rolled
up again as often as reports come to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Connection, RowMapping, Table, delete, func, insert, select

from collector.day import Row, row_of, values_of
from collector.rollup import HOUR_MS, Hour, InterfaceHour, ProbeHour
from collector.schema import edges, hour_interfaces, hour_probes, hours, progress

_I64 = (1 << 63) - 1
_HOURLY = (hours, hour_probes, hour_interfaces)
_HOUR_COLUMNS = [f.name for f in fields(Hour) if f.name not in {"probes", "interfaces"}]


def replace(connection: Connection, site: str, found: Mapping[int, tuple[Hour, list[Row]]]) -> None:
    """Keep these hours of a site, each with its edges, in place of what was known of them."""
    for hour_ms in found:
        for table in _HOURLY:
            connection.execute(
                delete(table).where(table.c.site == site, table.c.hour_ms == hour_ms)
            )
        span = edges.c.time_ms.between(hour_ms, hour_ms + HOUR_MS - 1)
        connection.execute(delete(edges).where(edges.c.site == site, span))
    rows: dict[Table, list[dict[str, object]]] = defaultdict(list)
    for hour, kept in found.values():
        same = {"site": site, "hour_ms": hour.hour_ms}
        rows[hours].append(same | _values(hour, _HOUR_COLUMNS))
        for table, parts in ((hour_probes, hour.probes), (hour_interfaces, hour.interfaces)):
            values = [same | _values(part, [f.name for f in fields(part)]) for part in parts]
            # Names that differ only in what cannot be stored are one.
            named = {tuple(v for v in row.values() if isinstance(v, str)): row for row in values}
            rows[table] += named.values()
        rows[edges] += [dict(values_of(row)) for row in kept]
    for table, all_of_it in rows.items():
        if all_of_it:
            connection.execute(insert(table), all_of_it)


def read_hours(connection: Connection, site: str, from_ms: int, to_ms: int) -> list[Hour]:
    """Return a site's hours that begin in [from_ms, to_ms), oldest first."""
    probes: dict[int, list[ProbeHour]] = defaultdict(list)
    interfaces: dict[int, list[InterfaceHour]] = defaultdict(list)
    for record in _of(connection, hour_probes, site, from_ms, to_ms):
        probes[record["hour_ms"]].append(ProbeHour(**_named(ProbeHour, record)))
    for record in _of(connection, hour_interfaces, site, from_ms, to_ms):
        interfaces[record["hour_ms"]].append(InterfaceHour(**_named(InterfaceHour, record)))
    return [
        Hour(
            **{name: record[name] for name in _HOUR_COLUMNS},
            probes=tuple(sorted(probes[record["hour_ms"]], key=attrgetter("probe"))),
            interfaces=tuple(
                sorted(interfaces[record["hour_ms"]], key=attrgetter("device", "interface"))
            ),
        )
        for record in _of(connection, hours, site, from_ms, to_ms)
    ]


def read_edges(connection: Connection, site: str, from_ms: int, to_ms: int) -> list[Row]:
    """Return a site's edges measured in [from_ms, to_ms), by time."""
    wanted = (
        select(edges)
        .where(edges.c.site == site, edges.c.time_ms >= from_ms, edges.c.time_ms < to_ms)
        .order_by(edges.c.time_ms, edges.c.epoch, edges.c.seq)
    )
    return [row_of(record) for record in connection.execute(wanted)]


def done(connection: Connection, task: str, day: int = 0) -> int | None:
    """Return up to which id a task has come in a day; None when it has not begun there."""
    wanted = select(progress.c.id).where(progress.c.task == task, progress.c.day == day)
    return connection.scalar(wanted)


def note(connection: Connection, task: str, day: int, upto: int) -> None:
    """Keep that a task has come so far."""
    connection.execute(delete(progress).where(progress.c.task == task, progress.c.day == day))
    connection.execute(insert(progress).values(task=task, day=day, id=upto))


def forget(connection: Connection, before_day: int) -> None:
    """Forget how far tasks came in days that are dropped."""
    connection.execute(delete(progress).where(progress.c.day.between(1, before_day - 1)))


def sites_in(connection: Connection, column: Column[str]) -> Iterator[str]:
    """Yield the values of a key's first column, by leaps: reads no more than one row for each."""
    site = connection.scalar(select(func.min(column)))
    while site is not None:
        yield site
        site = connection.scalar(select(func.min(column)).where(column > site))


def thin(connection: Connection, site: str, before_ms: int) -> None:
    """Delete a site's roll-ups of the hours before `before_ms`."""
    for table in _HOURLY:
        connection.execute(delete(table).where(table.c.site == site, table.c.hour_ms < before_ms))


def _of(
    connection: Connection, table: Table, site: str, from_ms: int, to_ms: int
) -> Sequence[RowMapping]:
    wanted = (
        select(table)
        .where(table.c.site == site, table.c.hour_ms >= from_ms, table.c.hour_ms < to_ms)
        .order_by(table.c.hour_ms)
    )
    return connection.execute(wanted).mappings().all()


def _named(kind: type[ProbeHour | InterfaceHour], record: RowMapping) -> dict[str, Any]:
    return {f.name: record[f.name] for f in fields(kind)}


def _values(part: Hour | ProbeHour | InterfaceHour, names: Sequence[str]) -> dict[str, object]:
    return {name: _storable(getattr(part, name)) for name in names}


def _storable(value: int | str | None) -> int | str | None:
    """Return a value that both engines take: an office's names and numbers are its own affair."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return None if value is None else min(value, _I64)
