"""net-snmp's snmptrapd and snmpinform on loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import ends, informs
from bench.measure import BenchError, await_text, environment, require, running
from tabuah.snmp.pdu import Tag, VarBind

_TYPES = {
    Tag.OID: "o",
    Tag.OCTET_STRING: "x",
    Tag.GAUGE32: "u",
    Tag.INTEGER: "i",
}


@contextmanager
def snmptrapd(
    folder: Path, port: int, engine_id: bytes, users: Iterable[tuple[str, bytes]]
) -> Iterator[int]:
    """Run snmptrapd with its defaults and a log file; gives its process id.

    Args:
        folder: for its configuration, state and log.
        port: of loopback.
        engine_id: the engine that it is.
        users: names, and Ku of each; all speak HMAC-SHA-256-192 and AES-128.
    """
    program = require("snmptrapd")
    state = folder / "trapd-state"
    state.mkdir()
    lines = [f"exactEngineID 0x{engine_id.hex()}"]
    for name, ku in users:
        key = f"-m 0x{ku.hex()}"
        lines += [f'createUser "{name}" SHA-256 {key} AES {key}', f'authUser log "{name}" priv']
    config = folder / "snmptrapd.conf"
    config.write_text("\n".join(lines) + "\n")
    log = folder / "snmptrapd.log"
    argv = [
        program, "-f", "-C", "-c", str(config), "-Lf", str(log), "-n", "-m", "",
        f"udp:127.0.0.1:{port}",
    ]  # fmt: skip
    with running(argv, folder / "snmptrapd.err", {"SNMP_PERSISTENT_DIR": str(state)}) as process:
        await_text(log, "NET-SNMP version", process)
        yield process.pid


def snmpinform_cpu_s(folder: Path, port: int, times: int) -> float:
    """Return CPU seconds of so many processes, each of which sends the sample inform.

    Raises:
        BenchError: one was not answered.
    """
    state = folder / "inform-state"
    (state / "cert_indexes").mkdir(parents=True, exist_ok=True)
    env = environment({"SNMP_PERSISTENT_DIR": str(state), "SNMPCONFPATH": str(state)})
    key = f"0x{informs.KU.hex()}"
    uptime, trap, *rest = ends.sample().varbinds
    argv = [
        require("snmpinform"), "-v3", "-l", "authPriv", "-u", informs.USER, "-a", "SHA-256",
        "-x", "AES", "-3m", key, "-3M", key, "-e", f"0x{informs.ENGINE_ID.hex()}",
        "-r", "1", "-t", "3", "-m", "", f"udp:127.0.0.1:{port}", str(uptime.value), _dotted(trap),
        *(word for bind in rest for word in _words(bind)),
    ]  # fmt: skip
    spent = 0.0
    for _ in range(times):
        process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchError(f"snmpinform ended with {process.returncode}")
        spent += usage.ru_utime + usage.ru_stime
    return spent


def _words(bind: VarBind) -> tuple[str, str, str]:
    value = bind.value.hex() if isinstance(bind.value, bytes) else str(bind.value)
    return ".".join(map(str, bind.oid)), _TYPES[bind.tag], value


def _dotted(bind: VarBind) -> str:
    assert isinstance(bind.value, tuple)
    return ".".join(map(str, bind.value))
