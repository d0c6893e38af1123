"""The metrics page: what stands on it, when it stands there, and that Prometheus takes it."""

from __future__ import annotations

import math
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collector.families import FAMILIES
from collector.health import threshold_s
from collector.live import SiteView, State
from collector.metrics import SitesPage, labels
from collector.own_metrics import OUTCOMES, OwnMetrics
from collector.readings import FAMILIES as READING_FAMILIES
from collector.readings import SHOWN
from inventory.hours import parse_hours
from inventory.model import Bandwidth, Circuit, Inventory, Service, Site, Sla
from tabuah.measurement import Phases, Role, Status
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Device, Report
from tabuah.snmp.receiver import STAT_OF, Reason
from tabuah.snmp.usm import Stat
from tests.support.offices import (
    LTE,
    NOW_MS,
    TELKOM,
    offices,
    ping,
    received,
    report,
    router,
    service,
    ups,
    view,
)

KUBUNG = "13.02.10"
HOSTILE = 'a"><script>\\alert(1)</script>\n{x="y"} 1\r\u2028 kantör'

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(page: bytes) -> Samples:
    """Return every sample of a page, by its name and labels; a series twice is an error."""
    samples: Samples = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, key
            assert sample.timestamp is None
            samples[key] = sample.value
    return samples


def rendered(views: Iterable[SiteView], inventory: Inventory | None = None) -> Samples:
    return parse(SitesPage().render(inventory or offices(), views, NOW_MS))


def one(samples: Samples, name: str, /, **wanted: str) -> float:
    """Return the value of the only series of that name with these labels."""
    found = [
        value
        for (sample, pairs), value in samples.items()
        if sample == name and wanted.items() <= dict(pairs).items()
    ]
    assert len(found) == 1, (name, wanted, found)
    return found[0]


def names(samples: Samples, site: str) -> set[str]:
    return {name for name, pairs in samples if ("site", site) in pairs}


def test_a_site_that_is_up_shows_all_that_its_newest_report_says() -> None:
    samples = rendered([view(KUBUNG)])
    assert one(samples, "tabuah_site_up", site=KUBUNG) == 1
    assert one(samples, "tabuah_circuit_up", site=KUBUNG, circuit="telkom") == 1
    assert one(samples, "tabuah_report_last_timestamp_seconds") == (NOW_MS - 3_980) / 1000
    assert one(samples, "tabuah_report_rtt_seconds", site=KUBUNG) == 0.040
    dc = {"site": KUBUNG, "probe": "dc", "role": "centre"}
    assert one(samples, "tabuah_probe_success_ratio", **dc) == 0.8
    assert one(samples, "tabuah_probe_loss_ratio", **dc) == 0.2
    assert one(samples, "tabuah_probe_rtt_seconds", **dc, stat="min") == 0.040
    assert one(samples, "tabuah_probe_rtt_seconds", **dc, stat="mean") == 0.041
    assert one(samples, "tabuah_probe_rtt_seconds", **dc, stat="max") == 0.0435
    assert one(samples, "tabuah_probe_jitter_seconds", **dc) == 0.0008
    assert one(samples, "tabuah_probe_one_way_loss_ratio", **dc, direction="forward") == 0.2
    assert one(samples, "tabuah_probe_one_way_loss_ratio", **dc, direction="backward") == 0
    wan = {"site": KUBUNG, "device": "router", "interface": "wan0"}
    assert one(samples, "tabuah_interface_up", **wan) == 1
    assert one(samples, "tabuah_interface_speed_bits_per_second", **wan) == 1e9
    assert one(samples, "tabuah_interface_receive_bytes_total", **wan) == 9e9
    assert one(samples, "tabuah_interface_transmit_bytes_total", **wan) == 8e8
    assert one(samples, "tabuah_interface_receive_errors_total", **wan) == 3
    assert one(samples, "tabuah_interface_transmit_errors_total", **wan) == 0
    assert one(samples, "tabuah_interface_receive_discards_total", **wan) == 0
    assert one(samples, "tabuah_interface_transmit_discards_total", **wan) == 0
    assert one(samples, "tabuah_service_up", site=KUBUNG, service="siak") == 1
    assert one(samples, "tabuah_service_duration_seconds", service="siak", phase="tls") == 0.07
    assert one(samples, "tabuah_agent_backlog_reports", site=KUBUNG) == 2
    assert one(samples, "tabuah_agent_dropped_reports_total", site=KUBUNG) == 1
    assert one(samples, "tabuah_agent_resident_memory_bytes", site=KUBUNG) == 18_432 * 1024
    assert one(samples, "tabuah_agent_written_bytes_total", site=KUBUNG) == 96 * 1024
    assert one(samples, "tabuah_site_clone_reports_total", site=KUBUNG) == 0
    # Sent at -4,000 ms, half a round trip of 40 ms later at the collector: the clocks agree.
    assert one(samples, "tabuah_agent_clock_skew_seconds", site=KUBUNG) == 0


