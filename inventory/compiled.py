"""A large inventory, compiled once into one file of which each office is read when it is asked for.

YAML of 83,762 offices takes minutes to read, and its values more memory than the collector has
for all else. So `open_inventory` lets a child process read it, which leaves `inventory.compiled`
in the data folder, and keeps of it nothing but where each office begins. What is small is read
as ever.

    magic | offices, each deflated | table | head, JSON | trailer

The table says where each office begins, and has what is asked of all at once: codes, their order
when sorted, outlines. The head has the inventory without its offices, and the sources: names,
sizes, times and digests. The file is good for the sources that it names and for the model that
wrote it; the trailer's digest finds damage. What is stale or damaged is made again, file by file
where that is enough. It is replaced whole, so that whoever has it open goes on reading the old one.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import subprocess
import sys
import time
import zlib
from array import array
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple, overload

from inventory.fields import Findings
from inventory.load import check_directory, load, read, site_files
from inventory.model import HEAD, Inventory, Outline, Site, StoredSites, outline_of
from inventory.packing import Json, fingerprint, pack, reader
from tabuah.errors import ConfigError, Problem, TabuahError
from tabuah.whole_file import replacing

log = logging.getLogger(__name__)

FILE_NAME: Final = "inventory.compiled"

LARGE_BYTES: Final = 256 * 1024
"""YAML of this size is compiled: hundreds of offices, which take half a second to read."""

_MAGIC: Final = b"tabuah inventory 4\n"
_TRAILER: Final = struct.Struct("<QQQQ32s")
"""Where the table begins, its offices, where the head begins, where it ends, SHA-256 so far."""
_READ: Final = 1 << 20
_KEPT: Final = 1024
"""Offices that are kept read, some 6 kB each."""
_RACE_NS: Final = 2_000_000_000
"""A source written so shortly before it was read may have been written again in the same tick."""


class Source(NamedTuple):
    """A file that the inventory was made of."""

    name: str
    size: int
    mtime_ns: int
    digest: str
    sites: int = 0
    """How many offices it holds."""


def open_inventory(directory: Path, data: Path) -> Inventory:
    """Return the inventory of the directory; a large one by its compiled file in `data`.

    Blocks for as long as it takes to compile: a minute for 83,762 offices, when they changed.

    Raises:
        ConfigError: as `inventory.load.load`.
    """
    check_directory(directory)
    if _size(directory) < LARGE_BYTES:
        return load(directory)
    path = data / FILE_NAME
    found = read_compiled(directory, path)
    if found is None:
        log.info("compiling the inventory")
        found = _compile_apart(directory, path)
    if found is not None:
        return found
    log.warning("going on with the inventory uncompiled: it takes more memory")
    return load(directory)


def _compile_apart(directory: Path, path: Path) -> Inventory | None:
    """Have a child make the file, so that the memory it takes goes with it; None if it cannot."""
    # -P: a folder called inventory, where we happen to stand, is not this package.
    argv = [sys.executable, "-P", "-m", "inventory.compiled", str(directory), str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == ConfigError.exit_code:
        raise ConfigError(Problem(*problem) for problem in json.loads(done.stdout))
    if done.returncode < 0:  # told to stop; or for want of memory, of which we would need more
        raise TabuahError(f"{directory}: compiling was ended by signal {-done.returncode}")
    if done.returncode:
        log.warning("%s: not made: %s", path, done.stderr.strip()[-500:] or done.returncode)
        return None
    return read_compiled(directory, path)


def _paths(directory: Path) -> list[Path]:
    return [directory / HEAD, *site_files(directory, Findings())]


def _size(directory: Path) -> int:
    size = 0
    for path in _paths(directory):
        try:
            size += path.stat().st_size
        except OSError:
            continue  # the reader will say so
    return size


# --- writing ------------------------------------------------------------------------------


def write_compiled(directory: Path, path: Path) -> int:
    """Read the directory and replace `path` by what it says; return how many offices were read.

    Of an older `path` is taken what has not changed since.

    Raises:
        ConfigError: the inventory is not valid; the old file stands.
        OSError: the file could not be written; the old one stands.
    """
    old = _Old.open(directory, path)
    if old is not None:
        try:
            return _write(directory, path, old)
        except ConfigError:
            pass  # read as a whole, it says all that is wrong, and where
    return _write(directory, path, None)


def _write(directory: Path, path: Path, old: _Old | None) -> int:
    made_ns = time.time_ns()
    sources = {one: _source(directory, one) for one in _paths(directory) if one.is_file()}
    with replacing(path) as file:
        writer = _Writer(file.write, b"" if old is None else old.sites.words)
        count: Counter[Path] = Counter()
        made = 0

        def keep(site: Site) -> None:
            nonlocal made
            made += 1
            count[Path(site.where.rpartition(":")[0])] += 1
            writer.add(site)

        def known(source: Path, head: Inventory) -> Sequence[str] | None:
            if old is None or source not in sources:
                return None
            numbers = old.unchanged(sources[source], head)
            if numbers is None:
                return None
            count[source] = len(numbers)
            for number in numbers:
                writer.copy(old.sites.outline(number), old.sites.packed(number))
            return writer.codes[len(writer.codes) - len(numbers) :]

        head = read(directory, keep, known)
        writer.end(
            {
                "model": fingerprint(Inventory),
                "directory": str(directory),
                "made_ns": made_ns,
                "sources": [
                    list(source._replace(sites=count[one])) for one, source in sources.items()
                ],
                "inventory": pack(head),
            }
        )
    return made


class _Old:
    """An older compiled file of the same directory and model: what of it is good still."""

    def __init__(self, sites: CompiledSites, inventory: Inventory, sources: list[Source]) -> None:
        self.sites = sites
        self._inventory = inventory
        self._at: dict[tuple[str, str], range] = {}
        first = 0
        for one in sources:
            self._at[one.name, one.digest] = range(first, first + one.sites)
            first += one.sites

    @classmethod
    def open(cls, directory: Path, path: Path) -> _Old | None:
        found = _opened(path)
        if found is None or not _is_of(found[0], directory):
            return None
        head, inventory = found
        assert isinstance(inventory.sites, CompiledSites)
        sources = _sources(head)
        if sum(one.sites for one in sources) != len(inventory.sites):
            return None
        return cls(inventory.sites, inventory, sources)

    def unchanged(self, source: Source, head: Inventory) -> range | None:
        """Return which offices are those of `source`, if they would be read as they were."""
        before = self._inventory
        same = (
            head.organisation == before.organisation
            and before.upstreams.keys() <= head.upstreams.keys()
            and before.power_groups.keys() <= head.power_groups.keys()
            and before.services.keys() <= head.services.keys()
        )
        return self._at.get((source.name, source.digest)) if same else None


def _source(directory: Path, path: Path) -> Source:
    known = path.stat()
    digest = sha256(path.read_bytes()).hexdigest()
    return Source(str(path.relative_to(directory)), known.st_size, known.st_mtime_ns, digest)


class _Writer:
    """Puts offices into a file one after the other."""

    def __init__(self, write: Callable[[bytes], object], words: bytes) -> None:
        self._write = write
        self._digest = sha256()
        self._at = 0
        self._words = words
        self._begins = array("Q")
        self.codes: list[str] = []
        self._intervals = array("d")
        self._hangs_on = array("I")
        self._addresses: list[str] = []
        self._upstreams: dict[str | None, int] = {}
        self._put(_MAGIC)

    def add(self, site: Site) -> None:
        text = _dump(pack(site))
        self._words = self._words or text
        # Offices are much alike: the first one's words are what the others are deflated upon.
        deflater = zlib.compressobj(6, wbits=-15, zdict=self._words)
        self.copy(outline_of(site), deflater.compress(text) + deflater.flush())

    def copy(self, outline: Outline, packed: bytes) -> None:
        self._begins.append(self._at)
        self.codes.append(outline.code)
        self._intervals.append(outline.interval_s)
        self._addresses.append(outline.address or "")
        self._hangs_on.append(self._upstreams.setdefault(outline.upstream, len(self._upstreams)))
        self._put(packed)

    def end(self, head: dict[str, Json]) -> None:
        table = self._at
        self._begins.append(table)
        order = sorted(range(len(self.codes)), key=self.codes.__getitem__)
        self._put(_little(self._begins) + _little(array("I", order)))
        self._put(_little(self._intervals) + _little(self._hangs_on))
        for texts in (self.codes, self._addresses):
            octets = [text.encode() for text in texts]
            ends = array("Q", accumulate(map(len, octets), initial=0))
            self._put(_little(ends) + b"".join(octets))
        start = self._at
        upstreams: list[Json] = list(self._upstreams)
        self._put(_dump({**head, "words": self._words.decode(), "upstreams": upstreams}))
        digest = self._digest.digest()
        self._put(_TRAILER.pack(table, len(self.codes), start, self._at, digest))

    def _put(self, octets: bytes) -> None:
        self._write(octets)
        self._digest.update(octets)
        self._at += len(octets)


def _dump(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _little(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


# --- reading ------------------------------------------------------------------------------


def read_compiled(directory: Path, path: Path) -> Inventory | None:
    """Return the inventory that `path` holds, or None unless it is whole and up to date."""
    found = _opened(path)
    try:
        if found is None or not (_is_of(found[0], directory) and _is_fresh(directory, found[0])):
            return None
    except OSError:  # a source went away meanwhile
        return None
    return found[1]


def inventory_at(handle: int) -> Inventory:
    """Return the inventory in an open compiled file, whether or not its sources have changed."""
    return _read(handle)[1]


def handle_of(inventory: Inventory) -> int:
    """Return an open compiled file of an inventory as it is, for the caller to close."""
    if isinstance(inventory.sites, CompiledSites):
        return os.dup(inventory.sites.handle)
    handle = os.memfd_create(FILE_NAME)
    with os.fdopen(os.dup(handle), "wb") as file:
        writer = _Writer(file.write, b"")
        for site in inventory.sites:
            writer.add(site)
        writer.end({"inventory": pack(replace(inventory, sites=()))})
    return handle


def _opened(path: Path) -> tuple[dict[str, Json], Inventory] | None:
    """Return the head of a file, and its inventory, if it is whole."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        _check_digest(handle)
        return _read(handle)
    except (OSError, ValueError, TypeError, LookupError, struct.error, zlib.error) as error:
        log.warning("%s: damaged, or of another version, made again: %s", path, error)
        return None
    finally:
        os.close(handle)


