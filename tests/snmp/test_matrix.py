"""Every PDU type at every security level with either hash, both ways, with both peers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tabuah.snmp.client import (
    Client,
    CommunityClient,
    UsmClient,
    community_trap,
    usm_trap,
)
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import Auth, EngineTime, Level, password_to_key
from tests.support import pysnmp_peer
from tests.support.netsnmp import COMMUNITY, NOTIFICATION, snmptrapd, tool
from tests.support.pysnmp_peer import PASSWORD, USER, peer
from tests.support.responder import ANSWER, Credentials, responding
from tests.support.snmp_ends import ENGINE_ID, SYS_NAME, VARBINDS, ask
from tests.support.snmpd import free_port, snmpd

SYSTEM = (1, 3, 6, 1, 2, 1, 1)
SYS_DESCR = (*SYSTEM, 1, 0)
SENDER = bytes.fromhex("80007ed904") + b"office"
WORDS = {Auth.SHA1_96: "SHA", Auth.SHA256_192: "SHA-256"}


@dataclass(frozen=True, slots=True)
class Security:
    """How a message is protected; level None is SNMPv2c."""

    level: Level | None
    auth: Auth | None = None

    @property
    def credentials(self) -> Credentials:
        if self.auth is None:
            return Credentials(USER)
        ku = password_to_key(PASSWORD.encode(), self.auth)
        return Credentials(USER, self.auth, ku, ku if self.level is Level.AUTH_PRIV else b"")

    def client(self) -> Client:
        if self.level is None:
            return CommunityClient(COMMUNITY)
        known = self.credentials
        return UsmClient(known.name, known.auth, known.auth_ku, known.priv_ku, None)

    def trap(self, pdu: Pdu) -> bytes:
        if self.level is None:
            return community_trap(COMMUNITY, pdu)
        user = self.credentials.at(SENDER)
        return usm_trap(user, SENDER, EngineTime(1, 10), pdu, msg_id=1, salt=bytes(8))

    def arguments(self) -> tuple[str, ...]:
        """Return the options of net-snmp's tools."""
        if self.level is None:
            return ("-v2c", "-c", COMMUNITY)
        if self.auth is None:
            return ("-v3", "-l", "noAuthNoPriv", "-u", USER)
        named = ("-v3", "-u", USER, "-a", WORDS[self.auth], "-A", PASSWORD)
        if self.level is Level.AUTH_NO_PRIV:
            return (*named, "-l", "authNoPriv")
        return (*named, "-l", "authPriv", "-x", "AES", "-X", PASSWORD)

    def __str__(self) -> str:
        if self.level is None:
            return "v2c"
        return f"{self.level.name}-{self.auth.name if self.auth else 'none'}"


SECURITIES = (
    Security(None),
    Security(Level.NO_AUTH_NO_PRIV),
    *(Security(level, auth) for level in (Level.AUTH_NO_PRIV, Level.AUTH_PRIV) for auth in Auth),
)
ASKING = {
    PduType.GET: Pdu.asking(PduType.GET, 7, SYS_DESCR),
    PduType.GETNEXT: Pdu.asking(PduType.GETNEXT, 7, SYSTEM),
    PduType.GETBULK: Pdu.bulk(7, SYSTEM, max_repetitions=3),
}
secured = pytest.mark.parametrize("security", SECURITIES, ids=str)
asking = pytest.mark.parametrize("kind", ASKING, ids=lambda kind: kind.name)
every = pytest.mark.parametrize(
    "kind", [*ASKING, PduType.INFORM, PduType.TRAP], ids=lambda kind: kind.name
)


def created(security: Security) -> str:
    """Return the arguments of net-snmp's createUser."""
    if security.auth is None:
        return USER
    named = f'{USER} {WORDS[security.auth]} "{PASSWORD}"'
    return f'{named} AES "{PASSWORD}"' if security.level is Level.AUTH_PRIV else named


def wait_until(true: Callable[[], bool], seconds: float = 3.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.02)


