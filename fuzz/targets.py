"""What is fuzzed: each target takes any octets, and raises only when something is wrong.

A decoder may raise its own error (`DecodeError`; `ConfigError` for the configuration) and
nothing else. Beyond that each target says what must hold of what was decoded. The first octet of
some inputs chooses how the rest is brought: in plain it would never get past a digest.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from agent import config
from agent.probes.dns_message import A, decode_reply, encode_query
from collector.intake import Intake, Verdict
from collector.placing import Anchors
from tabuah import block, glance, notification, oids, stamp
from tabuah.block import Block
from tabuah.errors import ConfigError, DecodeError
from tabuah.skim import skim
from tabuah.snmp import ber, message, reporting
from tabuah.snmp.client import Answered, CommunityClient, Ignored, Transmit, UsmClient
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind, decode_pdu, encode_pdu
from tabuah.snmp.receiver import Inform, Receiver, Refused
from tabuah.snmp.usm import Auth, EngineTime, Level, UsmUser

ENGINE_ID = bytes.fromhex("80007ed905") + b"fuzzed-engine"[:12]
ENGINE_TIME = EngineTime(3_500_000, 1000)
SITE = "13.02.10"
NAME = f"{SITE}#1"
KU = bytes(range(32))
WRONG_KU = bytes(32)
OFFICE = UsmUser.from_ku(NAME, Auth.SHA256_192, KU, KU, ENGINE_ID)
PLAIN = UsmUser.from_ku("plain", Auth.SHA1_96, KU[:20], b"", ENGINE_ID)
USERS = {user.name: user for user in (OFFICE, PLAIN)}
MSG_ID = 77
SEED = MSG_ID - 1
"""Of a client whose first datagram has that message ID."""
REQUEST_ID = 5
QUERY = encode_query(0x1234, "siak.example", A)

BASE = bytes((block.VERSION,)) + bytes(range(256)) * 2
"""A report that the collector holds."""


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder and what must hold of it."""

    run: Callable[[bytes], None]
    modes: int = 0
    """How many values of the first octet mean something; 0 = it is data like the rest."""
    elements: bool = False
    """Whether the rest is BER."""


def fuzz_ber(data: bytes) -> None:
    """Every element is read to its end, and each name comes back as it went."""
    at = 0
    while at < len(data):
        try:
            tag, start, stop = ber.read(data, at, len(data))
        except DecodeError:
            return
        assert at < start <= stop <= len(data)
        _primitives(data, at, start, stop)
        at = start if tag & 0x20 else stop


def _primitives(data: bytes, at: int, start: int, stop: int) -> None:
    for decode in (
        lambda: ber.read_integer(data, at, len(data)),
        lambda: ber.read_octets(data, at, len(data), 255),
        lambda: ber.decode_unsigned(data, start, stop, 2**64 - 1),
    ):
        try:
            decode()
        except DecodeError:
            continue
    if stop - start > 1_000:  # cutting that out of every level would be our own quadratic
        return
    try:
        name = ber.decode_oid(data[start:stop])
    except DecodeError:
        return
    assert ber.decode_oid(ber.encode_oid(name)) == name


def fuzz_pdu(data: bytes) -> None:
    """What is decoded can be encoded, and says the same then."""
    try:
        pdu = decode_pdu(data)
    except DecodeError:
        return
    assert decode_pdu(encode_pdu(pdu)) == pdu


def fuzz_message(data: bytes) -> None:
    """All that reads a whole datagram."""
    for decode in (message.version, message.decode_community, message.decode_scoped):
        try:
            decode(data)
        except DecodeError:
            continue
    usual = message._decode_usual(data)  # noqa: SLF001 - the short way must end where the long one does
    try:
        received = message._decode_any(data)  # noqa: SLF001
    except DecodeError:
        assert usual is None
        return
    assert usual is None or usual == received
    assert message.decode(data) == received
    assert data[received.mac_at :].startswith(received.security.mac)
    reporting.wanted(received)
    try:
        message.decode_scoped(message.decrypt(received, OFFICE))
    except DecodeError:
        return


