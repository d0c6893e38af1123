"""The played router, asked by hand and by net-snmp's tools; and the real daemon's start."""

from __future__ import annotations

import asyncio
import os
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from pyasn1.codec.ber import decoder, encoder

from demo.relay import Address
from demo.router import (
    V2,
    Mib,
    Traffic,
    find_snmpd,
    play_router,
    respond,
    snmpd_command,
)

IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"


async def run(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return said.decode()


def test_traffic_only_grows_and_keeps_its_mean() -> None:
    traffic = Traffic(mean_octets_s=1000, phase=2.0)
    totals = [traffic.octets(second) for second in range(0, 901, 5)]
    assert totals[0] == 0
    assert all(earlier < later for earlier, later in pairwise(totals))
    assert traffic.octets(900) == pytest.approx(900_000)


def test_the_rows_are_in_the_order_that_getnext_needs() -> None:
    names = [oid for oid, _ in Mib.of("kubung", 3).rows(10.0)]
    assert names == sorted(names)


@pytest.mark.parametrize("datagram", [b"", b"\x30", b"\x30\x03\x02\x01\x01", b"x" * 100])
def test_rubbish_gets_no_answer(datagram: bytes) -> None:
    assert respond(datagram, "public", Mib.of("kubung", 0).rows(1.0)) is None


def request_for(oid: str, community: str) -> bytes:
    pdu = V2.GetRequestPDU()
    V2.apiPDU.set_defaults(pdu)
    V2.apiPDU.set_varbinds(pdu, [(V2.ObjectIdentifier(oid), V2.Null(""))])
    message = V2.Message()
    V2.apiMessage.set_defaults(message)
    V2.apiMessage.set_community(message, community)
    V2.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


@pytest.mark.parametrize(
    ("oid", "value"), [(f"{IF_NAME}.2", b"wan0"), (f"{IF_NAME}.9", b""), ("1.3.9", b"")]
)
async def test_a_played_router_answers_a_get_by_name(oid: str, value: bytes) -> None:
    router = await play_router(Mib.of("kubung", 3), "drum")
    loop = asyncio.get_running_loop()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(router.address)
            client.send(request_for(oid, "drum"))
            datagram = await asyncio.wait_for(loop.sock_recv(client, 2048), 2)
    finally:
        router.close()
    response, _ = decoder.decode(datagram, asn1Spec=V2.Message())
    ((_, answered),) = V2.apiPDU.get_varbinds(V2.apiMessage.get_pdu(response))
    assert bytes(answered) == value


@pytest.mark.peer
@pytest.mark.parametrize("tool", ["snmpwalk", "snmpbulkwalk"])
async def test_net_snmp_walks_a_played_router_to_its_end(tool: str) -> None:
    mib = Mib.of("kubung", 3)
    router = await play_router(mib, "drum")
    try:
        said = await run(tool, "-v2c", "-cdrum", "-On", "-m", "", str(router.address), ".1")
    finally:
        router.close()
    assert len([line for line in said.splitlines() if " = " in line]) >= len(mib.rows(1.0))
    assert '.31.1.1.1.1.2 = STRING: "wan0"' in said
    assert "No more variables left" in said


@pytest.mark.peer
async def test_a_wrong_community_gets_no_answer() -> None:
    router = await play_router(Mib.of("kubung", 3), "drum")
    try:
        said = await run("snmpget", "-v2c", "-cwrong", "-t0.2", "-r0", str(router.address), IF_NAME)
    finally:
        router.close()
    assert "Timeout" in said


@pytest.mark.peer
async def test_the_real_daemon_answers_on_each_port_and_writes_only_in_its_folder(
    tmp_path: Path,
) -> None:
    program = find_snmpd()
    assert program is not None
    ports = []
    for _ in range(3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            ports.append(Address(*free.getsockname()))
    command = snmpd_command(program, tmp_path, [port for _, port in ports], "drum")
    environment = os.environ | dict(command.environment)
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command.arguments, env=environment, stdout=out, stderr=out
        )
    try:
        for address in ports:
            said = ""
            while "Timeticks" not in said:
                said = await run(
                    "snmpget", "-v2c", "-cdrum", "-t0.3", "-r0", "-m", "", str(address),
                    "1.3.6.1.2.1.1.3.0",
                )  # fmt: skip
                assert process.returncode is None, log.read_text()
    finally:
        process.terminate()
        await process.wait()
    assert "rror" not in log.read_text()
