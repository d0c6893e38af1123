"""Octets of BER as a tree, broken on purpose: what mutates datagrams without losing their shape.

A blind mutation of SNMP dies at the first length that no longer fits. Here one element is
changed and all lengths around it are made right again, so that the damage is met further in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tabuah.errors import DecodeError
from tabuah.snmp import ber

CONSTRUCTED = 0x20
_DEEPEST = 12
TAGS = bytes.fromhex("02040506304041424344468081a0a1a2a3a5a6a7a8828f00ff")
"""Those that SNMP knows, and some that it does not."""
LENGTHS = tuple(
    bytes.fromhex(f"{length:x}")
    for length in (
        0x7F,
        0x80,
        0x81,
        0x8100,
        0x81FF,
        0x820000,
        0x82FFFF,
        0x83FFFFFF,
        0x84FFFFFFFF,
        0x847FFFFFFF,
        0x85FF,
        0xFF,
    )
)
NUMBERS = (
    *(
        number.to_bytes(size, "big", signed=True)
        for size in (1, 4, 5, 8)
        for number in (-(2 ** (8 * size - 1)), -1, 0, 1, 2 ** (8 * size - 1) - 1)
    ),
    bytes(9),
    b"\0" + b"\xff" * 8,
    bytes(10),
)


@dataclass(slots=True)
class Node:
    """One element: primitive, or with the elements that its content is made of."""

    tag: int
    content: bytes
    inner: list[Node] = field(default_factory=list)
    length: bytes | None = None
    """Written instead of the right length."""

    def octets(self) -> bytes:
        """Return the element."""
        content = b"".join(one.octets() for one in self.inner) if self.inner else self.content
        if self.length is not None:
            return bytes((self.tag,)) + self.length + content
        return ber.tlv(self.tag, content)


def parse(data: bytes, at: int, end: int, depth: int = 0) -> list[Node] | None:
    """Return the elements that fill `data[at:end]`, or None if it is not made of elements."""
    nodes = []
    while at < end:
        try:
            tag, start, stop = ber.read(data, at, end)
        except DecodeError:
            return None
        node = Node(tag, data[start:stop])
        # msgSecurityParameters are elements within an OCTET STRING.
        if depth < _DEEPEST and stop > start and (tag & CONSTRUCTED or data[start] == ber.SEQUENCE):
            node.inner = parse(data, start, stop, depth + 1) or []
        nodes.append(node)
        at = stop
    return nodes


def mutate(data: bytes, dice: Random, most: int) -> bytes:
    """Return the data with one element changed, cut at `most` octets.

    Where it is not made of elements, some octets are changed.
    """
    nodes = parse(data, 0, len(data))
    return (_changed(nodes, dice) if nodes else flip(data, dice))[:most]


def _changed(nodes: list[Node], dice: Random) -> bytes:
    every = list(_walk(nodes))
    home, place = dice.choice(every)
    node = home[place]
    match dice.randrange(8):
        case 0:
            node.tag = dice.choice(TAGS)
        case 1:
            node.length = dice.choice(LENGTHS)
        case 2:
            node.inner, node.content = [], dice.choice(NUMBERS)
        case 3:
            home.insert(place, node)
        case 4:
            del home[place]
        case 5:
            # As octets: an element put into itself would have no end.
            other_home, other_place = dice.choice(every)
            other = other_home[other_place].octets()
            home[place] = Node(other[0], b"", [], other[1:])
        case 6:
            node.inner, node.content = [], flip(node.content, dice)
        case _:
            node.inner, node.content = [], node.content * dice.choice((0, 2, 3, 17))
    return b"".join(one.octets() for one in nodes)


def flip(data: bytes, dice: Random) -> bytes:
    """Return the data with one to four octets changed, a part cut out, or some put in."""
    if not data:
        return dice.randbytes(4)
    changed = bytearray(data)
    at = dice.randrange(len(changed))
    match dice.randrange(4):
        case 0:
            for _ in range(dice.randint(1, 4)):
                changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        case 1:
            del changed[at : at + dice.randint(1, 8)]
        case 2:
            changed[at:at] = dice.randbytes(dice.randint(1, 8))
        case _:
            del changed[at:]
    return bytes(changed)


def _walk(nodes: list[Node]) -> list[tuple[list[Node], int]]:
    found = []
    for place, node in enumerate(nodes):
        found.append((nodes, place))
        found.extend(_walk(node.inner))
    return found