def _brought(mode: int, rest: bytes, *, stamp: EngineTime, user: UsmUser) -> bytes:
    """Return a datagram: 0 as it is, 1 signed where it has a digest, else `rest` within one."""
    if mode == 0:
        return rest
    if mode == 1:
        try:
            mac_at = message.decode(rest).mac_at
        except DecodeError:
            return rest
        if rest[mac_at - 1] != user.mac_length or mac_at + user.mac_length > len(rest):
            return rest
        return rest[:mac_at] + user.mac(rest, mac_at) + rest[mac_at + user.mac_length :]
    return message.encode(
        rest,
        msg_id=MSG_ID,
        user=user,
        level=user.level,
        engine_id=ENGINE_ID,
        stamp=stamp,
        salt=bytes(8),
        reportable=True,
    )


def fuzz_receiver(data: bytes) -> None:
    """Nothing unsigned is accepted; a refusal counts once, and its Report is small and sound."""
    mode, rest = data[:1], data[1:]
    if not mode:
        return
    user = OFFICE if mode[0] % 4 < 3 else PLAIN
    brought = _brought(mode[0] % 4, rest, stamp=ENGINE_TIME, user=user)
    receiver = Receiver(ENGINE_ID, USERS.get, own=notification.own_block, seed=0)
    outcome = receiver.receive(brought, ENGINE_TIME, 0.0, "source")
    refused = sum(receiver.refused.values())
    if isinstance(outcome, Refused):
        assert refused == 1
        if outcome.reply is not None:
            assert len(outcome.reply) <= reporting.MOST_PER_OCTET * len(brought)
            assert message.decode(outcome.reply).level < Level.AUTH_PRIV
        return
    assert mode[0] % 4, "accepted without a key"
    assert refused == 0
    for echo in (False, True):
        answer = receiver.answer(outcome, ENGINE_TIME, echo=echo)
        assert message.decode(answer).level is outcome.level
    _say(outcome)


def _say(inform: Inform) -> None:
    try:
        if inform.own is not None:
            _take(block.decode(inform.own, lambda _: BASE))
            # Read in the short way; where the long one gets through, it finds the same.
            binds = decode_pdu(inform.scoped, inform.scope.pdu_at).varbinds
            assert notification.is_report(binds)
            assert VarBind(oids.BLOCK, Tag.OCTET_STRING, inform.own) in binds
        elif notification.is_report(inform.varbinds):
            _take(notification.read_block(inform.varbinds, lambda _: BASE))
    except DecodeError:
        return


def fuzz_client(data: bytes) -> None:
    """Nothing unsigned answers a question, or draws a datagram from a client that pins its engine.

    Of the first octet: 0 to 3 as `_brought`, of a client that pins; 4 a client that does not;
    5 one that only authenticates; 6 one of SNMPv2c.
    """
    if not data:
        return
    mode, rest = data[0] % 7, data[1:]
    ask = Pdu(PduType.GET, REQUEST_ID)
    if mode == 6:
        community = CommunityClient("public")
        community.send(ask, 0.0)
        community.receive(rest, 0.0)
        return
    user, engine_id = (PLAIN, None) if mode == 5 else (OFFICE, None if mode == 4 else ENGINE_ID)
    priv_ku = b"" if user is PLAIN else KU
    ku = KU[:20] if user is PLAIN else KU
    client = UsmClient(user.name, user.auth, ku, priv_ku, engine_id, seed=SEED)
    client.send(ask, 0.0)
    brought = _brought(0 if mode == 4 else min(mode, 2), rest, stamp=ENGINE_TIME, user=user)
    outcome = client.receive(brought, 0.0)
    if mode == 0:
        assert isinstance(outcome, Ignored), "believed without a key"
    elif mode == 4:
        assert not isinstance(outcome, Answered), "answered by a Report"
        if isinstance(outcome, Transmit):
            assert 5 <= len(client.engine_id) <= 32
    # Whatever came, the question still waits, or was answered for good.
    if isinstance(outcome, Answered):
        assert outcome.pdu.request_id == REQUEST_ID
        assert isinstance(client.receive(brought, 0.0), Ignored)
    else:
        client.resend(REQUEST_ID, 1.0)


