"""What was acknowledged is found again, whenever it arrived; what cannot be kept says so."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, MetaData, Table, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from collector import database, indexing
from collector.database import FILE_NAME, open_engine
from collector.day import Order
from collector.schema import HEAD, day_index, day_of, day_table, metadata
from collector.store import Row, Store, StoreError
from tabuah.errors import TabuahError

DAY_MS = 86_400_000
MIDNIGHT = 1_798_675_200_000
"""2026-12-31T00:00Z."""
KUBUNG = "13.02.10"
GUNUNG_TALANG = "13.02.11"


def row(
    seq: int,
    received_ms: int,
    *,
    site: str = KUBUNG,
    time_ms: int | None = None,
    late: bool = False,
    epoch: int = 7,
) -> Row:
    measured = received_ms - 40 if time_ms is None else time_ms
    return Row(site, epoch, seq, measured, received_ms, late, corrected=False, block=b"%d" % seq)


on_sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as opened:
        yield opened


def test_a_report_comes_back_as_it_was_given(store: Store) -> None:
    given = Row(KUBUNG, 2**64 - 1, 2**40, MIDNIGHT + 5, MIDNIGHT + 9, True, True, bytes(range(256)))
    store.append([given])
    assert store.reports(KUBUNG, 0, 2 * MIDNIGHT) == [given]
    assert list(store.ids(0)) == [(KUBUNG, 2**64 - 1, 2**40)]


def test_reports_come_by_time_and_the_end_is_exclusive(store: Store) -> None:
    rows = [row(seq, MIDNIGHT + seq * 10_000, time_ms=MIDNIGHT + seq * 10_000) for seq in range(6)]
    store.append([rows[4], rows[1], rows[5], rows[0], rows[3], rows[2]])
    begin, end = MIDNIGHT + 10_000, MIDNIGHT + 40_000
    assert store.reports(KUBUNG, begin, end) == rows[1:4]
    assert store.reports(KUBUNG, begin, end, limit=2) == rows[1:3]
    assert store.reports(GUNUNG_TALANG, begin, end) == []
    assert store.reports(KUBUNG, end, begin) == []


def test_a_late_report_is_found_by_the_day_it_was_measured_not_the_day_it_came(
    store: Store,
) -> None:
    live = row(9, MIDNIGHT + 3 * DAY_MS)
    late = row(1, MIDNIGHT + 3 * DAY_MS + 1, time_ms=MIDNIGHT + 500, late=True)
    first = row(8, MIDNIGHT + 400, time_ms=MIDNIGHT + 400)
    store.append([first])
    store.append([live, late])
    whole_day = (MIDNIGHT, MIDNIGHT + DAY_MS)
    assert store.reports(KUBUNG, *whole_day) == [first, late]
    assert store.close_days(MIDNIGHT + 9 * DAY_MS) == [20261231, 20270103]
    assert store.reports(KUBUNG, *whole_day) == [first, late]
    assert store.reports(KUBUNG, *whole_day, limit=1) == [first]


def test_one_append_may_span_midnight(store: Store) -> None:
    rows = [row(seq, MIDNIGHT - 2 + seq) for seq in range(4)]
    store.append(rows)
    assert store.close_days(MIDNIGHT) == [20261230]
    assert store.close_days(MIDNIGHT) == []
    assert store.reports(KUBUNG, 0, 2 * MIDNIGHT) == rows
    assert [seq for _, _, seq in store.ids(MIDNIGHT - 1)] == [1, 2, 3]


def test_a_report_that_comes_to_a_closed_day_opens_it_again(store: Store) -> None:
    store.append([row(1, MIDNIGHT + 1)])
    store.close_days(MIDNIGHT + DAY_MS)
    straggler = row(2, MIDNIGHT + 2)
    store.append([straggler])
    assert straggler in store.reports(KUBUNG, 0, 2 * MIDNIGHT)
    assert store.close_days(MIDNIGHT + DAY_MS) == [20261231]
    assert straggler in store.reports(KUBUNG, 0, 2 * MIDNIGHT)


def test_a_day_is_closed_in_steps_between_which_reports_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "STEP", 10)
    rows = [row(seq, MIDNIGHT + seq) for seq in range(1, 301)]
    store.append(rows)
    begun = threading.Event()
    fill = indexing.fill

    def slow_fill(connection: Connection, table: Table, index: Table, after: int) -> int:
        time.sleep(0.03)
        begun.set()
        return fill(connection, table, index, after)

    monkeypatch.setattr(indexing, "fill", slow_fill)
    closing = threading.Thread(target=store.close_days, args=(MIDNIGHT + DAY_MS,))
    closing.start()
    begun.wait(5)
    for seq in range(3):
        store.append([row(seq, MIDNIGHT + DAY_MS, site=GUNUNG_TALANG)])
        assert closing.is_alive(), "a report waits for one step, not for the whole index"
    closing.join()
    assert store.reports(KUBUNG, 0, 2 * MIDNIGHT) == rows


def test_a_closing_that_was_cut_short_goes_on_where_it_was(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "STEP", 10)
    rows = [row(seq, MIDNIGHT + seq) for seq in range(1, 301)]
    fill, steps = indexing.fill, iter(range(12))

    def cut(connection: Connection, table: Table, index: Table, after: int) -> int:
        if next(steps, None) is None:
            raise StoreError("the disk is full")
        return fill(connection, table, index, after)

    with Store.open(data) as store:
        store.append(rows)
        monkeypatch.setattr(indexing, "fill", cut)
        with pytest.raises(StoreError):
            store.close_days(MIDNIGHT + DAY_MS)
        assert store.reports(KUBUNG, 0, 2 * MIDNIGHT) == rows
    monkeypatch.setattr(indexing, "fill", fill)
    with Store.open(data) as store:
        assert store.close_days(MIDNIGHT + DAY_MS) == [20261231]
        assert store.reports(KUBUNG, 0, 2 * MIDNIGHT) == rows
        assert store.newest()[KUBUNG] == rows[-1]


@given(
    st.lists(
        st.tuples(st.sampled_from([KUBUNG, GUNUNG_TALANG]), st.integers(0, 2), st.integers(1, 12)),
        max_size=40,
    )
)
def test_a_day_knows_exactly_which_reports_it_holds(held: list[tuple[str, int, int]]) -> None:
    """With doubles and holes, open and closed: a number that is not there is never said to be."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        store.append(
            [
                row(s, MIDNIGHT + at, site=site, epoch=2**64 - 1 - e)
                for at, (site, e, s) in enumerate(held)
            ]
        )
        for _ in range(2):
            found = [
                (site, 2**64 - 1 - epoch, seq)
                for site, epoch, low, high in store.ranges(MIDNIGHT)
                for seq in range(low, high + 1)
            ]
            assert sorted(found) == sorted(set(held))
            store.close_days(MIDNIGHT + DAY_MS)


