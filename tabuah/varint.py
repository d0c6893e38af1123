"""Numbers and texts as octets: LEB128 varints of at most 64 bits, zigzag for signed ones.

Raises `DecodeError` for octets that hold no such number or text.
"""

from __future__ import annotations

from tabuah.errors import DecodeError


def put(out: bytearray, number: int) -> None:
    """Append a number of 0 to 2**64 - 1."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def put_text(out: bytearray, text: str) -> None:
    """Append a text: its length in octets, then UTF-8."""
    octets = text.encode()
    put(out, len(octets))
    out += octets


def zigzag(number: int) -> int:
    """Return the unsigned number that stands for a signed one: 0, -1, 1, -2 as 0, 1, 2, 3."""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """Return the signed number that `zigzag` made unsigned."""
    return (number >> 1) ^ -(number & 1)


class Reader:
    """Takes one field after the other from a run of octets."""

    __slots__ = ("at", "octets")

    def __init__(self, octets: bytes, at: int = 0) -> None:
        self.octets = octets
        self.at = at

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.octets)

    def number(self) -> int:
        """Return the next number."""
        octets, at = self.octets, self.at
        number = shift = 0
        while True:
            if at >= len(octets):
                raise DecodeError("a number that is cut off")
            octet = octets[at]
            at += 1
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
            if shift > 63:
                raise DecodeError("a number of more than 64 bits")
        if number >> 64:
            raise DecodeError("a number of more than 64 bits")
        self.at = at
        return number

    def take(self, length: int) -> bytes:
        """Return the next `length` octets."""
        end = self.at + length
        if end > len(self.octets):
            raise DecodeError(f"{length} octets announced, {len(self.octets) - self.at} left")
        taken = self.octets[self.at : end]
        self.at = end
        return taken

    def text(self) -> str:
        """Return the next text."""
        octets = self.take(self.number())
        try:
            return octets.decode()
        except UnicodeDecodeError as error:
            raise DecodeError("a text that is not UTF-8") from error
