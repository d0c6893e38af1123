"""How many reports one inform holds: pure.

Neighbours say nearly the same and deflate together, so the octets of a batch are those of the
block that it makes, not the sum of its parts.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from tabuah import varint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tabuah.block import Packed

_ENVELOPE: Final = 2
"""Version and flags."""
_NAME: Final = 4
"""Of the base, if it rests on one."""
INFLATED_MOST: Final = 32 << 10
"""A block unpacks to no more: beyond deflate's window nothing is gained, and receivers have
limits (`block.MAX_INFLATED`, `block.MAX_RATIO`)."""
RATIO_MOST: Final = 32
"""Nor to more than so many times its size: half of `block.MAX_RATIO`."""


def fitting(reports: Iterable[Packed], limit: int, base: Packed | None = None) -> list[Packed]:
    """Return the first of the reports, as many as make a block of at most `limit` octets.

    At least one if there is any; all of one version, as `block.encode` asks. `base` is the report
    that the block will rest on, if the reader is known to hold one.
    """
    found: list[Packed] = []
    if base is None:
        deflater = zlib.compressobj(9, wbits=-15)
    else:
        deflater = zlib.compressobj(9, wbits=-15, zdict=base.octets)
    envelope = _ENVELOPE if base is None else _ENVELOPE + _NAME
    deflated = inflated = 0
    for report in reports:
        if found and report.octets[0] != found[0].octets[0]:
            break
        body = bytearray()
        varint.put(body, len(report.octets) - 1)
        body += report.octets[1:]
        deflated += len(deflater.compress(body))
        inflated += len(body)
        if found:
            # What the block would be if it ended here; the deflater itself goes on.
            size = envelope + deflated + len(deflater.copy().flush())
            if size > limit or inflated > min(INFLATED_MOST, RATIO_MOST * size):
                break
        found.append(report)
    return found
