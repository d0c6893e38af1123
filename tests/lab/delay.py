"""Hold back each packet that is routed into a TUN interface, then give it back to the kernel.

For kernels without netem. Run inside a namespace: `python delay.py INTERFACE MILLISECONDS`;
prints `ready` when the interface exists, which goes when this process does.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000


def main(interface: str, delay_s: float) -> None:
    """Run until killed."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", interface.encode(), _IFF_TUN | _IFF_NO_PI))
    print("ready", flush=True)
    held: deque[tuple[float, bytes]] = deque()
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else None
        if select.select([tun], [], [], wait)[0]:
            held.append((time.monotonic() + delay_s, os.read(tun, 65536)))
        while held and held[0][0] <= time.monotonic():
            os.write(tun, held.popleft()[1])


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) / 1000)
