"""What the collector's engine accepts, what it refuses, what it counts, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabuah.errors import DecodeError
from tabuah.snmp import aes, ber, message, usm
from tabuah.snmp.client import Answered, Transmit, UsmClient
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.policer import Policer, Rate
from tabuah.snmp.receiver import Inform, Reason, Receiver, Refused
from tabuah.snmp.usm import NOBODY, Auth, EngineTime, Level, Stat, UsmUser
from tests.support.snmp_ends import (
    ENGINE_ID,
    ENGINE_TIME,
    KU,
    NAME,
    VARBINDS,
    client,
    inform,
    introduced,
    receiver,
    user,
)


def datagram(
    pdu: Pdu | None = None,
    *,
    sender: UsmUser | None = None,
    level: Level = Level.AUTH_PRIV,
    engine_id: bytes = ENGINE_ID,
    stamp: EngineTime = ENGINE_TIME,
    reportable: bool = True,
    max_size: int = 1472,
) -> bytes:
    scoped = message.encode_scoped(ScopedPdu(ENGINE_ID, b"", inform() if pdu is None else pdu))
    return message.encode(
        scoped,
        msg_id=77,
        user=user() if sender is None else sender,
        level=level,
        engine_id=engine_id,
        stamp=stamp,
        salt=bytes(8),
        reportable=reportable,
        max_size=max_size,
    )


def no_user(_: str) -> None:
    """Know nobody."""


def with_mac(octets: bytes, mac: bytes) -> bytes:
    """Return the datagram with another MAC, of the same length, in the place of its own."""
    at = message.decode(octets).mac_at
    return octets[:at] + mac + octets[at + len(mac) :]


def refused_for(taking: Receiver, octets: bytes, reason: Reason) -> Refused:
    before = dict(taking.refused)
    outcome = taking.receive(octets, ENGINE_TIME, 0.0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert taking.refused == {**before, reason: before[reason] + 1}
    return outcome


def report_in(reply: bytes | None) -> tuple[message.Message, Pdu]:
    assert reply is not None
    received = message.decode(reply)
    return received, message.decode_scoped(received.payload).pdu


@pytest.mark.parametrize("auth", list(Auth), ids=lambda auth: auth.name)
def test_an_authentic_inform_is_opened(auth: Auth) -> None:
    office = user(auth)
    outcome = receiver(office).receive(datagram(sender=office), ENGINE_TIME, 0.0)
    assert isinstance(outcome, Inform)
    assert (outcome.user, outcome.msg_id, outcome.pdu) == (office, 77, inform())


@pytest.mark.parametrize("echo", [False, True], ids=["empty", "echo"])
def test_its_answer_reaches_the_client_with_or_without_variables(echo: bool) -> None:
    taking, asking = receiver(), client()
    introduced(asking, taking)
    heard = taking.receive(asking.send(inform(5), 0.0), ENGINE_TIME, 0.0)
    assert isinstance(heard, Inform)
    answered = asking.receive(taking.answer(heard, ENGINE_TIME, echo=echo), 0.0)
    expected = Pdu(PduType.RESPONSE, 5, varbinds=VARBINDS if echo else ())
    assert isinstance(answered, Answered)
    assert answered.pdu == expected


def test_an_answer_is_encrypted_and_no_two_share_a_salt() -> None:
    taking = receiver()
    heard = taking.receive(datagram(), ENGINE_TIME, 0.0)
    assert isinstance(heard, Inform)
    answers = [taking.answer(heard, ENGINE_TIME, echo=True) for _ in range(5)]
    assert {message.decode(answer).level for answer in answers} == {Level.AUTH_PRIV}
    assert len({message.decode(answer).security.salt for answer in answers}) == 5
    assert not any(b"kubung" in answer for answer in answers)


def test_an_echo_too_large_for_the_sender_has_no_variables() -> None:
    taking = receiver()
    large = replace(
        inform(), varbinds=(VarBind((1, 3, 6), Tag.OCTET_STRING, bytes(600)), *VARBINDS)
    )
    heard = taking.receive(datagram(large, max_size=484), ENGINE_TIME, 0.0)
    assert isinstance(heard, Inform)
    answer = taking.answer(heard, ENGINE_TIME, echo=True)
    assert len(answer) <= 484
    opened = message.decode_scoped(message.decrypt(message.decode(answer), user()))
    assert opened.pdu == Pdu(PduType.RESPONSE, 1)


def test_an_inform_with_an_error_status_of_its_own_is_not_echoed_with_it() -> None:
    taking = receiver()
    heard = taking.receive(datagram(replace(inform(), error_status=5)), ENGINE_TIME, 0.0)
    assert isinstance(heard, Inform)
    answer = taking.answer(heard, ENGINE_TIME, echo=True)
    opened = message.decode_scoped(message.decrypt(message.decode(answer), user()))
    assert opened.pdu.error_status == 0


def test_a_forged_datagram_is_refused_wherever_a_bit_is_turned() -> None:
    taking = receiver()
    whole = datagram()
    for at in range(len(whole)):
        forged = whole[:at] + bytes((whole[at] ^ 0x01,)) + whole[at + 1 :]
        assert isinstance(taking.receive(forged, ENGINE_TIME, 0.0), Refused)
    assert taking.refused[Reason.WRONG_DIGEST] > 100
    assert sum(taking.refused.values()) == len(whole)


def test_a_zeroed_a_short_an_absent_or_a_long_digest_is_refused() -> None:
    taking = receiver()
    whole = datagram()
    refused_for(taking, with_mac(whole, bytes(24)), Reason.WRONG_DIGEST)
    mac = message.decode(whole).security.mac
    for other in (mac[:12], mac[:1], b"", mac + b"\0", bytes(12)):
        refused_for(taking, resized(whole, other), Reason.WRONG_DIGEST)


def resized(octets: bytes, mac: bytes) -> bytes:
    """Return the datagram with its MAC field of another size, all lengths being right."""
    received = message.decode(octets)
    security = usm.encode_security(received.security._replace(mac=mac))
    header_at, _ = ber.enter(octets, 0, len(octets), ber.SEQUENCE)
    _, _, header_at = ber.read(octets, header_at, len(octets))
    _, _, header_stop = ber.read(octets, header_at, len(octets))
    return ber.tlv(
        ber.SEQUENCE,
        ber.integer(3)
        + octets[header_at:header_stop]
        + ber.octets(security)
        + ber.octets(received.payload),
    )


def test_a_key_of_another_generation_is_refused() -> None:
    other = UsmUser.from_ku(NAME, Auth.SHA256_192, bytes(32), bytes(32), ENGINE_ID)
    outcome = refused_for(receiver(), datagram(sender=other), Reason.WRONG_DIGEST)
    report, pdu = report_in(outcome.reply)
    assert report.level is Level.NO_AUTH_NO_PRIV
    assert pdu.varbinds == (VarBind(Stat.WRONG_DIGESTS.value, Tag.COUNTER32, 1),)


def test_truncated_datagrams_are_malformed_and_get_no_answer() -> None:
    taking = receiver()
    whole = datagram()
    for size in range(4, len(whole)):
        assert refused_for(taking, whole[:size], Reason.MALFORMED).reply is None


def test_other_versions_are_refused_in_silence() -> None:
    taking = receiver()
    v2c = message.encode_community(b"public", inform())
    v1 = bytes.fromhex("302602010004067075626c6963a419") + bytes(25)
    for octets in (v2c, v1):
        assert refused_for(taking, octets, Reason.WRONG_VERSION).reply is None


@pytest.mark.parametrize("level", [Level.NO_AUTH_NO_PRIV, Level.AUTH_NO_PRIV])
def test_plaintext_is_refused_from_a_user_who_can_encrypt(level: Level) -> None:
    outcome = refused_for(receiver(), datagram(level=level), Reason.UNSUPPORTED_LEVEL)
    _, pdu = report_in(outcome.reply)
    assert pdu.varbinds[0].oid == Stat.UNSUPPORTED_LEVELS.value
    assert pdu.request_id == inform().request_id


def test_a_user_without_keys_is_never_believed() -> None:
    nobody = UsmUser("nobody")
    octets = datagram(sender=nobody, level=Level.NO_AUTH_NO_PRIV)
    refused_for(receiver(nobody), octets, Reason.UNSUPPORTED_LEVEL)


def test_a_user_with_an_authentication_key_alone_may_speak_in_plain() -> None:
    plain = UsmUser.from_ku(NAME, Auth.SHA1_96, KU, b"", ENGINE_ID)
    taking = receiver(plain)
    heard = taking.receive(datagram(sender=plain, level=Level.AUTH_NO_PRIV), ENGINE_TIME, 0.0)
    assert isinstance(heard, Inform)
    answer = message.decode(taking.answer(heard, ENGINE_TIME, echo=True))
    assert answer.level is Level.AUTH_NO_PRIV
    refused_for(taking, datagram(), Reason.UNSUPPORTED_LEVEL)


@pytest.mark.parametrize(
    "stamp",
    [
        EngineTime(0, 0),
        EngineTime(ENGINE_TIME.boots, ENGINE_TIME.time - 151),
        EngineTime(ENGINE_TIME.boots, ENGINE_TIME.time + 151),
        EngineTime(ENGINE_TIME.boots - 1, ENGINE_TIME.time),
        EngineTime(ENGINE_TIME.boots + 1, ENGINE_TIME.time),
    ],
)
def test_a_replay_from_outside_the_window_is_refused_with_an_authentic_report(
    stamp: EngineTime,
) -> None:
    outcome = refused_for(receiver(), datagram(stamp=stamp), Reason.NOT_IN_WINDOW)
    report, pdu = report_in(outcome.reply)
    assert report.level is Level.AUTH_NO_PRIV
    assert report.security.stamp == ENGINE_TIME
    assert outcome.reply is not None
    assert user().verifies(outcome.reply, report.mac_at, report.security.mac)
    assert pdu.varbinds == (VarBind(Stat.NOT_IN_TIME_WINDOWS.value, Tag.COUNTER32, 1),)


def test_a_recorded_inform_is_refused_150_seconds_later_and_after_a_restart() -> None:
    taking = receiver()
    recorded = datagram()
    assert isinstance(taking.receive(recorded, ENGINE_TIME, 0.0), Inform)
    later = ENGINE_TIME._replace(time=ENGINE_TIME.time + 151)
    restarted = EngineTime(ENGINE_TIME.boots + 1, 0)
    for clock in (later, restarted):
        outcome = taking.receive(recorded, clock, 0.0)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.NOT_IN_WINDOW


def test_an_unknown_user_or_engine_is_told_so() -> None:
    taking = receiver()
    stranger = UsmUser("stranger", Auth.SHA256_192, bytes(32), bytes(16))
    outcome = refused_for(taking, datagram(sender=stranger), Reason.UNKNOWN_USER)
    assert report_in(outcome.reply)[1].varbinds[0].oid == Stat.UNKNOWN_USER_NAMES.value
    outcome = refused_for(taking, datagram(engine_id=b"other"), Reason.UNKNOWN_ENGINE)
    report, pdu = report_in(outcome.reply)
    assert pdu.varbinds[0].oid == Stat.UNKNOWN_ENGINE_IDS.value
    assert report.security.engine_id == ENGINE_ID


def test_what_decrypts_to_nonsense_is_a_decryption_error() -> None:
    wrong = UsmUser(NAME, Auth.SHA256_192, user().auth_key, bytes(16))
    outcome = refused_for(receiver(), datagram(sender=wrong), Reason.DECRYPTION)
    assert report_in(outcome.reply)[1].varbinds[0].oid == Stat.DECRYPTION_ERRORS.value


def test_a_salt_of_a_wrong_size_is_a_decryption_error() -> None:
    whole = message.decode(datagram())
    security = usm.encode_security(whole.security._replace(mac=bytes(24), salt=b"short"))
    header = ber.tlv(
        ber.SEQUENCE,
        ber.integer(77) + ber.integer(1472) + ber.octets(b"\7") + ber.integer(3),
    )
    unsigned = ber.tlv(
        ber.SEQUENCE,
        ber.integer(3) + header + ber.octets(security) + ber.octets(whole.payload),
    )
    mac_at = message.decode(unsigned).mac_at
    refused_for(receiver(), with_mac(unsigned, user().mac(unsigned, mac_at)), Reason.DECRYPTION)


@pytest.mark.parametrize(
    "kind", [kind for kind in PduType if kind is not PduType.INFORM], ids=lambda kind: kind.name
)
def test_informs_alone_are_accepted(kind: PduType) -> None:
    octets = datagram(Pdu(kind, 1, varbinds=VARBINDS))
    assert refused_for(receiver(), octets, Reason.WRONG_PDU).reply is None


def test_an_authentic_message_with_a_broken_pdu_is_malformed() -> None:
    scoped = message.encode_scoped(ScopedPdu(ENGINE_ID, b"", inform()))
    broken = scoped.replace(b"\x43\x01\x2a", b"\x4f\x01\x2a")
    octets = message.encode(
        broken,
        msg_id=1,
        user=user(),
        level=Level.AUTH_PRIV,
        engine_id=ENGINE_ID,
        stamp=ENGINE_TIME,
        salt=bytes(8),
        reportable=True,
    )
    assert broken != scoped
    refused_for(receiver(), octets, Reason.MALFORMED)


def test_what_is_not_reportable_gets_no_report() -> None:
    stale = datagram(stamp=EngineTime(0, 0), reportable=False)
    assert refused_for(receiver(), stale, Reason.NOT_IN_WINDOW).reply is None
    other = datagram(engine_id=b"other", reportable=False)
    assert refused_for(receiver(), other, Reason.UNKNOWN_ENGINE).reply is None


@pytest.mark.parametrize("kind", [PduType.REPORT, PduType.RESPONSE, PduType.TRAP])
def test_a_report_is_never_answered_by_a_report(kind: PduType) -> None:
    octets = datagram(
        Pdu(kind, 1), sender=NOBODY, level=Level.NO_AUTH_NO_PRIV, engine_id=b"", reportable=True
    )
    assert refused_for(receiver(), octets, Reason.UNKNOWN_ENGINE).reply is None


def test_a_strangers_variables_are_not_read() -> None:
    many = replace(inform(3), varbinds=tuple(VarBind((1, 3, 6, n)) for n in range(40)))
    octets = datagram(many, sender=NOBODY, level=Level.NO_AUTH_NO_PRIV)
    assert octets.endswith(b"\x05\x00")
    nonsense = octets[:-2] + b"\xff\x00"  # whoever reads the last of them refuses it all
    with pytest.raises(DecodeError):
        message.decode_scoped(message.decode(nonsense).payload)
    outcome = receiver().receive(nonsense, ENGINE_TIME, 0.0)
    assert isinstance(outcome, Refused)
    assert report_in(outcome.reply)[1].request_id == 3


# As RFC 3414 section 4 wants it, and as short as it can be with net-snmp's sizes of numbers.
PROBE = bytes.fromhex(
    "303e020103" "3011" "0204312cf401" "020300ffe3" "040104" "020103"
    "0410300e0400020100020100040004000400"
    "3014" "0400" "0400" "a00e" "02044ec51bf3" "020100" "020100" "3000"
)  # fmt: skip


@pytest.mark.parametrize("size", range(5, 17))
@pytest.mark.parametrize("count", [0, 2**31 - 2])
def test_the_shortest_probe_is_answered_within_its_size_and_a_half(size: int, count: int) -> None:
    engine_id = b"\x80\0\x7e\xd9\5".ljust(size, b"x")
    taking = Receiver(engine_id, no_user)
    taking.refused[Reason.UNKNOWN_ENGINE] = count
    outcome = taking.receive(PROBE, ENGINE_TIME, 0.0)
    assert isinstance(outcome, Refused)
    report, pdu = report_in(outcome.reply)
    assert report.security.engine_id == engine_id
    assert pdu.varbinds == (VarBind(Stat.UNKNOWN_ENGINE_IDS.value, Tag.COUNTER32, count + 1),)
    assert outcome.reply is not None
    assert len(PROBE) == 64
    assert len(outcome.reply) <= 96


def test_no_report_is_larger_than_its_size_and_a_half() -> None:
    taking = Receiver(bytes(32), no_user)
    assert taking.receive(PROBE, ENGINE_TIME, 0.0) == Refused(Reason.UNKNOWN_ENGINE)
    assert taking.unreported == 1


def test_strangers_get_few_reports_and_known_offices_all_they_need() -> None:
    policer = Policer(each=Rate(1, 2), total=Rate(10, 5), max_sources=100)
    known = {NAME: user()}
    taking = Receiver(ENGINE_ID, known.get, policer=policer)

    def reported(octets: bytes, source: str, now: float) -> bool:
        outcome = taking.receive(octets, ENGINE_TIME, now, source)
        assert isinstance(outcome, Refused)
        return outcome.reply is not None

    assert [reported(PROBE, "one", 0.0) for _ in range(4)] == [True, True, False, False]
    assert [reported(PROBE, f"source {n}", 0.0) for n in range(5)] == [True] * 3 + [False] * 2
    assert taking.unreported == 4
    assert taking.refused[Reason.UNKNOWN_ENGINE] == 9
    assert all(reported(datagram(stamp=EngineTime(0, 0)), "one", 0.0) for _ in range(5))
    assert reported(PROBE, "one", 1.0)


def test_a_recorded_inform_is_no_reflector_whatever_address_it_claims() -> None:
    taking, recorded = receiver(), datagram()
    later = ENGINE_TIME._replace(time=ENGINE_TIME.time + 151)
    replies = 0
    for number in range(10_000):  # a hundred seconds of a hundred a second
        outcome = taking.receive(recorded, later, number / 100, f"192.0.2.{number % 250}")
        assert isinstance(outcome, Refused)
        replies += outcome.reply is not None
    assert replies <= 10 + 2 * 100


def test_after_a_restart_every_office_is_told_our_time_at_once() -> None:
    names = [f"site-{number}#1" for number in range(2_000)]
    known = {name: UsmUser.from_ku(name, Auth.SHA256_192, KU, KU, ENGINE_ID) for name in names}
    taking = Receiver(ENGINE_ID, known.get)
    before = EngineTime(ENGINE_TIME.boots - 1, 77)
    for name in names:
        outcome = taking.receive(datagram(sender=known[name], stamp=before), ENGINE_TIME, 0.0)
        assert isinstance(outcome, Refused)
        assert outcome.reply is not None


@pytest.mark.parametrize(
    ("stamp", "resync"),
    [
        (EngineTime(0, 0), True),
        (EngineTime(ENGINE_TIME.boots - 1, 99_999), True),
        (ENGINE_TIME._replace(time=ENGINE_TIME.time - 151), False),
        (ENGINE_TIME._replace(time=ENGINE_TIME.time + 151), False),
        (EngineTime(ENGINE_TIME.boots + 1, 0), False),
    ],
    ids=["first contact", "before our restart", "replay", "from the future", "boots to come"],
)
def test_who_does_not_know_our_time_yet_is_told_from_a_replay(
    stamp: EngineTime, resync: bool
) -> None:
    for reportable in (True, False):
        octets = datagram(stamp=stamp, reportable=reportable)
        outcome = refused_for(receiver(), octets, Reason.NOT_IN_WINDOW)
        assert outcome.resync is resync


def test_the_policer_remembers_a_bounded_number_of_sources() -> None:
    policer = Policer(each=Rate(1, 1), total=Rate(1e9, 1e9), max_sources=10)
    assert all(policer.allows(f"source {n}", float(n) / 1000) for n in range(1000))
    assert len(policer._sources) == 10
    assert not policer.allows("source 999", 1.0)


def test_a_flood_of_refused_datagrams_does_not_stop_an_authentic_one() -> None:
    taking, asking = receiver(), client()
    introduced(asking, taking)
    for n in range(2000):
        taking.receive(PROBE, ENGINE_TIME, 0.0, str(n))
    assert isinstance(taking.receive(asking.send(inform(), 0.0), ENGINE_TIME, 0.0), Inform)


@pytest.mark.parametrize("size", [0, 4, 33])
def test_an_engine_id_of_a_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="5 to 32"):
        Receiver(bytes(size), no_user)


def test_an_office_that_pins_the_engine_needs_one_report_and_no_probe() -> None:
    taking = receiver()
    asking = UsmClient(NAME, Auth.SHA256_192, KU, KU, ENGINE_ID)
    introduced(asking, taking)
    counted = {reason: count for reason, count in taking.refused.items() if count}
    assert counted == {Reason.NOT_IN_WINDOW: 1}


def test_the_order_of_checks_tells_a_stranger_nothing_about_time_or_content() -> None:
    """RFC 3414 section 3.2: the digest comes before the window, the window before the key."""
    other = UsmUser(NAME, Auth.SHA256_192, bytes(32), bytes(16))
    refused_for(receiver(), datagram(sender=other, stamp=EngineTime(0, 0)), Reason.WRONG_DIGEST)
    wrong_privacy = UsmUser(NAME, Auth.SHA256_192, user().auth_key, bytes(16))
    refused_for(
        receiver(), datagram(sender=wrong_privacy, stamp=EngineTime(0, 0)), Reason.NOT_IN_WINDOW
    )


def test_a_datagram_with_its_ciphertext_exchanged_is_refused() -> None:
    whole = datagram()
    received = message.decode(whole)
    iv = usm.initial_vector(received.security.stamp, received.security.salt)
    other = aes.encrypt(user().priv_key, iv, bytes(len(received.payload)))
    forged = whole[: -len(other)] + other
    refused_for(receiver(), forged, Reason.WRONG_DIGEST)


def test_a_first_contact_is_followed_by_the_same_inform_in_the_window() -> None:
    taking, asking = receiver(), client()
    first = taking.receive(asking.send(inform(9), 0.0), ENGINE_TIME, 0.0)
    assert isinstance(first, Refused)
    assert first.reply is not None
    outcome = asking.receive(first.reply, 0.0)
    assert isinstance(outcome, Transmit)
    heard = taking.receive(outcome.datagram, ENGINE_TIME, 0.0)
    assert isinstance(heard, Inform)
    assert heard.pdu == inform(9)
