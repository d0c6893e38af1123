"""Traps: what one costs to open, and what a flood of them costs the offices' acknowledgements.

The collector takes reports at the rate of all 7,285 kecamatan while nobody sends traps, and while
one process sends as many as it can. On two cores the sender of the flood takes one of them.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from bench.measure import (
    PYTHON,
    REPETITIONS,
    Figures,
    await_text,
    cpu_s,
    free_port,
    median,
    memory,
    running,
    say,
)
from bench.office import Centre, Site
from bench.receive import RATE, load
from collector.traps.opening import Credentials, Opener
from tabuah.snmp import message
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import Auth, EngineTime, Level, UsmUser, password_to_key

SITES = 200
SECONDS = 10.0
OPENED = 300
ENGINE = bytes.fromhex("8000000001020304")
PASSWORD = "a long password"
# linkDown of 192.168.1.1 (snmptrap -v 1), with ifIndex 3.
V1 = bytes.fromhex(
    "3032020100040178a42a06062b06010401094004c0a801010201020201004301373011300f060a2b06010201020201"
    "0103020103"
)
_FLOOD = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
data, there, sent = bytes.fromhex(sys.argv[2]), ("127.0.0.1", int(sys.argv[1])), 0
print("sending", flush=True)
while True:
    for _ in range(1000):
        sender.sendto(data, there)
"""


def run() -> Figures:
    """Return the cost of a trap, and acknowledgements with and without a flood."""
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        return {"open_us": _opened(), **_flooded(Path(place))}


def _opened() -> Figures:
    pdu = Pdu(
        PduType.TRAP,
        1,
        varbinds=(
            VarBind((1, 3, 6, 1, 2, 1, 1, 3, 0), Tag.TIMETICKS, 55),
            VarBind((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0), Tag.OID, (1, 3, 6, 1, 6, 3, 1, 1, 5, 3)),
            VarBind((1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 3), Tag.INTEGER, 3),
        ),
    )
    ku = password_to_key(PASSWORD.encode(), Auth.SHA1_96)
    signed = message.encode(
        message.encode_scoped(ScopedPdu(ENGINE, b"", pdu)),
        msg_id=1,
        user=UsmUser.from_ku("ups", Auth.SHA1_96, ku, ku, ENGINE),
        level=Level.AUTH_PRIV,
        engine_id=ENGINE,
        stamp=EngineTime(7, 1000),
        salt=bytes(8),
        reportable=False,
    )
    opener = Opener([Credentials.of("ups", "sha1", PASSWORD, PASSWORD)])
    forged = signed[:-1] + bytes((signed[-1] ^ 1,))
    kinds = {
        "v1": V1,
        "v2c": message.encode_community(b"public", pdu),
        "v3": signed,
        "v3_forged": forged,
    }
    return {name: _each_us(opener, datagram) for name, datagram in kinds.items()}


def _each_us(opener: Opener, datagram: bytes) -> float:
    opener.open(datagram, "192.0.2.1", 0)
    took = []
    for _ in range(REPETITIONS):
        began = time.process_time()
        for _ in range(OPENED):
            assert opener.open(datagram, "192.0.2.1", 0) is not None
        took.append((time.process_time() - began) / OPENED * 1e6)
    return median(took, 1)


def _flooded(folder: Path) -> Figures:
    listen, traps, http = free_port(), free_port(), free_port(socket.SOCK_STREAM)
    centre = Centre(
        folder,
        listen=f"127.0.0.1:{listen}",
        reflect=f"127.0.0.1:{free_port()}",
        http=f"127.0.0.1:{http}",
    )
    sites = [Site(f"kantor-{number:04}") for number in range(SITES)]
    centre.write_inventory(sites, f"traps: {{listen: 127.0.0.1:{traps}}}\n")
    configs = centre.enrol()
    with running(centre.argv(), centre.log) as process:
        await_text(centre.log, centre.ready_text, process)
        common = (*PYTHON, "bench.load", str(configs), str(listen), "--pid", str(process.pid))
        paced = (*common, "--seconds", str(SECONDS), "--rate", str(RATE))
        quiet = [load(paced) for _ in range(REPETITIONS)]
        child = _child(process.pid)
        argv = (sys.executable, "-c", _FLOOD, str(traps), V1.hex())
        with running(argv, folder / "flood.log"):
            before, began = cpu_s(child), time.monotonic()
            flooded = [load(paced) for _ in range(REPETITIONS)]
            took = time.monotonic() - began
            child_share = (cpu_s(child) - before) / took
        heard = _counted(http)
        say("traps:", heard)
        return {
            "rate": RATE,
            "quiet": _medians(quiet),
            "flooded": _medians(flooded),
            "child_cpu_share": round(child_share, 3),
            "child_rss_mib": memory(child).rss_mib,
            "datagrams": heard,
            "seconds": round(took, 1),
        }


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    words = ("per_second", "cpu_us", "p50_ms", "p99_ms")
    return {word: median((one[word] for one in runs), 2) for word in words}


def _child(pid: int) -> int:
    """Return the process that hears traps."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"collector.traps.hearing" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("no process hears traps")


def _counted(http: int) -> Figures:
    with urlopen(f"http://127.0.0.1:{http}/metrics", timeout=10) as page:
        text = page.read().decode()
    found = re.findall(
        r'^tabuah_trap_datagrams_total\{outcome="(\w+)"\} (\S+)$', text, re.MULTILINE
    )
    return {outcome: float(number) for outcome, number in found}
