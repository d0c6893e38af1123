"""The stage: what offices reach over their lines, each its own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.exception
import dns.message
import httpx
import pytest

from demo.county import Targets
from demo.line import Condition
from demo.offices import Office
from demo.relay import Address
from demo.services import Json
from demo.stage import Stage, free_ports

KUBUNG, SUNDI = Office("13.02.10", "Kubung"), Office("13.02.08", "Bukit Sundi")
REPORTS, REFLECTOR = Address("127.0.0.1", 19998), Address("127.0.0.1", 19999)


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Stage, Targets]]:
    messages: list[Json] = []
    built = Stage((KUBUNG, SUNDI), messages.append)
    targets = await built.build(REPORTS, REFLECTOR)
    yield built, targets
    await built.close()


async def page(address: Address) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=0.5) as client:
        return (await client.get(f"http://{address}/siak/health")).status_code


async def resolved(address: Address) -> int:
    query = dns.message.make_query("siak.example", "A")
    answer = await dns.asyncquery.udp(query, address.host, port=address.port, timeout=0.5)
    return len(answer.answer)


async def test_each_office_has_an_own_line_to_every_target(stage: tuple[Stage, Targets]) -> None:
    built, targets = stage
    for office in (KUBUNG, SUNDI):
        assert set(built.relays[office.code]) == {
            REPORTS,
            REFLECTOR,
            targets.resolver,
            targets.web,
        }
    ends = [end for relays in built.relays.values() for end in relays.values()]
    assert len(set(ends)) == len(ends)
    assert {end.host for end in ends} == {"127.0.0.1"}


async def test_a_cut_office_reaches_nothing_and_its_neighbour_everything(
    stage: tuple[Stage, Targets],
) -> None:
    built, targets = stage
    built.lines[KUBUNG.code].become(Condition(cut=True))
    with pytest.raises(httpx.TimeoutException):
        await page(built.relays[KUBUNG.code][targets.web])
    with pytest.raises(dns.exception.Timeout):
        await resolved(built.relays[KUBUNG.code][targets.resolver])
    assert await page(built.relays[SUNDI.code][targets.web]) == 200
    assert await resolved(built.relays[SUNDI.code][targets.resolver]) == 1


async def test_played_routers_have_a_wan0_each(stage: tuple[Stage, Targets]) -> None:
    built, _ = stage
    routers = await built.play_routers("drum")
    assert set(routers) == {KUBUNG.code, SUNDI.code}
    assert {router.interfaces for router in routers.values()} == {("wan0",)}
    assert len({router.address for router in routers.values()}) == 2


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_preferred_port_is_taken_when_free_and_another_when_not(kind: socket.SocketKind) -> None:
    (free,) = free_ports([(kind, 0)])
    assert free_ports([(kind, free)]) == [free]
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", free))
        if kind is socket.SOCK_STREAM:
            other.listen()
        (instead,) = free_ports([(kind, free)])
    assert instead != free


def test_ports_asked_for_together_are_all_different() -> None:
    ports = free_ports([(socket.SOCK_DGRAM, 0)] * 50)
    assert len(set(ports)) == 50
