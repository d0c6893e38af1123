"""A device that is entered over real SSH, played by a Python object: channels, a prompt, files."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import paramiko

from provision import ssh
from provision.ssh import Place


class Played(Protocol):
    """What answers behind the server."""

    files: MutableMapping[str, bytes]

    def execute(self, command: str) -> tuple[int | None, str]:
        """Return exit code (None: it tells none) and output of a command on a channel."""
        ...

    def greeting(self) -> str:
        """Return what a shell prints first, its prompt last."""
        ...

    def typed(self, line: str) -> str:
        """Return what is printed after a line was typed, the prompt last."""
        ...


class SshServer:
    """One device's SSH, on loopback; it knows one key."""

    def __init__(self, folder: Path, played: Played, user: str = "admin") -> None:
        self.played = played
        self.open = True
        """False: nobody gets in, as when rules or a wrong address lock SSH out."""
        self._user = user
        self._host_key = paramiko.ECDSAKey.generate()
        self._key = folder / "id"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)]
        subprocess.run(argv, check=True, capture_output=True)
        self._allowed = self._key.with_suffix(".pub").read_text().split()[1]
        self._transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.place = Place("127.0.0.1", user, self.port, self._key)
        self.known_hosts = folder / "known_hosts"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        ssh.pin(self.place, ssh.offered_key(self.place, self.known_hosts), self.known_hosts)

    def cut(self) -> None:
        """Break every session that is open."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()

    def close(self) -> None:
        """Stop listening, and break every session."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                peer, _where = self._listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self.open:
                peer.close()
                continue
            transport = paramiko.Transport(peer)
            transport.add_server_key(self._host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self.played.files)
            self._transports.append(transport)
            with suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Door(self._user, self._allowed, self.played))


class _Door(paramiko.ServerInterface):  # type: ignore[misc]
    def __init__(self, user: str, allowed: str, played: Played) -> None:
        self._user = user
        self._allowed = allowed
        self._played = played

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        # RouterOS takes what stands after a plus as wishes about its console.
        ours = username.partition("+")[0] == self._user and key.get_base64() == self._allowed
        return int(paramiko.AUTH_SUCCESSFUL if ours else paramiko.AUTH_FAILED)

    def check_channel_pty_request(self, channel: paramiko.Channel, *_rest: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        _start(lambda: _shell(channel, self._played))
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        _start(lambda: _exec(channel, self._played, command.decode()))
        return True


def _start(act: Callable[[], None]) -> None:
    def guarded() -> None:
        with suppress(OSError, EOFError):
            act()

    threading.Thread(target=guarded, daemon=True).start()


def _exec(channel: paramiko.Channel, played: Played, command: str) -> None:
    # Its end is sent when the request was granted: before that, nothing may be closed.
    while channel.recv(1024):
        """What it is fed goes nowhere."""
    code, said = played.execute(command)
    channel.sendall(said.encode())
    if code is not None:
        channel.send_exit_status(code)
    channel.close()


def _shell(channel: paramiko.Channel, played: Played) -> None:
    channel.sendall(played.greeting().encode())
    line = ""
    while octets := channel.recv(1024):
        for char in octets.decode(errors="replace"):
            channel.sendall(b"\r\n" if char in "\r\n" else char.encode())
            if char == "\r":
                continue
            if char == "\n":
                channel.sendall(played.typed(line).encode())
                line = ""
            else:
                line += char


class _Files(paramiko.SFTPServerInterface):  # type: ignore[misc]
    """Files in a mapping; each is written when its handle is closed."""

    def __init__(
        self, _server: paramiko.ServerInterface, files: MutableMapping[str, bytes]
    ) -> None:
        self._files = files

    def open(self, path: str, flags: int, _attr: object) -> paramiko.SFTPHandle | int:
        name = path.strip("/")
        writing = flags & 3 != 0
        if not writing and name not in self._files:
            return int(paramiko.SFTP_NO_SUCH_FILE)
        return _Handle(flags, self._files, name, writing=writing)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        kept = self._files.get(path.strip("/"))
        if kept is None:
            return int(paramiko.SFTP_NO_SUCH_FILE)
        made = paramiko.SFTPAttributes()
        made.st_size = len(kept)
        return made


class _Handle(paramiko.SFTPHandle):  # type: ignore[misc]
    def __init__(
        self, flags: int, files: MutableMapping[str, bytes], name: str, *, writing: bool
    ) -> None:
        super().__init__(flags)
        self._files = files
        self._name = name
        self._writing = writing
        self._octets = bytearray(b"" if writing else files[name])

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._octets[offset : offset + length])

    def write(self, offset: int, data: bytes) -> int:
        self._octets[offset : offset + len(data)] = data
        return int(paramiko.SFTP_OK)

    def stat(self) -> paramiko.SFTPAttributes:
        made = paramiko.SFTPAttributes()
        made.st_size = len(self._octets)
        return made

    def close(self) -> None:
        if self._writing:
            self._files[self._name] = bytes(self._octets)
        super().close()
