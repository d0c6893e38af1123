from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent import evidence, if_mib
from agent.config import Device
from agent.poll import Poller
from tabuah import report, sections
from tabuah.measurement import Role, Status
from tabuah.reading import Reading, ReadingKind
from tabuah.snmp import message
from tabuah.snmp.pdu import Oid, Pdu, PduType, Tag, Value, VarBind
from tests.support.snmpd import AUTH_PASSWORD, PRIV_PASSWORD, USER, free_port, snmpd


def device(port: int, **changes: object) -> Device:
    fields: dict[str, object] = {
        "name": "router",
        "host": "127.0.0.1",
        "role": Role.GATEWAY,
        "port": port,
        "community": "public",
    }
    return Device(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.peer
async def test_a_router_tells_its_uptime_load_memory_and_interfaces(tmp_path: Path) -> None:
    port = free_port()
    kernel = Path("/sys/class/net/lo/statistics/rx_bytes")
    least = int(kernel.read_text())  # before snmpd: it answers from a cache of a few seconds
    with snmpd(tmp_path, port):
        poller = Poller(device(port, interfaces=("lo",)))
        first = await poller.poll()
        most = int(kernel.read_text())
        second = await poller.poll()
    assert first.status is Status.RESPONSE_RECEIVED
    assert first.uptime_ticks is not None
    assert first.host_uptime_ticks is not None
    assert first.load_centi is not None
    assert (first.memory_available_kib or 0) > 0
    [lo] = first.interfaces
    assert (lo.name, lo.oper_status, lo.speed_bps) == ("lo", 1, 0)
    assert least <= lo.in_octets <= most
    assert (first.run, second.run) == (1, 2)
    assert second.interfaces[0].counter_epoch == lo.counter_epoch
    assert second.interfaces[0].in_octets >= lo.in_octets


@pytest.mark.peer
@pytest.mark.parametrize(("auth", "protocol"), [("SHA", "sha1"), ("SHA-256", "sha256")])
async def test_a_router_is_asked_over_snmpv3(tmp_path: Path, auth: str, protocol: str) -> None:
    port = free_port()
    asked = device(
        port,
        version="3",
        user=USER,
        auth_protocol=protocol,
        auth_key=AUTH_PASSWORD,
        priv_protocol="aes128",
        priv_key=PRIV_PASSWORD,
    )
    with snmpd(tmp_path, port, auth):
        poller = Poller(asked)
        assert (await poller.poll()).status is Status.RESPONSE_RECEIVED
        assert (await poller.poll()).status is Status.RESPONSE_RECEIVED


@pytest.mark.peer
async def test_a_wrong_key_is_told_from_silence(tmp_path: Path) -> None:
    port = free_port()
    wrong = device(
        port,
        version="3",
        user=USER,
        auth_protocol="sha256",
        auth_key="not the password",
        every_s=1.0,
    )
    with snmpd(tmp_path, port):
        seen = await Poller(wrong).poll()
    assert seen == report.Device("router", Role.GATEWAY, Status.UNKNOWN, run=1)


@pytest.mark.peer
async def test_an_epoch_begins_anew_when_the_daemon_restarts(tmp_path: Path) -> None:
    port = free_port()
    poller = Poller(device(port, interfaces=("lo",)))
    with snmpd(tmp_path, port):
        await asyncio.sleep(0.5)  # so that its uptime can fall
        before = await poller.poll()
    assert (await poller.poll()).status is Status.UNKNOWN  # refused: nobody listens
    with snmpd(tmp_path, port):
        after = await poller.poll()
    assert after.interfaces[0].counter_epoch == before.interfaces[0].counter_epoch + 1
    assert after.interfaces[0].in_octets >= before.interfaces[0].in_octets


SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
IF_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 2, 1, 0)
IF: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IFX: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)