def fuzz_block(data: bytes) -> None:
    """Heads fit a database and the clock; sections are read or refused.

    The first octet says what becomes of what follows the flags: 1 deflated, 2 upon a base.
    """
    if len(data) < 3:
        return
    octets = data[1:]
    if data[0] % 3 == 1:
        deflated = zlib.compress(octets[2:], 9, wbits=-15)
        octets = bytes((octets[0], octets[1] | block.DEFLATE)) + deflated
    elif data[0] % 3 == 2:
        deflater = zlib.compressobj(9, wbits=-15, zdict=BASE)
        deflated = deflater.compress(octets[2:]) + deflater.flush()
        octets = bytes((octets[0], octets[1] | block.BASE)) + bytes(4) + deflated
    try:
        brought = block.decode(octets, lambda _: BASE)
    except DecodeError:
        return
    _take(brought)


def _take(brought: Block) -> None:
    """Go the collector's way with a block, as far as it is pure."""
    intake, anchors = Intake(), Anchors()
    now_ms, now = 1_800_000_000_000, 5_000.0
    for packed in brought.reports:
        verdict = intake.judge(SITE, packed, history=brought.history)
        live = verdict is Verdict.LIVE
        placed = anchors.place(SITE, packed, now_ms, now, live=live)
        assert 0 <= placed.time_ms <= now_ms, "a time that no clock shows"
        glance.well(packed.octets, packed.octets, glance.Limits(50_000, 10_000))
        with suppress(DecodeError):
            skim(packed.octets[block.BODY_AT :])
        try:
            report = block.read(SITE, packed)
        except DecodeError:
            continue
        assert block.read(SITE, block.pack(report)) == report
        notification.varbinds(
            SITE, packed.uptime_ms, notification.key_facts(report.measurements), [packed],
            history=False,
        )  # fmt: skip


def fuzz_stamp(data: bytes) -> None:
    """A reflector's answer has the size of its question, and reads back."""
    try:
        packet = stamp.decode_sender(data)
        answer = stamp.reflect(
            data, sequence=3, received_ns=1, sent_ns=2, ttl=64, synchronised=True
        )
        assert len(answer) == len(data)
        assert stamp.decode_reflector(answer).sender_sequence == packet.sequence
        stamp.decode_reflector(data)
    except DecodeError:
        return


def fuzz_dns(data: bytes) -> None:
    """An answer to our question, or refused."""
    try:
        decode_reply(data, QUERY)
    except DecodeError:
        return


def fuzz_config(data: bytes) -> None:
    """The office's configuration: read, or every problem named."""
    try:
        config.parse(data.decode(errors="replace"), "agent.toml")
    except ConfigError:
        return


TARGETS = {
    "ber": Target(fuzz_ber, elements=True),
    "pdu": Target(fuzz_pdu, elements=True),
    "message": Target(fuzz_message, elements=True),
    "receiver": Target(fuzz_receiver, modes=4, elements=True),
    "client": Target(fuzz_client, modes=7, elements=True),
    "block": Target(fuzz_block, modes=3),
    "stamp": Target(fuzz_stamp),
    "dns": Target(fuzz_dns),
    "config": Target(fuzz_config),
}


def scoped(pdu: Pdu) -> bytes:
    """Return a scoped PDU of the office's engine."""
    return message.encode_scoped(ScopedPdu(ENGINE_ID, b"", pdu))
