"""The kept versions of each month's verdicts: one JSON file a month under DATA/sla.

Apart from the store of reports, so that they outlive its retention and are read by whoever asks
for what a berita acara was signed upon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from collector.files import locked, private_folder, write_private
from collector.sla_model import Month
from collector.sla_versions import Version
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
