"""What the asking side believes, step by step, and what it ignores and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabuah.snmp import message
from tabuah.snmp.client import (
    MAX_OUTSTANDING,
    Answered,
    CommunityClient,
    Ignored,
    Outcome,
    Reason,
    Transmit,
    UsmClient,
    community_trap,
    usm_trap,
)
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.receiver import Inform, Receiver, Refused
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

SYS_NAME = (1, 3, 6, 1, 2, 1, 1, 5, 0)
GET = Pdu.asking(PduType.GET, 1, SYS_NAME)


def answer(
    question: bytes,
    pdu: Pdu | None = None,
    *,
    sender: UsmUser | None = None,
    level: Level = Level.AUTH_PRIV,
    engine_id: bytes = ENGINE_ID,
    stamp: EngineTime = ENGINE_TIME,
    msg_id: int | None = None,
) -> bytes:
    """Return what an authoritative engine might send in answer to that datagram."""
    asked = message.decode(question)
    response = Pdu(PduType.RESPONSE, 1, varbinds=VARBINDS) if pdu is None else pdu
    return message.encode(
        message.encode_scoped(ScopedPdu(engine_id, b"", response)),
        msg_id=asked.msg_id if msg_id is None else msg_id,
        user=user() if sender is None else sender,
        level=level,
        engine_id=engine_id,
        stamp=stamp,
        salt=bytes(8),
        reportable=False,
    )


def report(stat: Stat) -> Pdu:
    return Pdu(PduType.REPORT, 0, varbinds=(VarBind(stat.value, Tag.COUNTER32, 1),))


def plain_report(question: bytes, stat: Stat, engine_id: bytes = ENGINE_ID) -> bytes:
    level = Level.NO_AUTH_NO_PRIV
    return answer(question, report(stat), sender=NOBODY, level=level, engine_id=engine_id)


def known() -> UsmClient:
    return introduced(client(), receiver())


def sent(outcome: Outcome) -> bytes:
    assert isinstance(outcome, Transmit)
    return outcome.datagram


def test_who_asks_anew_sooner_than_any_report_comes_learns_the_time_all_the_same() -> None:
    """Else an agent at 1 s behind a round trip of more would never be heard."""
    asking, late = client(), report(Stat.NOT_IN_TIME_WINDOWS)
    reports = []
    for number in range(1, 4):
        question = asking.send(replace(GET, request_id=number), float(number))
        asking.forget(number)  # overtaken by the next
        reports.append(answer(question, late, level=Level.AUTH_NO_PRIV))
    assert asking.receive(reports[0], 4.0) == Ignored(Reason.UNEXPECTED)
    assert message.decode(asking.send(GET, 4.0)).security.stamp == ENGINE_TIME


def test_the_time_is_never_taken_from_what_is_not_authentic() -> None:
    asking = client()
    question = asking.send(GET, 0.0)
    asking.forget(1)
    late = report(Stat.NOT_IN_TIME_WINDOWS)
    forger = UsmUser.from_ku(NAME, Auth.SHA256_192, bytes(32), bytes(32), ENGINE_ID)
    for forged in (
        plain_report(question, Stat.NOT_IN_TIME_WINDOWS),
        answer(question, late, sender=forger, level=Level.AUTH_NO_PRIV),
        answer(question, late, engine_id=b"another engine", level=Level.AUTH_NO_PRIV),
    ):
        assert asking.receive(forged, 0.0) == Ignored(Reason.UNEXPECTED)
        assert asking.clock(0.0) == EngineTime(0, 0)


def test_an_unpinned_client_probes_then_meets_the_clock_then_asks() -> None:
    asking = client(engine_id=None)
    probe = asking.send(GET, 0.0)
    opened = message.decode(probe)
    assert (opened.level, opened.reportable) == (Level.NO_AUTH_NO_PRIV, True)
    assert opened.security[:3] == (b"", EngineTime(0, 0), "")
    assert message.decode_scoped(opened.payload).pdu.varbinds == ()

    first = sent(asking.receive(plain_report(probe, Stat.UNKNOWN_ENGINE_IDS), 0.0))
    opened = message.decode(first)
    assert asking.engine_id == ENGINE_ID
    # The probe's Report says a clock too, but proves nothing: it is not believed.
    assert opened.security.stamp == EngineTime(0, 0)
    assert opened.level is Level.AUTH_PRIV

    late = report(Stat.NOT_IN_TIME_WINDOWS)
    second = sent(asking.receive(answer(first, late, level=Level.AUTH_NO_PRIV), 0.0))
    opened = message.decode(second)
    assert opened.security.stamp == ENGINE_TIME
    assert message.decode_scoped(message.decrypt(opened, user())).pdu == GET

    outcome = asking.receive(answer(second), 0.0)
    assert isinstance(outcome, Answered)
    assert outcome.pdu == Pdu(PduType.RESPONSE, 1, varbinds=VARBINDS)
    assert message.decode(asking.send(GET, 7.5)).security.stamp == ENGINE_TIME._replace(
        time=ENGINE_TIME.time + 7
    )


def test_requests_sent_together_while_probing_all_get_through() -> None:
    asking, taking = client(engine_id=None), receiver()
    datagrams = [asking.send(inform(n), 0.0) for n in range(5)]
    answered = []
    while datagrams:
        heard = taking.receive(datagrams.pop(0), ENGINE_TIME, 0.0)
        reply = heard.reply if isinstance(heard, Refused) else None
        if isinstance(heard, Inform):
            reply = taking.answer(heard, ENGINE_TIME, echo=False)
        assert reply is not None
        match asking.receive(reply, 0.0):
            case Transmit(datagram):
                datagrams.append(datagram)
            case Answered(pdu):
                answered.append(pdu.request_id)
            case Ignored(reason):
                raise AssertionError(reason)
    assert answered == [0, 1, 2, 3, 4]


def test_a_pinned_engine_is_never_exchanged() -> None:
    asking = client()
    first = asking.send(GET, 0.0)
    assert message.decode(first).security.engine_id == ENGINE_ID
    for engine_id in (b"another engine", ENGINE_ID):
        outcome = asking.receive(plain_report(first, Stat.UNKNOWN_ENGINE_IDS, engine_id), 0.0)
        assert outcome == Ignored(Reason.UNKNOWN_ENGINE)
    assert asking.engine_id == ENGINE_ID


def test_a_discovered_engine_is_never_exchanged_either() -> None:
    asking = client(engine_id=None)
    probes = [asking.send(replace(GET, request_id=n), 0.0) for n in range(2)]
    sent(asking.receive(plain_report(probes[0], Stat.UNKNOWN_ENGINE_IDS), 0.0))
    other = plain_report(probes[1], Stat.UNKNOWN_ENGINE_IDS, b"another engine")
    assert asking.receive(other, 0.0) == Ignored(Reason.UNKNOWN_ENGINE)
    assert asking.engine_id == ENGINE_ID


@pytest.mark.parametrize("size", [0, 4])
def test_an_engine_id_of_a_wrong_size_is_not_discovered(size: int) -> None:
    asking = client(engine_id=None)
    probe = asking.send(GET, 0.0)
    outcome = asking.receive(plain_report(probe, Stat.UNKNOWN_ENGINE_IDS, bytes(size)), 0.0)
    assert outcome == Ignored(Reason.UNKNOWN_ENGINE)
    assert asking.engine_id == b""


def test_a_duplicated_report_draws_one_datagram() -> None:
    asking = client()
    late = receiver().receive(asking.send(inform(), 0.0), ENGINE_TIME, 0.0)
    assert isinstance(late, Refused)
    assert late.reply is not None
    sent(asking.receive(late.reply, 0.0))
    assert asking.receive(late.reply, 0.0) == Ignored(Reason.UNEXPECTED)


def test_an_engine_that_never_finds_us_in_its_window_does_not_make_us_talk_for_ever() -> None:
    asking = client()
    datagram, stamp = asking.send(GET, 0.0), ENGINE_TIME
    for _ in range(3):
        stamp = stamp._replace(boots=stamp.boots + 1)
        late = answer(
            datagram, report(Stat.NOT_IN_TIME_WINDOWS), level=Level.AUTH_NO_PRIV, stamp=stamp
        )
        datagram = sent(asking.receive(late, 0.0))
    late = answer(datagram, report(Stat.NOT_IN_TIME_WINDOWS), level=Level.AUTH_NO_PRIV, stamp=stamp)
    assert asking.receive(late, 0.0) == Ignored(Reason.NOT_IN_WINDOW)
    # The caller may still ask again.
    again = answer(asking.resend(1, 1.0), stamp=stamp)
    assert isinstance(asking.receive(again, 1.0), Answered)


@pytest.mark.parametrize(
    ("stat", "reason"),
    [
        (Stat.WRONG_DIGESTS, Reason.WRONG_DIGEST),
        (Stat.UNKNOWN_USER_NAMES, Reason.UNKNOWN_USER),
        (Stat.UNSUPPORTED_LEVELS, Reason.UNSUPPORTED_LEVEL),
        (Stat.DECRYPTION_ERRORS, Reason.DECRYPTION),
        (Stat.NOT_IN_TIME_WINDOWS, Reason.NOT_IN_WINDOW),
        (Stat.UNKNOWN_ENGINE_IDS, Reason.UNKNOWN_ENGINE),
    ],
)
def test_a_report_that_proves_nothing_is_a_hint_and_changes_nothing(
    stat: Stat, reason: Reason
) -> None:
    asking = known()
    question = asking.send(GET, 0.0)
    assert asking.receive(plain_report(question, stat), 0.0) == Ignored(reason)
    assert isinstance(asking.receive(answer(question), 0.0), Answered)


def test_a_report_of_something_else_is_told_as_such() -> None:
    asking = known()
    question = asking.send(GET, 0.0)
    for varbinds in ((), (VarBind((1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0), Tag.COUNTER32, 1),)):
        other = answer(question, Pdu(PduType.REPORT, 0, varbinds=varbinds))
        assert asking.receive(other, 0.0) == Ignored(Reason.OTHER_REPORT)


def forged(question: bytes) -> dict[str, tuple[bytes, Reason]]:
    """Return false answers to that datagram, each with why it must be ignored."""
    true = answer(question)
    stranger = UsmUser(NAME, Auth.SHA256_192, bytes(32), bytes(16))
    received = message.decode(true)
    at, mac = received.mac_at, received.security.mac
    other_user = UsmUser("other", Auth.SHA256_192, user().auth_key, user().priv_key)
    wrong_privacy = UsmUser(NAME, Auth.SHA256_192, user().auth_key, bytes(16))
    plain = UsmUser(NAME)
    return {
        "zeroed digest": (true[:at] + bytes(24) + true[at + 24 :], Reason.BAD_DIGEST),
        "turned bit in it": (true[:at] + bytes((mac[0] ^ 1,)) + true[at + 1 :], Reason.BAD_DIGEST),
        "turned bit in the ciphertext": (true[:-1] + bytes((true[-1] ^ 1,)), Reason.BAD_DIGEST),
        "another key": (answer(question, sender=stranger), Reason.BAD_DIGEST),
        "another privacy key": (answer(question, sender=wrong_privacy), Reason.MALFORMED),
        "another user": (answer(question, sender=other_user), Reason.OTHER_USER),
        "another engine": (answer(question, engine_id=b"other engine"), Reason.OTHER_ENGINE),
        "no privacy": (answer(question, level=Level.AUTH_NO_PRIV), Reason.BELOW_LEVEL),
        "in plain": (
            answer(question, sender=plain, level=Level.NO_AUTH_NO_PRIV),
            Reason.BELOW_LEVEL,
        ),
        "from before": (
            answer(question, stamp=EngineTime(ENGINE_TIME.boots, ENGINE_TIME.time - 151)),
            Reason.STALE,
        ),
        "from an earlier boot": (
            answer(question, stamp=EngineTime(ENGINE_TIME.boots - 1, 10**6)),
            Reason.STALE,
        ),
        "another message": (answer(question, msg_id=5), Reason.UNEXPECTED),
        "another request": (answer(question, Pdu(PduType.RESPONSE, 2)), Reason.UNEXPECTED),
        "no response": (answer(question, Pdu(PduType.TRAP, 1)), Reason.WRONG_PDU),
        "cut short": (true[:-1], Reason.MALFORMED),
        "SNMPv2c": (
            message.encode_community(b"public", Pdu(PduType.RESPONSE, 1)),
            Reason.WRONG_VERSION,
        ),
        "nothing": (b"", Reason.MALFORMED),
    }


@pytest.mark.parametrize("kind", list(forged(known().send(GET, 0.0))))
def test_a_false_answer_is_ignored_and_the_true_one_still_counts(kind: str) -> None:
    asking = known()
    question = asking.send(GET, 0.0)
    datagram, reason = forged(question)[kind]
    assert asking.receive(datagram, 0.0) == Ignored(reason)
    assert isinstance(asking.receive(answer(question), 0.0), Answered)


def test_an_answer_counts_once() -> None:
    asking = known()
    true = answer(asking.send(GET, 0.0))
    assert isinstance(asking.receive(true, 0.0), Answered)
    assert asking.receive(true, 0.0) == Ignored(Reason.UNEXPECTED)


def test_the_answer_to_an_earlier_datagram_of_a_request_counts_too() -> None:
    asking = known()
    first = asking.send(GET, 0.0)
    second = asking.resend(1, 1.0)
    assert message.decode(first).msg_id != message.decode(second).msg_id
    assert message.decode(first).security.salt != message.decode(second).security.salt
    assert isinstance(asking.receive(answer(first), 1.0), Answered)
    assert asking.receive(answer(second), 1.0) == Ignored(Reason.UNEXPECTED)


def test_a_forgotten_request_is_answered_in_vain() -> None:
    asking = known()
    question = asking.send(GET, 0.0)
    asking.forget(1)
    asking.forget(1)
    assert asking.receive(answer(question), 0.0) == Ignored(Reason.UNEXPECTED)
    with pytest.raises(KeyError):
        asking.resend(1, 0.0)


def test_a_restarted_engine_is_followed_by_its_authentic_report() -> None:
    asking = known()
    question = asking.send(GET, 0.0)
    restarted = EngineTime(ENGINE_TIME.boots + 1, 3)
    late = answer(
        question, report(Stat.NOT_IN_TIME_WINDOWS), level=Level.AUTH_NO_PRIV, stamp=restarted
    )
    again = sent(asking.receive(late, 0.0))
    assert message.decode(again).security.stamp == restarted


def test_what_waits_is_bounded() -> None:
    asking, plain = known(), CommunityClient("public")
    for n in range(3 * MAX_OUTSTANDING):
        asking.send(inform(n), 0.0)
        plain.send(inform(n), 0.0)
    for _ in range(100):
        asking.resend(3 * MAX_OUTSTANDING - 1, 0.0)
    assert len(asking._requests) == len(plain._waiting) == MAX_OUTSTANDING
    assert len(asking._sent) == MAX_OUTSTANDING + 63


def test_a_user_without_keys_is_served_as_it_asks() -> None:
    asking = client(auth=None, engine_id=None)
    probe = asking.send(GET, 0.0)
    question = sent(asking.receive(plain_report(probe, Stat.UNKNOWN_ENGINE_IDS), 0.0))
    plain, level = UsmUser(NAME), Level.NO_AUTH_NO_PRIV
    other = answer(question, sender=UsmUser("other"), level=level)
    assert asking.receive(other, 0.0) == Ignored(Reason.OTHER_USER)
    elsewhere = answer(question, sender=plain, level=level, engine_id=b"other engine")
    assert asking.receive(elsewhere, 0.0) == Ignored(Reason.OTHER_ENGINE)
    assert isinstance(asking.receive(answer(question, sender=plain, level=level), 0.0), Answered)


def test_what_nobody_answers_is_not_sent_as_a_request() -> None:
    for kind in (PduType.TRAP, PduType.RESPONSE, PduType.REPORT):
        for asking in (known(), CommunityClient("public")):
            with pytest.raises(ValueError, match="nobody answers"):
                asking.send(Pdu(kind, 1), 0.0)
    with pytest.raises(ValueError, match="no trap"):
        community_trap("public", GET)
    with pytest.raises(ValueError, match="no trap"):
        usm_trap(user(), ENGINE_ID, ENGINE_TIME, GET, msg_id=1, salt=bytes(8))


def test_a_trap_is_authoritative_encrypted_and_wants_no_report() -> None:
    trap = Pdu(PduType.TRAP, 3, varbinds=VARBINDS)
    octets = usm_trap(user(), ENGINE_ID, ENGINE_TIME, trap, msg_id=9, salt=b"saltsalt")
    opened = message.decode(octets)
    assert (opened.level, opened.reportable, opened.msg_id) == (Level.AUTH_PRIV, False, 9)
    assert opened.security[:3] == (ENGINE_ID, ENGINE_TIME, NAME)
    assert message.decode_scoped(message.decrypt(opened, user())) == (ENGINE_ID, b"", trap)


def test_over_v2c_the_community_the_request_and_the_kind_must_fit() -> None:
    asking = CommunityClient("public")
    question = asking.send(GET, 0.0)
    assert message.decode_community(question) == (b"public", GET)
    response = Pdu(PduType.RESPONSE, 1)
    for community, pdu, reason in (
        (b"private", response, Reason.WRONG_COMMUNITY),
        (b"public", replace(response, request_id=2), Reason.UNEXPECTED),
        (b"public", GET, Reason.WRONG_PDU),
    ):
        datagram = message.encode_community(community, pdu)
        assert asking.receive(datagram, 0.0) == Ignored(reason)
    assert asking.receive(b"\x30\x00", 0.0) == Ignored(Reason.MALFORMED)
    assert asking.receive(known().send(GET, 0.0), 0.0) == Ignored(Reason.WRONG_VERSION)
    assert asking.resend(1, 0.0) == question
    true = message.encode_community(b"public", response)
    assert asking.receive(true, 0.0) == Answered(response)
    assert asking.receive(true, 0.0) == Ignored(Reason.UNEXPECTED)


def test_a_receiver_with_an_older_key_generation_is_told_apart_from_a_wrong_key() -> None:
    """`agent check` shows a person which of the two it is."""
    both = Receiver(ENGINE_ID, {NAME: user()}.get)
    for asking, reason in (
        (UsmClient("13.02.10#3", Auth.SHA256_192, KU, KU, ENGINE_ID), Reason.UNKNOWN_USER),
        (UsmClient(NAME, Auth.SHA256_192, bytes(32), KU, ENGINE_ID), Reason.WRONG_DIGEST),
    ):
        refused = both.receive(asking.send(inform(), 0.0), ENGINE_TIME, 0.0)
        assert isinstance(refused, Refused)
        assert refused.reply is not None
        assert asking.receive(refused.reply, 0.0) == Ignored(reason)


def test_the_answer_tells_which_of_several_transmissions_it_answers() -> None:
    asking = known()
    first = asking.send(inform(1), 10.0)
    asking.resend(1, 11.0)
    heard = asking.receive(answer(first), 12.0)
    assert isinstance(heard, Answered)
    assert heard.sent_at == 10.0


def test_of_many_that_went_out_before_the_clock_was_known_one_is_sent_again() -> None:
    """Each Report that a retry draws would else draw a datagram: with ten thousand, a flood."""
    asking = client()
    early = [asking.send(inform(), 0.0), *(asking.resend(inform().request_id, 1.0) for _ in "ab")]
    told = [
        answer(one, report(Stat.NOT_IN_TIME_WINDOWS), level=Level.AUTH_NO_PRIV) for one in early
    ]
    again = sent(asking.receive(told[1], 2.0))
    assert message.decode(again).security.stamp == ENGINE_TIME
    assert asking.receive(told[0], 2.0) == Ignored(Reason.UNEXPECTED)
    assert asking.receive(told[2], 2.0) == Ignored(Reason.UNEXPECTED)
    # The collector was started anew: what is stamped by its old clock is to go out by its new one.
    anew = EngineTime(ENGINE_TIME.boots + 1, 3)
    restarted = answer(
        again, report(Stat.NOT_IN_TIME_WINDOWS), level=Level.AUTH_NO_PRIV, stamp=anew
    )
    assert message.decode(sent(asking.receive(restarted, 9.0))).security.stamp == anew


def test_an_answer_that_an_earlier_start_of_ours_was_given_answers_no_later_one() -> None:
    """Message IDs begin low, and may begin at the same: what was recorded then proves nothing."""
    credentials = (NAME, Auth.SHA256_192, KU, KU, ENGINE_ID)
    recorded = answer(UsmClient(*credentials, seed=7).send(GET, 0.0))
    later = UsmClient(*credentials, seed=7)
    first = later.send(GET, 0.0)
    assert message.decode(first).msg_id == message.decode(recorded).msg_id
    assert later.receive(recorded, 0.1) == Ignored(Reason.STALE)
    # The engine's own refusal goes on from there, and its answer counts.
    told = later.receive(answer(first, report(Stat.NOT_IN_TIME_WINDOWS)), 0.2)
    assert isinstance(told, Transmit)
    assert isinstance(later.receive(answer(told.datagram), 0.3), Answered)
