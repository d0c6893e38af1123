"""The offices' keys: derived from the collector's master secret, never stored.

An office's key Ku has 32 octets, HKDF-SHA-256 (RFC 5869) of the master secret, the office's code
and the generation. Its user name carries code and generation (`13.02.10#2`), so that one key is
tried for each message. Authentication and privacy keys are localised from Ku as RFC 3414 section
2.6 does; net-snmp takes the same Ku with `-3m` and `-3M`.
"""

from __future__ import annotations

import hmac
import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from collector import enrolled
from collector.enrolled import Enrolment
from collector.identity import Identity
from tabuah.errors import TabuahError
from tabuah.snmp.usm import MAX_USER_OCTETS, Auth, UsmUser

KEY_OCTETS = 32

_HASH_OCTETS = 32
_SALT = b"tabuah"
_PURPOSE = b"site key Ku"
_USER = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,31})#([1-9][0-9]{0,8})", re.ASCII)
_CACHED_USERS = 131_072
"""All villages of the country: a key that is forgotten costs 30 us to derive again."""
_REREAD_SECONDS = 1.0

log = logging.getLogger(__name__)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return `length` octets of HKDF with SHA-256 (RFC 5869 section 2).

    Raises:
        ValueError: more than 255 x 32 octets are asked for.
    """
    if length > 255 * _HASH_OCTETS:
        raise ValueError(f"HKDF-SHA-256 gives at most {255 * _HASH_OCTETS} octets, not {length}")
    extracted = hmac.digest(salt or bytes(_HASH_OCTETS), secret, "sha256")
    block = output = b""
    counter = 0
    while len(output) < length:
        counter += 1
        block = hmac.digest(extracted, block + info + bytes((counter,)), "sha256")
        output += block
    return output[:length]


def site_key(master: bytes, site: str, generation: int) -> bytes:
    """Return Ku of an office's key of that generation, 32 octets."""
    # NUL occurs in no code: no two offices and generations share an info.
    info = b"\0".join((_PURPOSE, site.encode(), str(generation).encode()))
    return hkdf(master, _SALT, info, KEY_OCTETS)


def user_name(site: str, generation: int) -> str:
    """Return the SNMP user name of an office's key.

    Raises:
        TabuahError: the office's code is too long for one (RFC 3414: 32 octets), or no token.
    """
    user = f"{site}#{generation}"
    if len(user) > MAX_USER_OCTETS or parse_user(user) is None:
        raise TabuahError(
            f"site {site}: its code cannot be used in an SNMP user name; use at most "
            f"{MAX_USER_OCTETS - len(f'#{generation}')} letters, digits, '.', '_' and '-'"
        )
    return user


def parse_user(user: str) -> tuple[str, int] | None:
    """Return the office's code and the generation that a user name holds; None if it is not ours.

    Strict: there is one name for each key, so `13.02.10#02` is none.
    """
    match = _USER.fullmatch(user)
    return (match[1], int(match[2])) if match else None


def site_of(user: str) -> str:
    """Return the site of a user that `KeyRing.lookup` has found; the same string each time."""
    return sys.intern(user.rpartition("#")[0])


class KeyRing:
    """The users that may speak to this collector, found by name.

    Lives in the event loop. What is not in memory costs a few hashes; an unknown name costs no
    disk access but for a look at `enrolled.json`, at most once a second for all names together.
    """

    def __init__(
        self,
        data: Path,
        identity: Identity,
        clock: Callable[[], float] = time.monotonic,
        limit: int = _CACHED_USERS,
    ) -> None:
        self._data = data
        self._identity = identity
        self._clock = clock
        self._limit = limit
        self._users: dict[str, UsmUser] = {}
        self._settled: set[str] = set()
        """Users whose use tells nothing new."""
        self._unsaved: dict[str, int] = {}
        self._stamp = self._file_stamp()
        self._read_at = clock()
        self._enrolled: dict[str, Enrolment] = enrolled.read(data)

    def lookup(self, user: str) -> UsmUser | None:
        """Return the user of that name with its localised keys; None if it may not speak."""
        found = self._users.get(user)
        if found is not None:
            return found
        parsed = parse_user(user)
        if parsed is None:
            return None
        site, generation = parsed
        entry = self._enrolled.get(site)
        if entry is None or generation > entry.generation:
            self.refresh()
            entry = self._enrolled.get(site)
        if entry is None or not entry.accepts(generation):
            return None
        if len(self._users) >= self._limit:
            del self._users[next(iter(self._users))]
        ku = site_key(self._identity.master, site, generation)
        found = UsmUser.from_ku(user, Auth.SHA256_192, ku, ku, self._identity.engine_id)
        self._users[user] = found
        return found

    def heard(self, user: str) -> None:
        """Take note that an authenticated message of `user` came: its older keys are void now.

        To be called for each; costs one look-up in a set. `save` makes it last.
        """
        if user in self._settled:
            return
        parsed = parse_user(user)
        entry = self._enrolled.get(parsed[0]) if parsed else None
        if parsed is None or entry is None or not entry.accepts(parsed[1]):
            return
        site, generation = parsed
        if generation > max(entry.heard, 1):
            log.info("site %s: key %d is in use, older ones are void", site, generation)
            for older in range(max(entry.heard, 1), generation):
                self._forget(f"{site}#{older}")
            self._enrolled[site] = replace(entry, heard=generation)
            self._unsaved[site] = generation
        self._settled.add(user)

    def save(self) -> None:
        """Keep on disk what `heard` noted, if anything; blocks for the fsync then.

        Raises:
            TabuahError: it could not be kept; the next call tries again.
        """
        unsaved = dict(self._unsaved)
        if not unsaved:
            return
        enrolled.note_heard(self._data, unsaved)
        for site, generation in unsaved.items():
            if self._unsaved.get(site) == generation:
                del self._unsaved[site]

    def _forget(self, user: str) -> None:
        self._users.pop(user, None)
        self._settled.discard(user)

    def refresh(self) -> None:
        """Take up what `tabuah enrol` has changed; looks at the disk at most once a second.

        Enrolled offices are found without it; that a key was revoked shows only here.
        """
        now = self._clock()
        if now - self._read_at < _REREAD_SECONDS:
            return
        self._read_at = now
        stamp = self._file_stamp()
        if stamp == self._stamp:
            return
        try:
            fresh = enrolled.read(self._data)
        except TabuahError as error:
            log.error("%s; going on with what was read before", error)  # noqa: TRY400
            return
        self._stamp = stamp
        for site, generation in self._unsaved.items():
            if (entry := fresh.get(site)) is not None:
                fresh[site] = replace(entry, heard=max(entry.heard, generation))
        self._enrolled = fresh
        self._users.clear()
        self._settled.clear()

    def _file_stamp(self) -> tuple[int, int, int] | None:
        """Return what changes when the file is replaced; None when there is none."""
        try:
            status = (self._data / enrolled.FILE_NAME).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