def test_every_family_has_help_and_type_even_before_the_first_report() -> None:
    page = SitesPage().render(offices(), [], NOW_MS).decode()
    for family in (*FAMILIES, *READING_FAMILIES):
        assert f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n" in page


@pytest.mark.parametrize("state", State)
def test_a_site_is_in_exactly_one_of_the_five_states(state: State) -> None:
    samples = rendered([view(KUBUNG, state)])
    shown = {
        each: one(samples, "tabuah_site_state", site=KUBUNG, state=each.value) for each in State
    }
    assert shown == {each: float(each is state) for each in State}


def test_a_site_never_heard_of_is_unknown_and_has_its_info() -> None:
    samples = rendered([])
    assert one(samples, "tabuah_site_state", site=KUBUNG, state="unknown") == 1
    assert names(samples, KUBUNG) == {
        "tabuah_site_state",
        "tabuah_site_info",
        "tabuah_site_location_info",
        "tabuah_site_serving",
        "tabuah_circuit_info",
    }


@pytest.mark.parametrize("state", [State.SILENT, State.UNKNOWN, State.DOWN])
def test_silence_takes_the_measurements_off_the_page_and_keeps_the_last_time(
    state: State,
) -> None:
    samples = rendered([view(KUBUNG, state)])
    kept = {
        "tabuah_site_state",
        "tabuah_site_info",
        "tabuah_site_location_info",
        "tabuah_site_serving",
        "tabuah_circuit_info",
        "tabuah_report_last_timestamp_seconds",
        "tabuah_site_clone_reports_total",
    }
    if state is State.DOWN:
        kept.add("tabuah_site_up")
        assert one(samples, "tabuah_site_up", site=KUBUNG) == 0
    assert names(samples, KUBUNG) == kept


def test_an_old_report_is_not_shown_as_live_even_if_nobody_judged_it_silent() -> None:
    stale = SiteView(KUBUNG, State.UP, 0, received(report(KUBUNG), NOW_MS - 60_001))
    assert "tabuah_probe_rtt_seconds" not in names(rendered([stale]), KUBUNG)
    recent = SiteView(KUBUNG, State.UP, 0, received(report(KUBUNG), NOW_MS - 60_000))
    assert "tabuah_probe_rtt_seconds" in names(rendered([recent]), KUBUNG)


def test_a_site_outside_the_inventory_is_not_on_the_page() -> None:
    assert names(rendered([view("sim-00001")]), "sim-00001") == set()


def test_a_site_taken_from_the_inventory_leaves_the_page() -> None:
    page = SitesPage()
    first = parse(page.render(offices(), [view(KUBUNG)], NOW_MS))
    assert names(first, KUBUNG)
    fewer = replace(offices(), sites=offices().sites[:3])
    assert not names(parse(page.render(fewer, [view(KUBUNG)], NOW_MS)), KUBUNG)


def test_the_second_scrape_shows_the_newer_report() -> None:
    page, inventory = SitesPage(), offices()
    page.render(inventory, [view(KUBUNG)], NOW_MS)
    slower = report(KUBUNG, [ping("anchor", Role.PUBLIC, 90_000)])
    later = SiteView(KUBUNG, State.DEGRADED, 0, received(slower))
    samples = parse(page.render(inventory, [later], NOW_MS))
    assert one(samples, "tabuah_probe_rtt_seconds", site=KUBUNG, stat="mean") == 0.09
    assert one(samples, "tabuah_site_state", site=KUBUNG, state="degraded") == 1


def test_info_series_carry_what_the_inventory_says() -> None:
    samples = rendered([])
    assert (
        one(
            samples,
            "tabuah_site_info",
            site=KUBUNG,
            name="Kantor Camat Kubung",
            kind="kecamatan",
            kecamatan="Kubung",
            kabupaten="Kabupaten Solok",
            upstream="sto-solok",
        )
        == 1
    )
    assert (
        one(
            samples,
            "tabuah_circuit_info",
            site="13.02.18",
            circuit="lte",
            provider="Telkomsel",
            product="Orbit",
            technology="lte",
            role="backup",
        )
        == 1
    )
    place = {"site": KUBUNG, "latitude": "-0.831", "longitude": "100.631"}
    assert one(samples, "tabuah_site_location_info", **place) == 1


