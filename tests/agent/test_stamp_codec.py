from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah.errors import DecodeError
from tabuah.stamp import (
    LENGTH,
    ReflectorPacket,
    SenderPacket,
    decode_reflector,
    decode_sender,
    encode_reflector,
    encode_sender,
    ntp_from_unix_ns,
    reflect,
    unix_ns_from_ntp,
)

u32 = st.integers(0, 2**32 - 1)
u16 = st.integers(0, 2**16 - 1)
times = st.integers(0, 4_000_000_000 * 10**9)  # 1970 to 2096


@given(st.builds(SenderPacket, u32, times, u16, st.booleans()))
def test_a_senders_packet_comes_back_as_it_was(packet: SenderPacket) -> None:
    data = encode_sender(packet)
    assert len(data) == LENGTH
    assert decode_sender(data) == packet


@given(
    st.builds(
        ReflectorPacket, u32, times, times, u32, times, u16, st.integers(0, 255), st.booleans(), u16
    )
)
def test_a_reflectors_packet_comes_back_as_it_was(packet: ReflectorPacket) -> None:
    data = encode_reflector(packet)
    assert len(data) == LENGTH
    assert decode_reflector(data) == packet


@given(times)
def test_ntp_timestamps_are_exact_to_the_nanosecond(unix_ns: int) -> None:
    assert unix_ns_from_ntp(ntp_from_unix_ns(unix_ns)) == unix_ns


def test_ntp_timestamps_begin_in_1900_and_anew_in_2036() -> None:
    assert ntp_from_unix_ns(0) == 2_208_988_800 << 32
    assert ntp_from_unix_ns(500_000_000) == (2_208_988_800 << 32) + (1 << 31)
    assert ntp_from_unix_ns(2_085_978_496 * 10**9) == 0
    assert unix_ns_from_ntp(0) == 2_085_978_496 * 10**9


def test_the_fields_stand_where_rfc_8762_has_them() -> None:
    data = encode_sender(SenderPacket(0x01020304, 0, 0xABCD, synchronised=True))
    assert data[:4] == bytes.fromhex("01020304")
    assert data[4:12] == bytes.fromhex("83aa7e8000000000")
    assert data[12] & 0x80  # S of the error estimate
    assert data[13] != 0  # a multiplier of 0 means an invalid stamp (RFC 4656)
    assert data[14:16] == bytes.fromhex("abcd")
    assert data[16:] == bytes(28)
    answer = reflect(
        data, sequence=7, received_ns=10**9, sent_ns=2 * 10**9, ttl=61, synchronised=False
    )
    assert answer[:4] == bytes.fromhex("00000007")
    assert answer[14:16] == data[14:16]
    assert answer[24:28] == data[:4]
    assert answer[28:36] == data[4:12]
    assert answer[36:38] == data[12:14]
    assert (answer[38:40], answer[40], answer[41:]) == (bytes(2), 61, bytes(3))


@given(st.binary(min_size=LENGTH, max_size=1472))
def test_an_answer_is_never_larger_than_its_question(data: bytes) -> None:
    answer = reflect(data, sequence=0, received_ns=0, sent_ns=0, ttl=0, synchronised=True)
    assert len(answer) == len(data)
    assert answer[LENGTH:] == data[LENGTH:]


@given(st.binary(max_size=200))
def test_whatever_comes_is_decoded_or_refused(data: bytes) -> None:
    for decode in (decode_sender, decode_reflector):
        try:
            decode(data)
        except DecodeError:
            pass
        else:
            assert len(data) >= LENGTH


def test_ptp_timestamps_are_refused_rather_than_misread() -> None:
    data = bytearray(encode_reflector(ReflectorPacket(0, 0, 0, 0, 0)))
    data[12] |= 0x40
    with pytest.raises(DecodeError, match="PTP"):
        decode_reflector(bytes(data))
