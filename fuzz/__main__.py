"""`python -m fuzz TARGET [libFuzzer options] [folders]`: run one target under atheris.

Needs atheris, which is no dependency of tabuah's: README.md says how. A finding is an input that
raises, or that takes more CPU time than its size allows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from random import Random

import atheris

with atheris.instrument_imports(include=["tabuah", "agent", "collector", "tomllib"]):
    from fuzz.targets import TARGETS, Target
from fuzz import trees

BASE_S = 0.25
PER_OCTET_S = 0.0002
"""Of instrumented code on a slow machine: the replay in the tests is fifty times stricter."""


def main() -> int:
    """Fuzz the target that the command line names, until told to stop."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.stderr.write(f"usage: python -m fuzz {{{','.join(TARGETS)}}} [libFuzzer options]\n")
        return 2
    target = TARGETS[sys.argv.pop(1)]

    def timed(data: bytes) -> None:
        began = time.process_time()
        target.run(data)
        took = time.process_time() - began
        if took > BASE_S + PER_OCTET_S * len(data):
            raise AssertionError(f"{took:.2f} s for {len(data)} octets")

    if target.elements:
        atheris.Setup(sys.argv, timed, custom_mutator=_mutator(target))
    else:
        atheris.Setup(sys.argv, timed)
    atheris.Fuzz()
    return 0


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    modes = bool(target.modes)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        dice = Random(seed)
        if dice.random() < 0.4:
            return bytes(atheris.Mutate(data, max_size))
        head, rest = (data[:1], data[1:]) if modes else (b"", data)
        if modes and dice.random() < 0.05:
            head = bytes((dice.randrange(target.modes),))
        return head + trees.mutate(rest, dice, max_size - len(head))

    return mutate


if __name__ == "__main__":
    sys.exit(main())
