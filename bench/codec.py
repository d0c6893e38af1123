"""CPU of one report inform: receiving it and sending it, by our core, pysnmp and net-snmp.

`in_process` is our core alone, step by step. `loopback` is each party as a process with a plain
socket; the drivers at the other end are ours and are not counted. None of the receivers stores,
though snmptrapd writes its log. pysnmp and snmptrapd leave the block packed; to compare like with
like, `tabuah_leaving_the_block` does so too. The peers' senders send one inform over and over;
ours packs a new report each time.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from bench import ends, informs, reports
from bench.measure import (
    NOT_INSTALLED,
    PYTHON,
    REPETITIONS,
    BenchError,
    Figures,
    await_line,
    cpu_s,
    environment,
    free_port,
    median,
    own_cpu_us,
    program,
    ratio,
    running,
    say,
)
from bench.netsnmp import snmpinform_cpu_s, snmptrapd
from tabuah import block, notification
from tabuah.snmp.client import MAX_OUTSTANDING, Answered, Transmit, UsmClient
from tabuah.snmp.receiver import Inform, Receiver
from tabuah.snmp.usm import EngineTime

_CLOCK = EngineTime(3_500_000, 1000)
_IN_PROCESS = 2000
_LOOPBACK = 3000
_PYSNMP = 200
_PROCESSES = 20


def run() -> Figures:
    """Return CPU microseconds an inform for each party, and ratios to ours over loopback."""
    own = _in_process()
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        loopback = _loopback(Path(place))
    receive, send = loopback["receive"], loopback["send"]
    return {
        "in_process_us": own,
        "loopback_us": loopback,
        "pysnmp_version": version("pysnmp"),
        "ratio_to_ours": {
            "receive": _ratios(receive),
            "send": _ratios(send),
        },
    }


def _ratios(found: dict[str, float | str]) -> dict[str, float | str]:
    ours = found["tabuah"]
    assert isinstance(ours, float)
    return {
        name: us if isinstance(us, str) else ratio(us, ours)
        for name, us in found.items()
        if name != "tabuah"
    }


def _in_process() -> dict[str, float]:
    say("codec: in process")
    receiver = Receiver(informs.ENGINE_ID, {informs.USER: informs.user()}.get)
    client = _introduced(receiver)
    report = reports.report(informs.SITE, 1, 7)
    packed = block.pack(report)
    pdu = informs.inform(informs.SITE, packed, report.measurements, 5)
    datagram = client.send(pdu, 0.0)
    heard = _heard(receiver, datagram)

    def receive() -> None:
        heard = _heard(receiver, datagram)
        informs.read_back(informs.SITE, heard.pdu)
        receiver.answer(heard, _CLOCK, echo=False)

    def send() -> None:
        packed = block.pack(report)
        client.send(informs.inform(informs.SITE, packed, report.measurements, 5), 0.0)

    costs = {
        "receive_authenticate_decrypt_decode_answer": own_cpu_us(receive, _IN_PROCESS),
        "of_it_open_the_inform": own_cpu_us(lambda: _heard(receiver, datagram), _IN_PROCESS),
        "of_it_read_the_block": own_cpu_us(
            lambda: informs.read_back(informs.SITE, heard.pdu), _IN_PROCESS
        ),
        "of_it_answer": own_cpu_us(lambda: receiver.answer(heard, _CLOCK, echo=False), _IN_PROCESS),
        "send_pack_encode_encrypt_sign": own_cpu_us(send, _IN_PROCESS),
        "of_it_pack_and_deflate": own_cpu_us(
            lambda: block.encode([block.pack(report)]), _IN_PROCESS
        ),
        "of_it_encode_encrypt_sign": own_cpu_us(lambda: client.send(pdu, 0.0), _IN_PROCESS),
    }
    costs["hear_the_answer"] = _hear_us(receiver, client)
    return costs


def _hear_us(receiver: Receiver, client: UsmClient) -> float:
    """Return what the sender's side takes for an answer: each answers a message of its own."""
    found = []
    for _ in range(REPETITIONS):
        answers = [
            receiver.answer(
                _heard(receiver, client.send(ends.sample(number), 0.0)), _CLOCK, echo=False
            )
            for number in range(1, MAX_OUTSTANDING)
        ]
        began = time.process_time()
        for answer in answers:
            outcome = client.receive(answer, 0.0)
            assert isinstance(outcome, Answered)
        found.append((time.process_time() - began) / len(answers) * 1e6)
    return median(found)


