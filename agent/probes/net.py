"""Names, sockets and interfaces for the probes: the thin edge to the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable

from agent.probes.run import Addresses, Memory, ProbeFailure, status_of
from tabuah.measurement import Stage, Status

_MAX_ADDRESSES = 4
_KEEP_S = 60.0
"""A name is not looked up at every packet: octets on the line count, and a resolver's fault is not
the target's."""


async def resolve(
    host: str, memory: Memory, timeout_s: float, keep_s: float = _KEEP_S
) -> Addresses:
    """Return the addresses of `host`, at once when it is one itself or was looked up of late.

    The system's resolver blocks, for half a minute when the line is dead. So it gets a daemon
    thread of its own, which no shutdown waits for, and a run that finds the last lookup still
    under way joins it. The lookup leaves by the default route, whatever the probe's interface.

    Raises:
        ProbeFailure: UNABLE_TO_RESOLVE_DNS_NAME; REQUEST_TIMED_OUT when no word came in time.
    """
    with contextlib.suppress(socket.gaierror, UnicodeError):
        return _addresses(host, socket.AI_NUMERICHOST)
    if memory.addresses and time.monotonic() - memory.looked_up_s < keep_s:
        return memory.addresses
    if memory.lookup is None or memory.lookup.done():
        memory.lookup = _look_up(host)
    try:
        async with asyncio.timeout(timeout_s):
            memory.addresses = await asyncio.shield(memory.lookup)
    except TimeoutError:
        raise ProbeFailure(Status.REQUEST_TIMED_OUT, Stage.RESOLVE) from None
    except (socket.gaierror, UnicodeError) as error:
        raise ProbeFailure(Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.RESOLVE) from error
    memory.looked_up_s = time.monotonic()
    return memory.addresses


def _look_up(host: str) -> asyncio.Future[Addresses]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Addresses] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def settle(found: Addresses | Exception) -> None:
        if future.done():
            return
        if isinstance(found, Exception):
            future.set_exception(found)
        else:
            future.set_result(found)

    def work() -> None:
        found: Addresses | Exception
        try:
            found = _addresses(host, 0)
        except (OSError, UnicodeError) as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=work, name=f"resolve {host}", daemon=True).start()
    return future


def _addresses(host: str, flags: int) -> Addresses:
    found: Addresses = []
    # Python encodes a text by IDNA, whose tables take 0.3 MiB that plain names do not need.
    name = host.encode() if host.isascii() else host
    for family, _, _, _, address in socket.getaddrinfo(
        name, None, type=socket.SOCK_STREAM, flags=flags
    ):
        entry = (int(family), str(address[0]))
        if entry not in found:
            found.append(entry)
    return found[:_MAX_ADDRESSES]


def bind_to(sock: socket.socket, interface: str | None) -> None:
    """Make the socket leave by `interface` alone (SO_BINDTODEVICE); None = by the routes.

    Raises:
        ProbeFailure: INTERFACE_INACTIVE_TO_TARGET when there is no such interface.
    """
    if interface is None:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    except OSError as error:
        raise ProbeFailure(status_of(error), Stage.CONNECT) from error


async def connect(
    addresses: Addresses,
    port: int,
    interface: str | None,
    prepare: Callable[[socket.socket], None] | None = None,
) -> socket.socket:
    """Return a TCP socket connected to the first address that lets it; the caller closes it.

    `prepare` is shown each socket before it connects.

    Raises:
        OSError: of the last address that was tried.
        ProbeFailure: as `bind_to`.
    """
    loop = asyncio.get_running_loop()
    last: OSError = OSError("no address")
    for family, host in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            bind_to(sock, interface)
            if prepare is not None:
                prepare(sock)
            await loop.sock_connect(sock, (host, port))
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last
