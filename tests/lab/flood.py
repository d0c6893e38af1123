"""Fill a line: UDP to the discard port. Run as `python flood.py ADDRESS KBIT`; ends when killed."""

from __future__ import annotations

import socket
import sys
import time

SIZE = 1200
"""Octets of payload."""
_DISCARD = 9


def main(address: str, kbit: float) -> None:
    """Send for ever."""
    pause_s = SIZE * 8 / (kbit * 1000)
    due = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        while True:
            sock.sendto(bytes(SIZE), (address, _DISCARD))
            due = max(due + pause_s, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
