"""The user-based security model: keys, users, digests, time windows (RFC 3414, 3826, 7860).

Two authentications: HMAC-SHA-256-192 for tabuah's own reports, HMAC-SHA-1-96 for devices that
know no better. Privacy is AES-128 alone.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import lru_cache
from typing import NamedTuple

from tabuah.errors import DecodeError
from tabuah.snmp import ber

Oid = tuple[int, ...]

MAX_INT = 2**31 - 1
"""The greatest engine boots and engine time; boots that reached it are never in a window."""
WINDOW_SECONDS = 150
PRIVACY_KEY_OCTETS = 16
SALT_OCTETS = 8
MAX_ENGINE_ID_OCTETS = 32
MAX_USER_OCTETS = 32

_PASSWORD_OCTETS = 1024 * 1024


class Auth(Enum):
    """An authentication protocol; the value is its OID (SNMP-FRAMEWORK, RFC 7860 section 9)."""

    SHA1_96 = (1, 3, 6, 1, 6, 3, 10, 1, 1, 3)
    SHA256_192 = (1, 3, 6, 1, 6, 3, 10, 1, 1, 5)

    @property
    def oid(self) -> Oid:
        """The protocol's object identifier."""
        return self.value

    @property
    def hash_name(self) -> str:
        """The hash's name in hashlib."""
        return "sha1" if self is Auth.SHA1_96 else "sha256"

    @property
    def mac_length(self) -> int:
        """How many octets of the digest travel."""
        return 12 if self is Auth.SHA1_96 else 24


class Level(IntEnum):
    """A security level, as it stands in msgFlags (RFC 3412 section 6.4)."""

    NO_AUTH_NO_PRIV = 0
    AUTH_NO_PRIV = 1
    AUTH_PRIV = 3


class Stat(Enum):
    """The usmStats counters (RFC 3414 section 5), which Reports carry; the value is the OID."""

    UNSUPPORTED_LEVELS = (1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0)
    NOT_IN_TIME_WINDOWS = (1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0)
    UNKNOWN_USER_NAMES = (1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0)
    UNKNOWN_ENGINE_IDS = (1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0)
    WRONG_DIGESTS = (1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0)
    DECRYPTION_ERRORS = (1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0)


