"""Our codec against net-snmp, in both directions."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tabuah.snmp.client import CommunityClient, Reason, UsmClient, community_trap, usm_trap
from tabuah.snmp.pdu import Pdu, PduType, Tag
from tabuah.snmp.receiver import Reason as Refusal
from tabuah.snmp.receiver import Receiver
from tabuah.snmp.usm import Auth, EngineTime, UsmUser, password_to_key
from tests.support import snmpd as office
from tests.support.netsnmp import COMMUNITY, snmpinform, snmptrapd
from tests.support.snmp_ends import (
    ENGINE_ID,
    KU,
    NAME,
    VARBINDS,
    ask,
    client,
    inform,
    listening,
    receiver,
    user,
)
from tests.support.snmpd import free_port, snmpd

pytestmark = pytest.mark.peer

SYS_OBJECT_ID = (1, 3, 6, 1, 2, 1, 1, 2, 0)
SYSTEM = (1, 3, 6, 1, 2, 1, 1)
NOWHERE = (1, 3, 6, 1, 2, 1, 1, 99, 0)
WORDS = {Auth.SHA1_96: "SHA", Auth.SHA256_192: "SHA-256"}
PASSWORD = "a long password"
BOTH = pytest.mark.parametrize("auth", list(Auth), ids=lambda auth: auth.name)


def asking_snmpd(auth: Auth, auth_password: str = office.AUTH_PASSWORD) -> UsmClient:
    return UsmClient(
        office.USER,
        auth,
        password_to_key(auth_password.encode(), auth),
        password_to_key(office.PRIV_PASSWORD.encode(), auth),
        None,
    )


def test_snmpd_answers_get_getnext_and_getbulk_over_v2c(tmp_path: Path) -> None:
    port = free_port()
    with snmpd(tmp_path, port):
        asking = CommunityClient("public")
        got = ask(asking, Pdu.asking(PduType.GET, 1, SYS_OBJECT_ID, NOWHERE), port)
        following = ask(asking, Pdu.asking(PduType.GETNEXT, 2, SYSTEM), port)
        bulk = ask(asking, Pdu.bulk(3, SYSTEM, max_repetitions=10), port)
    assert [varbind.tag for varbind in got.varbinds] == [Tag.OID, Tag.NO_SUCH_OBJECT]
    assert following.varbinds[0].tag is Tag.OCTET_STRING
    assert len(bulk.varbinds) == 10
    assert [varbind.oid for varbind in bulk.varbinds] == sorted(v.oid for v in bulk.varbinds)


@BOTH
def test_snmpd_answers_over_v3_and_a_second_request_needs_no_introduction(
    tmp_path: Path, auth: Auth
) -> None:
    port = free_port()
    with snmpd(tmp_path, port, auth=WORDS[auth]):
        asking = asking_snmpd(auth)
        got = ask(asking, Pdu.asking(PduType.GET, 1, SYS_OBJECT_ID), port)
        bulk = ask(asking, Pdu.bulk(2, SYSTEM, max_repetitions=20), port)
        pinned = UsmClient(*asking._credentials, asking.engine_id)
        again = ask(pinned, Pdu.asking(PduType.GET, 3, SYS_OBJECT_ID), port)
    assert got.varbinds[0].tag is Tag.OID
    assert len(bulk.varbinds) == 20
    assert again.varbinds == got.varbinds


@pytest.mark.parametrize(
    ("asking", "reason"),
    [
        (asking_snmpd(Auth.SHA256_192, "another password"), Reason.WRONG_DIGEST),
        (UsmClient("stranger", Auth.SHA256_192, KU, KU, None), Reason.UNKNOWN_USER),
        (UsmClient(office.USER, Auth.SHA256_192, KU, KU, ENGINE_ID), Reason.UNKNOWN_ENGINE),
    ],
    ids=["password", "name", "engine"],
)
def test_snmpd_says_what_is_wrong_with_a_request(
    tmp_path: Path, asking: UsmClient, reason: Reason
) -> None:
    port = free_port()
    with (
        snmpd(tmp_path, port),
        pytest.raises(AssertionError, match=f"no answer; ignored: .*{reason.name}"),
    ):
        ask(asking, Pdu.asking(PduType.GET, 1, SYS_OBJECT_ID), port, seconds=0.3)


@pytest.mark.parametrize("echo", [False, True], ids=["empty", "echo"])
def test_snmpinform_with_our_master_key_is_heard_and_satisfied(tmp_path: Path, echo: bool) -> None:
    with listening(receiver(), echo=echo) as heard:
        sent = snmpinform(
            tmp_path,
            heard.port,
            *("-v3", "-l", "authPriv", "-u", NAME, "-a", "SHA-256", "-x", "AES"),
            *("-3m", f"0x{KU.hex()}", "-3M", f"0x{KU.hex()}"),
        )
    assert (sent.returncode, sent.stderr) == (0, "")
    [one] = heard.informs
    assert one.pdu.varbinds == VARBINDS


@BOTH
def test_snmpinform_with_a_password_is_heard(tmp_path: Path, auth: Auth) -> None:
    ku = password_to_key(PASSWORD.encode(), auth)
    taking = receiver(UsmUser.from_ku(NAME, auth, ku, ku, ENGINE_ID))
    with listening(taking, echo=False) as heard:
        sent = snmpinform(
            tmp_path,
            heard.port,
            *("-v3", "-l", "authPriv", "-u", NAME, "-a", WORDS[auth], "-x", "AES"),
            *("-A", PASSWORD, "-X", PASSWORD),
        )
    assert (sent.returncode, sent.stderr) == (0, "")
    assert [one.pdu.varbinds for one in heard.informs] == [VARBINDS]
    # Its probe for our engine ID also told it our clock.
    assert heard.refused[0].reason is Refusal.UNKNOWN_ENGINE
    assert len(heard.refused) == 1


def test_snmpinform_is_content_with_a_lean_answer_to_its_probe(tmp_path: Path) -> None:
    """A long engine ID leaves no room for our clock; it then comes in a second Report."""
    engine_id = bytes.fromhex("80007ed904") + b"nineteen octets long"
    office_user = user(engine_id=engine_id)
    taking = Receiver(engine_id, {office_user.name: office_user}.get)
    with listening(taking, echo=False) as heard:
        sent = snmpinform(
            tmp_path,
            heard.port,
            *("-v3", "-l", "authPriv", "-u", NAME, "-a", "SHA-256", "-x", "AES"),
            *("-3m", f"0x{KU.hex()}", "-3M", f"0x{KU.hex()}"),
        )
    assert (sent.returncode, sent.stderr, len(heard.informs)) == (0, "", 1)
    reasons = [refused.reason for refused in heard.refused]
    assert reasons == [Refusal.UNKNOWN_ENGINE, Refusal.NOT_IN_WINDOW]


def test_snmpinform_is_told_of_its_wrong_password(tmp_path: Path) -> None:
    with listening(receiver(), echo=False) as heard:
        sent = snmpinform(
            tmp_path,
            heard.port,
            *("-v3", "-l", "authPriv", "-u", NAME, "-a", "SHA-256", "-x", "AES"),
            *("-A", PASSWORD, "-X", PASSWORD),
        )
    assert sent.returncode != 0
    assert "Authentication failure" in sent.stderr
    assert heard.informs == []
    assert heard.refused[-1].reason is Refusal.WRONG_DIGEST


def test_snmpinform_without_privacy_or_over_v2c_is_not_heard(tmp_path: Path) -> None:
    keys = ("-3m", f"0x{KU.hex()}")
    with listening(receiver(), echo=False) as heard:
        snmpinform(
            *(tmp_path, heard.port, "-v3", "-l", "authNoPriv", "-u", NAME, "-a", "SHA-256"), *keys
        )
        snmpinform(tmp_path, heard.port, "-v2c", "-c", COMMUNITY)
    assert heard.informs == []
    reasons = {refused.reason for refused in heard.refused}
    assert reasons >= {Refusal.UNSUPPORTED_LEVEL, Refusal.WRONG_VERSION}


@BOTH
def test_snmptrapd_acknowledges_and_logs_our_inform(tmp_path: Path, auth: Auth) -> None:
    port = free_port()
    key = KU[: 20 if auth is Auth.SHA1_96 else 32].hex()
    created = f"{NAME} {WORDS[auth]} -m 0x{key} AES -m 0x{key}"
    ku = bytes.fromhex(key)
    with snmptrapd(tmp_path, port, ENGINE_ID, created) as trapd:
        pinned = UsmClient(NAME, auth, ku, ku, ENGINE_ID)
        answer = ask(pinned, inform(7), port)
        trapd.await_text('"kubung"')
        discovering = UsmClient(NAME, auth, ku, ku, None)
        ask(discovering, inform(8), port)
    assert (answer.type, answer.request_id, answer.error_status) == (PduType.RESPONSE, 7, 0)
    assert discovering.engine_id == ENGINE_ID


def test_snmptrapd_acknowledges_our_inform_over_v2c(tmp_path: Path) -> None:
    port = free_port()
    with snmptrapd(tmp_path, port, ENGINE_ID) as trapd:
        answer = ask(CommunityClient(COMMUNITY), inform(7), port)
        trapd.await_text('"kubung"')
    assert answer.request_id == 7


def test_snmptrapd_logs_our_traps(tmp_path: Path) -> None:
    port = free_port()
    sender = bytes.fromhex("80007ed904") + b"office"
    created = f"-e 0x{sender.hex()} {NAME} SHA-256 -m 0x{KU.hex()} AES -m 0x{KU.hex()}"
    trap = Pdu(PduType.TRAP, 5, varbinds=VARBINDS)
    secret = usm_trap(
        user(engine_id=sender), sender, EngineTime(1, 10), trap, msg_id=1, salt=bytes(8)
    )
    with (
        snmptrapd(tmp_path, port, ENGINE_ID, created) as trapd,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.sendto(secret, ("127.0.0.1", port))
        trapd.await_text('"kubung"')
        sock.sendto(community_trap(COMMUNITY, trap), ("127.0.0.1", port))
        trapd.await_text('"kubung"', times=2)


def test_snmptrapd_does_not_know_a_wrong_key(tmp_path: Path) -> None:
    port = free_port()
    created = f"{NAME} SHA-256 -m 0x{bytes(32).hex()} AES -m 0x{bytes(32).hex()}"
    with (
        snmptrapd(tmp_path, port, ENGINE_ID, created),
        pytest.raises(AssertionError, match="WRONG_DIGEST"),
    ):
        ask(client(), inform(7), port, seconds=0.3)
