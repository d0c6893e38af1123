"""Well-formed inputs for each target: where fuzzing begins, and what the corpus is grown from."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from fuzz import targets
from fuzz.targets import ENGINE_ID, ENGINE_TIME, MSG_ID, NAME, REQUEST_ID, SITE, WRONG_KU
from tabuah import block, notification, stamp, varint
from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Clock, Device, Host, Interface, Report, ReportId
from tabuah.snmp import message
from tabuah.snmp.pdu import Pdu, PduType, Tag, Value, VarBind
from tabuah.snmp.usm import NOBODY, Auth, EngineTime, Level, Stat, UsmUser

_TIMES = Timing(20_000, 21_000, 22_000, 500)
_STRANGER = UsmUser.from_ku(NAME, Auth.SHA256_192, WRONG_KU, WRONG_KU, ENGINE_ID)

_CONFIG = """\
site = "13.02.10"
data = "/var/lib/tabuah"
interval = "10s"
language = "id"

[[collectors]]
address = "centre.example:10162"
engine_id = "80007ed9050102030405060708090a0b0c"
user = "13.02.10#1"
ku = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

[[circuits]]
id = "telkom"
interface = "eth0"

[[probes]]
name = "dc"
kind = "udp"
role = "centre"
target = "10.200.0.1:10862"
circuit = "telkom"
every = "10s"
count = 3
timeout = "2s"

[[probes]]
name = "resolver"
kind = "dns"
role = "public"
target = "siak.example"
server = "203.0.113.53"

[[probes]]
name = "siak"
kind = "http"
role = "service"
target = "https://siak.example/health"
expect = "OK"
service = "siak"

