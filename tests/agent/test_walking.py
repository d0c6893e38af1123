"""Walks and fetches end, and bring what there is, whatever the device does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probes.run import Deadline
from agent.snmp_session import PollFailure, SnmpSession
from agent.walking import (
    MOST_ANSWERS,
    MOST_ROWS,
    MOST_VARIABLES,
    Fetch,
    Job,
    Pace,
    Walk,
    rungs,
)
from tabuah.snmp.client import CommunityClient
from tabuah.snmp.pdu import Oid, Pdu, PduType, Tag, VarBind
from tests.support.playback import COMMUNITY, Answer, Rows, error, playing, well_behaved

TABLE: Oid = (1, 3, 6, 1, 4, 1, 32473, 9, 1)
A, B = (*TABLE, 1), (*TABLE, 2)
AFTER: Oid = (1, 3, 6, 1, 4, 1, 32473, 10, 0)
TOO_BIG, NO_SUCH_NAME, GEN_ERR = 1, 2, 5
INDICES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)


def table(*indices: int) -> Rows:
    rows: Rows = {(*column, i): (Tag.INTEGER, i) for column in (A, B) for i in indices}
    rows[AFTER] = (Tag.OCTET_STRING, b"not asked for")
    return rows


ROWS = table(*INDICES)
WHOLE = {A: {*INDICES}, B: {*INDICES}}


def altered(change: Callable[[tuple[VarBind, ...]], tuple[VarBind, ...]]) -> Answer:
    """Return a device that answers well, but for its varbinds."""

    def answer(asked: Pdu, rows: Rows) -> Pdu:
        good = well_behaved(asked, rows)
        return replace(good, varbinds=change(good.varbinds))

    return answer


def asked_of(pdu: Pdu) -> int:
    bulk = pdu.type is PduType.GETBULK
    return len(pdu.varbinds) * (pdu.max_repetitions if bulk else 1)


def too_big_above(most: int) -> Answer:
    return lambda asked, rows: (
        error(asked, TOO_BIG) if asked_of(asked) > most else well_behaved(asked, rows)
    )


def silent_above(most: int) -> Answer:
    return lambda asked, rows: None if asked_of(asked) > most else well_behaved(asked, rows)


def knows_no_bulk(status: int | None) -> Answer:
    def answer(asked: Pdu, rows: Rows) -> Pdu | None:
        if asked.type is PduType.GETBULK:
            return None if status is None else error(asked, status)
        return well_behaved(asked, rows)

    return answer


def of_snmpv1(asked: Pdu, rows: Rows) -> Pdu:
    """SNMPv1 (RFC 1157): no exceptions, noSuchName for the whole; GETBULK is an error."""
    if asked.type is PduType.GETBULK:
        return error(asked, GEN_ERR)
    good = well_behaved(asked, rows)
    for place, bound in enumerate(good.varbinds, 1):
        if bound.value is None:
            return error(asked, NO_SUCH_NAME, place)
    return good


def unordered(asked: Pdu, rows: Rows) -> Pdu:
    """Rows follow each other in the order in which they were made, not by index."""
    order = [oid for i in (5, 3, 89, 1, 2, 55, 8, 34, 13, 21) for oid in ((*A, i), (*B, i))]
    chains = [[oid for oid in order if oid[:-1] == column] for column in (A, B)]
    following = {
        before: after
        for chain in chains
        for before, after in zip([chain[0][:-1], *chain], [*chain, AFTER], strict=True)
    }
    cursors = [bound.oid for bound in asked.varbinds]
    found = []
    for _ in range(asked.max_repetitions if asked.type is PduType.GETBULK else 1):
        for place, cursor in enumerate(cursors):
            cursors[place] = following.get(cursor, AFTER)
            found.append(VarBind(cursors[place], *rows[cursors[place]]))
    return Pdu(PduType.RESPONSE, asked.request_id, varbinds=tuple(found))


def in_a_circle(asked: Pdu, rows: Rows) -> Pdu:
    """After the last row comes the first again."""
    fewer = {oid: value for oid, value in rows.items() if oid != AFTER}
    good = well_behaved(asked, fewer)
    around = [
        VarBind((*A, INDICES[0]), Tag.INTEGER, 1) if b.value is None else b for b in good.varbinds
    ]
    return replace(good, varbinds=tuple(around))


def without_the_ended(asked: Pdu, rows: Rows) -> Pdu:
    """Repetitions leave out the columns that have ended."""
    good = well_behaved(asked, rows)
    inside = [b for b in good.varbinds if b.oid[:-1] in (A, B)]
    return replace(good, varbinds=tuple(inside) or good.varbinds[:1])


def errs_at(broken: Oid) -> Answer:
    """One row that cannot be read spoils every answer that would hold it; nobody says which."""

    def answer(asked: Pdu, rows: Rows) -> Pdu:
        good = well_behaved(asked, rows)
        spoilt = any(bound.oid == broken for bound in good.varbinds)
        return error(asked, GEN_ERR) if spoilt else good

    return answer


WHOLE_IN_SPITE = {
    "well-behaved": well_behaved,
    "shuffled": altered(lambda binds: tuple(reversed(binds))),
    "each twice": altered(lambda binds: tuple(b for b in binds for _ in range(2))),
    "truncated to three": altered(lambda binds: binds[:3]),
    "truncated to one": altered(lambda binds: binds[:1]),
    "a stranger in front": altered(lambda binds: (VarBind(AFTER, Tag.INTEGER, 1), *binds)),
    "too big above 7": too_big_above(7),
    "too big above 1": too_big_above(1),
    "silent above 9": silent_above(9),
    "silent above 1": silent_above(1),
    "no bulk: genErr": knows_no_bulk(GEN_ERR),
    "no bulk: noSuchName": knows_no_bulk(NO_SUCH_NAME),
    "no bulk: silence": knows_no_bulk(None),
    "of SNMPv1": of_snmpv1,
    "unordered": unordered,
    "in a circle": in_a_circle,
    "without the ended": without_the_ended,
}


def drive(job: Job, answer: Answer, rows: Rows, pace: Pace | None = None) -> tuple[Pace, int]:
    """Do a job as the session does; return the pace after it and how often was asked."""
    pace, asked = pace or Pace(), 0
    while True:
        for rung in rungs(job, pace):
            asked += 1
            heard = answer(rung.request.pdu(asked), rows)
            if heard is not None:
                pace = job.answered(rung.request, heard, rung.pace)
                break
        else:
            return pace, asked


@pytest.mark.parametrize("manners", WHOLE_IN_SPITE)
def test_a_walk_brings_the_whole_table(manners: str) -> None:
    walk = Walk((A, B))
    drive(walk, WHOLE_IN_SPITE[manners], ROWS)
    assert {column: {*found} for column, found in walk.found.items()} == WHOLE


@pytest.mark.parametrize("manners", sorted(WHOLE_IN_SPITE.keys() - {"unordered", "in a circle"}))
def test_a_fetch_brings_all_that_is_there(manners: str) -> None:
    absent = tuple((*A, i) for i in range(200, 240))
    fetch = Fetch([*absent[:20], *ROWS, *absent[20:]])
    drive(fetch, WHOLE_IN_SPITE[manners], ROWS)
    assert {bound.oid for bound in fetch.found} == ROWS.keys()
    assert fetch.refused.keys() <= {*absent}


def test_a_device_of_snmpv1_says_which_variables_it_lacks() -> None:
    absent = (*A, 200)
    fetch = Fetch([*ROWS, absent])
    drive(fetch, of_snmpv1, ROWS)
    assert fetch.refused == {absent: NO_SUCH_NAME}


def test_a_row_that_cannot_be_read_costs_only_what_follows_it_in_its_column() -> None:
    walk = Walk((A, B))
    drive(walk, errs_at((*A, 21)), ROWS)
    assert {*walk.found[A]} == {1, 2, 3, 5, 8, 13}
    assert {*walk.found[B]} == {*INDICES}


def test_a_variable_that_cannot_be_read_costs_only_itself() -> None:
    fetch = Fetch(list(ROWS))
    drive(fetch, errs_at((*A, 21)), ROWS)
    assert ROWS.keys() - {bound.oid for bound in fetch.found} == {(*A, 21)}
    assert fetch.refused == {(*A, 21): GEN_ERR}


def test_a_table_that_ends_too_early_is_taken_as_it_is() -> None:
    def early(asked: Pdu, rows: Rows) -> Pdu:
        good = well_behaved(asked, rows)
        ended = [
            VarBind(b.oid, Tag.END_OF_MIB_VIEW, None) if b.oid[-1] > 3 else b for b in good.varbinds
        ]
        return replace(good, varbinds=tuple(ended))

    walk = Walk((A, B))
    _, asked = drive(walk, early, ROWS)
    assert {*walk.found[A]} == {*walk.found[B]} == {1, 2, 3}
    assert asked == 2


def test_a_subtree_that_was_not_asked_is_not_taken() -> None:
    walk = Walk((A, B))
    _, asked = drive(walk, altered(lambda _: (VarBind(AFTER, Tag.INTEGER, 1),) * 8), ROWS)
    assert walk.found == {A: {}, B: {}}
    assert asked == 1


@pytest.mark.parametrize("step", [1, -1, 0], ids=["up", "down", "nowhere"])
def test_a_table_without_end_is_left(step: int) -> None:
    fresh = iter(range(10**6, 10**6 + 10**5 * step, step) if step else [7] * 10**5)

    def endless(asked: Pdu, rows: Rows) -> Pdu:
        many = tuple(VarBind((*A, next(fresh)), Tag.INTEGER, 1) for _ in range(16))
        return Pdu(PduType.RESPONSE, asked.request_id, varbinds=many)

    walk = Walk((A,))
    _, asked = drive(walk, endless, ROWS)
    assert asked <= MOST_ANSWERS
    assert len(walk.found[A]) == (MOST_ROWS if step else 1)


def test_texts_without_end_are_left() -> None:
    fresh = iter(range(10**6))

    def wordy(asked: Pdu, rows: Rows) -> Pdu:
        bound = VarBind((*A, next(fresh)), Tag.OCTET_STRING, bytes(60_000))
        return Pdu(PduType.RESPONSE, asked.request_id, varbinds=(bound,))

    walk = Walk((A,))
    _, asked = drive(walk, wordy, ROWS)
    assert asked == 5


@st.composite
def devices(draw: st.DrawFn) -> Answer:
    """A device that does something else at every question."""
    stranger = st.builds(
        VarBind,
        st.sampled_from([A, B, (*A, 3), (*B, 2), (*B, 4, 4), AFTER, TABLE, (0, 0)]),
        st.just(Tag.INTEGER),
        st.integers(-5, 5),
    )
    strangers = draw(st.lists(stranger, max_size=6))
    turns = draw(st.lists(st.sampled_from([*range(9)]), min_size=1, max_size=12))
    numbers = draw(st.lists(st.integers(0, 50), min_size=1, max_size=7))
    count = iter(range(10**9))

    def answer(asked: Pdu, rows: Rows) -> Pdu | None:
        at = next(count)
        turn, number = turns[at % len(turns)], numbers[at % len(numbers)]
        good = well_behaved(asked, rows)
        match turn:
            case 0 | 1:
                return good
            case 2:
                return error(asked, number % 19, number)
            case 3:
                return None
            case 4:
                return replace(good, varbinds=good.varbinds[:number])
            case 5:
                return replace(good, varbinds=good.varbinds[number % 5 :] + good.varbinds[:3])
            case 6:
                return replace(good, varbinds=tuple(strangers))
            case 7:
                return error(asked, TOO_BIG)
            case _:
                return replace(good, varbinds=(*strangers, *reversed(good.varbinds)))

    return answer


def bounded_drive(job: Job, answer: Answer) -> int:
    """Do a job until it is done, or the device is silent; return how often it answered."""
    pace, answers = Pace(), 0
    while job.next(pace) is not None:
        for rung in rungs(job, pace):
            heard = answer(rung.request.pdu(1), ROWS)
            if heard is not None:
                answers += 1
                pace = job.answered(rung.request, heard, rung.pace)
                assert 1 <= pace.variables <= MOST_VARIABLES
                break
        else:
            break
    return answers


@given(devices())
def test_a_walk_of_any_device_ends_and_takes_only_what_was_asked(answer: Answer) -> None:
    walk = Walk((A, B))
    assert bounded_drive(walk, answer) <= MOST_ANSWERS
    assert walk.found.keys() == {A, B}
    for column, found in walk.found.items():
        for index, bound in found.items():
            assert bound.oid == (*column, index)


@given(devices())
def test_a_fetch_of_any_device_ends_and_takes_only_what_was_asked(answer: Answer) -> None:
    wanted = [*ROWS, (*A, 200), (*B, 200)]
    fetch = Fetch(wanted)
    # Each answer takes a variable off, or halves what is asked at once.
    assert bounded_drive(fetch, answer) <= 2 * len(wanted) + 12
    names = [bound.oid for bound in fetch.found]
    assert len(names) == len({*names})
    assert {*names} <= {*wanted}


def test_the_pace_halves_at_once_and_grows_back_slowly() -> None:
    pace = Pace()
    rows = table(*range(1, 100))
    pace, asked = drive(Fetch(list(rows)), too_big_above(20), rows, pace)
    assert (pace.variables, asked) == (10, 2 + 20)  # 42, 21, then twenty of 10
    _, again = drive(Fetch(list(rows)), too_big_above(20), rows, pace)
    assert again == 20  # what was learned is not asked again
    grown = []
    for _ in range(1200):
        pace = pace.answered(pace.variables)
        grown.append(pace.variables)
    assert (grown[0], grown[100], grown[-1]) == (10, 11, MOST_VARIABLES)
    assert grown == sorted(grown)


def test_a_setback_after_growing_makes_the_next_growth_slower() -> None:
    pace = Pace(variables=10)
    steps = []
    for _ in range(3):
        answers = 0
        while pace.variables <= 10:
            pace = pace.answered(pace.variables)
            answers += 1
        steps.append(answers)
        pace = replace(pace.too_large(pace.variables), variables=10)
    assert steps == [16, 32, 64]


def test_small_questions_teach_nothing_about_large_answers() -> None:
    pace = Pace(variables=10, good=3)
    assert pace.answered(2) == pace


@contextmanager
def connected(port: int, pace: Pace, seconds: float = 8.0) -> Iterator[SnmpSession]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        yield SnmpSession(sock, CommunityClient(COMMUNITY), Deadline(seconds), pace)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.snmp_session._PATIENCE_S", 0.05)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("manners", WHOLE_IN_SPITE)
async def test_a_device_on_the_wire_gives_its_whole_table(manners: str) -> None:
    async with playing(dict(ROWS), WHOLE_IN_SPITE[manners]) as device:
        with connected(device.port, Pace()) as session:
            found = await session.walk(A, B)
    assert {column: {*rows} for column, rows in found.items()} == WHOLE


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "manners", ["too big above 7", "silent above 9", "no bulk: genErr", "no bulk: silence"]
)
async def test_what_a_device_bears_is_learned_once(manners: str) -> None:
    async with playing(dict(ROWS), WHOLE_IN_SPITE[manners]) as device:
        with connected(device.port, Pace()) as first:
            await first.walk(A, B)
        learned = len(device.asked)
        device.asked.clear()
        with connected(device.port, first.pace) as second:
            assert (await second.walk(A, B)).keys() == {A, B}
            assert second.sent == len(device.asked) < learned


@pytest.mark.usefixtures("hurried")
async def test_a_device_that_says_nothing_is_given_up_after_four_attempts() -> None:
    async with playing({}, lambda _asked, _rows: None) as device:
        with connected(device.port, Pace()) as session:
            with pytest.raises(PollFailure, match="no answer"):
                await session.walk(A, B)
            assert session.sent == 4
            assert session.pace == Pace()  # silence alone teaches nothing


async def test_a_walk_ends_with_its_time() -> None:
    async def slowly(device_port: int) -> float:
        began = asyncio.get_running_loop().time()
        with connected(device_port, Pace(), seconds=0.3) as session, pytest.raises(PollFailure):
            await session.walk(A, B)
        return asyncio.get_running_loop().time() - began

    async with playing({}, lambda _asked, _rows: None) as device:
        assert await slowly(device.port) < 0.6


class _Flooded(socket.socket):
    """A socket by which rubbish comes faster than anybody can read it."""

    def recv(self, _most: int, _flags: int = 0) -> bytes:
        return b"rubbish"


async def test_a_flood_from_the_devices_address_holds_up_its_own_poll_alone() -> None:
    ticks = 0

    async def others() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    beside = asyncio.create_task(others())
    with _Flooded(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", 9))
        session = SnmpSession(sock, CommunityClient(COMMUNITY), Deadline(0.3))
        with pytest.raises(PollFailure, match="no answer"):
            await session.walk(A, B)
    beside.cancel()
    assert ticks > 3
