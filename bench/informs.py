"""One office's side of the report path, from report to inform, as the agent goes it."""

from __future__ import annotations

from tabuah import block, notification
from tabuah.block import Packed
from tabuah.measurement import Measurement
from tabuah.snmp.client import UsmClient
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth, UsmUser

ENGINE_ID = bytes.fromhex("80007ed905") + b"bench-engine"
"""As long as a collector's own."""
SITE = "13.02.10"
USER = "13.02.10#1"
KU = bytes(range(32))


def user() -> UsmUser:
    """Return the office's user as the receiving engine knows it."""
    return UsmUser.from_ku(USER, Auth.SHA256_192, KU, KU, ENGINE_ID)


def client() -> UsmClient:
    """Return the office's client, which knows the engine by its configuration."""
    return UsmClient(USER, Auth.SHA256_192, KU, KU, ENGINE_ID)


def inform(
    site: str, packed: Packed, measurements: tuple[Measurement, ...], request_id: int
) -> Pdu:
    """Return the inform that carries one report."""
    facts = notification.key_facts(measurements)
    binds = notification.varbinds(site, packed.uptime_ms, facts, [packed], history=False)
    return Pdu(PduType.INFORM, request_id, varbinds=binds)


def check(site: str) -> Pdu:
    """Return the inform by which a person tries way and key."""
    return Pdu(PduType.INFORM, 1, varbinds=notification.check_varbinds(site, 0))


def read_back(site: str, pdu: Pdu) -> None:
    """Do what a collector does to know what an inform says."""
    for packed in notification.read_block(pdu.varbinds).reports:
        block.read(site, packed)