[[devices]]
name = "router"
host = "192.168.1.1"
role = "gateway"
version = "3"
user = "mon"
auth_protocol = "sha1"
auth_key = "a long password"
priv_protocol = "aes128"
priv_key = "a long password"
interfaces = ["wan0"]
"""


def report(seq: int = 1) -> Report:
    """Return a report that has every section and every optional field."""
    return Report(
        id=ReportId(SITE, 0x1122334455667788, seq),
        wall_ms=1_799_999_990_000 + seq,
        uptime_ms=3_600_000 + seq,
        boot_id=bytes(range(16)),
        interval_ms=10_000,
        path="telkom",
        measurements=(
            Measurement("gw", Kind.PING, Role.GATEWAY, Status.REQUEST_TIMED_OUT, circuit="telkom"),
            Measurement(
                "dc", Kind.UDP, Role.CENTRE, Status.RESPONSE_RECEIVED, run=seq, received=1,
                rtt=_TIMES, forward=OneWay(1, 1, 9), backward=OneWay(1, 1, None),
            ),
            Measurement(
                "siak", Kind.HTTP, Role.SERVICE, Status.RESPONSE_RECEIVED, service="siak",
                rtt=_TIMES, phases=Phases(1, 2, 3, 4, None), code=200, certificate_days=-3,
            ),
        ),
        devices=(
            Device(
                "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, uptime_ticks=100,
                host_uptime_ticks=200, load_centi=3, memory_available_kib=4000,
                interfaces=(Interface("wan0", 1, 10**9, 2**40, 2**33, 1, 2, 3, 4, 1, 15),),
                readings=(Reading(next(iter(ReadingKind)), "x", -5),),
            ),
        ),
        host=Host(Clock.SYNCHRONISED, 254_396, 131_072, 12),
        agent=Agent("0.1.0", 22_528, 2, 1, 38),
    )  # fmt: skip


def inform(*reports: Report, history: bool = False) -> Pdu:
    """Return the inform of these reports, as an agent makes it."""
    facts = notification.key_facts(reports[0].measurements)
    packed = [block.pack(one) for one in reports]
    binds = notification.varbinds(SITE, reports[0].uptime_ms, facts, packed, history=history)
    return Pdu(PduType.INFORM, REQUEST_ID, varbinds=binds)


_TYPED: tuple[tuple[Tag, Value], ...] = (
    (Tag.INTEGER, -(2**31)),
    (Tag.OCTET_STRING, b"kubung"),
    (Tag.NULL, None),
    (Tag.OID, (2, 999, 2**32 - 1)),
    (Tag.IP_ADDRESS, bytes(4)),
    (Tag.COUNTER32, 2**32 - 1),
    (Tag.GAUGE32, 0),
    (Tag.TIMETICKS, 42),
    (Tag.OPAQUE, b"\x9f\x78\x04\0\0\0\0"),
    (Tag.COUNTER64, 2**64 - 1),
    (Tag.NO_SUCH_OBJECT, None),
    (Tag.NO_SUCH_INSTANCE, None),
    (Tag.END_OF_MIB_VIEW, None),
)
_VALUES = tuple(
    VarBind((1, 3, 6, 1, place), tag, value) for place, (tag, value) in enumerate(_TYPED)
)


def _pdus() -> list[Pdu]:
    return [
        *(Pdu(kind, REQUEST_ID, varbinds=_VALUES[:3]) for kind in PduType),
        Pdu(PduType.RESPONSE, REQUEST_ID, 2, 1, _VALUES),
        Pdu.bulk(REQUEST_ID, (1, 3, 6), max_repetitions=10),
        inform(report()),
        inform(report(1), report(2), history=True),
        *(
            Pdu(PduType.REPORT, REQUEST_ID, varbinds=(VarBind(stat.value, Tag.COUNTER32, 1),))
            for stat in Stat
        ),
    ]


def _datagram(
    pdu: Pdu,
    user: UsmUser,
    level: Level,
    stamp: EngineTime = ENGINE_TIME,
    engine: bytes = ENGINE_ID,
) -> bytes:
    return message.encode(
        targets.scoped(pdu), msg_id=MSG_ID, user=user, level=level, engine_id=engine,
        stamp=stamp, salt=bytes(8), reportable=True, max_size=1472,
    )  # fmt: skip


def _datagrams() -> list[bytes]:
    ask, answer = inform(report()), Pdu(PduType.RESPONSE, REQUEST_ID, varbinds=_VALUES)
    told = Pdu(PduType.REPORT, REQUEST_ID, varbinds=(VarBind(Stat.NOT_IN_TIME_WINDOWS.value),))
    unknown = Pdu(PduType.REPORT, 0, varbinds=(VarBind(Stat.UNKNOWN_ENGINE_IDS.value),))
    return [
        *(_datagram(pdu, _STRANGER, level) for pdu in (ask, answer, told) for level in Level),
        *(_datagram(pdu, NOBODY, Level.NO_AUTH_NO_PRIV) for pdu in (ask, answer, told, unknown)),
        *(
            _datagram(pdu, targets.PLAIN, Level.NO_AUTH_NO_PRIV)
            for pdu in (ask, answer, told, unknown)
        ),
        _datagram(ask, _STRANGER, Level.AUTH_PRIV, EngineTime(0, 0)),
        _datagram(ask, NOBODY, Level.NO_AUTH_NO_PRIV, engine=b""),
        message.encode_community(b"public", ask),
        message.encode_community(b"public", answer),
    ]


def _dns() -> list[bytes]:
    question = targets.QUERY[12:]
    heads = ((0x8180, 1, 1), (0x8380, 1, 0), (0x8183, 1, 0), (0x8181, 0, 0), (0x0100, 1, 0))
    return [
        struct.pack("!HHHHHH", 0x1234, flags, questions, answers, 0, 0) + question
        for flags, questions, answers in heads
    ]


def seeds() -> dict[str, list[bytes]]:
    """Return the seeds of each target."""
    pdus, datagrams = _pdus(), _datagrams()
    scoped = [targets.scoped(pdu) for pdu in pdus]
    encoded = [
        block.encode([block.pack(report(seq)) for seq in range(1, count + 1)], history=count > 1)
        for count in (1, 3)
    ]
    plain = b"".join(
        struct.pack("B", len(one.octets) - 1) + one.octets[1:]
        for one in (block.pack(Report(ReportId(SITE, 1, 1), 1, 1, bytes(16), 10_000)),)
    )
    packet = stamp.encode_sender(stamp.SenderPacket(1, 1_800_000_000_000_000_000, 7))
    return {
        "ber": [targets.scoped(pdus[2]), *datagrams[:3]],
        "pdu": [one[_pdu_at(one) :] for one in scoped],
        "message": [*datagrams, *scoped[:4]],
        "receiver": [
            bytes((mode,)) + octets
            for mode, those in ((0, datagrams), (1, datagrams), (2, scoped), (3, scoped))
            for octets in those
        ],
        "client": [
            bytes((mode,)) + octets
            for mode in range(7)
            for octets in (scoped if mode in (2, 3, 5) else datagrams)
        ],
        "block": [
            *(b"\0" + octets for octets in encoded),
            *(bytes((mode, block.VERSION, 0)) + plain for mode in (0, 1, 2)),
            *(bytes((1, block.VERSION, block.HISTORY)) + _inflated(octets) for octets in encoded),
        ],
        "stamp": [packet, packet + bytes(20), stamp.reflect(
            packet, sequence=1, received_ns=1, sent_ns=2, ttl=64, synchronised=True)],
        "dns": _dns(),
        "config": [_CONFIG.encode(), *(part.encode() for part in _CONFIG.split("\n\n"))],
    }  # fmt: skip


def _pdu_at(octets: bytes) -> int:
    return message.open_scope(octets).pdu_at


def _inflated(octets: bytes) -> bytes:
    return b"".join(
        _length(len(one.octets) - 1) + one.octets[1:] for one in block.decode(octets).reports
    )


def _length(number: int) -> bytes:
    out = bytearray()
    varint.put(out, number)
    return bytes(out)


def main() -> int:
    """Write the seeds of a target into a folder: `python -m fuzz.seeds FOLDER TARGET`."""
    folder, target = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(seeds()[target]):
        (folder / f"seed-{number:03}").write_bytes(octets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
