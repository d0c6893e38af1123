"""Our own two ends of SNMP: joined in memory, or each behind a loopback socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tabuah.snmp.client import Answered, Client, Ignored, Transmit, UsmClient
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.receiver import Inform, Receiver, Refused
from tabuah.snmp.usm import Auth, EngineTime, UsmUser

ENGINE_ID = bytes.fromhex("80007ed905") + b"collector"[:8]
ENGINE_TIME = EngineTime(3_500_000, 1000)
NAME = "13.02.10#2"
KU = bytes(range(32))
UPTIME = VarBind((1, 3, 6, 1, 2, 1, 1, 3, 0), Tag.TIMETICKS, 42)
COLD_START = VarBind((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0), Tag.OID, (1, 3, 6, 1, 6, 3, 1, 1, 5, 1))
SYS_NAME = VarBind((1, 3, 6, 1, 2, 1, 1, 5, 0), Tag.OCTET_STRING, b"kubung")
VARBINDS = (UPTIME, COLD_START, SYS_NAME)


def user(auth: Auth = Auth.SHA256_192, engine_id: bytes = ENGINE_ID) -> UsmUser:
    """Return the office's user, as the engine knows it."""
    return UsmUser.from_ku(NAME, auth, KU, KU, engine_id)


def client(auth: Auth | None = Auth.SHA256_192, engine_id: bytes | None = ENGINE_ID) -> UsmClient:
    """Return the office's client."""
    return UsmClient(NAME, auth, KU, KU, engine_id)


def receiver(*users: UsmUser) -> Receiver:
    """Return the collector's receiver, which knows the given users, or the office's."""
    known = {each.name: each for each in users or (user(),)}
    return Receiver(ENGINE_ID, known.get)


def inform(request_id: int = 1) -> Pdu:
    """Return an inform that says `kubung`."""
    return Pdu(PduType.INFORM, request_id, varbinds=VARBINDS)


def introduced(asking: UsmClient, taking: Receiver, now: float = 0.0) -> UsmClient:
    """Return the client, once it has learned the receiver's clock in memory."""
    datagram = asking.send(inform(99), now)
    while True:
        heard = taking.receive(datagram, ENGINE_TIME, now)
        if isinstance(heard, Inform):
            asking.receive(taking.answer(heard, ENGINE_TIME, echo=False), now)
            return asking
        assert heard.reply is not None
        outcome = asking.receive(heard.reply, now)
        assert isinstance(outcome, Transmit)
        datagram = outcome.datagram


def ask(asking: Client, pdu: Pdu, port: int, seconds: float = 3.0) -> Pdu:
    """Return the answer that a peer on loopback gives to `pdu`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(seconds)
        sock.send(asking.send(pdu, time.monotonic()))
        ignored: list[Ignored] = []
        while True:
            try:
                datagram = sock.recv(65535)
            except TimeoutError:
                raise AssertionError(f"no answer; ignored: {ignored}") from None
            match asking.receive(datagram, time.monotonic()):
                case Answered(answer):
                    return answer
                case Transmit(datagram):
                    sock.send(datagram)
                case Ignored() as outcome:
                    ignored.append(outcome)


@dataclass(slots=True)
class Heard:
    """What a receiver behind a socket heard and refused."""

    port: int
    informs: list[Inform] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@contextmanager
def listening(taking: Receiver, *, echo: bool) -> Iterator[Heard]:
    """Put the receiver behind a loopback socket, in a thread, and answer all that it accepts."""
    began = time.monotonic()
    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        heard = Heard(int(sock.getsockname()[1]))

        def loop() -> None:
            while not done.is_set():
                try:
                    datagram, source = sock.recvfrom(65535)
                except TimeoutError:
                    continue
                now = time.monotonic()
                clock = EngineTime(ENGINE_TIME.boots, 1000 + int(now - began))
                outcome = taking.receive(datagram, clock, now, str(source))
                if isinstance(outcome, Inform):
                    heard.informs.append(outcome)
                    sock.sendto(taking.answer(outcome, clock, echo=echo), source)
                else:
                    heard.refused.append(outcome)
                    if outcome.reply is not None:
                        sock.sendto(outcome.reply, source)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield heard
        finally:
            done.set()
            thread.join()