def test_what_a_closed_day_holds_is_known_without_reading_its_reports(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([row(seq, MIDNIGHT + seq) for seq in (1, 2, 4)])
    store.append([row(5, MIDNIGHT + DAY_MS)])
    store.close_days(MIDNIGHT + DAY_MS)
    read: list[str] = []
    look = indexing.ranges_by_arrival

    def spied(connection: Connection, table: Table) -> Iterator[indexing.Range]:
        read.append(table.name)
        return look(connection, table)

    monkeypatch.setattr(indexing, "ranges_by_arrival", spied)
    assert sorted(store.ranges(MIDNIGHT)) == [
        (KUBUNG, 7, 1, 2),
        (KUBUNG, 7, 4, 4),
        (KUBUNG, 7, 5, 5),
    ]
    assert read == ["reports_20270101"]
    assert store.ranges(MIDNIGHT + DAY_MS) == [(KUBUNG, 7, 5, 5)]
    store.append([row(3, MIDNIGHT + 9)])  # it opens the day again
    assert (KUBUNG, 7, 1, 4) in store.ranges(MIDNIGHT)


def test_an_open_and_a_closed_day_answer_alike_however_clocks_wander(place: Path | str) -> None:
    chance = random.Random(5)
    rows: list[Row] = []
    received = MIDNIGHT + DAY_MS // 2
    for seq in range(600):
        # The collector's clock is set back now and then; offices' clocks run ahead or are late.
        received += chance.choice((0, 900, 5_000, -20_000 if seq % 97 == 0 else 30))
        late = chance.random() < 0.2
        measured = received - chance.randrange(DAY_MS) if late else received + chance.randint(-9, 9)
        measured += 45_000 if seq % 151 == 0 else 0
        site = chance.choice((KUBUNG, GUNUNG_TALANG))
        rows.append(row(seq, received, site=site, time_ms=measured, late=late))
    for part in range(0, 600, 60):  # reopened between: what is known of the order must be kept
        with Store.open(place) as store:
            store.append(rows[part : part + 60])
    spans = [
        (begin, begin + chance.randrange(1, 3_000_000))
        for begin in (chance.randrange(MIDNIGHT, received) for _ in range(40))
    ]
    spans += [(r.time_ms, r.time_ms + 1) for r in rows[::13]]

    with Store.open(place) as store:
        for closed in (False, True):
            if closed:
                assert store.close_days(MIDNIGHT + 3 * DAY_MS)
            for begin, end in spans:
                expected = [r for r in rows if r.site == KUBUNG and begin <= r.time_ms < end]
                found = store.reports(KUBUNG, begin, end)
                assert sorted(found) == sorted(expected)
                assert [r.time_ms for r in found] == sorted(r.time_ms for r in expected)


def test_a_restart_does_not_forget_how_far_the_clock_was_set_back(place: Path | str) -> None:
    first = row(1, MIDNIGHT + 100_000, time_ms=MIDNIGHT + 100_000)
    with Store.open(place) as store:
        store.append([first, row(2, MIDNIGHT + 60_000)])
    with Store.open(place) as store:
        store.append([row(seq, MIDNIGHT + 30_000) for seq in range(3, 9)])
        assert store.reports(KUBUNG, first.time_ms, 2 * MIDNIGHT) == [first]


steps = st.tuples(st.integers(-90_000, 90_000), st.integers(-200_000, 200_000))


@given(st.lists(steps, min_size=1), st.data())
def test_no_report_lies_before_the_place_that_bisecting_finds(
    wander: list[tuple[int, int]], data: st.DataObject
) -> None:
    clock, rows = MIDNIGHT, []
    for seq, (step, ahead) in enumerate(wander):
        clock += step
        rows.append(row(seq, clock, time_ms=clock + ahead))
    order = Order(rows[0].received_ms).after(rows)
    wanted = data.draw(st.sampled_from(rows)).time_ms
    bound = wanted - order.slack_ms
    received = [row.received_ms for row in rows]
    for place in range(len(rows) + 1):  # bisecting may end wherever the bound is crossed
        below = place == 0 or received[place - 1] < bound
        above = place == len(rows) or received[place] >= bound
        if below and above:
            assert all(skipped.time_ms < wanted for skipped in rows[:place])


def test_the_newest_report_is_no_late_one(store: Store) -> None:
    newest = row(5, MIDNIGHT + 50_000)
    other = row(1, MIDNIGHT + 10_000, site=GUNUNG_TALANG)
    late = row(2, MIDNIGHT + 60_000, late=True)
    never_live = row(1, MIDNIGHT + 60_001, site="13.02.12", late=True)
    store.append([row(4, MIDNIGHT + 40_000), other, newest, late, never_live])
    assert store.newest() == {KUBUNG: newest, GUNUNG_TALANG: other}
    assert store.newest({GUNUNG_TALANG, "13.02.99"}) == {GUNUNG_TALANG: other}
    store.close_days(MIDNIGHT + DAY_MS)
    assert store.newest() == {KUBUNG: newest, GUNUNG_TALANG: other}


def test_the_newest_report_of_an_office_silent_for_days_is_still_known(place: Path | str) -> None:
    silent = row(1, MIDNIGHT, site=GUNUNG_TALANG)
    with Store.open(place) as store:
        store.append([silent])
        for day in range(1, 4):
            store.append([row(day, MIDNIGHT + day * DAY_MS)])
        store.close_days(MIDNIGHT + 3 * DAY_MS)
    with Store.open(place, read_only=True) as store:
        assert store.newest()[GUNUNG_TALANG] == silent
        assert store.newest()[KUBUNG].seq == 3


def test_days_past_their_time_are_dropped(store: Store, place: Path | str) -> None:
    store.append([row(1, MIDNIGHT, site=GUNUNG_TALANG)])
    store.append([row(2, MIDNIGHT + DAY_MS)])
    store.close_days(MIDNIGHT + DAY_MS)
    assert store.drop_days(MIDNIGHT + DAY_MS + 5) == [20261231]
    assert store.drop_days(MIDNIGHT + DAY_MS + 5) == []
    assert [seq for _, _, seq in store.ids(0)] == [2]
    assert set(store.newest()) == {KUBUNG}
    store.append([row(3, MIDNIGHT + 7)])  # even there a report is kept rather than lost
    assert [seq for _, _, seq in store.ids(0)] == [3, 2]


@on_sqlite
def test_a_disk_that_takes_no_more_keeps_none_of_the_batch_and_what_came_before(
    store: Store,
) -> None:
    kept = row(1, MIDNIGHT)
    store.append([kept])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = [
        row(seq, MIDNIGHT + seq, site=f"s{seq}")._replace(block=bytes(1000))
        for seq in range(2, 2000)
    ]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(StoreError, match=r"store\.db: the disk"):
            store.append(big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(store.ids(0)) == [(KUBUNG, 7, 1)]
    assert set(store.newest()) == {KUBUNG}
    store.append(big)
    assert len(store.newest()) == 1999


@on_sqlite
def test_a_new_day_that_could_not_be_written_can_be_written_later(store: Store) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        with pytest.raises(StoreError):
            store.append([row(1, MIDNIGHT)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.append([row(1, MIDNIGHT)])
    assert store.newest()[KUBUNG].seq == 1


def test_what_was_acknowledged_is_there_after_kill_9(data: Path) -> None:
    # The page cache survives a kill: that each commit is fsynced too is the next test.
    script = f"""
from pathlib import Path
from collector.store import Row, Store
store = Store.open(Path({str(data)!r}))
for seq in range(1, 1_000_000):
    store.append([Row("13.02.10", 1, seq, {MIDNIGHT}, {MIDNIGHT}, False, False, b"x")])
    print(seq, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(50):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    acknowledged = 50 + len(child.stdout.read().split())
    child.stdout.close()
    child.wait()
    with Store.open(data) as store:
        kept = [seq for _, _, seq in store.ids(0)]
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) in {acknowledged, acknowledged + 1}


def test_every_connection_commits_with_an_fsync(data: Path) -> None:
    engine, _ = open_engine(data, read_only=False)
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


@on_sqlite
def test_nobody_else_may_read_the_store(data: Path, store: Store) -> None:
    store.append([row(1, MIDNIGHT)])
    assert data.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in data.iterdir()}
    assert modes == dict.fromkeys((FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"), 0o600)


def test_a_folder_in_use_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    tmp_path.chmod(0o755)
    Store.open(tmp_path).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_new_database_has_the_schema_and_says_which(place: Path | str, store: Store) -> None:
    engine, _ = open_engine(place, read_only=True)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    engine.dispose()
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert version == HEAD == ScriptDirectory.from_config(config).get_current_head()


def test_two_that_open_a_new_folder_at_once_both_succeed(data: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from collector.store import Store\n"
        "sys.stdin.readline(); Store.open(Path(sys.argv[1])).close()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(data)], stdin=subprocess.PIPE)
        for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    assert [child.wait() for child in children] == [0, 0, 0]


def test_reading_goes_on_beside_a_writer_and_never_writes(place: Path | str, store: Store) -> None:
    store.append([row(1, MIDNIGHT)])
    with Store.open(place, read_only=True) as reader:
        stream = reader.ids(0)
        assert next(stream) == (KUBUNG, 7, 1)
        store.append([row(2, MIDNIGHT + 1)])
        assert len(reader.reports(KUBUNG, 0, 2 * MIDNIGHT)) == 2
        with pytest.raises(StoreError, match="reading only"):
            reader.append([row(3, MIDNIGHT)])
        assert list(stream) == []


def test_reading_where_nothing_was_stored_makes_nothing(data: Path) -> None:
    with pytest.raises(StoreError, match="no reports are stored here yet; is --data right"):
        Store.open(data, read_only=True)
    assert not data.exists()


@on_sqlite
def test_a_locked_database_says_who_may_hold_it(
    data: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(data / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Store.open(data) as second:
        with pytest.raises(StoreError, match="locked by another program; is a second collector"):
            second.append([row(1, MIDNIGHT)])
        holder.execute("ROLLBACK")
        holder.close()
        second.append([row(1, MIDNIGHT)])


def test_a_file_that_is_no_database_says_what_to_do(data: Path) -> None:
    Store.open(data).close()
    (data / FILE_NAME).write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreError, match=r"store\.db: this is no SQLite.*restore a backup"):
        Store.open(data)


def test_a_damaged_page_says_what_to_do(data: Path) -> None:
    with Store.open(data) as store:
        store.append([row(seq, MIDNIGHT + seq) for seq in range(5_000)])
    path = data / FILE_NAME
    with path.open("r+b") as file:
        file.seek(4096 * 60)  # past the tables that are read to open it
        file.write(b"\xff" * 4096 * 20)
    with (
        Store.open(data) as store,
        pytest.raises(StoreError, match=r"damaged; .*tabuah data salvage"),
    ):
        list(store.ids(0))


def test_a_database_of_a_newer_tabuah_is_left_alone(data: Path) -> None:
    Store.open(data).close()
    with sqlite3.connect(data / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"newer tabuah \(schema 9999, this one knows"):
            Store.open(data, read_only=read_only)


def test_a_database_of_another_program_is_left_alone(data: Path) -> None:
    data.mkdir()
    with sqlite3.connect(data / FILE_NAME) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        Store.open(data)


def test_incidents_of_an_older_schema_keep_their_office(data: Path) -> None:
    data.mkdir()
    engine = create_engine(f"sqlite:///{data / FILE_NAME}")
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        connection.exec_driver_sql(
            "INSERT INTO incidents VALUES ('a-1', '13.02.10', 'TabuahLinkDown', 'unknown', "
            "'critical', 1, NULL, 'back', 1, 0)"
        )
    engine.dispose()
    with Store.open(data) as store:
        (noted,) = store.unfinished_incidents()
    assert (noted.incident.id, noted.incident.sites, noted.fired) == ("a-1", (KUBUNG,), True)


def test_an_older_schema_is_not_migrated_by_a_reader(data: Path) -> None:
    data.mkdir()
    sqlite3.connect(data / FILE_NAME).close()
    (data / FILE_NAME).touch()
    with pytest.raises(StoreError, match="start the collector once"):
        Store.open(data, read_only=True)


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TabuahError, match="cannot be used as data folder"):
        Store.open(tmp_path / "file")


def test_a_folder_whose_name_looks_like_a_query_is_just_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b?mode=memory#%41"
    with Store.open(folder) as store:
        store.append([row(1, MIDNIGHT)])
    assert (folder / FILE_NAME).stat().st_size > 0
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("url", ["nonsense://x", "sqlite:///x.db"])
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        Store.open(url)


def test_days_are_those_of_utc() -> None:
    assert day_of(MIDNIGHT - 1) == 20261230
    assert day_of(MIDNIGHT) == 20261231
    assert day_of(MIDNIGHT + DAY_MS) == 20270101
    assert day_of(0) == 19700101


def test_the_tables_can_be_made_in_postgresql() -> None:
    table = day_table(MetaData(), 20261231)
    made = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "id BIGSERIAL" in made
    assert "block BYTEA" in made
    index = day_index(MetaData(), 20261231)
    indexed = str(CreateTable(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "PRIMARY KEY (site, time_ms, id)" in indexed
    assert "SERIAL" not in indexed