def shown(what: Report, circuits: tuple[Circuit, ...] = (TELKOM,)) -> Samples:
    inventory = Inventory("x", sites=(Site(KUBUNG, "Kubung", circuits=circuits),))
    return rendered([SiteView(KUBUNG, State.UP, 0, received(what))], inventory)


def test_a_lost_ping_has_a_loss_and_no_rtt() -> None:
    samples = shown(report(KUBUNG, [ping("anchor", Role.PUBLIC, None)]))
    assert one(samples, "tabuah_probe_loss_ratio", probe="anchor") == 1
    assert one(samples, "tabuah_probe_success_ratio", probe="anchor") == 0
    assert "tabuah_probe_rtt_seconds" not in names(samples, KUBUNG)


def test_an_answer_other_than_expected_is_no_loss_and_no_success() -> None:
    samples = shown(report(KUBUNG, [service(good=False)]))
    assert one(samples, "tabuah_probe_loss_ratio", probe="siak") == 0
    assert one(samples, "tabuah_probe_success_ratio", probe="siak") == 0
    assert one(samples, "tabuah_service_up", service="siak") == 0


def test_a_service_with_two_checks_is_up_when_both_succeed() -> None:
    second = replace(service(good=False), probe="siak-dns", phases=Phases(resolve_us=9))
    samples = shown(report(KUBUNG, [service(), second]))
    assert one(samples, "tabuah_service_up", service="siak") == 0
    assert one(samples, "tabuah_service_duration_seconds", phase="resolve") == 0.002


def test_a_name_that_a_report_repeats_stands_on_the_page_once() -> None:
    twice = [ping("anchor", Role.PUBLIC), ping("anchor", Role.PUBLIC, None), service(), service()]
    samples = shown(report(KUBUNG, twice, devices=[router(), router()]))
    assert one(samples, "tabuah_probe_loss_ratio", probe="anchor") == 0


def test_a_dead_primary_with_a_working_backup_is_a_circuit_down_at_a_site_that_is_up() -> None:
    seen = [
        ping("router", Role.GATEWAY, 500, circuit="telkom"),
        ping("hop", Role.FIRST_HOP, None, circuit="telkom"),
        ping("anchor", Role.PUBLIC, 60_000, circuit="lte"),
    ]
    samples = shown(report(KUBUNG, seen, path="lte"), (TELKOM, LTE))
    assert one(samples, "tabuah_circuit_up", circuit="telkom") == 0
    assert one(samples, "tabuah_circuit_up", circuit="lte") == 1
    assert one(samples, "tabuah_site_up", site=KUBUNG) == 1


def test_a_circuit_without_evidence_is_absent() -> None:
    samples = shown(report(KUBUNG, [ping("router", Role.GATEWAY)]), (TELKOM, LTE))
    assert one(samples, "tabuah_circuit_up") == 1  # telkom, by which the report came


@pytest.mark.parametrize(("oper_status", "up"), [(1, 1), (2, 0), (7, 0), (4, None)])
def test_an_interface_of_unknown_state_says_nothing(oper_status: int, up: int | None) -> None:
    interface = replace(router().interfaces[0], oper_status=oper_status, speed_bps=0)
    samples = shown(report(KUBUNG, devices=[replace(router(), interfaces=(interface,))]))
    assert ("tabuah_interface_up" in names(samples, KUBUNG)) == (up is not None)
    if up is not None:
        assert one(samples, "tabuah_interface_up") == up
    assert "tabuah_interface_speed_bits_per_second" not in names(samples, KUBUNG)


@pytest.mark.parametrize("srtt_ms", [0, 600, 3_000, 20_000])
@pytest.mark.parametrize("interval_ms", [1_000, 10_000, 600_000])
def test_no_slow_line_loses_its_numbers_before_it_is_called_silent(
    interval_ms: int, srtt_ms: int
) -> None:
    slow = replace(report(KUBUNG), interval_ms=interval_ms, agent=Agent(srtt_ms=srtt_ms))
    threshold_ms = round(1000 * threshold_s(interval_ms, srtt_ms))
    for age_ms, shown in ((threshold_ms + 1_000, True), (3 * threshold_ms + 60_000, False)):
        last = received(slow, NOW_MS - age_ms)
        samples = rendered([SiteView(KUBUNG, State.UP, 0, last)])
        assert ("tabuah_agent_backlog_reports" in names(samples, KUBUNG)) is shown


