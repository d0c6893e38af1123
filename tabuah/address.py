"""Addresses as people write them: HOST, HOST:PORT, [v6]:PORT. Pure; resolves nothing."""

from __future__ import annotations

import re

_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+(?:%\w+)?)\](?::(\d{1,5}))?")
_PLAIN = re.compile(r"([^\s:\[\]/]+)(?::(\d{1,5}))?")
_BARE_V6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%\w+)?")


def address_text(host: str, port: int) -> str:
    """Return HOST:PORT, or [IPV6]:PORT, as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_port(text: str, default: int | None = None) -> tuple[str, int]:
    """Return the host and the port that `text` names; `default` where it names no port.

    Raises:
        ValueError: with words that say what an address looks like.
    """
    match = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    if match is not None:
        host, port = match[1], int(match[2]) if match[2] else default
    elif default is not None and _BARE_V6.fullmatch(text):
        host, port = text, default
    else:
        host, port = "", None
    if not host or port is None or not 1 <= port <= 65535:
        raise ValueError(f"'{text}' is no address; write HOST:PORT or [IPV6]:PORT")
    return host, port
