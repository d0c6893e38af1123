"""Encoding then decoding is identity; whatever else comes, only DecodeError escapes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah.errors import DecodeError
from tabuah.snmp import ber, message, usm
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, Value, VarBind, decode_pdu, encode_pdu
from tabuah.snmp.usm import Auth, EngineTime, Level, UsmUser
from tests.support.snmp_ends import ENGINE_ID, inform, user

INT32 = st.integers(-(2**31), 2**31 - 1)
SUB = st.integers(0, 2**32 - 1)
OIDS = st.builds(
    lambda root, rest: (*root, *rest),
    st.one_of(
        st.tuples(st.integers(0, 1), st.integers(0, 39)),
        st.tuples(st.just(2), st.integers(0, 2**32 - 81)),
    ),
    st.lists(SUB, max_size=126),
)
VALUES: dict[Tag, st.SearchStrategy[Value]] = {
    Tag.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Tag.OCTET_STRING: st.binary(max_size=300),
    Tag.OID: OIDS,
    Tag.IP_ADDRESS: st.binary(min_size=4, max_size=4),
    Tag.COUNTER32: SUB,
    Tag.GAUGE32: SUB,
    Tag.TIMETICKS: SUB,
    Tag.OPAQUE: st.binary(max_size=300),
    Tag.COUNTER64: st.integers(0, 2**64 - 1),
}
VARBINDS = st.sampled_from(Tag).flatmap(
    lambda tag: st.builds(VarBind, OIDS, st.just(tag), VALUES.get(tag, st.none()))
)
PDUS = st.builds(
    Pdu,
    st.sampled_from(PduType),
    INT32,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.lists(VARBINDS, max_size=8).map(tuple),
)
LEVELS = {
    Level.NO_AUTH_NO_PRIV: UsmUser("nobody"),
    Level.AUTH_NO_PRIV: UsmUser("office", Auth.SHA1_96, bytes(20)),
    Level.AUTH_PRIV: user(),
}


def encoded(
    scoped: ScopedPdu, level: Level, *, reportable: bool = True, salt: bytes = bytes(8)
) -> bytes:
    return message.encode(
        message.encode_scoped(scoped),
        msg_id=7,
        user=LEVELS[level],
        level=level,
        engine_id=ENGINE_ID,
        stamp=EngineTime(3, 500),
        salt=salt,
        reportable=reportable,
    )


@given(PDUS)
def test_a_pdu_comes_back_as_it_was(pdu: Pdu) -> None:
    assert decode_pdu(encode_pdu(pdu)) == pdu


@given(PDUS, st.binary(max_size=255))
def test_a_community_message_comes_back_as_it_was(pdu: Pdu, community: bytes) -> None:
    assert message.decode_community(message.encode_community(community, pdu)) == (community, pdu)


@given(PDUS, st.sampled_from(Level), st.booleans(), st.binary(max_size=32))
def test_a_v3_message_comes_back_as_it_was(
    pdu: Pdu, level: Level, reportable: bool, context: bytes
) -> None:
    scoped = ScopedPdu(ENGINE_ID, context, pdu)
    datagram = encoded(scoped, level, reportable=reportable)
    received = message.decode(datagram)
    sender = LEVELS[level]
    assert (received.msg_id, received.level, received.reportable) == (7, level, reportable)
    assert received.security[:3] == (ENGINE_ID, EngineTime(3, 500), sender.name)
    if level:
        assert sender.verifies(datagram, received.mac_at, received.security.mac)
    assert message.decode_scoped(message.decrypt(received, sender)) == scoped


def test_an_encrypted_message_shows_nothing_of_its_pdu() -> None:
    datagram = encoded(ScopedPdu(ENGINE_ID, b"", inform()), Level.AUTH_PRIV)
    assert b"kubung" not in datagram
    assert b"kubung" in encoded(ScopedPdu(ENGINE_ID, b"", inform()), Level.AUTH_NO_PRIV)


DECODERS: list[Callable[[bytes], object]] = [
    decode_pdu,
    message.version,
    message.decode_community,
    message.decode,
    message.decode_scoped,
    ber.decode_oid,
    lambda data: usm.decode_security(data, 0, len(data)),
]


@given(st.binary(max_size=200))
def test_random_octets_raise_decode_error_alone(data: bytes) -> None:
    for decode in DECODERS:
        survives(decode, data)


def survives(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except DecodeError:
        return


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.name)
def test_damaged_messages_raise_decode_error_alone(level: Level) -> None:
    chance = random.Random(5)
    whole = encoded(ScopedPdu(ENGINE_ID, b"", inform()), level)
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        for decode in DECODERS[1:5]:
            survives(decode, bytes(damaged))


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.name)
def test_a_message_cut_short_or_drawn_long_is_refused(level: Level) -> None:
    whole = encoded(ScopedPdu(ENGINE_ID, b"", inform()), level)
    for size in range(len(whole)):
        with pytest.raises(DecodeError):
            message.decode(whole[:size])
    with pytest.raises(DecodeError):
        message.decode(whole + b"\0")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        ("a080020100020100020100", "length of 0 octets"),
        ("a085000000000b", "length of 5 octets"),
        ("a0ff", "length of 127 octets"),
        ("a07f020100", "too late"),
        ("a0", "cut short"),
        ("", "cut short"),
        ("a40b0201000201000201003000", "no PDU"),
        ("a00c0205010000000002010002010030", "too late"),
        ("a00f020500ffffffff0201000201003000", "request-id above 32 bits"),
        ("a01302090100000000000000000201000201003000", "9 octets"),
        ("a00a02000201000201003000", "0 octets"),
        ("a00b020100020100020100300000", "octets follow"),
        ("a00d02010002010002010030000500", "octets follow"),
    ],
)
def test_what_is_no_pdu_is_refused(octets: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode_pdu(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "binding",
    [
        "06032b06014109010000000000000000",  # more than 64 bits
        "06032b060141050100000000",  # more than a Counter32
        "06032b0601460a00ffffffffffffffffff",
        "06032b060140037f0000",  # an IpAddress of three octets
        "06032b0601050100",  # a NULL with content
        "06032b0601090101",  # a REAL
        "06032b060105000500",
        "06032b06810500",  # a name cut short
        "06062b90808080000500",  # a sub-identifier of 2**32
        "04032b06010500",
    ],
)
def test_a_binding_that_smi_does_not_know_is_refused(binding: str) -> None:
    bindings = ber.tlv(0x30, ber.tlv(0x30, bytes.fromhex(binding)))
    octets = ber.tlv(0xA2, ber.integer(1) + ber.integer(0) + ber.integer(0) + bindings)
    with pytest.raises(DecodeError):
        decode_pdu(octets)


def test_what_devices_write_carelessly_is_read() -> None:
    """Long lengths as net-snmp's, counters without their leading zero, an empty name."""
    long_lengths = bytes.fromhex("a282000e020101020100020100308200023000")
    with pytest.raises(DecodeError):
        decode_pdu(long_lengths)  # an empty binding
    varbind = bytes.fromhex("06032b06014104ffffffff")
    nameless = bytes.fromhex("06000500")
    body = b"\x30\x82\0" + bytes((len(varbind),)) + varbind + ber.tlv(0x30, nameless)
    octets = b"\x02\1\1\2\1\0\2\1\0" + b"\x30\x83\0\0" + bytes((len(body),)) + body
    pdu = decode_pdu(b"\xa2\x84\0\0\0" + bytes((len(octets),)) + octets)
    assert pdu.varbinds == (
        VarBind((1, 3, 6, 1), Tag.COUNTER32, 2**32 - 1),
        VarBind((0, 0), Tag.NULL, None),
    )


