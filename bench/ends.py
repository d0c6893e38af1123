"""The ends of an inform as small processes on loopback: ours; pysnmp's are in `pysnmp_ends`.

    python -m bench.ends receive PORT           (receive-packed leaves the block unread)
    python -m bench.ends send PORT TIMES

A receiver prints `ready` and serves until it is ended. A sender sends one inform unmeasured and
TIMES measured, each after the answer to the one before, and prints its CPU seconds. All speak
authPriv, HMAC-SHA-256-192 and AES-128, as the same user of the same engine.
"""

from __future__ import annotations

import socket
import sys
import time

from bench import informs, reports
from tabuah import block
from tabuah.snmp.client import Answered, Transmit, UsmClient
from tabuah.snmp.pdu import Pdu
from tabuah.snmp.policer import Policer, Rate
from tabuah.snmp.receiver import Inform, Receiver
from tabuah.snmp.usm import EngineTime

HOST = "127.0.0.1"
PATIENCE_S = 5.0


def receive(port: int, *, read: bool) -> None:
    """Answer informs as the collector does, but store nothing; with `read` know what they say."""
    known = {informs.USER: informs.user()}
    strangers = Policer(each=Rate(1000, 1000), total=Rate(1000, 1000))
    receiver = Receiver(informs.ENGINE_ID, known.get, policer=strangers)
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, port))
        print("ready", flush=True)
        while True:
            datagram, source = sock.recvfrom(65_535)
            now = time.monotonic()
            clock = EngineTime(3_500_000, 1000 + int(now - began))
            outcome = receiver.receive(datagram, clock, now, source[0])
            if isinstance(outcome, Inform):
                if read:
                    informs.read_back(informs.SITE, outcome.pdu)
                sock.sendto(receiver.answer(outcome, clock, echo=False), source)
            elif outcome.reply is not None:
                sock.sendto(outcome.reply, source)


def exchange(sock: socket.socket, client: UsmClient, pdu: Pdu) -> None:
    """Send an inform and wait until it is answered.

    Raises:
        TimeoutError: it was not.
    """
    sock.send(client.send(pdu, time.monotonic()))
    while True:
        match client.receive(sock.recv(65_535), time.monotonic()):
            case Answered():
                return
            case Transmit(datagram):
                sock.send(datagram)
            case _:
                continue


def send(port: int, times: int) -> float:
    """Return CPU seconds of packing, encoding, sending and hearing the answer, so many times."""
    client = informs.client()
    made = [reports.report(informs.SITE, 1, seq) for seq in range(times + 1)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((HOST, port))
        sock.settimeout(PATIENCE_S)
        began = 0.0
        for number, report in enumerate(made):
            if number == 1:  # the first one introduces us
                began = time.process_time()
            packed = block.pack(report)
            exchange(
                sock,
                client,
                informs.inform(informs.SITE, packed, report.measurements, number + 1),
            )
        return time.process_time() - began


def sample(request_id: int = 1) -> Pdu:
    """Return the inform that the peers send and receive."""
    report = reports.report(informs.SITE, 1, request_id)
    return informs.inform(informs.SITE, block.pack(report), report.measurements, request_id)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["receive", _port]:
            receive(int(_port), read=True)
        case ["receive-packed", _port]:
            receive(int(_port), read=False)
        case ["send", _port, _times]:
            print(send(int(_port), int(_times)))
        case _:
            sys.exit("receive PORT, receive-packed PORT, or send PORT TIMES")
