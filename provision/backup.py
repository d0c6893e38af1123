"""What every gateway runs, kept in a git repository of its own, secrets masked.

A secret is a name there that changes when it does (`provision.masking`), so the history shows that
somebody changed one, and a copy of the repository gives none away.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tabuah.errors import TabuahError

_LIMIT_S = 60.0
_AUTHOR = ("-c", "user.name=tabuah", "-c", "user.email=tabuah@localhost")


class Repository:
    """The repository in one folder; made when it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / ".git").is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._git("init", "--quiet")

    def write(self, site: str, device: str, masked: Mapping[str, str]) -> None:
        """Put a device's configuration into the working tree; its sections are files."""
        place = self.folder / site / device
        place.mkdir(parents=True, exist_ok=True)
        names = {_file_name(section): text for section, text in masked.items()}
        for old in place.iterdir():
            if old.name not in names:
                old.unlink()
        for name, text in names.items():
            (place / name).write_text(text, encoding="utf-8")

    def read(self, site: str, device: str) -> Mapping[str, str]:
        """Return the files of a device as they were kept last; none where it never was."""
        place = self.folder / site / device
        if not place.is_dir():
            return {}
        return {file.name: file.read_text(encoding="utf-8") for file in place.iterdir()}

    def commit(self, why: str) -> list[str]:
        """Commit what changed; return the files that did, none when nothing did.

        Raises:
            TabuahError: git is missing, or failed.
        """
        self._git("add", "--all")
        changed = self._git("diff", "--cached", "--name-only").splitlines()
        if changed:
            self._git(*_AUTHOR, "commit", "--quiet", "-m", why)
        return changed

    def _git(self, *words: str) -> str:
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *words],
                capture_output=True,
                text=True,
                check=False,
                timeout=_LIMIT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TabuahError(f"{self.folder}: git: {error}; install git") from error
        if done.returncode:
            raise TabuahError(f"{self.folder}: git {words[0]}: {done.stderr.strip()}")
        return done.stdout


def _file_name(section: str) -> str:
    return section.strip("/").replace("/", "_")