class Router(asyncio.DatagramProtocol):
    """A device whose variables a test sets: answers GET and GETBULK over SNMPv2c."""

    def __init__(self) -> None:
        self.values: dict[Oid, tuple[Tag, Value]] = {}
        self.asked: list[Pdu] = []
        self.deaf = 0
        self.largest = 1 << 16
        self.port = 0
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        community, pdu = message.decode_community(data)
        self.asked.append(pdu)
        if self.deaf:
            self.deaf -= 1
            return
        bulk = pdu.type is PduType.GETBULK
        varbinds = self._bulk(pdu) if bulk else self._get(pdu)
        answer = Pdu(PduType.RESPONSE, pdu.request_id, varbinds=tuple(varbinds))
        while len(message.encode_community(community, answer)) > self.largest:
            if bulk:  # RFC 3416 section 4.2.3: fewer, never tooBig
                varbinds.pop()
                answer = Pdu(PduType.RESPONSE, pdu.request_id, varbinds=tuple(varbinds))
            else:
                answer = Pdu(PduType.RESPONSE, pdu.request_id, error_status=1)
        assert self.transport is not None
        self.transport.sendto(message.encode_community(community, answer), addr)

    def interface(self, index: int, name: str, *, wide: bool = True, kind: int = 6) -> None:
        self.values[*IF, 3, index] = (Tag.INTEGER, kind)
        self.values[*IF, 8, index] = (Tag.INTEGER, 1)
        self.values[*IF, 5, index] = (Tag.GAUGE32, 10_000_000)
        self.values[*IF, 2, index] = (Tag.OCTET_STRING, name.encode())
        self.values[*IF, 10, index] = (Tag.COUNTER32, 1000)
        self.values[*IF, 16, index] = (Tag.COUNTER32, 2000)
        if wide:
            self.values[*IFX, 1, index] = (Tag.OCTET_STRING, name.encode())
            self.values[*IFX, 6, index] = (Tag.COUNTER64, 1 << 40)
            self.values[*IFX, 10, index] = (Tag.COUNTER64, 1 << 41)
            self.values[*IFX, 15, index] = (Tag.GAUGE32, 100)

    def remove(self, index: int) -> None:
        self.values = {oid: value for oid, value in self.values.items() if oid[-1] != index}

    def _get(self, pdu: Pdu) -> list[VarBind]:
        missing = (Tag.NO_SUCH_INSTANCE, None)
        return [VarBind(b.oid, *self.values.get(b.oid, missing)) for b in pdu.varbinds]

    def _bulk(self, pdu: Pdu) -> list[VarBind]:
        cursors = [bound.oid for bound in pdu.varbinds]
        rows = []
        for _ in range(pdu.max_repetitions):
            for place, cursor in enumerate(cursors):
                following = min((oid for oid in self.values if oid > cursor), default=None)
                if following is None:
                    rows.append(VarBind(cursor, Tag.END_OF_MIB_VIEW, None))
                else:
                    rows.append(VarBind(following, *self.values[following]))
                    cursors[place] = following
        return rows


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    loop = asyncio.get_running_loop()
    transport, router = await loop.create_datagram_endpoint(Router, local_addr=("127.0.0.1", 0))
    router.transport = transport
    router.port = int(transport.get_extra_info("sockname")[1])
    router.values[SYS_UPTIME] = (Tag.TIMETICKS, 5000)
    yield router
    transport.close()
    await asyncio.sleep(0)


async def test_a_redial_is_a_new_index_and_a_new_epoch(router: Router) -> None:
    router.interface(7, "pppoe-out1")
    poller = Poller(device(router.port, interfaces=("pppoe-out1",)))
    before = (await poller.poll()).interfaces[0]
    router.remove(7)
    router.interface(9, "pppoe-out1")
    after = (await poller.poll()).interfaces[0]
    assert (after.name, after.counter_epoch) == ("pppoe-out1", before.counter_epoch + 1)
    router.values[*IFX, 6, 9] = (Tag.COUNTER64, (1 << 40) + 500)
    grown = (await poller.poll()).interfaces[0]
    assert (grown.in_octets, grown.counter_epoch) == ((1 << 40) + 500, after.counter_epoch)


async def test_a_wanted_interface_that_is_gone_is_not_present(router: Router) -> None:
    router.interface(1, "ether1")
    router.interface(7, "pppoe-out1")
    poller = Poller(device(router.port, interfaces=("ether1", "pppoe-out1")))
    await poller.poll()
    router.remove(7)
    names = {one.name: one.oper_status for one in (await poller.poll()).interfaces}
    assert names == {"ether1": 1, "pppoe-out1": 6}
    router.interface(8, "pppoe-out1")
    names = {one.name: one.oper_status for one in (await poller.poll()).interfaces}
    assert names == {"ether1": 1, "pppoe-out1": 1}


async def test_without_names_wanted_all_but_loopback_are_reported(router: Router) -> None:
    router.interface(1, "lo", kind=24)
    for index in range(2, 30):
        router.interface(index, f"ether{index}")
    seen = await Poller(device(router.port)).poll()
    assert [one.name for one in seen.interfaces] == [f"ether{index}" for index in range(2, 18)]


