"""`tabuah agent check` against a real collector: what a person at the office reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent import config as configuration
from agent.advice import Trouble
from agent.try_path import try_path
from tabuah.snmp import message
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import Auth, EngineTime, Level, Stat, UsmUser
from tests.support.programs import SITE, Centre, centre, free_port, seconds_until


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre(tmp_path_factory.mktemp("check")) as made:
        made.start_collector()
        yield made


@pytest.fixture(scope="module")
def enrolled(lone: Centre) -> Path:
    return lone.enrol()


@pytest.fixture
def collector(enrolled: Path) -> configuration.Collector:
    return configuration.load(enrolled).collectors[0]


class _Answerer(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._answer(data), addr)


@contextlib.asynccontextmanager
async def _answering(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """Give a port of loopback that answers everything so."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answerer(answer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


async def trouble(collector: configuration.Collector) -> Trouble | None:
    return (await try_path(SITE, collector, 1.5)).trouble


async def test_a_good_way_is_answered_at_once_and_nothing_is_stored(
    lone: Centre, collector: configuration.Collector
) -> None:
    before = lone.counted("accepted")
    tried = await try_path(SITE, collector)
    assert tried.trouble is None
    assert tried.rtt_s is not None
    assert 0 < tried.rtt_s < 1
    assert lone.said() == []
    assert lone.counted("accepted") == before
    assert lone.state() == "unknown", "a person's question is no report"


async def test_a_wrong_key_is_told(collector: configuration.Collector) -> None:
    assert await trouble(replace(collector, ku=bytes(32))) is Trouble.WRONG_KEY


async def test_an_unknown_user_is_told(collector: configuration.Collector) -> None:
    assert await trouble(replace(collector, user="13.02.99#1")) is Trouble.UNKNOWN_USER


async def test_another_collector_at_the_address_is_told(
    collector: configuration.Collector,
) -> None:
    strange = bytes(reversed(collector.engine_id))
    assert await trouble(replace(collector, engine_id=strange)) is Trouble.OTHER_ENGINE


async def test_a_port_where_nobody_listens_is_told(collector: configuration.Collector) -> None:
    dead = replace(collector, port=free_port(socket.SOCK_DGRAM))
    assert await trouble(dead) is Trouble.REFUSED


async def test_a_firewall_that_swallows_all_is_told(collector: configuration.Collector) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        swallowed = replace(collector, port=hole.getsockname()[1])
        assert await trouble(swallowed) is Trouble.NO_ANSWER


async def test_a_name_that_is_not_found_is_told(collector: configuration.Collector) -> None:
    assert await trouble(replace(collector, host="tabuah.invalid")) is Trouble.NAME_NOT_FOUND


async def test_rubbish_is_told(collector: configuration.Collector) -> None:
    async with _answering(lambda _: b"HTTP/1.1 400 Bad Request\r\n") as port:
        assert await trouble(replace(collector, port=port)) is Trouble.NOT_UNDERSTOOD


async def test_a_time_window_that_never_fits_is_told(collector: configuration.Collector) -> None:
    """An engine that boots anew before each answer: no stamp of ours is ever in its window."""
    keys = (Auth.SHA256_192, collector.ku, collector.ku, collector.engine_id)
    user = UsmUser.from_ku(collector.user, *keys)
    boots = iter(range(1, 1000))

    def refuse(asked: bytes) -> bytes:
        received = message.decode(asked)
        varbind = VarBind(Stat.NOT_IN_TIME_WINDOWS.value, Tag.COUNTER32, 1)
        report = Pdu(PduType.REPORT, 0, varbinds=(varbind,))
        return message.encode(
            message.encode_scoped(ScopedPdu(collector.engine_id, b"", report)),
            msg_id=received.msg_id,
            user=user,
            level=Level.AUTH_NO_PRIV,
            engine_id=collector.engine_id,
            stamp=EngineTime(next(boots), 0),
            salt=b"",
            reportable=False,
        )

    async with _answering(refuse) as port:
        assert await trouble(replace(collector, port=port)) is Trouble.TIME_WINDOW


def test_the_command_says_it_in_words_and_exits_with_1(lone: Centre, enrolled: Path) -> None:
    good = lone.tabuah("agent", "check", "--config", str(enrolled))
    assert good.returncode == 0, good.stdout
    assert f"collector: 127.0.0.1:{lone.reports} good, " in good.stdout
    copy = lone.folder / "bad.toml"
    text = enrolled.read_text().replace(f'"{SITE}#1"', f'"{SITE}#7"')
    copy.write_text(text.replace('language = "en"', 'language = "id"'))
    copy.chmod(0o600)
    bad = lone.tabuah("agent", "check", "--config", str(copy))
    assert bad.returncode == 1
    assert (
        f"kolektor: 127.0.0.1:{lone.reports} tidak mengenal '{SITE}#7': kantor ini belum "
        "didaftarkan di sana, atau kuncinya sudah dicabut atau diganti; mintalah berkas baru dari "
        f"pusat (`tabuah enrol {SITE}`).\n"
    ) in bad.stdout


def test_the_command_says_it_to_programs_too(lone: Centre, enrolled: Path) -> None:
    copy = lone.folder / "two.toml"
    text = enrolled.read_text()
    entry = text[text.index("[[collectors]]") : text.index("[[circuits]]")]
    dead = entry.replace(f":{lone.reports}", f":{free_port(socket.SOCK_DGRAM)}")
    copy.write_text(text.replace(entry, entry + dead))
    copy.chmod(0o600)
    done = lone.tabuah("agent", "check", "-o", "json", "--config", str(copy))
    assert done.returncode == 1
    said = json.loads(done.stdout)
    first, second = said["collectors"]
    assert (first["address"], first["user"]) == (f"127.0.0.1:{lone.reports}", f"{SITE}#1")
    assert (first["good"], first["trouble"], first["advice"]) == (True, None, None)
    assert 0 < first["rtt_ms"] < 1000
    assert (second["good"], second["rtt_ms"], second["trouble"]) == (False, None, "refused")
    assert second["advice"].startswith("there is no collector at ")
    assert said["clock"]["state"] in ("synchronised", "unsynchronised", "unknown")
    assert (said["clock"]["trouble"] is None) == (said["clock"]["advice"] is None)


def test_trying_a_new_key_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    with centre(tmp_path) as lone:
        lone.start_collector()
        old = lone.enrol()
        kept = old.read_text()
        lone.start_agent(old)
        seconds_until(lambda: lone.state() == "up", 10)
        new = lone.enrol("--rotate")
        assert new.read_text() != kept
        assert lone.tabuah("agent", "check", "--config", str(new)).returncode == 0
        time.sleep(1.5)
        count = len(lone.said())
        seconds_until(lambda: len(lone.said()) >= count + 2, 10)
        assert "older ones are void" not in lone.log("collector")
