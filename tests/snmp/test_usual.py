"""The short ways that a report takes through the codec end where the long ones do."""

from hypothesis import given
from hypothesis import strategies as st

from tabuah import notification, oids
from tabuah.errors import DecodeError
from tabuah.snmp import message, usm
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind, decode_bindings, encode_pdu, open_pdu
from tabuah.snmp.usm import Auth, EngineTime, Level, UsmUser

ENGINE = bytes.fromhex("80007ed90501020304")
USER = UsmUser.from_ku("13.02.10#2", Auth.SHA256_192, b"k" * 32, b"k" * 32, ENGINE)
BINDS = (
    VarBind(oids.SYS_UPTIME, Tag.TIMETICKS, 77_000),
    VarBind(oids.SNMP_TRAP_OID, Tag.OID, oids.REPORT_NOTIFICATION),
    VarBind(oids.SITE, Tag.OCTET_STRING, b"13.02.10"),
    VarBind(oids.SEQUENCE, Tag.GAUGE32, 7),
    VarBind(oids.BLOCK, Tag.OCTET_STRING, bytes(range(200))),
)


def datagram(*, msg_id: int = 77, user: UsmUser = USER, stamp: EngineTime | None = None) -> bytes:
    inform = Pdu(PduType.INFORM, 9, varbinds=BINDS)
    return message.encode(
        message.encode_scoped(ScopedPdu(ENGINE, b"", inform)),
        msg_id=msg_id,
        user=user,
        level=Level.AUTH_PRIV,
        engine_id=ENGINE,
        stamp=stamp or EngineTime(217_000_000, 3),
        salt=b"saltsalt",
        reportable=True,
    )


WHOLE = datagram()
PLAIN = encode_pdu(Pdu(PduType.INFORM, 9, varbinds=BINDS))


def agrees(octets: bytes) -> bool:
    """Whether the short way took a message; if it did, the long one must read the same."""
    usual = message._decode_usual(octets)
    if usual is not None:
        assert usual == message._decode_any(octets)
    return usual is not None


@given(
    st.integers(0, usm.MAX_INT),
    st.text("abc.019-_", min_size=1, max_size=28),
    st.integers(0, usm.MAX_INT),
    st.integers(0, usm.MAX_INT),
)
def test_every_report_takes_the_short_way(msg_id: int, site: str, boots: int, time: int) -> None:
    user = UsmUser.from_ku(f"{site}#1", Auth.SHA256_192, b"k" * 32, b"k" * 32, ENGINE)
    assert agrees(datagram(msg_id=msg_id, user=user, stamp=EngineTime(boots, time)))


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=3), st.integers(0, 4))
def test_a_damaged_message_is_never_read_in_two_ways(at: int, other: bytes, gone: int) -> None:
    agrees(WHOLE[:at] + other + WHOLE[at + gone :])


@given(st.integers(0, 255), st.integers(0, 130))
def test_no_octet_of_the_head_makes_the_short_way_err(other: int, at: int) -> None:
    agrees(WHOLE[:at] + bytes((other,)) + WHOLE[at + 1 :])


def test_the_block_of_a_report_is_found_without_decoding_what_stands_before_it() -> None:
    at = open_pdu(PLAIN, 0).bindings_at
    assert notification.own_block(PLAIN, at) == bytes(range(200))


@given(st.integers(0, len(PLAIN) - 1), st.binary(min_size=1, max_size=3), st.integers(0, 4))
def test_damaged_bindings_give_the_decoded_block_or_none(at: int, other: bytes, gone: int) -> None:
    octets = PLAIN[:at] + other + PLAIN[at + gone :]
    try:
        begin = open_pdu(octets, 0).bindings_at
        binds = decode_bindings(octets, begin)
    except DecodeError:
        return
    found = notification.own_block(octets, begin)
    if found is not None:
        assert notification.is_report(binds)
        assert VarBind(oids.BLOCK, Tag.OCTET_STRING, found) in binds


def test_another_notification_is_left_to_be_decoded() -> None:
    check = Pdu(PduType.INFORM, 1, varbinds=notification.check_varbinds("13.02.10", 5))
    octets = encode_pdu(check)
    assert notification.own_block(octets, open_pdu(octets, 0).bindings_at) is None