def test_the_skew_of_a_corrected_report_is_what_was_corrected() -> None:
    wrong = received(report(KUBUNG, wall_ms=NOW_MS - 3_600_000))
    fixed = replace(wrong, time_ms=NOW_MS - 4_000, corrected=True, skew_ms=-3_596_020)
    samples = rendered([SiteView(KUBUNG, State.UP, 0, fixed)])
    assert one(samples, "tabuah_agent_clock_skew_seconds") == -3_596


def test_hostile_names_come_back_as_they_were() -> None:
    site = Site(HOSTILE, HOSTILE, kecamatan=HOSTILE, circuits=(Circuit(HOSTILE),))
    interface = replace(router().interfaces[0], name=HOSTILE)
    hostile = report(
        HOSTILE,
        [ping(HOSTILE, Role.PUBLIC), replace(service(), service=HOSTILE)],
        devices=[replace(router(), name=HOSTILE, interfaces=(interface,))],
    )
    view_of = SiteView(HOSTILE, State.UP, 0, received(hostile))
    samples = rendered([view_of], Inventory("x", sites=(site,)))
    assert one(samples, "tabuah_site_info", name=HOSTILE, kecamatan=HOSTILE) == 1
    assert one(samples, "tabuah_interface_up", device=HOSTILE, interface=HOSTILE) == 1
    assert one(samples, "tabuah_service_up", service=HOSTILE) == 1
    assert one(samples, "tabuah_probe_loss_ratio", probe=HOSTILE) == 0


def test_a_name_that_utf8_cannot_hold_does_not_cost_the_page() -> None:
    inventory = Inventory("x", sites=(Site("a", "bad \ud800"), Site("b", "good")))
    assert one(rendered([], inventory), "tabuah_site_info", name="good") == 1


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_label_survives_the_page(value: str) -> None:
    family = next(iter(text_string_to_metric_families(f"x{labels(site=value)}1\n")))
    assert family.samples[0].labels == {"site": value}


def test_all_outcomes_stand_at_zero_before_the_first_datagram() -> None:
    samples = parse(OwnMetrics().render())
    for outcome in OUTCOMES:
        assert one(samples, "tabuah_reports_total", outcome=outcome) == 0


def test_usm_stats_are_there_from_the_start_and_count_what_rfc_3414_counts() -> None:
    own = OwnMetrics()
    own.refused(Reason.WRONG_DIGEST)
    own.refused(Reason.WRONG_DIGEST)
    own.refused(Reason.MALFORMED)
    samples = parse(own.render())
    shown = {
        dict(labels)["reason"]: value
        for (name, labels), value in samples.items()
        if name == "tabuah_usm_stats_total"
    }
    nothing = dict.fromkeys((reason.value for reason in STAT_OF), 0.0)
    assert shown == {**nothing, "wrong_digest": 2.0}
    assert len(shown) == len(Stat)


def test_what_becomes_of_reports_is_counted_and_an_unknown_word_is_an_error() -> None:
    own = OwnMetrics()
    own.count("accepted", 3)
    own.count("late")
    own.commit_seconds.observe(0.004)
    samples = parse(own.render())
    assert one(samples, "tabuah_reports_total", outcome="accepted") == 3
    assert one(samples, "tabuah_reports_total", outcome="late") == 1
    assert one(samples, "tabuah_commit_seconds_bucket", le="0.005") == 1
    assert one(samples, "tabuah_commit_seconds_bucket", le="0.002") == 0
    assert one(samples, "tabuah_build_info") == 1
    assert one(samples, "process_resident_memory_bytes") > 1e6
    assert not any(name.endswith("_created") for name, _ in samples)
    with pytest.raises(KeyError):
        own.count("lost")


def test_two_collectors_in_one_process_count_apart() -> None:
    one_of_two, other = OwnMetrics(), OwnMetrics()
    one_of_two.count("accepted")
    assert one(parse(other.render()), "tabuah_reports_total", outcome="accepted") == 0


@pytest.mark.peer
def test_promtool_takes_the_whole_page() -> None:
    """Its one complaint is a name of the contract: lines are sold in bits per second."""
    hostile = Site(HOSTILE, HOSTILE, kecamatan=HOSTILE, circuits=(Circuit(HOSTILE),))
    inventory = replace(offices(), sites=(*offices().sites, hostile))
    views = [view(site.code) for site in inventory.sites]
    own = OwnMetrics()
    own.commit_seconds.observe(0.01)
    own.render_seconds.observe(0.01)
    page = SitesPage().render(inventory, views, NOW_MS) + own.render()
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, timeout=30, check=False
    )
    assert (ran.stdout + ran.stderr).decode().splitlines() == [
        'tabuah_interface_speed_bits_per_second use base unit "bytes" instead of "bits"'
    ]
    heads = Counter(line.split()[2] for line in page.decode().split("\n") if line[:6] == "# TYPE")
    assert set(heads.values()) == {1}
    assert not any(math.isnan(value) for value in parse(page).values())


