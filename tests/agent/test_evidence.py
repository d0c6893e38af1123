"""What devices tell beyond IF-MIB, played back from walks; and what it costs to ask."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent import discovery, evidence
from agent.config import Device
from agent.poll import Poller
from tabuah import report
from tabuah.measurement import Role, Status
from tabuah.reading import Reading
from tabuah.reading import ReadingKind as Kind
from tabuah.snmp.pdu import Pdu, PduType, Tag
from tests.agent.test_walking import of_snmpv1
from tests.support.playback import WALKS, Playback, Rows, load, oid, parse, playing, well_behaved
from tests.support.snmpd import free_port, snmpd

Said = dict[tuple[Kind, str], int]


def device(port: int, *interfaces: str, role: Role = Role.GATEWAY) -> Device:
    return Device("it", "127.0.0.1", role, port, interfaces, community="public")


def said(seen: report.Device) -> Said:
    assert seen.status is Status.RESPONSE_RECEIVED
    return {(one.kind, one.name): one.value for one in seen.readings}


async def told(walk: str, *interfaces: str) -> Said:
    async with playing(load(walk)) as played:
        return said(await Poller(device(played.port, *interfaces)).poll())


async def test_a_small_mikrotik_without_health_tells_load_memory_and_links() -> None:
    assert await told("mikrotik-rb750", "ether1", "pppoe-out1") == {
        (Kind.CPU_LOAD, ""): 70,
        (Kind.STORAGE_USED, "main memory"): 656,
        (Kind.STORAGE_USED, "system disk"): 437,
        (Kind.LINK_DOWNS, "ether1"): 3,
        (Kind.LINK_DOWNS, "pppoe-out1"): 0,
        (Kind.REDIALS, "pppoe-out1"): 0,
    }


async def test_a_hex_tells_voltage_and_temperature_by_its_gauges() -> None:
    assert await told("mikrotik-hex", "ether1") == {
        (Kind.CPU_LOAD, ""): 60,  # the mean of four
        (Kind.STORAGE_USED, "main memory"): 250,
        (Kind.STORAGE_USED, "system disk"): 750,
        (Kind.VOLTAGE, "voltage"): 240,
        (Kind.TEMPERATURE, "temperature"): 310,
        (Kind.LINK_DOWNS, "ether1"): 5,
    }


async def test_an_lte_router_tells_its_signal_under_the_interfaces_name() -> None:
    heard = await told("mikrotik-lte", "lte1")
    assert {key: value for key, value in heard.items() if key[1] == "lte1"} == {
        (Kind.LTE_RSSI, "lte1"): -67,
        (Kind.LTE_RSRQ, "lte1"): -11,
        (Kind.LTE_RSRP, "lte1"): -98,
        (Kind.LTE_SINR, "lte1"): 9,
        (Kind.LINK_DOWNS, "lte1"): 6,
    }


async def test_a_modem_without_a_network_tells_no_signal() -> None:
    rows = load("mikrotik-lte")
    async with playing(rows) as played:
        poller = Poller(device(played.port, "lte1"))
        await poller.poll()
        for part in (2, 3, 4, 7):
            played.set(f"1.3.6.1.4.1.14988.1.1.16.1.1.{part}.4", 0)
        assert not {kind for kind, _ in said(await poller.poll())} & {Kind.LTE_RSRP, Kind.LTE_SINR}


async def test_a_fibre_router_tells_light_and_its_power_supplies_by_the_old_scalars() -> None:
    heard = await told("mikrotik-sfp", "sfp1")
    assert {key: value for key, value in heard.items() if key[0] is not Kind.STORAGE_USED} == {
        (Kind.CPU_LOAD, ""): 20,
        (Kind.VOLTAGE, "voltage"): 243,
        (Kind.TEMPERATURE, "temperature"): 410,
        (Kind.TEMPERATURE, "cpu-temperature"): 525,
        (Kind.SUPPLY_OK, "psu"): 1,
        (Kind.SUPPLY_OK, "backup-psu"): 0,
        (Kind.OPTICAL_TX_POWER, "sfp1"): -5_025,
        (Kind.OPTICAL_RX_POWER, "sfp1"): -18_765,
        (Kind.OPTICAL_RX_LOSS, "sfp1"): 0,
        (Kind.OPTICAL_TX_FAULT, "sfp1"): 0,
        (Kind.LINK_DOWNS, "sfp1"): 11,
    }  # and of the empty cage nothing


async def test_lost_light_is_told() -> None:
    async with playing(load("mikrotik-sfp")) as played:
        poller = Poller(device(played.port, "sfp1"))
        await poller.poll()
        played.set("1.3.6.1.4.1.14988.1.1.19.1.1.3.1", 1)
        played.set("1.3.6.1.4.1.14988.1.1.19.1.1.10.1", -40_000)
        heard = said(await poller.poll())
    assert heard[Kind.OPTICAL_RX_LOSS, "sfp1"] == 1
    assert heard[Kind.OPTICAL_RX_POWER, "sfp1"] == -40_000


GAUGES = """
.1.3.6.1.4.1.14988.1.1.3.100.1.2.7001 = STRING: "fan1-speed"
.1.3.6.1.4.1.14988.1.1.3.100.1.3.7001 = Gauge32: 4080
.1.3.6.1.4.1.14988.1.1.3.100.1.4.7001 = INTEGER: 2
.1.3.6.1.4.1.14988.1.1.3.100.1.2.7101 = STRING: "board-temperature1"
.1.3.6.1.4.1.14988.1.1.3.100.1.3.7101 = Gauge32: 4294967293
.1.3.6.1.4.1.14988.1.1.3.100.1.4.7101 = INTEGER: 1
.1.3.6.1.4.1.14988.1.1.3.100.1.2.7300 = STRING: "fan-state"
.1.3.6.1.4.1.14988.1.1.3.100.1.3.7300 = Gauge32: 0
.1.3.6.1.4.1.14988.1.1.3.100.1.4.7300 = INTEGER: 6
.1.3.6.1.4.1.14988.1.1.3.100.1.2.7401 = STRING: "psu1-state"
.1.3.6.1.4.1.14988.1.1.3.100.1.3.7401 = Gauge32: 0
.1.3.6.1.4.1.14988.1.1.3.100.1.4.7401 = INTEGER: 6
.1.3.6.1.4.1.14988.1.1.3.100.1.2.7402 = STRING: "psu2-state"
.1.3.6.1.4.1.14988.1.1.3.100.1.3.7402 = Gauge32: 1
.1.3.6.1.4.1.14988.1.1.3.100.1.4.7402 = INTEGER: 6
"""


async def test_gauges_tell_supplies_and_frost_and_leave_the_fans_alone() -> None:
    async with playing({**load("mikrotik-hex"), **parse(GAUGES)}) as played:
        heard = said(await Poller(device(played.port, "ether1")).poll())
    health = (Kind.SUPPLY_OK, Kind.TEMPERATURE)
    assert {key: value for key, value in heard.items() if key[0] in health} == {
        (Kind.TEMPERATURE, "temperature"): 310,
        (Kind.TEMPERATURE, "board-temperature1"): -30,
        (Kind.SUPPLY_OK, "psu1-state"): 1,
        (Kind.SUPPLY_OK, "psu2-state"): 0,
    }


ON_BATTERY = {
    (Kind.UPS_BATTERY_STATUS, ""): 3,
    (Kind.UPS_BATTERY_SECONDS, ""): 754,
    (Kind.UPS_MINUTES_LEFT, ""): 6,
    (Kind.UPS_CHARGE, ""): 23,
    (Kind.UPS_OUTPUT_SOURCE, ""): 5,
    (Kind.UPS_INPUT_LINE_BADS, ""): 41,
    (Kind.UPS_ALARMS, ""): 2,
    (Kind.UPS_ON_BATTERY, ""): 1,
}


@pytest.mark.parametrize("role", [Role.UPS, Role.OTHER])
async def test_a_ups_tells_that_it_runs_on_its_battery_whatever_its_role(role: Role) -> None:
    async with playing(load("ups-apc")) as played:
        assert said(await Poller(device(played.port, role=role)).poll()) == ON_BATTERY


UPS = "1.3.6.1.2.1.33.1"
ALARM = f"{UPS}.6.2.1.2.17"


@pytest.mark.parametrize(
    ("seconds", "source", "alarm", "on_battery"),
    [
        (0, 3, False, 0),
        (9, 3, False, 1),
        (0, 5, False, 1),
        (0, 3, True, 1),
    ],
)
async def test_seconds_source_or_alarm_each_tell_of_the_battery(
    *, seconds: int, source: int, alarm: bool, on_battery: int
) -> None:
    async with playing(load("ups-apc")) as played:
        played.set(f"{UPS}.2.2.0", seconds)
        played.set(f"{UPS}.4.1.0", source)
        played.set(f"{UPS}.6.1.0", int(alarm))
        if not alarm:
            del played.rows[oid(ALARM)]
        heard = said(await Poller(device(played.port, role=Role.UPS)).poll())
    assert heard[Kind.UPS_ON_BATTERY, ""] == on_battery


def only_the_charge() -> Rows:
    rows = load("ups-apc")
    battery = oid(UPS)
    return {
        name: value
        for name, value in rows.items()
        if name[: len(battery)] != battery or name == oid(f"{UPS}.2.4.0")
    }


async def test_a_ups_that_does_not_say_is_no_ups_that_says_no() -> None:
    async with playing(only_the_charge()) as played:
        heard = said(await Poller(device(played.port, role=Role.UPS)).poll())
    assert heard == {(Kind.UPS_CHARGE, ""): 23}


async def test_a_recorded_linux_tells_load_memory_and_its_disk_alone() -> None:
    heard = await told("linux-snmpd", "eth0")
    assert heard.keys() == {
        (Kind.CPU_LOAD, ""),
        (Kind.STORAGE_USED, "Physical memory"),
        (Kind.STORAGE_USED, "/"),
    }
    assert all(0 <= value <= 1000 for value in heard.values())


@pytest.mark.peer
async def test_a_real_snmpd_tells_memory_and_disk(tmp_path: Path) -> None:
    port = free_port()
    with snmpd(tmp_path, port):
        heard = said(await Poller(device(port, "lo")).poll())
    assert 0 < heard[Kind.STORAGE_USED, "Physical memory"] < 1000
    assert {kind for kind, _ in heard} <= {Kind.STORAGE_USED, Kind.CPU_LOAD}


WALK_NAMES = sorted(path.stem for path in WALKS.glob("*.walk"))


@pytest.mark.parametrize("name", WALK_NAMES)
def test_each_walk_says_where_it_comes_from(name: str) -> None:
    head = (WALKS / f"{name}.walk").read_text(encoding="utf-8").splitlines()[:2]
    assert all(line.startswith("# ") for line in head)
    recorded = name == "linux-snmpd"
    assert ("Recorded" if recorded else "Written from documentation") in head[1]
    assert recorded or "not recorded from hardware" in head[1]


# Cost: datagrams to the device, and as many back.


@pytest.mark.parametrize(
    ("walk", "interfaces", "first", "then"),
    [
        ("mikrotik-rb750", ("ether1",), 8, 1),
        ("mikrotik-hex", ("ether1", "pppoe-out1"), 8, 2),
        ("mikrotik-lte", ("lte1",), 7, 1),
        ("mikrotik-sfp", ("sfp1",), 9, 2),
        ("linux-snmpd", ("eth0",), 8, 1),
    ],
)
async def test_a_healthy_poll_is_one_or_two_datagrams_each_way(
    walk: str, interfaces: tuple[str, ...], first: int, then: int
) -> None:
    async with playing(load(walk)) as played:
        poller = Poller(device(played.port, *interfaces))
        before = await poller.poll()
        assert len(played.asked) == first
        for _ in range(3):
            played.asked.clear()
            seen = await poller.poll()
            assert [pdu.type for pdu in played.asked] == [PduType.GET] * then
            assert replace(seen, run=1) == before


async def test_a_ups_is_one_datagram_and_one_more_while_it_has_alarms() -> None:
    async with playing(load("ups-apc")) as played:
        poller = Poller(device(played.port, role=Role.UPS))
        await poller.poll()
        played.asked.clear()
        await poller.poll()
        assert [pdu.type for pdu in played.asked] == [PduType.GET, PduType.GETBULK, PduType.GETBULK]
        played.set(f"{UPS}.6.1.0", 0)
        played.asked.clear()
        await poller.poll()
        assert [pdu.type for pdu in played.asked] == [PduType.GET]


@pytest.mark.parametrize("walk", WALK_NAMES)
async def test_what_a_device_lacks_is_not_asked_again(walk: str) -> None:
    async with playing(load(walk)) as played:
        poller = Poller(device(played.port))
        await poller.poll()
        played.asked.clear()
        await poller.poll()
        asked = {bound.oid for pdu in played.asked for bound in pdu.varbinds}
    beyond = [
        name for name in asked if name[:7] in (oid("1.3.6.1.4.1.14988"), oid("1.3.6.1.2.1.33"))
    ]
    assert all(name in played.rows or name == evidence.UPS_ALARM_DESCR for name in beyond)


async def test_a_device_of_snmpv1s_manners_is_asked_as_little() -> None:
    async with playing(load("mikrotik-hex"), of_snmpv1) as played:
        poller = Poller(device(played.port, "ether1"))
        heard = said(await poller.poll())
        assert heard[Kind.TEMPERATURE, "temperature"] == 310
        played.asked.clear()
        assert said(await poller.poll()) == heard
        assert [pdu.type for pdu in played.asked] == [PduType.GET]


# When it looks again.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that the poller's clock is ahead, for the test to change."""
    added = [0.0]
    shifted = type("Time", (), {"monotonic": staticmethod(lambda: time.monotonic() + added[0])})
    monkeypatch.setattr("agent.poll.time", shifted)
    return added


