from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from agent import host
from tabuah.report import Clock


def test_the_host_tells_memory_load_and_clock() -> None:
    seen = host.read_host()
    assert seen.memory_total_kib > seen.memory_available_kib > 0
    assert seen.load_centi >= 0
    assert seen.clock in (Clock.SYNCHRONISED, Clock.UNSYNCHRONISED)


def test_the_boot_id_is_sixteen_octets_and_stays() -> None:
    assert len(host.boot_id()) == 16
    assert host.boot_id() == host.boot_id()


def test_uptime_is_that_of_the_kernel() -> None:
    kernel_ms = float(Path("/proc/uptime").read_text().split()[0]) * 1000
    assert abs(host.uptime_ms() - kernel_ms) < 1000
    before = host.uptime_ms()
    time.sleep(0.01)
    assert host.uptime_ms() > before


def test_resident_memory_is_that_of_proc_status() -> None:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert abs(host.resident_kib() - int(line.split()[1])) < 4096


def test_what_is_written_to_disk_is_counted_as_the_kernel_counts_it() -> None:
    io = "rchar: 5\nwrite_bytes: 409600\ncancelled_write_bytes: 0\n"
    assert host.written_octets(io) == 409_600
    assert host.written_octets("") == 0
    assert host.written_kib() >= 0


def test_a_kernel_that_tells_nothing_gives_zeros() -> None:
    assert host.memory_kib("") == (0, 0)
    assert host.load_centi("") == 0


def test_memory_and_load_are_read_from_the_kernels_own_words() -> None:
    text = "MemTotal:         508356 kB\nMemFree: 1 kB\nMemAvailable:     201234 kB\n"
    assert host.memory_kib(text) == (508356, 201234)
    assert host.load_centi("0.57 0.40 0.30 1/123 4567\n") == 57


def test_probes_and_polls_import_nothing_from_outside_the_standard_library() -> None:
    code = (
        "import sys, agent.probes, agent.poll, agent.config, agent.host\n"
        "ours = {'agent', 'tabuah'}\n"
        "found = {name.partition('.')[0] for name in sys.modules} - ours\n"
        "bad = {n for n in found if n not in sys.stdlib_module_names and not n.startswith('_')}\n"
        "print(*sorted(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
