"""What a citizen at an office could use, hour by hour."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.service_view import (
    HOUR_MS,
    Hour,
    Reading,
    Use,
    hold_times,
    readings,
    service_hours,
    without_line,
)
from collector.stretches import Kind, Stretch
from inventory.model import Inventory, Service, Site
from tabuah.measurement import Kind as ProbeKind
from tabuah.measurement import Measurement, Role, Status
from tabuah.report import Occasion, Report, ReportId

MINUTE = 60_000
DAY = (0, 4 * HOUR_MS)
HOLD = {"siak": 10 * MINUTE}


def checks(*failed: int, service: str = "siak", every: int = 5, until: int = 240) -> list[Reading]:
    """One check each five minutes; those in the minutes `failed` failed."""
    return [
        Reading(service, minute * MINUTE, minute not in failed) for minute in range(0, until, every)
    ]


def cut(begin: int, end: int, cause: str = "last_mile", kind: Kind = Kind.DOWN) -> Stretch:
    return Stretch("a", "telkom", begin * MINUTE, end * MINUTE, kind, cause)


def uses(hours: list[Hour]) -> list[Use]:
    return [hour.use for hour in hours]


def test_a_service_that_answers_over_a_good_line_can_be_used() -> None:
    assert uses(service_hours("a", HOLD, checks(), [], DAY)) == [Use.UP] * 4


def test_an_hour_is_what_most_of_it_was() -> None:
    failed = range(60, 90, 5)
    hours = service_hours("a", HOLD, checks(*failed), [], DAY)
    # Thirty minutes each: of two that are even the worse.
    assert uses(hours) == [Use.UP, Use.DOWN, Use.UP, Use.UP]
    assert (hours[1].up_ms, hours[1].down_ms) == (30 * MINUTE, 30 * MINUTE)
    assert hours[1].cause == "service"


def test_behind_a_dead_line_the_cause_is_the_lines() -> None:
    dead = without_line([[cut(55, 120)]])
    hours = service_hours("a", HOLD, checks(*range(60, 120, 5)), dead, DAY)
    assert uses(hours) == [Use.UP, Use.DOWN, Use.UP, Use.UP]
    assert hours[0].down_ms == 5 * MINUTE
    assert hours[1].cause == "last_mile"


def test_without_power_nothing_can_be_used_though_the_provider_owes_nothing() -> None:
    dead = without_line([[cut(60, 120, "power", Kind.EXCLUDED)]])
    hours = service_hours("a", HOLD, checks(until=60), dead, DAY)
    assert uses(hours) == [Use.UP, Use.DOWN, Use.UNKNOWN, Use.UNKNOWN]
    assert hours[1].cause == "power"


def test_a_reading_does_not_speak_for_hours() -> None:
    hours = service_hours("a", HOLD, checks(until=5), [], DAY)
    assert hours[0].up_ms == 10 * MINUTE
    assert uses(hours) == [Use.UNKNOWN] * 4


def test_a_working_backup_keeps_the_office_in_service() -> None:
    primary = [cut(60, 180)]
    backup = [Stretch("a", "lte", 90 * MINUTE, 120 * MINUTE, Kind.DOWN, "area")]
    assert without_line([primary, []]) == []
    assert without_line([primary, backup]) == [cut(90, 120)]
    assert without_line([]) == []


def test_a_window_of_maintenance_is_no_proof_of_downtime() -> None:
    assert without_line([[cut(0, 60, "maintenance", Kind.EXCLUDED)]]) == []
    fell = replace(cut(10, 20, "maintenance", Kind.EXCLUDED), outage="a/telkom/1")
    assert without_line([[cut(0, 60, "maintenance", Kind.EXCLUDED), fell]]) == [fell]


def test_one_check_in_many_reports_is_one_reading() -> None:
    seen = Measurement(
        "siak", ProbeKind.HTTP, Role.SERVICE, Status.RESPONSE_RECEIVED, service="siak", run=7
    )
    reports = [
        (
            10_000 * at,
            Report(
                ReportId("a", 1, at), 0, 0, b"", 10_000, Occasion.CYCLE,
                measurements=(replace(seen, age_ms=10_000 * at - 3_000),),
            ),
        )
        for at in range(1, 6)
    ]  # fmt: skip
    assert readings(reports) == [Reading("siak", 3_000, good=True)]


def test_what_the_agent_could_not_try_says_nothing_of_the_service() -> None:
    broken = Measurement(
        "siak", ProbeKind.HTTP, Role.SERVICE, Status.INTERNAL_ERROR, service="siak"
    )
    ping = Measurement("dc", ProbeKind.PING, Role.CENTRE, Status.REQUEST_TIMED_OUT)
    report = Report(
        ReportId("a", 1, 1), 0, 0, b"", 10_000, Occasion.CYCLE, measurements=(broken, ping)
    )
    assert readings([(0, report)]) == []


def test_services_without_a_probe_are_listed_and_unknown() -> None:
    inventory = Inventory("x", services={"siak": Service("siak", "SIAK", "https://siak.example")})
    holds = hold_times(Site("a", "A", services=("siak", "lpse")), inventory)
    assert holds == {"siak": 600_000, "lpse": 0}
    hours = service_hours("a", holds, checks(), [], DAY)
    assert uses(hours) == [Use.UP] * 4 + [Use.UNKNOWN] * 4


@given(
    st.lists(st.tuples(st.integers(-30, 260), st.booleans()), max_size=40),
    st.lists(st.tuples(st.integers(-30, 260), st.integers(0, 120)), max_size=4),
)
def test_every_hour_is_accounted_for_to_the_millisecond(
    seen: list[tuple[int, bool]], cuts: list[tuple[int, int]]
) -> None:
    dead = without_line([[cut(begin, begin + lasted) for begin, lasted in cuts]])
    made = [Reading("siak", minute * MINUTE, good) for minute, good in seen]
    hours = service_hours("a", HOLD, made, dead, DAY)
    assert [h.up_ms + h.down_ms + h.unknown_ms for h in hours] == [HOUR_MS] * 4
    known_dead = sum(max(0, min(s.end_ms, DAY[1]) - max(s.begin_ms, DAY[0])) for s in dead)
    assert sum(h.down_ms for h in hours) >= known_dead
