"""The little of DNS (RFC 1035) that a probe needs: one question out, the head of its answer in.

Pure. A truncated answer (TC) is an answer: the line and the resolver work.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tabuah.errors import DecodeError

A = 1
AAAA = 28

NOERROR = 0
SERVFAIL = 2
NXDOMAIN = 3

_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_CLASS_IN = 1
_RECURSION_DESIRED = 0x0100
_RESPONSE = 0x8000
_TRUNCATED = 0x0200
_RCODE = 0x000F


@dataclass(frozen=True, slots=True)
class Reply:
    """What the head of an answer says."""

    rcode: int
    truncated: bool
    answers: int
    """Resource records in the answer section."""


def encode_query(ident: int, name: str, kind: int) -> bytes:
    """Return a recursive query for `name`.

    Raises:
        ValueError: when `name` is no domain name.
    """
    head = _HEADER.pack(ident, _RECURSION_DESIRED, 1, 0, 0, 0)
    return head + _encode_name(name) + _QUESTION.pack(kind, _CLASS_IN)


def decode_reply(data: bytes, query: bytes) -> Reply:
    """Return what `data` says in answer to `query`.

    Raises:
        DecodeError: when it is no answer to that very question: another ID, another name.
    """
    if len(data) < _HEADER.size:
        raise DecodeError("shorter than a DNS header")
    ident, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    if ident != _HEADER.unpack_from(query)[0]:
        raise DecodeError("the ID is not the query's")
    if not flags & _RESPONSE:
        raise DecodeError("a query, not a response")
    # A server that could not read the query (FORMERR) may leave the question out.
    if questions:
        question = query[_HEADER.size :]
        if data[_HEADER.size : _HEADER.size + len(question)].lower() != question.lower():
            raise DecodeError("the question is not the query's")
    elif flags & _RCODE == NOERROR:
        raise DecodeError("an answer without its question")
    return Reply(flags & _RCODE, bool(flags & _TRUNCATED), answers)


def _encode_name(name: str) -> bytes:
    labels = name.rstrip(".").split(".") if name != "." else []
    encoded = b""
    for label in labels:
        octets = label.encode("ascii")
        if not 1 <= len(octets) <= 63:
            raise ValueError(f"'{name}' is no domain name")
        encoded += bytes([len(octets)]) + octets
    if len(encoded) > 254:
        raise ValueError(f"'{name}' is too long for a domain name")
    return encoded + b"\0"
