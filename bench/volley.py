"""A whole fleet's reports from one process, signed beforehand or as they are sent.

    python -m bench.volley PORT --engine HEX (--data DATA | --ku HEX) --sites N
                           --rounds N --rate R [--first-rate R] --pid PID [--live] [--heard FILE]

Office number i reports in its turn, once a round: first whole, then upon the report before. Each
datagram is sealed for the second of the receiver's clock in which it will leave. What is not
answered within half a second is sent again, as an agent does. Every answer is authenticated and
read, when there is time: one that declines is no acknowledgement. Prints one JSON object; FILE
gets the number of each report that was acknowledged, 4 octets each.

The first round makes the fleet live, at `--first-rate`: an office's first report costs more.

With `--live` each is signed when its time comes, for hours of a lower rate; without, all before
the first is sent, so that this process does little but copy while it measures.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from select import select

from bench import informs, reports
from bench.ends import PATIENCE_S, exchange
from bench.measure import cpu_s, say
from collector.identity import Identity
from collector.keys import site_key, user_name
from tabuah import block, notification
from tabuah.block import Packed
from tabuah.snmp import message
from tabuah.snmp.client import UsmClient
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth, EngineTime, UsmUser

EPOCH = 1 << 40
"""Office i reports in epoch EPOCH + i."""
_VARIANTS = 61
_PAUSE_S = 5.0
_RESEND_S = 0.5
_LAST_S = 3.0
_PATIENT = 1.5
"""An office says that it reports so much less often than it does."""
_HEAD = struct.Struct(">QIQQ16sIB")
_BUFFER = 16 << 20
_SO_RCVBUFFORCE = 33

Keys = Callable[[int], UsmUser]


def code(number: int) -> str:
    """Return the code of an office of the fleet."""
    return f"desa-{number:05}"


@lru_cache(maxsize=_VARIANTS * 64)
def _sections(variant: int, seq: int) -> bytes:
    return block.pack(reports.report(f"variant {variant}", 1, seq)).octets[1 + _HEAD.size :]


def packed(number: int, seq: int, wall_ms: int, interval_ms: int = reports.INTERVAL_MS) -> Packed:
    """Return an office's report: the same for the same arguments."""
    boot_id = reports.BOOT_ID[:8] + number.to_bytes(8, "big")
    uptime_ms = wall_ms - 1_700_000_000_000
    head = _HEAD.pack(EPOCH + number, seq, wall_ms, uptime_ms, boot_id, interval_ms, 0)
    return block.unpack(bytes((block.VERSION,)) + head + _sections(number % _VARIANTS, seq))


class Volley:
    """The fleet's datagrams, by number: `turn` of the office, round by round."""

    def __init__(
        self, engine_id: bytes, keys: Keys, *, sites: int, first_rate: float, rate: float
    ) -> None:
        """Prepare.

        Args:
            engine_id: the receiver's.
            keys: gives an office's user.
            sites: how many offices there are.
            first_rate: reports a second of the first round.
            rate: of the others.
        """
        self._engine_id, self._keys = engine_id, lru_cache(maxsize=None)(keys)
        self._sites, self._first_rate, self._rate = sites, first_rate, rate
        self.stamp = EngineTime(0, 0)
        """The receiver's clock when the first one leaves."""
        self.wall_ms = 0
        """Ours, then."""

    def accepted(self, turn: int, answer: bytes) -> bool:
        """Return whether an answer is authentic, and says that the report is taken."""
        received = message.decode(answer)
        user = self._keys(turn % self._sites)
        if not user.verifies(answer, received.mac_at, received.security.mac):
            return False
        pdu = message.decode_scoped(message.decrypt(received, user)).pdu
        return pdu.type is PduType.RESPONSE and pdu.error_status == 0

    def due_s(self, turn: int) -> float:
        """Return when a datagram leaves, in seconds since the first."""
        if turn < self._sites:
            return turn / self._first_rate
        # Nobody reports twice within its interval.
        pause_s = max(_PAUSE_S, reports.INTERVAL_MS / 1000 - self._sites / self._rate)
        return self._sites / self._first_rate + pause_s + (turn - self._sites) / self._rate

    def datagram(self, turn: int) -> bytes:
        """Return a datagram; its message ID is its turn."""
        number, seq = turn % self._sites, 1 + turn // self._sites
        now = self._packed(turn, number, seq)
        base = self._packed(turn - self._sites, number, seq - 1) if seq > 1 else None
        facts = _facts(number % _VARIANTS)
        binds = notification.varbinds(
            code(number), now.uptime_ms, facts, [now], history=False, base=base
        )
        pdu = Pdu(PduType.INFORM, seq, varbinds=binds)
        user = self._keys(number)
        return message.encode(
            message.encode_scoped(ScopedPdu(self._engine_id, b"", pdu)),
            msg_id=turn + 1,
            user=user,
            level=user.level,
            engine_id=self._engine_id,
            stamp=self.stamp._replace(time=self.stamp.time + int(self.due_s(turn))),
            salt=turn.to_bytes(8, "big"),
            reportable=True,
        )

    def _packed(self, turn: int, number: int, seq: int) -> Packed:
        due_s = self.due_s(turn)
        # Nobody is to be taken for silent before its turn comes again, be this process kept from
        # its core for some seconds.
        interval_s = (self.due_s(turn + self._sites) - due_s) * _PATIENT
        return packed(number, seq, self.wall_ms + round(due_s * 1000), round(interval_s * 1000))


