"""`python -m fuzz.replay TARGET FILE...`: run a target on files, without atheris."""

from __future__ import annotations

import sys
import time
import tracemalloc
from pathlib import Path
from typing import NamedTuple

from fuzz.targets import TARGETS, Target

BASE_S = 0.02
PER_OCTET_S = 20e-6
"""Of CPU time: a linear decoder in Python takes about one microsecond an octet."""
BASE_OCTETS = 384 * 1024
"""Of memory at its peak: zlib takes 264 kB to deflate anything."""
PER_OCTET = 256
"""A binding of six octets becomes a tuple, a name and a number of 32 each;
a block may inflate to 64 times its size, and each of its octets to a number."""


def cpu_s(target: Target, data: bytes) -> float:
    """Return the CPU time that the target takes for `data`."""
    began = time.process_time()
    target.run(data)
    return time.process_time() - began


class Cost(NamedTuple):
    """What one input took."""

    seconds: float
    octets: int


def cost(target: Target, data: bytes) -> Cost:
    """Return what the target takes for `data`, time and memory measured apart."""
    target.run(data)  # what is imported and remembered at first is not the input's
    seconds = cpu_s(target, data)
    tracemalloc.start()
    try:
        target.run(data)
        octets = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Cost(seconds, octets)


def excess(target: Target, data: bytes) -> str:
    """Return what of the cost is out of proportion to the input's size; '' when nothing is."""
    took = cost(target, data)
    most_s = BASE_S + PER_OCTET_S * len(data)
    if took.seconds > most_s:  # another process may have had the caches
        took = min(cost(target, data) for _ in range(3))
    if took.seconds > most_s:
        return f"{took.seconds:.3f} s for {len(data)} octets"
    if took.octets > BASE_OCTETS + PER_OCTET * len(data):
        return f"{took.octets} octets of memory for {len(data)}"
    return ""


def main() -> int:
    """Do as the command line says."""
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        sys.stderr.write(f"usage: python -m fuzz.replay {{{','.join(TARGETS)}}} FILE...\n")
        return 2
    target = TARGETS[sys.argv[1]]
    for name in sys.argv[2:]:
        data = Path(name).read_bytes()
        sys.stdout.write(f"{name}: {cost(target, data)} {excess(target, data)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
