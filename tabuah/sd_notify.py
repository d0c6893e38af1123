"""What a program says to the service manager that runs it: sd_notify(3), without its library."""

from __future__ import annotations

import os
import socket


def notify(message: str) -> None:
    """Tell the service manager `message` ('READY=1'); silently nothing where none listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.connect(address)
            manager.send(message.encode())
    except OSError:
        return


def watchdog_s() -> float | None:
    """Return how often the service manager wants a sign of life; None = it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdigit() and int(microseconds) else None
