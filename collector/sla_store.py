"""What a report reads from disk and keeps there: the ledger, and one JSON file of versions a month.

The versions stand under DATA/sla, apart from the store of reports, so that they outlive its
retention: they are what a berita acara was signed upon.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from collector.files import locked, private_folder, write_private
from collector.judgement.judge import windows_of
from collector.judgement.ledger import Entry
from collector.judgement.record import read_book
from collector.sla_ledger import ledger_accounts
from collector.sla_model import Account, Month
from collector.sla_versions import Version
from inventory.model import Inventory
from tabuah.errors import TabuahError

Key = tuple[str, str]
"""Site and circuit."""


class VersionFiles:
    """Versions in `folder`; safe beside another process that uses this class."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, month: Month) -> dict[Key, tuple[Version, ...]]:
        """Return the month's versions, oldest first.

        Raises:
            TabuahError: the file is damaged; nothing is computed beside lost versions.
        """
        path = self._path(month)
        try:
            rows = json.loads(path.read_bytes())
            return {
                (row["site"], row["circuit"]): tuple(Version(**kept) for kept in row["versions"])
                for row in rows
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise TabuahError(
                f"{path}: the kept versions cannot be read ({error}); restore the file from a "
                "backup, or move it away to begin at version 1"
            ) from error

    def add(self, month: Month, made: Mapping[Key, Version]) -> None:
        """Keep versions beside the earlier ones; one whose number is taken is not kept again."""
        private_folder(self._folder)
        with locked(self._folder):
            known: dict[Key, Sequence[Version]] = {**self.read(month)}
            for key, version in made.items():
                earlier = known.get(key, ())
                if all(version.number != other.number for other in earlier):
                    known[key] = (*earlier, version)
            rows = [
                {"site": site, "circuit": circuit, "versions": [asdict(v) for v in versions]}
                for (site, circuit), versions in sorted(known.items())
            ]
            write_private(self._path(month), json.dumps(rows, indent=1).encode())

    def _path(self, month: Month) -> Path:
        return self._folder / f"{month}.json"


class LedgerSource:
    """The `SlaSource` of a collector: its ledger as it stands, and the versions in `folder`."""

    def __init__(
        self,
        inventory: Inventory,
        entries: Callable[[], Sequence[Entry]],
        folder: Path,
        until_ms: int,
    ) -> None:
        self._inventory = inventory
        self._entries = entries
        self._files = VersionFiles(folder)
        self._until_ms = until_ms
        self._known: Mapping[str, Sequence[Account]] | None = None

    @property
    def inventory(self) -> Inventory:
        """What exists and what was promised."""
        return self._inventory

    def accounts(self, month: Month, sites: Collection[str]) -> list[Account]:
        """Return what the ledger knows of the offices' circuits, whatever the month.

        The ledger is read at the first call; what is written later is the next source's.
        """
        del month
        if self._known is None:
            self._known = self._read()
        return [account for site in sites for account in self._known.get(site, ())]

    def _read(self) -> dict[str, list[Account]]:
        book = read_book(self._entries())
        known: dict[str, list[Account]] = defaultdict(list)
        for account in ledger_accounts(book, windows_of(self._inventory), self._until_ms):
            known[account.site].append(account)
        return known

    def versions(self, month: Month) -> Mapping[Key, Sequence[Version]]:
        """Return the versions kept of the month, oldest first."""
        return self._files.read(month)

    def keep(self, month: Month, made: Mapping[Key, Version]) -> None:
        """Keep new versions beside the earlier ones."""
        self._files.add(month, made)