def _introduced(receiver: Receiver) -> UsmClient:
    client = informs.client()
    datagram = client.send(ends.sample(99), 0.0)
    while True:
        outcome = receiver.receive(datagram, _CLOCK, 0.0)
        if isinstance(outcome, Inform):
            answered = client.receive(receiver.answer(outcome, _CLOCK, echo=False), 0.0)
            assert isinstance(answered, Answered)
            return client
        assert outcome.reply is not None
        following = client.receive(outcome.reply, 0.0)
        assert isinstance(following, Transmit)
        datagram = following.datagram


def _heard(receiver: Receiver, datagram: bytes) -> Inform:
    outcome = receiver.receive(datagram, _CLOCK, 0.0)
    assert isinstance(outcome, Inform)
    assert notification.is_report(outcome.pdu.varbinds)
    return outcome


def _loopback(folder: Path) -> dict[str, dict[str, float | str]]:
    receive: dict[str, float | str] = {}
    send: dict[str, float | str] = {}
    for name, end, times in (
        ("tabuah", "ends receive", _LOOPBACK),
        ("tabuah_leaving_the_block", "ends receive-packed", _LOOPBACK),
        ("pysnmp", "pysnmp_ends receive", _PYSNMP),
    ):
        say(f"codec: {name} receives")
        port = free_port()
        with _end(folder, end, port) as pid:
            receive[name] = _received_us(pid, port, times)
    receive["snmptrapd"] = NOT_INSTALLED
    if program("snmptrapd"):
        say("codec: snmptrapd receives")
        port = free_port()
        with snmptrapd(folder, port, informs.ENGINE_ID, [(informs.USER, informs.KU)]) as pid:
            receive["snmptrapd"] = _received_us(pid, port, _LOOPBACK)
    port = free_port()
    with _end(folder, "ends receive", port):
        for name, end, times in (
            ("tabuah", "ends send", _LOOPBACK),
            ("pysnmp", "pysnmp_ends send", _PYSNMP),
        ):
            say(f"codec: {name} sends")
            spent = [_sender_cpu_s(end, port, times) for _ in range(REPETITIONS)]
            send[name] = median(each / times * 1e6 for each in spent)
        send["snmpinform_process"] = NOT_INSTALLED
        if program("snmpinform"):
            say("codec: snmpinform sends")
            spent = [snmpinform_cpu_s(folder, port, _PROCESSES) for _ in range(REPETITIONS)]
            send["snmpinform_process"] = median(each / _PROCESSES * 1e6 for each in spent)
    return {"receive": receive, "send": send}


@contextmanager
def _end(folder: Path, name: str, port: int) -> Iterator[int]:
    """Run a receiver, `MODULE WORD`; gives its process id once it is ready."""
    log = folder / f"{name}.log"
    with running((*PYTHON, *_words(name), str(port)), log) as process:
        await_line(process, log)
        yield process.pid


def _received_us(pid: int, port: int, times: int) -> float:
    """Return CPU microseconds that the process takes for an inform of ours."""
    client = informs.client()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((ends.HOST, port))
        sock.settimeout(ends.PATIENCE_S)
        ends.exchange(sock, client, ends.sample(1))
        found = []
        for _ in range(REPETITIONS):
            before = cpu_s(pid)
            for number in range(times):
                ends.exchange(sock, client, ends.sample(number + 2))
            found.append((cpu_s(pid) - before) / times * 1e6)
    return median(found)


def _words(end: str) -> list[str]:
    return f"bench.{end}".split()


def _sender_cpu_s(name: str, port: int, times: int) -> float:
    done = subprocess.run(
        [*PYTHON, *_words(name), str(port), str(times)],
        capture_output=True, text=True, check=False, timeout=120, env=environment(),
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"{name}: {done.stderr[-1000:]}")
    return float(done.stdout)