def looked(played: Playback) -> bool:
    """Return whether the device was asked who it is, since it was last asked this."""
    found = any(
        bound.oid == evidence.SYS_OBJECT_ID for pdu in played.asked for bound in pdu.varbinds
    )
    played.asked.clear()
    return found


async def test_it_looks_again_after_an_hour(clock: list[float]) -> None:
    async with playing(load("mikrotik-hex")) as played:
        poller = Poller(device(played.port, "ether1"))
        await poller.poll()
        assert looked(played)
        clock[0] = discovery.EVERY_S - 60
        await poller.poll()
        assert not looked(played)
        clock[0] = discovery.EVERY_S + 60
        await poller.poll()
        assert looked(played)


UPTIME = "1.3.6.1.2.1.1.3.0"
BOOTS = "1.3.6.1.6.3.10.2.1.2.0"


async def test_it_looks_again_when_the_device_began_anew() -> None:
    async with playing(load("mikrotik-hex")) as played:
        poller = Poller(device(played.port, "ether1"))
        assert (Kind.SUPPLY_OK, "psu1-state") not in said(await poller.poll())
        looked(played)
        played.rows.update(parse(GAUGES))
        played.set(UPTIME, 500)
        assert (Kind.SUPPLY_OK, "psu1-state") in said(await poller.poll())
        assert looked(played)
        await poller.poll()
        assert not looked(played)


