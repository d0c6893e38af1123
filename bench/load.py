"""Many offices' reports from one process: encoded beforehand, then sent at a rate or flat out.

    python -m bench.load CONFIGS PORT --pid PID --seconds S [--rate R | --window W] [--most N]

CONFIGS holds the agents' configurations that `tabuah enrol` wrote. Every office introduces
itself first, as an agent does. Then the reports are encoded, all of them, so that while they are
sent this process only copies datagrams, and notes when each answer comes. PID is the receiver,
whose CPU time is read before and after. Prints one JSON object.

An answer is known by its message's ID alone; whether answers verify is for the tests.
"""

from __future__ import annotations

import argparse
import json
import secrets
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent import config
from bench import informs, reports
from bench.ends import PATIENCE_S, exchange
from bench.measure import cpu_s
from tabuah import block
from tabuah.snmp import message
from tabuah.snmp.client import UsmClient
from tabuah.snmp.usm import Auth

PATIENCE_FOR_LAST_S = 3.0
_RECEIVE_BUFFER = 4 << 20
_SO_RCVBUFFORCE = 33


@dataclass(slots=True)
class _Office:
    site: str
    client: UsmClient
    epoch: int
    seq: int = 0


@dataclass(slots=True)
class _Tally:
    """What was sent when, by message ID, and how long answers took."""

    waiting: dict[int, float] = field(default_factory=dict)
    taken_s: list[float] = field(default_factory=list)
    sent: int = 0
    last_answer: float = 0.0

    def note_sent(self, msg_id: int, now: float) -> None:
        self.waiting[msg_id] = now
        self.sent += 1

    def note_answer(self, datagram: bytes, now: float) -> None:
        began = self.waiting.pop(message.decode(datagram).msg_id, None)
        if began is not None:
            self.taken_s.append(now - began)
            self.last_answer = now


def offices(configs: Path) -> list[_Office]:
    """Return the offices that were enrolled."""
    found = []
    for path in sorted(configs.glob("agent-*.toml")):
        known = config.load(path)
        at = known.collectors[0]
        client = UsmClient(at.user, Auth.SHA256_192, at.ku, at.ku, at.engine_id)
        found.append(_Office(known.site, client, secrets.randbits(64)))
    return found


def next_inform(office: _Office, now: float) -> bytes:
    """Return the datagram of an office's next report; nothing waits for its answer."""
    office.seq += 1
    report = reports.report(office.site, office.epoch, office.seq)
    pdu = informs.inform(office.site, block.pack(report), report.measurements, office.seq)
    datagram = office.client.send(pdu, now)
    office.client.forget(office.seq)
    return datagram


def prepare(known: list[_Office], sock: socket.socket, most: int) -> list[tuple[int, bytes]]:
    """Introduce all offices; return their reports by message ID, in turn around the offices."""
    for office in known:
        report = reports.report(office.site, office.epoch, 0)
        pdu = informs.inform(office.site, block.pack(report), report.measurements, 1 << 29)
        exchange(sock, office.client, pdu)
    now = time.monotonic()
    datagrams = (next_inform(known[number % len(known)], now) for number in range(most))
    return [(message.decode(datagram).msg_id, datagram) for datagram in datagrams]


def send(
    sock: socket.socket, made: list[tuple[int, bytes]], seconds: float, rate: float, window: int
) -> tuple[_Tally, float]:
    """Send what was made, at a rate (0 = as fast as `window` answers come); return the tally.

    The second value is how many seconds it took, to the last answer.
    """
    tally = _Tally()
    began = time.monotonic()
    may_send = _paced(tally, began, rate) if rate else _windowed(tally, window)
    following: Iterator[tuple[int, bytes]] = iter(made)
    going = True
    while going or tally.waiting:
        now = time.monotonic()
        going = going and now - began < seconds
        while going and may_send(now):
            one = next(following, None)
            if one is None:
                going = False
                break
            tally.note_sent(one[0], now)
            sock.send(one[1])
        if not going and now - max(tally.last_answer, began) > PATIENCE_FOR_LAST_S:
            break
        _hear(sock, tally, 0.0005 if rate else 0.05)
    return tally, tally.last_answer - began


def _paced(tally: _Tally, began: float, rate: float) -> Callable[[float], bool]:
    return lambda now: tally.sent < (now - began) * rate


def _windowed(tally: _Tally, window: int) -> Callable[[float], bool]:
    def may_send(now: float) -> bool:
        if len(tally.waiting) < window:
            return True
        # What was lost must not close the window for ever.
        oldest = next(iter(tally.waiting))
        if now - tally.waiting[oldest] > PATIENCE_S:
            del tally.waiting[oldest]
        return False

    return may_send


def _hear(sock: socket.socket, tally: _Tally, seconds: float) -> None:
    if not select.select([sock], [], [], seconds)[0]:
        return
    while True:
        try:
            datagram = sock.recv(65_535)
        except BlockingIOError:
            return
        tally.note_answer(datagram, time.monotonic())


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.load")
    parser.add_argument("configs", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--window", type=int, default=400)
    parser.add_argument("--most", type=int, default=30_000)
    options = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        sock.connect(("127.0.0.1", options.port))
        sock.settimeout(PATIENCE_S)
        most = int(options.seconds * options.rate) if options.rate else options.most
        made = prepare(offices(options.configs), sock, most)
        sock.setblocking(False)
        before = cpu_s(options.pid)
        tally, lasted_s = send(sock, made, options.seconds, options.rate, options.window)
        spent_s = cpu_s(options.pid) - before
    taken = sorted(tally.taken_s) or [0.0]
    json.dump(
        {
            "sent": tally.sent,
            "acknowledged": len(tally.taken_s),
            "per_second": len(tally.taken_s) / lasted_s if lasted_s > 0 else 0.0,
            "cpu_us": spent_s / max(1, len(tally.taken_s)) * 1e6,
            "p50_ms": taken[len(taken) // 2] * 1000,
            "p99_ms": taken[len(taken) * 99 // 100] * 1000,
        },
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
