"""Readings of devices travel as they were taken, and old and new readers get along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabuah import block, sections
from tabuah.errors import DecodeError
from tabuah.measurement import Role, Status
from tabuah.reading import UNITS, Reading, ReadingKind, shown, unit
from tabuah.report import Device, Interface
from tests.support.reports import report

UPS = Device(
    "ups",
    Role.UPS,
    Status.RESPONSE_RECEIVED,
    interfaces=(Interface("eth0", 1),),
    readings=(
        Reading(ReadingKind.UPS_ON_BATTERY, "", 1),
        Reading(ReadingKind.OPTICAL_RX_POWER, "sfp1", -18_765),
    ),
)
SITE = "13.02.10"


def test_each_device_keeps_its_own_readings() -> None:
    said = replace(report(1), devices=(UPS, replace(UPS, name="empty", readings=()), UPS))
    assert block.read(SITE, block.pack(said)) == said


def test_a_reading_is_found_by_kind_and_name() -> None:
    assert UPS.reading(ReadingKind.UPS_ON_BATTERY) == 1
    assert UPS.reading(ReadingKind.OPTICAL_RX_POWER, "sfp1") == -18_765
    assert UPS.reading(ReadingKind.OPTICAL_RX_POWER) is None
    assert UPS.reading(ReadingKind.UPS_CHARGE) is None


def test_a_kind_that_a_newer_agent_knows_is_passed_over() -> None:
    octets = bytearray(sections.write(sections.Sections(devices=(UPS,))))
    at = octets.index(bytes((sections.READING, 3, ReadingKind.UPS_ON_BATTERY)))
    octets[at + 2] = 0x7F
    [device] = sections.read(bytes(octets)).devices
    assert device == replace(UPS, readings=UPS.readings[1:])


def test_a_reading_without_a_device_is_refused() -> None:
    octets = bytearray((sections.READING, 3, 1, 0, 0))
    with pytest.raises(DecodeError, match="without its device"):
        sections.read(bytes(octets))


def test_a_reading_costs_few_octets() -> None:
    bare = len(sections.write(sections.Sections(devices=(replace(UPS, readings=()),))))
    assert len(sections.write(sections.Sections(devices=(UPS,)))) - bare == 5 + 11


def test_values_are_shown_in_base_units() -> None:
    assert shown(UPS.readings[1]) == -18.765
    assert unit(ReadingKind.OPTICAL_RX_POWER).word == "dBm"
    assert shown(Reading(ReadingKind.LINK_DOWNS, "ether1", 4)) == 4
    assert unit(ReadingKind.LINK_DOWNS).word == ""
    assert set(UNITS) < set(ReadingKind)
