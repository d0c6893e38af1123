"""The dns probe against responders made with dnspython, which encodes what we decode."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Probe
from agent.probes import Memory
from agent.probes.dns import dns as probe_dns
from agent.probes.dns_message import AAAA, A, decode_reply, encode_query
from tabuah.errors import DecodeError
from tabuah.measurement import Kind, Measurement, Role, Stage, Status

Answer = Callable[[dns.message.Message], list[bytes]]
NAME = "siak.example"


class Responder(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        for answer in self._answer(dns.message.from_wire(data)):
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def resolver(answer: Answer) -> AsyncIterator[Probe]:
    loop = asyncio.get_running_loop()
    transport, responder = await loop.create_datagram_endpoint(
        lambda: Responder(answer), local_addr=("127.0.0.1", 0)
    )
    responder.transport = transport
    port = transport.get_extra_info("sockname")[1]
    yield Probe("r", Kind.DNS, Role.PUBLIC, NAME, server=f"127.0.0.1:{port}", timeout_s=0.4)
    transport.close()
    await asyncio.sleep(0)


async def asked(answer: Answer, **changes: str) -> Measurement:
    async with resolver(answer) as probe:
        return await probe_dns(replace(probe, **changes), Memory())  # type: ignore[arg-type]


def reply(query: dns.message.Message, *records: str, rcode: int = 0, flags: int = 0) -> bytes:
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.Rcode(rcode))
    answer.flags |= flags
    kind = query.question[0].rdtype
    if records:
        answer.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", kind, *records))
    return answer.to_wire()


async def test_a_name_that_resolves_is_good() -> None:
    seen = await asked(lambda query: [reply(query, "192.0.2.7")])
    assert (seen.status, seen.stage, seen.code) == (Status.RESPONSE_RECEIVED, Stage.ANSWER, 0)
    assert (seen.sent, seen.received) == (1, 1)
    assert seen.rtt is not None


async def test_a_name_with_only_an_ipv6_address_is_good() -> None:
    def answer(query: dns.message.Message) -> list[bytes]:
        v6 = query.question[0].rdtype == dns.rdatatype.AAAA
        return [reply(query, "2001:db8::7") if v6 else reply(query)]

    assert (await asked(answer)).status is Status.RESPONSE_RECEIVED


async def test_a_name_without_any_address_is_not() -> None:
    seen = await asked(lambda query: [reply(query)])
    assert (seen.status, seen.stage) == (Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.EXPECT)


@pytest.mark.parametrize("rcode", [2, 3, 5])
async def test_a_refusal_keeps_its_rcode_and_its_time(rcode: int) -> None:
    seen = await asked(lambda query: [reply(query, rcode=rcode)])
    assert (seen.status, seen.stage, seen.code) == (
        Status.UNABLE_TO_RESOLVE_DNS_NAME,
        Stage.EXPECT,
        rcode,
    )
    assert seen.received == 1
    assert seen.rtt is not None


async def test_a_truncated_answer_is_an_answer() -> None:
    seen = await asked(lambda query: [reply(query, flags=dns.flags.TC)])
    assert seen.status is Status.RESPONSE_RECEIVED


async def test_silence_times_out() -> None:
    seen = await asked(lambda query: [])
    assert (seen.status, seen.received, seen.code) == (Status.REQUEST_TIMED_OUT, 0, None)


async def test_answers_to_other_questions_are_passed_over() -> None:
    def answer(query: dns.message.Message) -> list[bytes]:
        right = reply(query, "192.0.2.7")
        other_id = bytes([right[0] ^ 1]) + right[1:]
        other_name = reply(dns.message.make_query("evil.example", "A", id=query.id), rcode=3)
        return [b"", b"garbage", other_id, other_name, query.to_wire(), right]

    assert (await asked(answer)).status is Status.RESPONSE_RECEIVED


async def test_where_no_resolver_listens_the_refusal_is_told() -> None:
    async with resolver(lambda query: []) as probe:
        pass
    seen = await probe_dns(probe, Memory())
    assert (seen.status, seen.stage) == (Status.UNKNOWN, Stage.CONNECT)


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", ".".join(["a" * 60] * 5)])
async def test_what_is_no_name_is_not_asked(name: str) -> None:
    seen = await asked(lambda query: [reply(query, "192.0.2.7")], target=name)
    assert seen.status is Status.INVALID_HOST_ADDRESS


labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)


@given(
    st.integers(0, 0xFFFF),
    st.lists(labels, min_size=1, max_size=5).map(".".join),
    st.sampled_from([A, AAAA]),
)
def test_dnspython_reads_our_queries_as_we_meant_them(ident: int, name: str, kind: int) -> None:
    query = dns.message.from_wire(encode_query(ident, name, kind))
    assert query.id == ident
    assert query.flags == dns.flags.RD
    assert query.question[0].name.to_text(omit_final_dot=True) == name
    assert query.question[0].rdtype == kind


@given(st.binary(max_size=100))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_reply(data, encode_query(1, NAME, A))