@lru_cache(maxsize=_VARIANTS)
def _facts(variant: int) -> notification.KeyFacts:
    return notification.key_facts(reports.report(f"variant {variant}", 1, 1).measurements)


class Tally:
    """When each was sent, and how long its answer took."""

    def __init__(self, volley: Volley, turns: int, *, later: bool) -> None:
        """Begin; with `later` answers are read by `read_answers`, else as they come."""
        self._volley = volley
        self._answers: dict[int, bytes] | None = {} if later else None
        self.sent_at = array("d", bytes(8 * turns))
        self.taken_s = array("f", (-1.0,)) * turns
        self.resent = 0
        self.sent = 0
        self.declined: set[int] = set()

    def hear(self, datagram: bytes, now: float) -> None:
        """Note an answer: of its message only the ID is read."""
        at = 8 if datagram[1] == 0x81 else 9 if datagram[1] == 0x82 else 7
        turn = int.from_bytes(datagram[at + 2 : at + 2 + datagram[at + 1]], "big") - 1
        if 0 <= turn < self.sent and self.taken_s[turn] < 0:
            self.taken_s[turn] = now - self.sent_at[turn]
            if self._answers is not None:
                self._answers[turn] = datagram
            elif not self._volley.accepted(turn, datagram):
                self.declined.add(turn)

    def read_answers(self) -> None:
        """Find those that decline."""
        for turn, answer in (self._answers or {}).items():
            if not self._volley.accepted(turn, answer):
                self.declined.add(turn)

    def acknowledged(self, turns: range) -> list[int]:
        """Return those of the turns that were acknowledged."""
        return [turn for turn in turns if self.taken_s[turn] >= 0 and turn not in self.declined]

    def figures(self, turns: range) -> dict[str, float]:
        """Return what there is to say of some turns."""
        acknowledged = self.acknowledged(turns)
        taken = sorted(self.taken_s[turn] for turn in acknowledged) or [0.0]
        return {
            "sent": len(turns),
            "acknowledged": len(acknowledged),
            "declined": sum(turn in self.declined for turn in turns),
            "p50_ms": round(taken[len(taken) // 2] * 1000, 1),
            "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 1),
            "max_ms": round(taken[-1] * 1000, 1),
        }


def send(
    sock: socket.socket,
    volley: Volley,
    made: Iterator[bytes],
    tally: Tally,
    *,
    turns: range,
    start: float,
) -> float:
    """Send turns at their times after `start`, hear answers, resend; return how long it took."""
    kept: dict[int, bytes] = {}
    turn, oldest, again = turns.start, turns.start, turns.start
    began = start + volley.due_s(turn)
    last = began
    time.sleep(max(0.0, began - time.monotonic()))
    while True:
        now = time.monotonic()
        while turn < turns.stop and start + volley.due_s(turn) <= now:
            kept[turn] = one = next(made)
            tally.sent_at[turn] = now
            tally.sent = turn + 1
            sock.send(one)
            turn += 1
        last = _hear(sock, tally) or last
        while oldest < turn and tally.taken_s[oldest] >= 0:
            kept.pop(oldest, None)
            oldest += 1
        # Each once: a second loss of the same one would be a finding.
        again = max(again, oldest)
        while again < turn and now - tally.sent_at[again] > _RESEND_S:
            if tally.taken_s[again] < 0:
                tally.resent += 1
                sock.send(kept[again])
            again += 1
        if turn >= turns.stop and (oldest >= turn or now - max(last, began) > _LAST_S):
            return last - began
        select([sock], [], [], 0.001)


def _hear(sock: socket.socket, tally: Tally) -> float | None:
    heard = None
    while True:
        try:
            datagram = sock.recv(2048)
        except BlockingIOError:
            return heard
        heard = time.monotonic()
        tally.hear(datagram, heard)


def _learn(sock: socket.socket, client: UsmClient) -> EngineTime:
    """Return the receiver's clock, which it tells whoever speaks to it."""
    exchange(sock, client, informs.check(code(0)))
    return client.clock(time.monotonic())


def _signed(volley: Volley, turns: range) -> Iterator[bytes]:
    return (volley.datagram(turn) for turn in turns)


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.volley")
    parser.add_argument("port", type=int)
    parser.add_argument("--engine", type=bytes.fromhex, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--ku", type=bytes.fromhex, help="the same for all offices")
    parser.add_argument("--first-rate", type=float)
    parser.add_argument("--sites", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--heard", type=Path)
    options = parser.parse_args()
    master = Identity.open(options.data).master if options.data else b""

    def ku(number: int) -> bytes:
        return options.ku or site_key(master, code(number), 1)

    def user(number: int) -> UsmUser:
        key, name = ku(number), user_name(code(number), 1)
        return UsmUser.from_ku(name, Auth.SHA256_192, key, key, options.engine)

    turns = options.sites * options.rounds
    volley = Volley(
        options.engine,
        user,
        sites=options.sites,
        first_rate=options.first_rate or options.rate,
        rate=options.rate,
    )
    tally = Tally(volley, turns, later=not options.live)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        sock.connect(("127.0.0.1", options.port))
        sock.settimeout(PATIENCE_S)
        who = user_name(code(0), 1)
        key = ku(0)
        client = UsmClient(who, Auth.SHA256_192, key, key, options.engine)
        clock = _learn(sock, client)
        # When the first will leave: what signing them takes, by a sample; once to warm up.
        volley.stamp, volley.wall_ms = clock, time.time_ns() // 1_000_000
        sample = range(0, turns, max(1, turns // 1000))
        began = 0.0
        for _ in range(2):
            began = time.monotonic()
            for turn in sample:
                volley.datagram(turn)
        ahead_s = (time.monotonic() - began) / len(sample) * turns * 1.6 + 5.0
        ahead_s = 0.0 if options.live else ahead_s
        start = time.monotonic() + ahead_s
        volley.stamp = client.clock(time.monotonic())
        volley.stamp = volley.stamp._replace(time=volley.stamp.time + int(ahead_s))
        volley.wall_ms = time.time_ns() // 1_000_000 + int(ahead_s * 1000)
        made = _signed(volley, range(turns))
        if not options.live:
            made = iter(list(made))
            say(f"volley: {turns} datagrams signed, {start - time.monotonic():.0f} s too soon")
            if time.monotonic() > start:
                sys.exit("volley: signing took longer than foreseen; is the machine busy?")
        sock.setblocking(False)
        found: dict[str, dict[str, float]] = {}
        phases = {"first": range(options.sites), "then": range(options.sites, turns)}
        for name, phase in phases.items():
            if not phase:
                continue
            before = cpu_s(options.pid)
            lasted_s = send(sock, volley, islice(made, len(phase)), tally, turns=phase, start=start)
            found[name] = {
                "seconds": round(lasted_s, 1),
                "cpu_s": round(cpu_s(options.pid) - before, 3),
                "resent": tally.resent,
            }
            tally.resent = 0
    tally.read_answers()
    for name, phase in phases.items():
        if name in found:
            figures = tally.figures(phase)
            acknowledged = max(1, figures["acknowledged"])
            lasted = found[name]
            lasted["per_second"] = round(acknowledged / max(lasted["seconds"], 0.1))
            lasted["cpu_us"] = round(lasted["cpu_s"] / acknowledged * 1e6, 1)
            lasted.update(figures)
    if options.heard:
        heard = array("I", tally.acknowledged(range(turns)))
        options.heard.write_bytes(heard.tobytes())
    each = range(0, turns, options.sites)
    rounds = [tally.figures(range(begin, begin + options.sites)) for begin in each]
    json.dump({**found, "rounds": rounds}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
