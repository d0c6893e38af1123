"""Numbers that nobody can foresee, by the kernel (getrandom(2)), as those of `secrets`.

That module brings `random`, `base64` and more: 0.24 MiB that the running agent would hold for a
handful of draws.
"""

from __future__ import annotations

import os

_FRACTION_BITS = 53
"""A float's mantissa: as fine as numbers below 1 can be."""


def bits(number: int) -> int:
    """Return a number of so many bits."""
    octets = (number + 7) // 8
    return int.from_bytes(os.urandom(octets), "big") >> (8 * octets - number)


def below(bound: int) -> int:
    """Return a number from 0 to `bound` - 1, each as likely as the others; `bound` is positive."""
    width = (bound - 1).bit_length()
    while (number := bits(width)) >= bound:
        pass
    return number


def fraction() -> float:
    """Return a number from 0 to 1, 1 not included."""
    return bits(_FRACTION_BITS) / (1 << _FRACTION_BITS)