def _is_of(head: dict[str, Json], directory: Path) -> bool:
    return head["model"] == fingerprint(Inventory) and head["directory"] == str(directory)


def _sources(head: dict[str, Json]) -> list[Source]:
    listed = head["sources"]
    assert isinstance(listed, list)
    return [Source(*one) for one in listed]  # type: ignore[misc]


def _check_digest(handle: int) -> None:
    size = os.fstat(handle).st_size
    digest, at = sha256(), 0
    last = size - _TRAILER.size
    if last < len(_MAGIC) or os.pread(handle, len(_MAGIC), 0) != _MAGIC:
        raise ValueError("it is no compiled inventory of this version")
    while at < last:
        octets = os.pread(handle, min(_READ, last - at), at)
        if not octets:
            raise ValueError("it became shorter")
        digest.update(octets)
        at += len(octets)
    *_, end, wanted = _TRAILER.unpack(os.pread(handle, _TRAILER.size, last))
    if end != last or wanted != digest.digest():
        raise ValueError("its digest is wrong")


def _read(handle: int) -> tuple[dict[str, Json], Inventory]:
    last = os.fstat(handle).st_size - _TRAILER.size
    table, count, start, end, _ = _TRAILER.unpack(os.pread(handle, _TRAILER.size, last))
    head = json.loads(os.pread(handle, end - start, start))
    table_octets = os.pread(handle, start - table, table)
    words, upstreams = head.pop("words").encode(), head.pop("upstreams")
    sites = CompiledSites(os.dup(handle), table_octets, count, words, upstreams)
    inventory = reader(Inventory)(head.pop("inventory"))
    return head, replace(inventory, sites=sites)


