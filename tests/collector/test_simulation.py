"""Simulated offices without their line: what they say, keep and plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import pytest
from click.testing import CliRunner

from collector import drill
from collector.drill import Drill
from collector.simulation import sample
from collector.simulation.cli import simulate
from collector.simulation.office import Boot, Flight, Office
from collector.simulation.plan import ClockFault, Cut, Plan
from collector.simulation.sample import Moment
from collector.simulation.tally import Tally
from inventory.model import Inventory, Language, Outline, Site, StoredSites, outline_of
from tabuah import block
from tabuah.report import Occasion, ReportId
from tabuah.snmp.usm import NOBODY

BOOT = Boot(bytes(range(16)), 7 << 40, 70.0, 1_700_000_000.0)


def office(interval_s: float = 10.0) -> Office:
    return Office(0, "sim-00001", NOBODY, BOOT, interval_s=interval_s, draw=0.5)


def offer(at: Office, now: float) -> Flight:
    flight = at.flight(at.cycle(now))
    at.offer(flight)
    return flight


def send(at: Office, now: float) -> Flight:
    """Have the office send what is due; return it, encoded."""
    flight = at.next(now)
    assert flight is not None
    at.pdu(flight)
    at.sent(flight, now, 500)
    return flight


def test_words_are_shared_and_each_report_has_its_own_head() -> None:
    moment = Moment(1_700_000_000_123, 45_000, 10_000, srtt_ms=37, backlog=4)
    made = sample.packed(ReportId("sim-00001", 33, 9), b"b" * 16, moment, Occasion.RETURN)
    said = block.read("sim-00001", made)
    assert block.unpack(made.octets) == made
    assert (said.id, said.occasion) == (ReportId("sim-00001", 33, 9), Occasion.RETURN)
    assert (said.wall_ms, said.uptime_ms, said.boot_id) == (1_700_000_000_123, 45_000, b"b" * 16)
    assert said.agent is not None
    assert (said.agent.backlog, said.agent.srtt_ms) == (4, 64)
    assert len(said.measurements) == 6
    assert all(one.good for one in said.measurements)
    other = sample.packed(
        ReportId("sim-00002", 33 + sample.VARIANTS, 9), b"c" * 16, moment, Occasion.CYCLE
    )
    assert block.read("sim-00002", other).measurements == said.measurements


def test_a_retry_rests_on_what_was_acknowledged_and_on_nothing_after_a_gap() -> None:
    one = office()
    offer(one, 100.0)
    first = send(one, 100.0)
    assert first.base is None
    assert one.acknowledged(first, 0.1, 100.1)
    offer(one, 110.0)
    second = send(one, 110.0)
    assert second.base is first.reports[0]
    assert one.next(110.4) is None
    assert send(one, 110.5) is second
    assert second.base is first.reports[0]
    offer(one, 120.0)
    third = send(one, 120.0)
    assert third.base is None, "the collector may hold the second, and not the first any more"
    assert one.backlog == 1


def test_until_it_is_answered_each_retry_waits_twice_as_long() -> None:
    one = office()
    offer(one, 100.0)
    times, now = [], 100.0
    while now < 130.0:
        if one.next(now) is not None:
            send(one, now)
            times.append(now)
        now = min(one.wake(now), 130.0)
    assert times == [100.0, 101.0, 103.0, 107.0, 115.0, 123.0]


def test_what_is_presumed_is_not_what_a_retry_rests_on() -> None:
    one = office()
    flights = []
    for now in (100.0, 110.0, 120.0):
        made = one.cycle(now)
        flights.append(one.flight(made))
        one.pdu(flights[-1])
        one.presume(made)
    one.presume(None)
    assert [flight.base for flight in flights] == [None, *(f.reports[0] for f in flights[:2])]
    one.offer(flights[0])
    one.acknowledged(send(one, 100.0), 0.1, 100.1)
    one.offer(flights[1])
    send(one, 110.0)
    send(one, 111.0)
    assert flights[1].base is flights[0].reports[0]


def test_history_waits_for_the_live_lane_then_grows_and_halves() -> None:
    one = office()
    one.fill(100, 0.0)
    assert one.backlog == 100
    live = offer(one, 100.0)
    assert send(one, 100.0) is live
    assert one.next(100.1) is None, "nothing of the past before the present is acknowledged"
    one.acknowledged(live, 0.1, 100.1)
    assert one.next(100.2) is None, "the office's own moment: half of two seconds"
    assert one.wake(100.2) == pytest.approx(101.1)
    first = send(one, 101.2)
    assert first.history
    assert [report.seq for report in first.reports] == list(range(1, len(first.reports) + 1))
    assert one.next(101.2) is None, "one at first"
    one.acknowledged(first, 0.1, 101.3)
    second, third = send(one, 101.3), send(one, 101.3)
    assert second is not third
    assert one.next(101.3) is None, "and then two"
    assert send(one, 102.0) is second
    assert one.next(102.0) is third
    one.acknowledged(second, 0.1, 102.0)
    assert one.wake(102.0) < math.inf


def test_history_takes_no_more_than_its_share_of_the_line() -> None:
    one = office(1.0)
    one.fill(100_000, 0.0)
    octets, now = 0, 100.0
    one.acknowledged(sent_live(one, now), 0.05, now)
    while now < 130.0:
        if (flight := one.next(now)) is None:
            now += 0.01
            continue
        octets += 1_200
        one.sent(flight, now, 1_200)
        one.acknowledged(flight, 0.05, now)
    assert octets == pytest.approx(29 * 12_500, rel=0.08)


def sent_live(one: Office, now: float) -> Flight:
    offer(one, now)
    return send(one, now)


def test_the_power_takes_the_youngest_report_and_leaves_the_spool() -> None:
    one = office()
    one.fill(10, 0.0)
    one.acknowledged(sent_live(one, 100.0), 0.1, 100.1)
    batch = send(one, 102.0)
    live = sent_live(one, 110.0)
    flights, lost = one.lose_power(112.0)
    assert (flights, lost) == ([batch, live], 1)
    assert one.backlog == 10
    one.boot(replace(BOOT, epoch=99, began=200.0))
    assert one.cycle(230.0)[:2] == (99, 1)
    one.acknowledged(sent_live(one, 230.0), 0.1, 230.1)
    again = send(one, 232.0)
    assert [report.seq for report in again.reports[:2]] == [1, 2]
    assert again.reports[0].epoch == BOOT.epoch
    sent_live(one, 240.0)
    assert one.lose_power(244.0)[1] == 0, "that one was in the spool"


def test_a_declined_report_goes_out_at_once_and_whole_and_then_at_the_pace_of_retries() -> None:
    one = office()
    one.acknowledged(sent_live(one, 100.0), 0.1, 100.1)
    live = sent_live(one, 110.0)
    request_id = live.request_id
    assert one.declined(live)
    assert send(one, 110.1) is live
    assert (live.base, live.request_id != request_id) == (None, True)
    assert one.declined(live)
    assert one.next(110.2) is None
    one.acknowledged(live, 0.1, 110.3)
    assert not one.declined(live)


def test_the_plan_says_when_each_reports_whose_line_is_cut_and_whose_clock_is_wrong() -> None:
    plan = Plan(
        10.0,
        20.0,
        cuts=(Cut(5.0, 3.0, 2),),
        clocks=(ClockFault(None, 1), ClockFault(3600.0, 2)),
    )
    assert plan.due_in_all(4) == 8
    assert [plan.due_s(number, 4) for number in range(5)] == [0.0, 2.5, 5.0, 7.5, 10.0]
    together = replace(plan, all_at_once=True)
    assert [together.due_s(number, 4) for number in range(6)] == [0.0, 0.0, 0.0, 0.0, 10.0, 12.5]
    assert [plan.cut_off(number, 3.0) for number in range(3)] == [True, True, False]
    assert not plan.cut_off(0, 8.0)
    faults = [plan.clock_of(number) for number in range(4)]
    assert faults == [plan.clocks[0], plan.clocks[1], plan.clocks[1], None]


def test_figures_without_an_answer_are_none_and_not_zero() -> None:
    figures = Tally(reports=3).figures()
    assert figures["missing"] == 3
    assert (figures["p50_ms"], figures["all_live_s"], figures["caught_up_s"]) == (None, None, None)


# --- drills ---------------------------------------------------------------------------------


class Stored(StoredSites):
    """Offices that lie elsewhere."""

    def __init__(self, *codes: str) -> None:
        self._sites = tuple(Site(code, f"Kantor {code}") for code in codes)

    def __len__(self) -> int:
        return len(self._sites)

    @overload
    def __getitem__(self, index: int) -> Site: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Site]: ...
    def __getitem__(self, index: int | slice) -> Site | Sequence[Site]:
        return self._sites[index]

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites)

    @property
    def outlines(self) -> Iterator[Outline]:
        return map(outline_of, self._sites)

    @property
    def codes(self) -> Sequence[str]:
        return [site.code for site in self._sites]

    def find(self, code: str) -> Site | None:
        return next((site for site in self._sites if site.code == code), None)


@pytest.mark.parametrize("stored", [False, True])
def test_a_drills_offices_join_those_of_the_inventory(*, stored: bool) -> None:
    real = Stored("13.02.10", "sim-00002")
    known = Inventory("Dinas Uji", sites=real if stored else tuple(real))
    joined = drill.joined(known, Drill(3, 5.0))
    assert joined.codes == ("13.02.10", "sim-00002", "sim-00001", "sim-00003")
    assert [site.code for site in joined.sites] == list(joined.codes)
    assert [one.code for one in joined.outlines] == list(joined.codes)
    assert (len(joined.sites), joined.sites[-1].code, joined.sites[0].code) == (
        *(4, "sim-00003", "13.02.10"),
    )
    assert [site.code for site in joined.sites[1:3]] == ["sim-00002", "sim-00001"]
    added, own = joined.find("sim-00001"), joined.find("sim-00002")
    assert added is not None
    assert own is not None
    assert (added.name, added.interval_s, own.name) == ("Latihan 1", 5.0, "Kantor sim-00002")
    assert drill.joined(known, None) is known
    english = drill.joined(replace(known, language=Language.ENGLISH), Drill(1, 5.0))
    assert english.names["sim-00001"] == "Drill 1"


def test_a_drill_lasts_while_it_is_held_and_no_longer_than_its_word(tmp_path: Path) -> None:
    assert drill.read(tmp_path, 0.0) is None
    with drill.held(tmp_path, Drill(3, 5.0)):
        said = (tmp_path / drill.FILE_NAME).read_text()
        until = float(said.partition('"until": ')[2].rstrip("}\n"))
        assert drill.read(tmp_path, until - 1) == Drill(3, 5.0)
        assert drill.read(tmp_path, until) is None
        assert drill.read(tmp_path, until - 1_000) is None, "a clock was stepped: not for ever"
        for damage in ("", "[]", '{"until": "x"}', said.replace("3", "null")):
            (tmp_path / drill.FILE_NAME).write_text(damage)
            assert drill.read(tmp_path, until - 1) is None
    assert not (tmp_path / drill.FILE_NAME).exists()


# --- the command ----------------------------------------------------------------------------


def test_help_shows_examples() -> None:
    told = CliRunner().invoke(simulate, ["--help"]).output
    assert told.count("tabuah simulate --sites") >= 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cut", "soon"), "'soon' is no cut; 30s@1m is one of 30 s"),
        (("--clock", "2h"), "'2h' is no wrong clock; +1h is one"),
        (("--clock", "+2x"), "'+2x' is no wrong clock"),
        (("--interval", "10x"), "'10x' is no duration"),
        (("--interval", "0"), "'0' is shorter than 0.1 s"),
        (("--presign",), "--presign takes --seconds"),
        (("--presign", "--seconds", "5", "--power-cut", "1s@1s"), "--presign and --power-cut"),
    ],
)
def test_what_is_wrong_is_told(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    where = ("--sites", "1", "--collector", "127.0.0.1:9", "--data", str(tmp_path))
    done = CliRunner().invoke(simulate, [*where, *words])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
