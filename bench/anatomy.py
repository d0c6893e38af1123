"""Octets of a report inform and of its answer, part by part: where a line's bytes go.

Each part is what it takes on the wire, its BER headers included, so the parts of a datagram add
up to it.
"""

from __future__ import annotations

import zlib

from bench import informs, reports
from bench.measure import Figures
from tabuah import block, oids, sections
from tabuah.sections import Sections
from tabuah.snmp import message
from tabuah.snmp.client import Transmit
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.receiver import Inform, Receiver
from tabuah.snmp.usm import EngineTime

IP_AND_UDP = 28
_CLOCK = EngineTime(3_622_000, 86_400)
_NAMES = {
    oids.SYS_UPTIME: "sysUpTime",
    oids.SNMP_TRAP_OID: "snmpTrapOID",
    oids.SITE: "tabuahSite",
    oids.SEQUENCE: "tabuahSequence",
    oids.STATE: "tabuahState",
    oids.RTT: "tabuahRtt",
    oids.LOSS: "tabuahLoss",
    oids.BLOCK: "tabuahBlock",
}


def run() -> Figures:
    """Return the octets of the parts of the sample report, its answer, and its block."""
    report = reports.report(informs.SITE, 0x5F3C_9A07_11D4_E28B, 8641)
    packed = block.pack(report)
    pdu = informs.inform(informs.SITE, packed, report.measurements, 0x1F_3A5C_77)
    receiver = Receiver(informs.ENGINE_ID, {informs.USER: informs.user()}.get)
    client = informs.client()
    first = receiver.receive(client.send(pdu, 0.0), _CLOCK, 0.0)
    assert not isinstance(first, Inform)
    assert first.reply is not None
    second = client.receive(first.reply, 0.0)
    assert isinstance(second, Transmit)
    inform = receiver.receive(second.datagram, _CLOCK, 0.0)
    assert isinstance(inform, Inform)
    answer = receiver.answer(inform, _CLOCK, echo=False)
    echo = receiver.answer(inform, _CLOCK, echo=True)
    return {
        "inform": _parts(second.datagram, pdu),
        "answer": _parts(answer, Pdu(PduType.RESPONSE, pdu.request_id)),
        "answer_that_echoes": IP_AND_UDP + len(echo),
        "first_contact_adds": 2 * IP_AND_UDP + len(second.datagram) + len(first.reply),
        "block": _block(packed, report.measurements),
    }


def _parts(datagram: bytes, pdu: Pdu) -> dict[str, int]:
    """Return the parts in the order in which they stand."""
    scoped = len(message.encode_scoped(ScopedPdu(informs.ENGINE_ID, b"", pdu)))
    binds = {_NAMES[bind.oid]: _bind(pdu, bind) for bind in pdu.varbinds}
    opened = message.decode(datagram)
    security = _usm(datagram, opened.mac_at)
    header = len(datagram) - scoped - security - _octet_string_header(scoped)
    return {
        "ip_and_udp": IP_AND_UDP,
        "v3_header": header,
        "usm": security,
        "scoped_pdu_headers": scoped + _octet_string_header(scoped) - sum(binds.values()),
        **binds,
        "all": IP_AND_UDP + len(datagram),
    }


def _usm(datagram: bytes, mac_at: int) -> int:
    """Return the octets of msgSecurityParameters: they end with the MAC and a salt of eight."""
    begins = datagram.index(bytes((0x04,)), _after_header(datagram))
    return mac_at + informs.user().mac_length + 2 + 8 - begins


def _after_header(datagram: bytes) -> int:
    """Return where msgGlobalData ends: it is the second field of the outer sequence."""
    at = 2 + (datagram[1] & 0x7F if datagram[1] & 0x80 else 0)  # the outer header
    at += 3  # msgVersion
    return at + 2 + datagram[at + 1]


def _bind(pdu: Pdu, bind: VarBind) -> int:
    """Return what a varbind takes: the PDU is so much shorter without it."""
    # A long companion keeps the lengths of the headers around it as they are.
    filler = VarBind(oids.BLOCK, Tag.OCTET_STRING, bytes(1000))

    def size(*binds: VarBind) -> int:
        return len(message.encode_scoped(ScopedPdu(b"", b"", Pdu(pdu.type, 1, varbinds=binds))))

    return size(bind, filler) - size(filler)


def _octet_string_header(length: int) -> int:
    return 2 if length < 128 else 3 if length < 256 else 4


def _block(packed: block.Packed, measurements: tuple[object, ...]) -> Figures:
    report = block.read(informs.SITE, packed)
    bare = len(sections.write(Sections(host=report.host, agent=report.agent)))
    probes = len(
        sections.write(Sections(report.measurements, host=report.host, agent=report.agent))
    )
    whole = len(
        sections.write(Sections(report.measurements, report.devices, report.host, report.agent))
    )
    encoded = block.encode([packed])
    raw = packed.octets[1:]
    return {
        "head": len(raw) - whole,
        "host_and_agent": bare,
        "measurements": probes - bare,
        "measurements_count": len(measurements),
        "device_with_one_interface": whole - probes,
        "packed": len(raw),
        "encoded_as_sent": len(encoded),
        "deflated": bool(encoded[1] & block.DEFLATE),
        "deflate_alone": len(zlib.compress(raw, 9, wbits=-15)),
        "thirty_reports_as_history": len(
            block.encode(
                [block.pack(reports.report(informs.SITE, 7, seq)) for seq in range(1, 31)],
                history=True,
            )
        ),
    }
