"""Our codec against pysnmp, in both directions."""

from __future__ import annotations

import asyncio

import pytest

from tabuah.snmp.client import Client, CommunityClient, UsmClient
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.receiver import Reason
from tabuah.snmp.usm import Auth, UsmUser, password_to_key
from tests.support import pysnmp_peer
from tests.support.pysnmp_peer import PASSWORD, USER, peer, send_inform
from tests.support.snmp_ends import ENGINE_ID, SYS_NAME, ask, inform, listening, receiver

SYS_DESCR = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYSTEM = (1, 3, 6, 1, 2, 1, 1)
BOTH = pytest.mark.parametrize("auth", list(Auth), ids=lambda auth: auth.name)


def asking(auth: Auth, engine_id: bytes | None = None) -> UsmClient:
    ku = password_to_key(PASSWORD.encode(), auth)
    return UsmClient(USER, auth, ku, ku, engine_id)


async def ask_peer(client: Client, pdu: Pdu, port: int) -> Pdu:
    return await asyncio.to_thread(ask, client, pdu, port)


@BOTH
async def test_pysnmp_answers_our_requests_over_v3(auth: Auth) -> None:
    client = asking(auth)
    async with peer(auth, ENGINE_ID) as agent:
        got = await ask_peer(client, Pdu.asking(PduType.GET, 1, SYS_DESCR), agent.port)
        bulk = await ask_peer(client, Pdu.bulk(2, SYSTEM, max_repetitions=5), agent.port)
    assert client.engine_id == ENGINE_ID
    assert (got.varbinds[0].oid, got.varbinds[0].tag) == (SYS_DESCR, Tag.OCTET_STRING)
    assert len(bulk.varbinds) == 5


async def test_pysnmp_answers_our_requests_over_v2c() -> None:
    client = CommunityClient(pysnmp_peer.COMMUNITY)
    async with peer(Auth.SHA1_96, ENGINE_ID) as agent:
        got = await ask_peer(client, Pdu.asking(PduType.GET, 1, SYS_DESCR), agent.port)
        following = await ask_peer(client, Pdu.asking(PduType.GETNEXT, 2, SYSTEM), agent.port)
    assert got.varbinds == following.varbinds


@BOTH
async def test_pysnmp_acknowledges_our_informs_over_v3(auth: Auth) -> None:
    async with peer(auth, ENGINE_ID) as manager:
        for client in (asking(auth, ENGINE_ID), asking(auth)):
            answer = await ask_peer(client, inform(7), manager.port)
            assert (answer.type, answer.request_id) == (PduType.RESPONSE, 7)
    assert [said["1.3.6.1.2.1.1.5.0"] for said in manager.notified] == ["kubung", "kubung"]


async def test_pysnmp_acknowledges_our_inform_over_v2c() -> None:
    async with peer(Auth.SHA1_96, ENGINE_ID) as manager:
        client = CommunityClient(pysnmp_peer.COMMUNITY)
        answer = await ask_peer(client, inform(7), manager.port)
    assert answer.request_id == 7
    assert manager.notified[0]["1.3.6.1.2.1.1.5.0"] == "kubung"


@BOTH
@pytest.mark.parametrize("echo", [False, True], ids=["empty", "echo"])
async def test_an_inform_of_pysnmp_is_heard_and_satisfied(auth: Auth, echo: bool) -> None:
    ku = password_to_key(PASSWORD.encode(), auth)
    taking = receiver(UsmUser.from_ku(USER, auth, ku, ku, ENGINE_ID))
    with listening(taking, echo=echo) as heard:
        assert await send_inform(heard.port, auth) == ""
    [one] = heard.informs
    assert VarBind(SYS_NAME.oid, Tag.OCTET_STRING, b"kubung") in one.pdu.varbinds
    # Its probe is short, and the lean answer to it was enough.
    assert heard.refused[0].reason is Reason.UNKNOWN_ENGINE
    assert len(heard.refused[0].reply or b"") <= 96


async def test_an_inform_of_pysnmp_with_a_wrong_password_or_over_v2c_is_refused() -> None:
    with listening(receiver(UsmUser(USER, Auth.SHA256_192, bytes(32), bytes(16))), echo=False) as h:
        assert "digest" in await send_inform(h.port, Auth.SHA256_192)
        assert "No SNMP response" in await send_inform(h.port, None)
    assert h.informs == []
    assert [refused.reason for refused in h.refused][-2:] == [
        Reason.WRONG_DIGEST,
        Reason.WRONG_VERSION,
    ]
