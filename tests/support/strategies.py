"""Hypothesis strategies for the words of tabuah."""

from __future__ import annotations

from hypothesis import strategies as st

from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Stage, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Clock, Device, Host, Interface, Occasion, Report, ReportId

_small = st.integers(0, 2**32 - 1)
_large = st.integers(0, 2**64 - 1)
_name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def _timings(draw: st.DrawFn) -> Timing:
    low, middle, high = sorted(draw(st.tuples(_small, _small, _small)))
    return Timing(low, middle, high, draw(st.none() | _small))


_one_way = st.builds(OneWay, sent=_small, received=_small, jitter_us=st.none() | _small)
_phases = st.builds(Phases, *[st.none() | _small] * 5)

measurements = st.builds(
    Measurement,
    probe=_name,
    kind=st.sampled_from(Kind),
    role=st.sampled_from(Role),
    status=st.sampled_from(Status),
    stage=st.sampled_from(Stage),
    circuit=st.none() | _name,
    service=st.none() | _name,
    run=_small,
    age_ms=_small,
    sent=_small,
    received=_small,
    rtt=st.none() | _timings(),
    forward=st.none() | _one_way,
    backward=st.none() | _one_way,
    phases=st.none() | _phases,
    code=st.none() | _small,
    certificate_days=st.none() | st.integers(-(2**31), 2**31),
)

_interfaces = st.builds(
    Interface,
    name=_name,
    oper_status=st.integers(1, 7),
    speed_bps=_large,
    in_octets=_large,
    out_octets=_large,
    in_errors=_large,
    out_errors=_large,
    in_discards=_large,
    out_discards=_large,
    counter_epoch=_small,
    last_change_ticks=st.none() | _small,
)

readings = st.builds(
    Reading,
    kind=st.sampled_from(ReadingKind),
    name=st.just("") | _name,
    value=st.integers(-(2**63), 2**63 - 1),
)

devices = st.builds(
    Device,
    name=_name,
    role=st.sampled_from(Role),
    status=st.sampled_from(Status),
    run=_small,
    age_ms=_small,
    uptime_ticks=st.none() | _small,
    host_uptime_ticks=st.none() | _small,
    load_centi=st.none() | _small,
    memory_available_kib=st.none() | _small,
    interfaces=st.lists(_interfaces, max_size=3).map(tuple),
    readings=st.lists(readings, max_size=3).map(tuple),
)

reports = st.builds(
    Report,
    id=st.builds(ReportId, site=st.just("13.02.10"), epoch=_large, seq=_small),
    wall_ms=_large,
    uptime_ms=_large,
    boot_id=st.binary(min_size=16, max_size=16),
    interval_ms=_small,
    occasion=st.sampled_from(Occasion),
    path=st.just("") | _name,
    measurements=st.lists(measurements, max_size=4).map(tuple),
    devices=st.lists(devices, max_size=2).map(tuple),
    host=st.builds(
        Host,
        clock=st.sampled_from(Clock),
        memory_total_kib=_small,
        memory_available_kib=_small,
        load_centi=_small,
    ),
    agent=st.builds(
        Agent,
        version=_name,
        resident_kib=_small,
        backlog=_small,
        dropped=_small,
        srtt_ms=_small,
        written_kib=_small,
    ),
)