async def test_a_new_interface_is_found_when_their_number_changes(router: Router) -> None:
    router.values[IF_NUMBER] = (Tag.INTEGER, 1)
    router.interface(1, "ether1")
    poller = Poller(device(router.port))
    await poller.poll()
    router.interface(2, "ether2")
    router.values[IF_NUMBER] = (Tag.INTEGER, 2)
    assert [one.name for one in (await poller.poll()).interfaces] == ["ether1", "ether2"]


async def test_an_old_device_without_ifxtable_gives_32_bit_totals(router: Router) -> None:
    router.interface(1, "eth0", wide=False)
    poller = Poller(device(router.port, interfaces=("eth0",)))
    before = (await poller.poll()).interfaces[0]
    assert before.speed_bps == 10_000_000
    router.values[*IF, 10, 1] = (Tag.COUNTER32, 1500)
    after = (await poller.poll()).interfaces[0]
    assert after.in_octets == 500


async def test_indices_are_not_walked_again_while_the_names_hold(router: Router) -> None:
    router.interface(1, "ether1")
    poller = Poller(device(router.port, interfaces=("ether1",)))
    await poller.poll()
    router.asked.clear()
    await poller.poll()
    assert [pdu.type for pdu in router.asked] == [PduType.GET]


async def test_one_lost_request_is_asked_again(router: Router) -> None:
    router.deaf = 1
    assert (await Poller(device(router.port)).poll()).status is Status.RESPONSE_RECEIVED


async def test_an_answer_too_big_is_asked_for_in_smaller_lots(router: Router) -> None:
    router.largest = 400
    router.interface(1, "ether1")
    seen = await Poller(device(router.port, interfaces=("ether1",))).poll()
    assert [one.name for one in seen.interfaces] == ["ether1"]


async def test_a_device_that_says_nothing_times_out_before_the_next_poll_is_due(
    router: Router,
) -> None:
    router.deaf = 1000
    began = asyncio.get_running_loop().time()
    seen = await Poller(device(router.port, every_s=1.0)).poll()
    assert seen == report.Device("router", Role.GATEWAY, Status.REQUEST_TIMED_OUT, run=1)
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_table_that_never_ends_is_left(router: Router) -> None:
    router.interface(1, "ether1")

    def backwards(pdu: Pdu) -> list[VarBind]:
        return [VarBind((*IFX, 1, 1), Tag.OCTET_STRING, b"ether1") for _ in range(8)]

    router._bulk = backwards  # type: ignore[method-assign]
    seen = await Poller(device(router.port, interfaces=("ether1",))).poll()
    assert seen.status is Status.RESPONSE_RECEIVED


LIES: tuple[tuple[Tag, Value], ...] = (
    (Tag.INTEGER, -1),
    (Tag.INTEGER, -(2**63)),
    (Tag.COUNTER64, 2**64 - 1),
    (Tag.OCTET_STRING, b"\xff" * 300),
    (Tag.GAUGE32, 0),
)


@pytest.mark.parametrize("lie", LIES)
async def test_whatever_a_device_says_makes_a_report_that_can_be_read(
    router: Router, lie: tuple[Tag, Value]
) -> None:
    """Below zero, or beyond 64 bits once it is counted: such a number once ended the agent."""
    router.interface(1, "wan")
    poller = Poller(device(router.port, interfaces=("wan",)))
    honest = dict(router.values)
    names = {(*IF, 2, 1), (*IFX, 1, 1)}
    everything = (*if_mib.SCALARS, *if_mib.Row("wan", 1).oids(), *evidence.FIRST)
    for values in (honest, dict.fromkeys(everything, lie), honest):
        router.values = {**values, **{name: honest[name] for name in names}}
        said = (await poller.poll(),)
        octets = sections.write(sections.Sections(devices=said))
        assert sections.read(octets).devices == said


def test_a_number_that_cannot_be_told_is_told_as_the_nearest() -> None:
    for number, nearest in ((-1, 0), (2**70, 2**64 - 1)):
        said = report.Device(
            "router",
            Role.GATEWAY,
            Status.RESPONSE_RECEIVED,
            uptime_ticks=number,
            interfaces=(report.Interface("wan", number, speed_bps=number),),
            readings=(Reading(ReadingKind.TEMPERATURE, "", number << 64),),
        )
        [read] = sections.read(sections.write(sections.Sections(devices=(said,)))).devices
        assert (read.interfaces[0].oper_status, read.interfaces[0].speed_bps) == (nearest, nearest)
        assert read.uptime_ticks == min(nearest, 2**64 - 2)
        assert read.readings[0].value == (-(2**63) if number < 0 else 2**63 - 1)
