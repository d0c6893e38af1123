"""pysnmp on loopback as an agent, a notification receiver and a sender, with typed wrappers.

The one module of tests that imports it: it is half typed, hence `Any`.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config
from pysnmp.entity.rfc3413 import cmdrsp, context, ntfrcv
from pysnmp.hlapi.v3arch import asyncio as _hlapi

from tabuah.snmp.pdu import PduType
from tabuah.snmp.usm import Auth, Level
from tests.support.snmpd import free_port

hlapi: Any = _hlapi

COMMUNITY = "public"
USER = "office"
PASSWORD = "a long password"

_AUTH = {
    Auth.SHA1_96: config.USM_AUTH_HMAC96_SHA,
    Auth.SHA256_192: config.USM_AUTH_HMAC192_SHA256,
}

_WORDS = {
    Level.NO_AUTH_NO_PRIV: "noAuthNoPriv",
    Level.AUTH_NO_PRIV: "authNoPriv",
    Level.AUTH_PRIV: "authPriv",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A pysnmp engine that answers on a port of loopback."""

    port: int
    notified: list[dict[str, str]]
    """What each notification said: its variables' names and values, as text."""


@contextmanager
def _engine(engine_id: bytes | None = None) -> Iterator[Any]:
    # It keeps its boots under the common temporary folder, and leaves that file open when it
    # finds one: each engine gets a folder of its own.
    with tempfile.TemporaryDirectory() as folder, patch.object(tempfile, "tempdir", folder):
        engine = hlapi.SnmpEngine(None if engine_id is None else hlapi.OctetString(engine_id))
        try:
            yield engine
        finally:
            engine.close_dispatcher()


@asynccontextmanager
async def peer(
    auth: Auth | None, engine_id: bytes, level: Level = Level.AUTH_PRIV, trapping: bytes = b""
) -> AsyncIterator[Peer]:
    """Run pysnmp with community `public` and user `office`, as agent and notification receiver.

    Args:
        auth: the user's authentication; None only at NO_AUTH_NO_PRIV.
        engine_id: its own.
        level: at which the user may ask.
        trapping: the engine ID of a sender of traps whose user is the same.
    """
    with _engine(engine_id) as engine:
        running = Peer(free_port(), [])
        transport: Any = udp.UdpAsyncioTransport()
        transport.open_server_mode(("127.0.0.1", running.port))
        await transport._lport  # bound
        config.add_transport(engine, udp.DOMAIN_NAME, transport)
        config.add_v1_system(engine, "everyone", COMMUNITY)
        keys: list[Any] = []
        if auth is not None:
            keys += [_AUTH[auth], PASSWORD]
        if level is Level.AUTH_PRIV:
            keys += [config.USM_PRIV_CFB128_AES, PASSWORD]
        add_user: Any = config.add_v3_user
        add_user(engine, USER, *keys)
        if trapping:
            sender = hlapi.OctetString(hexValue=trapping.hex())
            add_user(engine, USER, *keys, securityEngineId=sender)
        everything = (1, 3, 6)
        for model, name, word in ((2, "everyone", "noAuthNoPriv"), (3, USER, _WORDS[level])):
            config.add_vacm_user(engine, model, name, word, everything, everything, everything)
        served = context.SnmpContext(engine)
        cmdrsp.GetCommandResponder(engine, served)
        cmdrsp.NextCommandResponder(engine, served)
        cmdrsp.BulkCommandResponder(engine, served)

        def notified(*arguments: Any) -> None:
            varbinds = arguments[4]
            running.notified.append({str(oid): value.prettyPrint() for oid, value in varbinds})

        ntfrcv.NotificationReceiver(engine, notified)
        yield running


async def send_inform(port: int, auth: Auth | None) -> str:
    """Send an inform that says `kubung` to loopback; return pysnmp's error, empty when answered.

    `auth` None sends it over SNMPv2c.
    """
    return await send(PduType.INFORM, port, auth, None if auth is None else Level.AUTH_PRIV)


async def send(
    kind: PduType, port: int, auth: Auth | None, level: Level | None, engine_id: bytes | None = None
) -> str:
    """Ask, inform or trap a port of loopback; return pysnmp's error, empty when all went well.

    Args:
        kind: GET, GETNEXT and GETBULK ask for sysName.0, INFORM and TRAP say that it is `kubung`.
        port: of loopback.
        auth: None at NO_AUTH_NO_PRIV and over SNMPv2c.
        level: None sends over SNMPv2c.
        engine_id: pysnmp's own, which signs a TRAP.
    """
    keys: list[Any] = []
    if auth is not None:
        keys = [PASSWORD, *([PASSWORD] if level is Level.AUTH_PRIV else [])]
    credentials = hlapi.CommunityData(COMMUNITY)
    if level is not None:
        protocols = {} if auth is None else {"authProtocol": _AUTH[auth]}
        if level is Level.AUTH_PRIV:
            protocols["privProtocol"] = config.USM_PRIV_CFB128_AES
        credentials = hlapi.UsmUserData(USER, *keys, **protocols)
    name = hlapi.ObjectType(hlapi.ObjectIdentity("1.3.6.1.2.1.1.5.0"))
    with _engine(engine_id) as engine:
        target = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=2, retries=0)
        context_data = hlapi.ContextData()
        match kind:
            case PduType.INFORM | PduType.TRAP:
                said = hlapi.NotificationType(hlapi.ObjectIdentity("1.3.6.1.6.3.1.1.5.1"))
                said.add_varbinds(("1.3.6.1.2.1.1.5.0", hlapi.OctetString("kubung")))
                word = "inform" if kind is PduType.INFORM else "trap"
                answer = await hlapi.send_notification(
                    engine, credentials, target, context_data, word, said
                )
            case PduType.GET:
                answer = await hlapi.get_cmd(engine, credentials, target, context_data, name)
            case PduType.GETNEXT:
                answer = await hlapi.next_cmd(engine, credentials, target, context_data, name)
            case _:
                answer = await hlapi.bulk_cmd(engine, credentials, target, context_data, 0, 5, name)
        error, status = answer[0], answer[1]
        return str(error or status or "")
