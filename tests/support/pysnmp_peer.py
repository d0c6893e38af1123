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

from tabuah.snmp.usm import Auth
from tests.support.snmpd import free_port

hlapi: Any = _hlapi

COMMUNITY = "public"
USER = "office"
PASSWORD = "a long password"

_AUTH = {
    Auth.SHA1_96: config.USM_AUTH_HMAC96_SHA,
    Auth.SHA256_192: config.USM_AUTH_HMAC192_SHA256,
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
async def peer(auth: Auth, engine_id: bytes) -> AsyncIterator[Peer]:
    """Run pysnmp with community `public` and user `office`, as agent and notification receiver."""
    with _engine(engine_id) as engine:
        running = Peer(free_port(), [])
        transport: Any = udp.UdpAsyncioTransport()
        transport.open_server_mode(("127.0.0.1", running.port))
        await transport._lport  # bound
        config.add_transport(engine, udp.DOMAIN_NAME, transport)
        config.add_v1_system(engine, "everyone", COMMUNITY)
        config.add_v3_user(
            engine, USER, _AUTH[auth], PASSWORD, config.USM_PRIV_CFB128_AES, PASSWORD
        )
        everything = (1, 3, 6)
        for model, name, level in ((2, "everyone", "noAuthNoPriv"), (3, USER, "authPriv")):
            config.add_vacm_user(engine, model, name, level, everything, everything, everything)
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
    if auth is None:
        credentials = hlapi.CommunityData(COMMUNITY)
    else:
        credentials = hlapi.UsmUserData(
            *(USER, PASSWORD, PASSWORD, _AUTH[auth], config.USM_PRIV_CFB128_AES)
        )
    with _engine() as engine:
        target = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=2, retries=0)
        notification = hlapi.NotificationType(hlapi.ObjectIdentity("1.3.6.1.6.3.1.1.5.1"))
        notification.add_varbinds(("1.3.6.1.2.1.1.5.0", hlapi.OctetString("kubung")))
        error, status, _, _ = await hlapi.send_notification(
            engine, credentials, target, hlapi.ContextData(), "inform", notification
        )
        return str(error or status or "")
