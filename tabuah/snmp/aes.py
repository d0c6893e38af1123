"""AES-128 in CFB128 mode (RFC 3826), by the OpenSSL that this Python already has loaded.

The agent must stay small: importing `cryptography` costs 9 MiB of memory, asking the libcrypto
behind `hashlib` through ctypes costs none, and is twice as fast. `cryptography` is the second
choice, for a Python whose OpenSSL cannot be reached.

This is the one module of the codec that is not pure: it looks for a shared library, once.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

from tabuah.errors import TabuahError

BLOCK = 16
_ROOM = 2048
"""Octets of the output that is kept ready: for every datagram that fits a line's packets."""


class Cipher(Protocol):
    """AES-128-CFB128: a 16-octet key and IV, and as many octets out as in."""

    def encrypt(self, key: bytes, iv: bytes, plain: bytes) -> bytes:
        """Return the ciphertext."""

    def decrypt(self, key: bytes, iv: bytes, secret: bytes) -> bytes:
        """Return the plaintext."""


def encrypt(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """Return the ciphertext of `plain` under a 16-octet key and IV.

    Raises:
        TabuahError: if this machine has no AES that we can reach; it says what to install.
    """
    return cipher().encrypt(key, iv, plain)


def decrypt(key: bytes, iv: bytes, secret: bytes) -> bytes:
    """Return the plaintext of `secret` under a 16-octet key and IV.

    Raises:
        TabuahError: as `encrypt`.
    """
    return cipher().decrypt(key, iv, secret)


@lru_cache(maxsize=1)
def cipher() -> Cipher:
    """Return this machine's AES, looked for at the first call.

    Raises:
        TabuahError: if there is none.
    """
    for library in _libraries():
        try:
            return LibcryptoCipher(library)
        except AttributeError:
            continue  # a libcrypto without these functions, or a Python that hides them
    try:
        return BlockCipher()
    except ImportError:
        raise TabuahError(
            "SNMPv3 privacy needs AES: install OpenSSL's libcrypto (Debian: libssl3, "
            "Alpine: libcrypto3) or the Python package 'cryptography'"
        ) from None


def _libraries() -> Iterator[ctypes.PyDLL]:
    # A handle on the extension module finds the symbols of the libcrypto that it is linked to,
    # wherever that lies; built into the interpreter, they are the process's own.
    try:
        extension = importlib.import_module("_hashlib")
        yield ctypes.PyDLL(getattr(extension, "__file__", None))
    except (ImportError, OSError):
        pass
    from ctypes.util import find_library  # noqa: PLC0415 - 0.9 MiB of imports, hardly ever needed

    name = find_library("crypto")
    if name is not None:
        try:
            yield ctypes.PyDLL(name)
        except OSError:
            return


class LibcryptoCipher:
    """OpenSSL's EVP interface.

    PyDLL keeps the GIL: these calls take microseconds, and getting it back could take
    milliseconds. The one context is guarded, because a message takes two calls.
    """

    def __init__(self, library: ctypes.PyDLL) -> None:
        pointer, octets, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        library.EVP_aes_128_cfb128.restype = pointer
        library.EVP_CIPHER_CTX_new.restype = pointer
        self._init = library.EVP_CipherInit_ex
        self._init.argtypes = [pointer, pointer, pointer, octets, octets, number]
        self._update = library.EVP_CipherUpdate
        self._update.argtypes = [pointer, pointer, pointer, octets, number]
        self._context = pointer(library.EVP_CIPHER_CTX_new())
        self._length = number(0)
        self._length_at = ctypes.byref(self._length)
        self._out = ctypes.create_string_buffer(_ROOM)
        self._view = memoryview(self._out)
        self._lock = threading.Lock()
        kind = pointer(library.EVP_aes_128_cfb128())
        if not self._init(self._context, kind, None, bytes(BLOCK), bytes(BLOCK), 1):
            raise TabuahError("OpenSSL refuses AES-128-CFB128 (a FIPS policy?)")

    def encrypt(self, key: bytes, iv: bytes, plain: bytes) -> bytes:
        """Return the ciphertext."""
        return self._run(key, iv, plain, 1)

    def decrypt(self, key: bytes, iv: bytes, secret: bytes) -> bytes:
        """Return the plaintext."""
        return self._run(key, iv, secret, 0)

    def _run(self, key: bytes, iv: bytes, data: bytes, encrypting: int) -> bytes:
        if len(key) != BLOCK or len(iv) != BLOCK:
            _demand(key, iv)
        size = len(data)
        with self._lock:
            fits = size <= _ROOM
            out = self._out if fits else ctypes.create_string_buffer(size)
            if not (
                self._init(self._context, None, None, key, iv, encrypting)
                and self._update(self._context, out, self._length_at, data, size)
                and self._length.value == size
            ):
                raise TabuahError("OpenSSL failed at AES-128-CFB128")
            return self._view[:size].tobytes() if fits else out.raw


class BlockCipher:
    """CFB128 by hand over the block cipher of `cryptography`, which is leaving CFB behind."""

    def __init__(self) -> None:
        self._ciphers = importlib.import_module("cryptography.hazmat.primitives.ciphers")

    def encrypt(self, key: bytes, iv: bytes, plain: bytes) -> bytes:
        """Return the ciphertext: each block is masked by the encryption of the one before."""
        _demand(key, iv)
        block = self._block(key)
        secret = b""
        chain: list[bytes] = []
        for at in range(0, len(plain), BLOCK):
            secret = _xor(plain[at : at + BLOCK], block(secret or iv))
            chain.append(secret)
        return b"".join(chain)

    def decrypt(self, key: bytes, iv: bytes, secret: bytes) -> bytes:
        """Return the plaintext: all masks are known at once."""
        _demand(key, iv)
        padded = iv + secret + bytes(-len(secret) % BLOCK)
        return _xor(secret, self._block(key)(padded))

    def _block(self, key: bytes) -> _Block:
        ciphers = self._ciphers
        algorithm = ciphers.algorithms.AES(key)
        # CFB needs the bare block function; the chaining that makes it safe is ours, above.
        update: _Block = ciphers.Cipher(algorithm, ciphers.modes.ECB()).encryptor().update
        return update


class _Block(Protocol):
    def __call__(self, data: bytes, /) -> bytes: ...


def _demand(key: bytes, iv: bytes) -> None:
    # OpenSSL reads 16 octets of each, whatever is there.
    if len(key) != BLOCK or len(iv) != BLOCK:
        raise ValueError(f"AES-128 takes a key and an IV of {BLOCK} octets")


def _xor(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    number = int.from_bytes(data, "big") ^ int.from_bytes(mask[:size], "big")
    return number.to_bytes(size, "big")
