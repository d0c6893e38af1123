"""What may stand where in a configuration: each value is checked for the place it is put. Pure.

A value with a line end or a control character could smuggle in a line of configuration; one with a
quote could end the quotes it stands between. Each platform quotes in its own way.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

Filter = Callable[[object], str]

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_WORD = re.compile(r"[^\s\"'`$\\;{}|&<>]{1,256}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_PORT_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_LINE = re.compile(r"[^?\x00-\x1f\x7f]{1,256}")


def one_line(value: object) -> object:
    """Return the value.

    Raises:
        ValueError: it is a text of more than one line, or holds a control character.
    """
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("a value holds a line end or a control character")
    return value


def _checked(pattern: re.Pattern[str], what: str) -> Filter:
    def check(value: object) -> str:
        text = str(value)
        if pattern.fullmatch(text) is None:
            raise ValueError(f"'{text}' is no {what}")
        return text

    return check


def _interface(value: object) -> str:
    text = str(value)
    if not 1 <= len(text) <= 15 or _NAME.fullmatch(text) is None:
        raise ValueError(f"'{text}' is no interface of Linux (15 letters, digits, _ . : -)")
    return text


def _address(value: object) -> str:
    return str(ipaddress.ip_address(str(value)))


def _interface_address(value: object) -> str:
    return str(ipaddress.ip_interface(str(value)))


def _network(value: object) -> str:
    return str(ipaddress.ip_network(str(value), strict=False))


def _host(value: object) -> str:
    """Return the address without its prefix length."""
    return str(ipaddress.ip_interface(str(value)).ip)


def _port(value: object) -> str:
    number = int(str(value))
    if not 1 <= number <= 65535:
        raise ValueError(f"'{value}' is no port")
    return str(number)


def _quoted(value: object) -> str:
    text = str(value)
    if '"' in text or "\\" in text:
        raise ValueError("a value between quotes holds a quote or a backslash itself")
    return f'"{text}"'


def uci_quoted(value: object) -> str:
    """Return a text as `uci export` writes it: between single quotes, which it may hold."""
    return "'" + str(value).replace("'", "'\\''") + "'"


def ros_quoted(value: object) -> str:
    """Return a text as RouterOS exports it: `$` would name a variable, `?` ask for help (6.x)."""
    out = []
    for char in str(value):
        if char in '"\\$?':
            out.append("\\" + char)
        elif " " <= char <= "~":
            out.append(char)
        else:
            out += [f"\\{octet:02X}" for octet in char.encode()]
    return f'"{"".join(out)}"'


def _device_interface(value: object) -> str:
    text = str(value)
    if _PORT_NAME.fullmatch(text) is None:
        raise ValueError(f"'{text}' is no name of an interface (64 letters, digits, _ . : / -)")
    return text


def _of_one_line(quote: Filter) -> Filter:
    def check(value: object) -> str:
        return quote(one_line(value))

    return check


_EVERYWHERE: Mapping[str, Filter] = {
    "name": _checked(_NAME, "name (letters, digits, _ . : -)"),
    "word": _checked(_WORD, "single word"),
    "address": _address,
    "interface_address": _interface_address,
    "network": _network,
    "host": _host,
    "port": _port,
}
LINUX: Mapping[str, Filter] = {**_EVERYWHERE, "interface": _interface, "quoted": _quoted}
OPENWRT: Mapping[str, Filter] = {
    **_EVERYWHERE,
    "interface": _interface,
    "quoted": _of_one_line(uci_quoted),
}
ROUTEROS: Mapping[str, Filter] = {
    **_EVERYWHERE,
    "interface": _device_interface,
    "quoted": _of_one_line(ros_quoted),
}
CONSOLE: Mapping[str, Filter] = {
    **_EVERYWHERE,
    "interface": _device_interface,
    # '?' asks a router for help in the middle of a line.
    "quoted": _quoted,
    "line": _checked(_LINE, "rest of a line ('?' would ask for help)"),
}