@pytest.mark.parametrize(
    "varbind",
    [
        VarBind((1,)),
        VarBind((1, 40)),
        VarBind((3, 1)),
        VarBind((1, 3, -1)),
        VarBind((1, 3, 2**32)),
        VarBind((1, 3), Tag.COUNTER32, 2**32),
        VarBind((1, 3), Tag.COUNTER64, -1),
        VarBind((1, 3), Tag.INTEGER, 2**63),
        VarBind((1, 3), Tag.INTEGER, b"5"),
        VarBind((1, 3), Tag.IP_ADDRESS, b"123"),
        VarBind((1, 3), Tag.NULL, 0),
        VarBind((1, 3), Tag.OCTET_STRING, None),
    ],
)
def test_what_snmp_cannot_say_is_not_encoded(varbind: VarBind) -> None:
    with pytest.raises(ValueError):
        encode_pdu(Pdu(PduType.INFORM, 1, varbinds=(varbind,)))


def test_large_and_hostile_input_takes_time_in_proportion_to_its_size() -> None:
    """A name of the longest allowed sub-identifiers, many bindings, or one endless number."""
    name = ber.tlv(6, b"\x2b" + b"\x8f\xff\xff\xff\x7f" * 126)
    many = [ber.tlv(0x30, b"\6\1\x2b\5\0") * 9000, ber.tlv(0x30, name + b"\5\0") * 95]
    endless = [ber.tlv(0x30, ber.tlv(6, b"\x2b" + b"\x81" * 60000 + b"\1") + b"\5\0")]
    began = time.process_time()
    for bindings in many + endless:
        survives(decode_pdu, ber.tlv(0xA2, b"\2\1\1\2\1\0\2\1\0" + ber.tlv(0x30, bindings)))
    assert time.process_time() - began < 1


def test_a_message_of_another_model_or_of_an_impossible_level_is_refused() -> None:
    whole = encoded(ScopedPdu(ENGINE_ID, b"", inform()), Level.AUTH_PRIV)
    model_at = whole.index(b"\x04\x01\x07\x02\x01\x03")
    other_model = whole[: model_at + 5] + b"\x02" + whole[model_at + 6 :]
    private_alone = whole[: model_at + 2] + b"\x06" + whole[model_at + 3 :]
    for broken in (other_model, private_alone):
        with pytest.raises(DecodeError):
            message.decode(broken)