def _is_fresh(directory: Path, head: dict[str, Json]) -> bool:
    """Return whether the sources are those of which the head speaks."""
    made_ns = head["made_ns"]
    assert isinstance(made_ns, int)
    known = {source.name: source for source in _sources(head)}
    paths = {str(path.relative_to(directory)): path for path in _paths(directory)}
    if paths.keys() != known.keys():
        return False
    for name, path in paths.items():
        now, then = path.stat(), known[name]
        if now.st_size != then.size:
            return False
        settled = now.st_mtime_ns == then.mtime_ns and then.mtime_ns < made_ns - _RACE_NS
        if not settled and sha256(path.read_bytes()).hexdigest() != then.digest:
            return False
    return True


class CompiledSites(StoredSites):
    """The offices of a compiled file. May be used in any thread."""

    def __init__(
        self, handle: int, table: bytes, count: int, words: bytes, upstreams: list[str | None]
    ) -> None:
        """Take over the open file."""
        self.handle = handle
        """Of the file, which may have been replaced since: for a child to read the same."""
        self.words = words
        """What the offices are deflated upon."""
        self._site = reader(Site)
        self._kept: OrderedDict[int, Site] = OrderedDict()
        self._upstreams = upstreams
        at = 0

        def column(kind: str, numbers: int) -> array[int]:
            nonlocal at
            size = numbers * array(kind).itemsize
            at += size
            return _numbers(kind, table[at - size : at])

        def texts() -> _Texts:
            nonlocal at
            ends = column("Q", count + 1)
            at += ends[-1]
            return _Texts(table[at - ends[-1] : at], ends)

        self._begins = column("Q", count + 1)
        self._order = column("I", count)
        self._intervals: array[float] = column("d", count)  # type: ignore[assignment]
        self._hangs_on = column("I", count)
        self._codes, self._addresses = texts(), texts()

    def __del__(self) -> None:
        """Close the file."""
        os.close(self.handle)

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: int) -> Site: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Site]: ...
    def __getitem__(self, index: int | slice) -> Site | Sequence[Site]:
        if isinstance(index, slice):
            return tuple(map(self._at, range(*index.indices(len(self)))))
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[Site]:
        return map(self._read, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            one == another for one, another in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment] # as of a list: it is compared by what it holds

    @property
    def codes(self) -> Sequence[str]:
        """Return the offices' codes, in their order."""
        return self._codes

    @property
    def outlines(self) -> Iterator[Outline]:
        """Return the offices' outlines, in their order."""
        return map(self.outline, range(len(self)))

    def outline(self, number: int) -> Outline:
        """Return an office's outline, by its place."""
        upstream = self._upstreams[self._hangs_on[number]]
        address = self._addresses[number] or None
        return Outline(self._codes[number], self._intervals[number], upstream, address)

    def find(self, code: str) -> Site | None:
        """Return the office of that code, if there is one."""
        at = bisect_left(self._order, code, key=self._codes.__getitem__)
        if at == len(self._order) or self._codes[self._order[at]] != code:
            return None
        return self._at(self._order[at])

    def packed(self, number: int) -> bytes:
        """Return an office as it lies in the file."""
        begin, end = self._begins[number], self._begins[number + 1]
        return os.pread(self.handle, end - begin, begin)

    def _at(self, number: int) -> Site:
        """Return an office by its place; those that were lately asked for are kept."""
        site = self._kept.get(number)
        if site is None:
            site = self._kept[number] = self._read(number)
            while len(self._kept) > _KEPT:
                try:
                    self._kept.popitem(last=False)
                except KeyError:  # another thread was quicker
                    break
        return site

    def _read(self, number: int) -> Site:
        octets = self.packed(number)
        try:
            text = zlib.decompressobj(-15, zdict=self.words).decompress(octets)
            site: Site = self._site(json.loads(text))
        except (ValueError, TypeError, LookupError, zlib.error) as error:
            raise TabuahError(
                f"{FILE_NAME}: the entry of site {self._codes[number]} was damaged since it was "
                "opened; it is made again at the next start"
            ) from error
        return site


class _Texts(Sequence[str]):
    """Many short texts in one."""

    def __init__(self, text: bytes, ends: array[int]) -> None:
        self._text = text
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return self._text[self._ends[number] : self._ends[number + 1]].decode()


def _numbers(kind: str, octets: bytes) -> array[int]:
    numbers: array[int] = array(kind)
    numbers.frombytes(octets)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def main(arguments: Sequence[str]) -> int:
    """Compile, for `open_inventory`; problems go to stdout as JSON."""
    directory, path = map(Path, arguments)
    try:
        write_compiled(directory, path)
    except ConfigError as error:
        json.dump([[one.where, one.what] for one in error.problems], sys.stdout)
        return ConfigError.exit_code
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
