"""An hour's numbers are those of a straightforward count, and nothing that changed is dropped."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collector.live import Received
from collector.rollup import HOUR_MS, Hour, by_time, edges, hour_of, roll_up
from tabuah.measurement import Kind, Measurement, OneWay, Role, Status, Timing
from tabuah.notification import LineState, key_facts
from tabuah.report import Device, Interface, Report
from tests.support.reports import BEGIN_MS, report

BEGIN = hour_of(BEGIN_MS)
INTERVAL_MS = 60_000


def received(made: Report, time_ms: int, *, late: bool = False) -> Received:
    return Received(made, time_ms + 40, time_ms, corrected=False, late=late)


def probe(run: int, rtt_us: int | None, *, name: str = "dc", sent: int = 2) -> Measurement:
    good = rtt_us is not None
    return Measurement(
        probe=name,
        kind=Kind.UDP,
        role=Role.CENTRE,
        status=Status.RESPONSE_RECEIVED if good else Status.REQUEST_TIMED_OUT,
        run=run,
        sent=sent,
        received=sent if good else 0,
        rtt=None if rtt_us is None else Timing(rtt_us - 1, rtt_us, rtt_us + 2),
        forward=OneWay(sent, sent) if good else None,
    )


def router(octets: int, *, oper: int = 1, counter_epoch: int = 1) -> Device:
    wan = Interface(
        "wan0", oper, in_octets=octets, out_octets=octets // 2, counter_epoch=counter_epoch
    )
    return Device("router", Role.GATEWAY, Status.RESPONSE_RECEIVED, interfaces=(wan,))


@st.composite
def histories(draw: st.DrawFn) -> list[Received]:
    """A few hours of an office: cuts, restarts, resets, repeated runs, late and double reports."""
    found: list[Received] = []
    at, epoch, seq, run, octets, counter = BEGIN, 1, 0, 0, 0, 1
    for _ in range(draw(st.integers(1, 40))):
        at += draw(
            st.sampled_from((INTERVAL_MS, INTERVAL_MS, 7_000, 40 * INTERVAL_MS, 3 * HOUR_MS))
        )
        match draw(st.integers(0, 9)):
            case 0:
                epoch, seq, run = epoch + 1, 0, 0
            case 1:
                counter, octets = counter + 1, 0
            case 2:
                seq += 3
        seq, run = seq + 1, run + draw(st.integers(0, 1))
        octets += draw(st.integers(0, 2**33))
        rtt = draw(st.none() | st.integers(1, 10**6))
        made = report(seq, epoch=epoch, interval_ms=INTERVAL_MS)
        made = replace(
            made,
            measurements=(probe(run, rtt), probe(run, 5, name="siak")),
            devices=(router(octets, oper=draw(st.integers(1, 2)), counter_epoch=counter),),
        )
        found.append(received(made, at, late=draw(st.booleans())))
    return found


def rolled(history: list[Received]) -> dict[int, Hour]:
    ordered = by_time(history)
    found = {}
    for hour in {hour_of(one.time_ms) for one in ordered}:
        inside = [one for one in ordered if hour_of(one.time_ms) == hour]
        before = [one for one in ordered if hour_of(one.time_ms) == hour - HOUR_MS]
        found[hour] = roll_up(hour, before[-1] if before else None, inside)
    return found


@given(histories(), st.randoms(use_true_random=False))
def test_a_roll_up_is_what_a_straightforward_count_gives(
    history: list[Received], chance: object
) -> None:
    shuffled = [*history, *history[::3]]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    hours = rolled(shuffled)
    assert sum(hour.reports for hour in hours.values()) == len(history)
    assert sum(hour.late for hour in hours.values()) == sum(one.late for one in history)

    # Counted over the whole history at once; a gap of a whole hour hides what was before it.
    packets: dict[int, list[tuple[int, Measurement]]] = {hour: [] for hour in hours}
    traffic = dict.fromkeys(hours, 0)
    up = dict.fromkeys(hours, 0)
    spans = {hour: dict.fromkeys(LineState, 0) for hour in hours}
    last: Received | None = None
    for one in history:
        hour = hour_of(one.time_ms)
        known = last if last and hour - hour_of(last.time_ms) <= HOUR_MS else None
        span = min(INTERVAL_MS, one.time_ms - known.time_ms) if known else INTERVAL_MS
        spans[hour][key_facts(one.report.measurements).state] += span
        for now in one.report.measurements:
            same = [m for m in (known.report.measurements if known else ()) if m.probe == now.probe]
            if (
                not same
                or known is None
                or known.report.id.epoch != one.report.id.epoch
                or same[0].run != now.run
            ):
                packets[hour].append((one.time_ms, now))
        (port,) = one.report.devices[0].interfaces
        up[hour] += span if port.oper_status == 1 else 0
        if known:
            (then,) = known.report.devices[0].interfaces
            if then.counter_epoch == port.counter_epoch:
                traffic[hour] += port.in_octets - then.in_octets
        last = one

    for start, found in hours.items():
        assert found.good_ms == spans[start][LineState.GOOD]
        assert found.impaired_ms == spans[start][LineState.IMPAIRED]
        assert found.cut_ms == spans[start][LineState.CUT]
        (wan,) = found.interfaces
        assert (wan.in_octets, wan.up_ms) == (traffic[start], up[start])
        for name in ("dc", "siak"):
            runs = [m for _, m in packets[start] if m.probe == name]
            said = [each for each in found.probes if each.probe == name]
            assert bool(runs) == bool(said)
            if said:
                answered = [m for m in runs if m.rtt is not None]
                assert said[0].runs == len(runs)
                assert said[0].good == len(answered)
                assert said[0].sent == sum(m.sent for m in runs)
                assert said[0].received == said[0].forward_received
                means = [m.rtt.mean_us for m in answered if m.rtt]
                assert said[0].rtt_max_us == max((mean + 2 for mean in means), default=None)
                assert said[0].rtt_min_us == min((mean - 1 for mean in means), default=None)
                if means:
                    assert said[0].rtt_mean_us is not None
                    assert abs(said[0].rtt_mean_us - sum(means) / len(means)) <= 0.5


@given(histories())
def test_every_report_beside_a_change_or_a_gap_is_an_edge_and_no_other(
    history: list[Received],
) -> None:
    kept = {one.report.id for one in edges(None, history, None)}
    wanted = {history[0].report.id, history[-1].report.id}
    for one, other in pairwise(history):
        here, there = one.report, other.report
        follows = (there.id.epoch, there.id.seq) == (here.id.epoch, here.id.seq + 1)
        same = key_facts(here.measurements).state is key_facts(there.measurements).state
        ports = (
            here.devices[0].interfaces[0].oper_status,
            there.devices[0].interfaces[0].oper_status,
        )
        if not (follows and same and ports[0] == ports[1]):
            wanted |= {here.id, there.id}
    assert kept == wanted


def test_a_run_that_two_hours_reports_repeat_counts_in_the_first() -> None:
    made = [replace(report(seq), measurements=(probe(7, 9),)) for seq in (1, 2)]
    first, second = received(made[0], BEGIN + HOUR_MS - 5), received(made[1], BEGIN + HOUR_MS + 5)
    hours = rolled([first, second])
    assert [found.runs for found in hours[BEGIN].probes] == [1]
    assert hours[BEGIN + HOUR_MS].probes == ()
    assert hours[BEGIN + HOUR_MS].reports == 1
