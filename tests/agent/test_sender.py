"""The agent's end of the report path, told lies by whoever sits on it."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.config import Collector, Config
from agent.courier import Courier
from agent.sender import Sender
from agent.spool import Spool
from tabuah.snmp import message
from tabuah.snmp.client import UsmClient
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import NOBODY, Auth, Level, Stat, UsmUser
from tests.support.reports import packed
from tests.support.snmp_ends import ENGINE_ID, ENGINE_TIME, KU, NAME


def lies(asked: bytes) -> list[bytes]:
    """Return what one who read the question, and has no key, may answer: each a different lie."""
    received = message.decode(asked)
    stranger = UsmUser.from_ku(NAME, Auth.SHA256_192, bytes(32), bytes(32), ENGINE_ID)
    told: list[tuple[Pdu, UsmUser, Level, bytes]] = [
        (Pdu(PduType.RESPONSE, 1), stranger, Level.AUTH_PRIV, ENGINE_ID),
        (Pdu(PduType.RESPONSE, 1), stranger, Level.AUTH_NO_PRIV, ENGINE_ID),
        (Pdu(PduType.RESPONSE, 1), NOBODY, Level.NO_AUTH_NO_PRIV, ENGINE_ID),
        (Pdu(PduType.RESPONSE, 1), stranger, Level.AUTH_PRIV, b"another engine"),
    ]
    for stat in Stat:
        report = Pdu(PduType.REPORT, 0, varbinds=(VarBind(stat.value, Tag.COUNTER32, 1),))
        told.append((report, NOBODY, Level.NO_AUTH_NO_PRIV, ENGINE_ID))
    made = [
        message.encode(
            message.encode_scoped(ScopedPdu(ENGINE_ID, b"", pdu)),
            msg_id=received.msg_id,
            user=user,
            level=level,
            engine_id=engine_id,
            stamp=ENGINE_TIME,
            salt=bytes(8),
            reportable=False,
        )
        for pdu, user, level, engine_id in told
    ]
    return [b"", b"rubbish", made[0][:-1], *made]


class _Liar(asyncio.DatagramProtocol):
    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self.transport: asyncio.DatagramTransport | None = None
        self.asked = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.asked += 1
        for lie in lies(data) * self._rounds:
            self.transport.sendto(lie, addr)


async def test_lies_are_not_believed_draw_nothing_and_are_logged_once_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    liar = _Liar(rounds=20)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: liar, local_addr=("127.0.0.1", 0)
    )
    courier = Courier()
    known = Collector("127.0.0.1", transport.get_extra_info("sockname")[1], ENGINE_ID, NAME, KU)
    config = Config("13.02.10", (known,))
    with (
        Spool(tmp_path / "spool.sqlite", config.site) as spool,
        ThreadPoolExecutor(1) as disk,
    ):
        sender = Sender(config, courier, spool, disk, lambda: None)
        running = asyncio.create_task(sender.run())
        sender.offer(packed(1))
        await asyncio.sleep(0.7)
        assert courier.live_pending, "no lie passes for an answer"
        assert liar.asked == 1, "no lie draws a datagram"
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    transport.close()
    warned = [record.message for record in caplog.records if "not an answer" in record.message]
    assert len(warned) == len(set(warned))
    assert {"malformed", "bad_digest", "below_level", "other_engine", "unknown_user"} <= {
        words.rpartition(" ")[2] for words in warned
    }


def test_lies_leave_the_clients_question_as_it_was() -> None:
    client = UsmClient(NAME, Auth.SHA256_192, KU, KU, ENGINE_ID)
    asked = client.send(Pdu(PduType.INFORM, 1), 0.0)
    before = (dict(client._sent), client._clock.at(0.0), client.engine_id)
    for lie in lies(asked):
        client.receive(lie, 0.0)
    assert (client._sent, client._clock.at(0.0), client.engine_id) == before