def password_to_key(password: bytes, auth: Auth) -> bytes:
    """Return Ku, the hash of the password repeated to 1 MiB (RFC 3414 A.2).

    Raises:
        ValueError: if the password is empty.
    """
    if not password:
        raise ValueError("an SNMPv3 password cannot be empty")
    chunk = password * max(1, 65536 // len(password))
    whole, rest = divmod(_PASSWORD_OCTETS, len(chunk))
    digest = hashlib.new(auth.hash_name)
    for _ in range(whole):
        digest.update(chunk)
    digest.update(chunk[:rest])
    return digest.digest()


def localise(ku: bytes, engine_id: bytes, auth: Auth) -> bytes:
    """Return Kul, the key that one user shares with one engine (RFC 3414 section 2.6)."""
    return hashlib.new(auth.hash_name, ku + engine_id + ku).digest()


@dataclass(frozen=True, slots=True)
class UsmUser:
    """A user with the keys of one engine.

    It holds key octets and no prepared cipher or hash: those would be quicker by a microsecond
    or two a message, and three times the memory where there are 83,762 users.
    """

    name: str
    auth: Auth | None = None
    auth_key: bytes = field(default=b"", repr=False)
    """Localised."""
    priv_key: bytes = field(default=b"", repr=False)
    """The first 16 octets of the localised key; empty = no privacy."""
    mac_length: int = field(init=False, compare=False)
    """How many octets a digest of this user has on the wire; 0 without authentication."""
    _hash_name: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        mac_length = 0 if self.auth is None else self.auth.mac_length
        object.__setattr__(self, "mac_length", mac_length)
        object.__setattr__(self, "_hash_name", "" if self.auth is None else self.auth.hash_name)
        if len(self.name.encode()) > MAX_USER_OCTETS:
            raise ValueError(f"user name '{self.name}' is longer than {MAX_USER_OCTETS} octets")
        if len(self.priv_key) not in (0, PRIVACY_KEY_OCTETS):
            raise ValueError(f"a privacy key has {PRIVACY_KEY_OCTETS} octets")
        if self.auth is None:
            if self.auth_key or self.priv_key:
                raise ValueError("keys need an authentication protocol")
            return
        if not self.auth_key:
            raise ValueError(f"user '{self.name}' has no authentication key")

    @classmethod
    def from_ku(
        cls, name: str, auth: Auth | None, auth_ku: bytes, priv_ku: bytes, engine_id: bytes
    ) -> UsmUser:
        """Return the user whose keys Ku (of passwords, or drawn) are localised to that engine.

        Privacy is left out when `priv_ku` is empty, authentication when `auth` is None.
        """
        if auth is None:
            return cls(name)
        priv_key = localise(priv_ku, engine_id, auth)[:PRIVACY_KEY_OCTETS] if priv_ku else b""
        return cls(name, auth, localise(auth_ku, engine_id, auth), priv_key)

    @property
    def level(self) -> Level:
        """The highest security level that the user's keys allow."""
        if self.auth is None:
            return Level.NO_AUTH_NO_PRIV
        return Level.AUTH_PRIV if self.priv_key else Level.AUTH_NO_PRIV

    def mac(self, message: bytes, mac_at: int) -> bytes:
        """Return the digest of a whole message, as if its MAC field at `mac_at` were zeros."""
        length = self.mac_length
        zeroed = b"".join((message[:mac_at], bytes(length), message[mac_at + length :]))
        return hmac.digest(self.auth_key, zeroed, self._hash_name)[:length]

    def verifies(self, message: bytes, mac_at: int, mac: bytes) -> bool:
        """Return whether `mac`, taken from the message at `mac_at`, is its full, right digest."""
        if not self.mac_length or len(mac) != self.mac_length:
            return False
        return hmac.compare_digest(mac, self.mac(message, mac_at))


NOBODY = UsmUser("")
"""The user of discovery (RFC 3414 section 4)."""


class EngineTime(NamedTuple):
    """An authoritative engine's clock: how often it booted, and seconds since then."""

    boots: int
    time: int

    def accepts(self, stamp: EngineTime) -> bool:
        """Return whether a message so stamped is in our own window (RFC 3414 section 3.2 7a)."""
        return (
            stamp.boots == self.boots
            and self.boots != MAX_INT
            and abs(stamp.time - self.time) <= WINDOW_SECONDS
        )


class SecurityParameters(NamedTuple):
    """UsmSecurityParameters (RFC 3414 section 2.4)."""

    engine_id: bytes
    stamp: EngineTime
    user: str
    mac: bytes = b""
    salt: bytes = b""


def encode_security(parameters: SecurityParameters) -> bytes:
    """Return the parameters' octets; they end with the MAC's and the salt's elements."""
    engine_id, stamp, user, mac, salt = parameters
    return ber.tlv(
        ber.SEQUENCE,
        b"".join(
            (
                _engine(engine_id, stamp),
                ber.octets(user.encode()),
                ber.octets(mac),
                ber.octets(salt),
            )
        ),
    )


@lru_cache(maxsize=16)
def _engine(engine_id: bytes, stamp: EngineTime) -> bytes:
    """Return what is the same in all that an engine says within a second."""
    return b"".join((ber.octets(engine_id), ber.integer(stamp.boots), ber.integer(stamp.time)))


def decode_security(data: bytes, start: int, end: int) -> tuple[SecurityParameters, int]:
    """Return the parameters that fill `data[start:end]`, and where in `data` the MAC stands.

    Raises:
        DecodeError: if they are none, or of sizes that RFC 3414 does not allow.
    """
    at, stop = ber.enter(data, start, end, ber.SEQUENCE)
    engine_id, at = ber.read_octets(data, at, stop, MAX_ENGINE_ID_OCTETS)
    boots, at = ber.read_integer(data, at, stop)
    time, at = ber.read_integer(data, at, stop)
    name, at = ber.read_octets(data, at, stop, MAX_USER_OCTETS)
    mac, mac_stop = ber.read_octets(data, at, stop, 64)
    salt, at = ber.read_octets(data, mac_stop, stop, 64)
    if at != stop or stop != end:
        raise DecodeError("octets follow the security parameters")
    if not (0 <= boots <= MAX_INT and 0 <= time <= MAX_INT):
        raise DecodeError(f"engine boots {boots} or time {time} out of range")
    try:
        user = name.decode()
    except UnicodeDecodeError:
        raise DecodeError("user name is not UTF-8") from None
    stamp = EngineTime(boots, time)
    return SecurityParameters(engine_id, stamp, user, mac, salt), mac_stop - len(mac)


def decode_usual(data: bytes, at: int) -> tuple[SecurityParameters, int, int] | None:
    """Return the parameters whose OCTET STRING begins at `at`, where the MAC stands, and the end.

    None if they are not written as those of a report: see `message.decode`. The data must have
    256 octets at least.
    """
    stop = at + 2 + data[at + 1]
    if data[at] != 4 or data[at + 1] > 0x7F or data[at + 2] != 0x30 or stop > len(data):
        return None
    engine_at = at + 6
    boots_at = engine_at + data[at + 5] + 2
    if data[at + 3] != stop - at - 4 or data[at + 4] != 4 or boots_at > engine_at + 34:
        return None
    time_at = boots_at + data[boots_at - 1] + 2
    if data[boots_at - 2] != 2 or not boots_at + 2 < time_at < boots_at + 7:
        return None
    name_at = time_at + data[time_at - 1] + 2
    if data[time_at - 2] != 2 or not time_at + 2 < name_at < time_at + 7:
        return None
    mac_at = name_at + data[name_at - 1] + 2
    if data[name_at - 2] != 4 or mac_at > name_at + 34:
        return None
    salt_at = mac_at + data[mac_at - 1] + 2
    if data[mac_at - 2] != 4 or salt_at > mac_at + 66 or data[salt_at - 2] != 4:
        return None
    if salt_at + data[salt_at - 1] != stop or stop > salt_at + 64:
        return None
    if data[boots_at] & 0x80 or data[time_at] & 0x80:
        return None
    try:
        user = data[name_at : mac_at - 2].decode()
    except UnicodeDecodeError:
        return None
    stamp = EngineTime(
        int.from_bytes(data[boots_at : time_at - 2], "big"),
        int.from_bytes(data[time_at : name_at - 2], "big"),
    )
    engine_id = data[engine_at : boots_at - 2]
    mac, salt = data[mac_at : salt_at - 2], data[salt_at:stop]
    return SecurityParameters(engine_id, stamp, user, mac, salt), mac_at, stop


def initial_vector(stamp: EngineTime, salt: bytes) -> bytes:
    """Return the IV of AES (RFC 3826 section 3.1.2.1): boots, time, salt."""
    boots, time = stamp
    return (boots << 32 | time).to_bytes(8, "big") + salt


class PeerClock:
    """What a non-authoritative engine knows of the authoritative one's clock.

    Feed it authenticated stamps only (RFC 3414 section 3.2 7b): it moves forward, never back.
    """

    def __init__(self) -> None:
        self._latest = EngineTime(0, 0)
        self._heard_at = 0.0
        self.known = False
        """Whether any stamp has been heard."""

    def at(self, now: float) -> EngineTime:
        """Return the other's clock at `now` (monotonic seconds); 0, 0 while it is not known."""
        if not self.known:
            return EngineTime(0, 0)
        boots, time = self._latest
        return EngineTime(boots, min(MAX_INT, time + max(0, int(now - self._heard_at))))

    def hear(self, stamp: EngineTime, now: float) -> bool:
        """Take in an authenticated stamp; return whether it is within the time window."""
        if not self.known or stamp > self._latest:
            self._latest = stamp
            self._heard_at = now
            self.known = True
        here = self.at(now)
        return stamp.boots == here.boots != MAX_INT and stamp.time >= here.time - WINDOW_SECONDS
