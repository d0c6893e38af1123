"""pysnmp as the two ends of an inform; see `bench.ends`."""

# mypy: disable-error-code="no-untyped-call, attr-defined"
from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import ntfrcv
from pysnmp.hlapi.v3arch.asyncio import (
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    UsmUserData,
    send_notification,
)
from pysnmp.proto import rfc1902

from bench import ends, informs
from tabuah.snmp.pdu import Tag, VarBind

_KINDS: dict[Tag, Any] = {
    Tag.TIMETICKS: rfc1902.TimeTicks,
    Tag.OID: rfc1902.ObjectIdentifier,
    Tag.OCTET_STRING: rfc1902.OctetString,
    Tag.GAUGE32: rfc1902.Gauge32,
    Tag.INTEGER: rfc1902.Integer32,
}


def receive(port: int) -> None:
    """Answer informs by pysnmp's NotificationReceiver, whose callback does nothing."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    snmp = engine.SnmpEngine(snmpEngineID=rfc1902.OctetString(informs.ENGINE_ID))
    transport = udp.UdpTransport().open_server_mode((ends.HOST, port))
    config.add_transport(snmp, udp.DOMAIN_NAME, transport)
    config.add_v3_user(
        snmp, informs.USER,
        config.USM_AUTH_HMAC192_SHA256, informs.KU, config.USM_PRIV_CFB128_AES, informs.KU,
        authKeyType=config.USM_KEY_TYPE_MASTER, privKeyType=config.USM_KEY_TYPE_MASTER,
    )  # fmt: skip
    ntfrcv.NotificationReceiver(snmp, lambda *_: None)
    snmp.transport_dispatcher.job_started(1)
    # pysnmp binds its socket in a task of the loop, and does not say when.
    loop.call_later(0.5, lambda: print("ready", flush=True))
    snmp.open_dispatcher()


async def send(port: int, times: int) -> float:
    """Return CPU seconds of so many informs, their varbinds made beforehand.

    Raises:
        TimeoutError: one was not answered well.
    """
    snmp = SnmpEngine()
    whom = UsmUserData(
        informs.USER, informs.KU, informs.KU,
        config.USM_AUTH_HMAC192_SHA256, config.USM_PRIV_CFB128_AES,
        authKeyType=config.USM_KEY_TYPE_MASTER, privKeyType=config.USM_KEY_TYPE_MASTER,
    )  # fmt: skip
    target = await UdpTransportTarget.create((ends.HOST, port), timeout=ends.PATIENCE_S, retries=0)
    binds: list[Any] = [_bind(bind) for bind in ends.sample().varbinds]
    began = 0.0
    for number in range(times + 1):
        if number == 1:  # the first one introduces us
            began = time.process_time()
        error, status, _, _ = await send_notification(
            snmp, whom, target, ContextData(), "inform", *binds
        )
        if error or status:
            raise TimeoutError(f"pysnmp: {error or status}")
    return time.process_time() - began


def _bind(bind: VarBind) -> ObjectType:
    return ObjectType(ObjectIdentity(bind.oid), _KINDS[bind.tag](bind.value))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["receive", _port]:
            receive(int(_port))
        case ["send", _port, _times]:
            print(asyncio.run(send(int(_port), int(_times))))
        case _:
            sys.exit("receive PORT, or send PORT TIMES")