def sent(datagram: bytes, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(datagram, ("127.0.0.1", port))


# --- we ask, inform and trap; net-snmp answers ----------------------------------------------


@pytest.fixture
def router(tmp_path: Path, security: Security) -> Iterator[int]:
    port = free_port()
    with snmpd(tmp_path, port, extra=f"createUser {created(security)}\nrouser {USER} noauth\n"):
        yield port


@pytest.mark.peer
@secured
def test_snmpd_answers_all_that_we_ask(router: int, security: Security) -> None:
    client = security.client()
    for kind, pdu in ASKING.items():
        answer = ask(client, pdu, router)
        assert (answer.type, answer.request_id, answer.error_status) == (PduType.RESPONSE, 7, 0)
        assert len(answer.varbinds) == (3 if kind is PduType.GETBULK else 1)
        assert (answer.varbinds[0].oid, answer.varbinds[0].tag) == (SYS_DESCR, Tag.OCTET_STRING)


@pytest.mark.peer
@secured
def test_snmptrapd_takes_our_inform_and_our_trap(tmp_path: Path, security: Security) -> None:
    port = free_port()
    users = (created(security), f"-e 0x{SENDER.hex()} {created(security)}")
    with snmptrapd(tmp_path, port, ENGINE_ID, *users, level="noauth") as trapd:
        answer = ask(security.client(), Pdu(PduType.INFORM, 7, varbinds=VARBINDS), port)
        assert (answer.type, answer.request_id) == (PduType.RESPONSE, 7)
        trapd.await_text('"kubung"')
        sent(security.trap(Pdu(PduType.TRAP, 8, varbinds=VARBINDS)), port)
        trapd.await_text('"kubung"', times=2)


# --- net-snmp asks, informs and traps; we answer --------------------------------------------

TOOLS = {
    PduType.GET: ("snmpget", ("1.3.6.1.2.1.1.5.0",)),
    PduType.GETNEXT: ("snmpgetnext", ("1.3.6.1.2.1.1.5.0",)),
    PduType.GETBULK: ("snmpbulkget", ("1.3.6.1.2.1.1.5.0",)),
    PduType.INFORM: ("snmpinform", NOTIFICATION),
    PduType.TRAP: ("snmptrap", NOTIFICATION),
}


@pytest.mark.peer
@every
@secured
def test_net_snmps_tools_are_understood_and_understand_our_answer(
    tmp_path: Path, security: Security, kind: PduType
) -> None:
    program, rest = TOOLS[kind]
    # Of a trap the sender is authoritative: it has an engine ID of its own.
    own = ("-e", f"0x{SENDER.hex()}") if kind is PduType.TRAP and security.level is not None else ()
    with responding(security.credentials) as responder:
        done = tool(program, tmp_path, responder.port, (*security.arguments(), *own), rest)
        wait_until(lambda: bool(responder.taken))
    assert (done.returncode, done.stderr) == (0, "")
    assert responder.broken == []
    level, pdu = responder.taken[-1]
    assert (level, pdu.type) == (security.level, kind)
    if kind in ASKING:
        assert "arosuka" in done.stdout
        assert pdu.varbinds[0].oid == SYS_NAME.oid
    else:
        assert SYS_NAME in pdu.varbinds


# --- pysnmp, the same ways ------------------------------------------------------------------


@secured
async def test_pysnmp_answers_all_that_we_ask_and_takes_our_inform_and_our_trap(
    security: Security,
) -> None:
    level = Level.NO_AUTH_NO_PRIV if security.level is None else security.level
    async with peer(security.auth, ENGINE_ID, level, trapping=SENDER) as other:
        client = security.client()
        for kind, pdu in ASKING.items():
            answer = await asyncio.to_thread(ask, client, pdu, other.port)
            assert (answer.type, answer.request_id, answer.error_status) == (PduType.RESPONSE, 7, 0)
            assert len(answer.varbinds) == (3 if kind is PduType.GETBULK else 1)
            assert (answer.varbinds[0].oid, answer.varbinds[0].tag) == (
                SYS_DESCR,
                Tag.OCTET_STRING,
            )
        told = Pdu(PduType.INFORM, 8, varbinds=VARBINDS)
        answer = await asyncio.to_thread(ask, client, told, other.port)
        assert (answer.type, answer.request_id) == (PduType.RESPONSE, 8)
        sent(security.trap(Pdu(PduType.TRAP, 9, varbinds=VARBINDS)), other.port)
        await asyncio.to_thread(wait_until, lambda: len(other.notified) == 2)
    assert [said["1.3.6.1.2.1.1.5.0"] for said in other.notified] == ["kubung", "kubung"]


@every
@secured
async def test_pysnmp_is_understood_and_understands_our_answer(
    security: Security, kind: PduType
) -> None:
    with responding(security.credentials) as responder:
        error = await pysnmp_peer.send(
            kind, responder.port, security.auth, security.level, engine_id=SENDER
        )
        await asyncio.to_thread(wait_until, lambda: bool(responder.taken))
    assert error == ""
    assert responder.broken == []
    level, pdu = responder.taken[-1]
    assert (level, pdu.type) == (security.level, kind)
    if kind not in ASKING:
        assert VarBind(SYS_NAME.oid, Tag.OCTET_STRING, b"kubung") in pdu.varbinds
    assert ANSWER[0].value == b"arosuka"