def test_what_devices_say_is_shown_in_base_units() -> None:
    samples = shown(report(KUBUNG, devices=[router(), ups()]))
    at_router, at_ups = {"site": KUBUNG, "device": "router"}, {"site": KUBUNG, "device": "ups"}
    assert one(samples, "tabuah_device_temperature_celsius", **at_router, sensor="cpu") == 41.5
    light = "tabuah_optical_receive_power_dbm"
    assert one(samples, light, **at_router, interface="wan0") == -18.765
    assert one(samples, "tabuah_ups_on_battery", **at_ups) == 1
    assert one(samples, "tabuah_ups_battery_remaining_seconds", **at_ups) == 360
    assert one(samples, "tabuah_ups_battery_charge_ratio", **at_ups) == 0.23
    assert one(samples, "tabuah_ups_input_line_bads_total", **at_ups) == 41


def test_every_kind_of_reading_has_a_family_of_its_own() -> None:
    assert SHOWN.keys() == {*ReadingKind}
    assert len({each.family.name for each in SHOWN.values()}) == len(SHOWN)
    told = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
    assert all(f"`{family.name}`" in told for family in READING_FAMILIES)


def test_a_reading_that_is_said_twice_is_shown_once() -> None:
    said = [Reading(kind, name, 1) for kind in ReadingKind for name in ("", "x", "x", HOSTILE)]
    device = Device("router", Role.GATEWAY, Status.RESPONSE_RECEIVED, readings=tuple(said))
    samples = shown(report(KUBUNG, devices=[device, device]))  # parse() refuses a series twice
    named = [kind for kind in ReadingKind if SHOWN[kind].label]
    found = [name for name, _ in samples if name in {f.name for f in READING_FAMILIES}]
    assert len(found) == len(ReadingKind) + 2 * len(named)


def test_what_was_promised_stands_beside_what_is_measured() -> None:
    sla = Sla(Decimal("0.995"))
    line = replace(TELKOM, sla=sla, bandwidth=Bandwidth(down=20, up=10))
    one_office = replace(offices().sites[0], circuits=(line,), hours=parse_hours("Mon 07:30-16:00"))
    siak = Service("siak", "SIAK", "https://siak.example/", objective=Decimal("0.99"))
    known = replace(offices(), sites=(one_office,), services={"siak": siak})
    monday = int(datetime(2026, 11, 23, 7, 30, tzinfo=known.timezone).timestamp() * 1000)
    for at_ms, serving in ((monday, 1), (monday - 1, 0)):
        samples = parse(SitesPage().render(known, [], at_ms))
        same = {"site": one_office.code, "circuit": line.id}
        assert one(samples, "tabuah_circuit_objective_ratio", **same) == 0.995
        given = {
            direction: one(
                samples, "tabuah_circuit_bandwidth_bytes_per_second", direction=direction, **same
            )
            for direction in ("down", "up")
        }
        assert given == {"down": 2_500_000, "up": 1_250_000}
        assert one(samples, "tabuah_service_objective_ratio", service="siak") == 0.99
        assert one(samples, "tabuah_site_serving", site=one_office.code) == serving


def test_a_certificate_that_ends_is_counted_down() -> None:
    ending = replace(service(), certificate_days=12)
    known = replace(view(KUBUNG), last=received(report(KUBUNG, [ending])))
    samples = rendered([known])
    name = "tabuah_service_certificate_remaining_seconds"
    assert one(samples, name, site=KUBUNG, service="siak") == 12 * 86_400


def test_the_disk_is_asked_at_each_scrape_and_a_lost_one_has_no_figure(tmp_path: Path) -> None:
    own = OwnMetrics()
    folder = tmp_path / "data"
    folder.mkdir()
    own.watch_disk(folder)
    samples = parse(own.render())
    free, size = one(samples, "tabuah_data_free_bytes"), one(samples, "tabuah_data_size_bytes")
    assert 0 < free <= size
    folder.rmdir()
    assert math.isnan(one(parse(own.render()), "tabuah_data_free_bytes"))
