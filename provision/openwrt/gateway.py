"""The dialect of OpenWrt: UCI packages and files, by `deadman.sh` in its busybox.

Not proven on hardware: it is tried in a real busybox with a played `uci` and `procd`
(`tests/support/openwrt.py`).
"""

from __future__ import annotations

import shlex

from provision import framing
from provision.configuration import Sections
from provision.dialect import Login, Way
from provision.lint import Finding, Needs
from provision.openwrt import uci
from provision.openwrt.lint import lint
from provision.session import Session
from provision.shell import ShellGateway, script

_UNPACK = (
    "umask 077; f=$(mktemp) || exit; "
    'while IFS= read -r l && [ "$l" != "#script ends" ]; do printf "%s\\n" "$l"; done >"$f"; '
    'sh "$f" "$@"; c=$?; rm -f "$f"; exit $c'
)
"""dropbear takes no command of more than 9,000 octets: the script comes by stdin."""


class OpenWrtGateway(ShellGateway):
    """A gateway that runs OpenWrt."""

    name = "openwrt"
    login = Login("linux", Way.SHELL)

    def prepare(self, session: Session, wanted: Sections, running: Sections) -> Sections:
        """Return what is wanted as the device would export it.

        Raises:
            RefusedError: its `uci` does not understand it.
        """
        packages = {
            section: uci.completed(section.removeprefix("uci/"), running.get(section, ""), text)
            for section, text in wanted.items()
            if section.startswith("uci/")
        }
        if not packages:
            return wanted
        return {**wanted, **self._ask(session, "canonical", stdin=framing.encode(packages))}

    def lint(self, before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
        """Return what speaks against running `wanted` on a gateway that runs `before`."""
        return list(lint(before, wanted, needs))

    def _command(self, words: tuple[str, ...], stdin: str) -> tuple[str, str]:
        command = shlex.join(["sh", "-c", _UNPACK, "deadman", *words])
        return command, f"{script(self.name)}\n#script ends\n{stdin}"
