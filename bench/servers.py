"""What an office asks over its line, as one small process: a resolver, an HTTPS page, a sink.

`python -m bench.servers HOST DNS_PORT HTTPS_PORT SINK_PORT FOLDER` writes the authority that the
asker must trust to FOLDER/ca.pem, prints `ready`, and serves until it is ended. The sink takes
whatever is posted to it, as a remote-write server would.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import cast

import trustme

NAME = "siak.example"
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
_DNS_HEADER_OCTETS = 12


class _Resolver(asyncio.DatagramProtocol):
    """Answers every question with one address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name_end = data.index(b"\0", _DNS_HEADER_OCTETS) + 1
        question = data[_DNS_HEADER_OCTETS : name_end + 4]
        head = data[:2] + b"\x81\x80" + b"\0\1\0\1\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes((203, 0, 113, 80))
        self._transport.sendto(head + question + answer, addr)


async def _page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(_OK + b"Connection: close\r\n\r\nOK\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except (OSError, EOFError, TimeoutError):
        writer.close()


async def _sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = head.partition("content-length:")[2].partition("\r\n")[0].strip() or "0"
            await reader.readexactly(int(length))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
    except (OSError, EOFError):
        writer.close()


def _tls(folder: Path, host: str) -> ssl.SSLContext:
    # RSA and an intermediate authority: what public servers in the country mostly still send.
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    between = authority.create_child_ca(key_type=trustme.KeyType.RSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    between.issue_cert(NAME, host, key_type=trustme.KeyType.RSA).configure_cert(context)
    return context


async def _serve(host: str, dns: int, https: int, sink: int, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(_Resolver, local_addr=(host, dns))
    await asyncio.start_server(_page, host, https, ssl=_tls(folder, host))
    await asyncio.start_server(_sink, host, sink)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    _host, _dns, _https, _sink_port, _folder = sys.argv[1:]
    asyncio.run(_serve(_host, int(_dns), int(_https), int(_sink_port), Path(_folder)))