async def test_it_looks_again_when_the_engine_booted() -> None:
    rows = load("mikrotik-hex")
    rows[oid(BOOTS)] = (Tag.INTEGER, 7)
    async with playing(rows) as played:
        poller = Poller(device(played.port, "ether1"))
        await poller.poll()
        looked(played)
        played.set(BOOTS, 8)
        await poller.poll()
        assert looked(played)


async def test_a_look_in_vain_costs_no_poll_and_is_not_repeated_at_once(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.snmp_session._PATIENCE_S", 0.05)

    def deaf_to_a_look(asked: Pdu, rows: Rows) -> Pdu | None:
        about = any(bound.oid == evidence.SYS_OBJECT_ID for bound in asked.varbinds)
        alone = len(asked.varbinds) == 1 and asked.type is PduType.GET
        return None if about or alone else well_behaved(asked, rows)

    async with playing(load("mikrotik-hex"), deaf_to_a_look) as played:
        poller = Poller(device(played.port, "ether1"))
        assert said(await poller.poll()) == {}
        assert looked(played)
        assert said(await poller.poll()) == {}
        assert not looked(played)
        clock[0] = 61
        assert said(await poller.poll()) == {}
        assert looked(played)
        clock[0] = 122  # ever more rarely
        await poller.poll()
        assert not looked(played)


# PPPoE.


def redial(played: Playback, name: str, before: int, after: int | None) -> None:
    """Give an interface another ifIndex, as RouterOS does; None takes it away."""
    moved = {}
    for row, value in list(played.rows.items()):
        if row[-1] == before and row[:7] in (oid("1.3.6.1.2.1.2"), oid("1.3.6.1.2.1.31")):
            del played.rows[row]
            moved[row[:-1]] = value
    assert (Tag.OCTET_STRING, name.encode()) in moved.values()
    if after is not None:
        played.rows.update({(*column, after): value for column, value in moved.items()})


async def test_redials_are_counted_and_a_session_that_is_down_is_not_present() -> None:
    async with playing(load("mikrotik-rb750")) as played:
        poller = Poller(device(played.port, "ether1", "pppoe-out1"))
        counts, states = [], []
        for step in (None, (7, 9), (9, 12), None):
            if step is not None:
                redial(played, "pppoe-out1", *step)
            seen = await poller.poll()
            counts.append(seen.reading(Kind.REDIALS, "pppoe-out1"))
            states.append(seen.interfaces[-1].oper_status)
        assert (counts, states) == ([0, 1, 2, 2], [1, 1, 1, 1])
        kept = {row: value for row, value in played.rows.items() if row[-1] == 12}
        redial(played, "pppoe-out1", 12, None)
        down = await poller.poll()
        assert (down.interfaces[-1].name, down.interfaces[-1].oper_status) == ("pppoe-out1", 6)
        assert down.reading(Kind.REDIALS, "pppoe-out1") == 2
        played.rows.update({(*row[:-1], 15): value for row, value in kept.items()})
        back = await poller.poll()
        assert back.interfaces[-1].oper_status == 1
        assert back.reading(Kind.REDIALS, "pppoe-out1") == 3


async def test_a_router_that_began_anew_is_no_redial() -> None:
    async with playing(load("mikrotik-rb750")) as played:
        poller = Poller(device(played.port, "pppoe-out1"))
        await poller.poll()
        redial(played, "pppoe-out1", 7, 9)
        played.set(UPTIME, 6000)
        assert (await poller.poll()).reading(Kind.REDIALS, "pppoe-out1") == 0


# `tabuah agent check`.


FROST = (Reading(Kind.TEMPERATURE, "cpu", -35),)


async def test_check_shows_readings_briefly() -> None:
    from agent.cli import _lines

    async with playing(load("ups-apc")) as played:
        seen = await Poller(device(played.port, role=Role.UPS)).poll()
    [line] = _lines((), (seen,), "en")
    assert (
        " good veth0=up ups_battery_status=3 ups_battery_seconds=754s ups_minutes_left=6min" in line
    )
    assert " ups_charge=23% " in line
    assert " temperature[cpu]=-3.5C" in _lines((), (replace(seen, readings=FROST),), "id")[0]
    assert line.endswith(" ups_on_battery=1")
