"""The dialect of Linux gateways: everything by `deadman.sh`, which needs a shell and root."""

from __future__ import annotations

import shlex

from provision.configuration import Sections, ignored_by_frr
from provision.dialect import Login, Way
from provision.lint import Finding, Needs, lint
from provision.session import OutOfReachError, Session
from provision.shell import ShellGateway, script


class LinuxGateway(ShellGateway):
    """A gateway that runs Linux, with or without FRR."""

    name = "linux"
    login = Login("linux", Way.SHELL)

    def prepare(self, session: Session, wanted: Sections, running: Sections) -> Sections:
        """Return what is wanted as the device would print it: its kernel reads the ruleset.

        Raises:
            RefusedError: the kernel does not understand it.
        """
        made = dict(wanted)
        if "nftables" in made:
            listed = self._run(session, "canonical", stdin=made["nftables"])
            if not listed.endswith("#end\n"):
                raise OutOfReachError("the device's answer is cut off")
            made["nftables"] = listed.removesuffix("#end\n")
        if "frr" in made:
            made["frr"] = complete_frr(running.get("frr", ""), made["frr"])
        return made

    def lint(self, before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
        """Return what speaks against running `wanted` on a gateway that runs `before`."""
        return lint(before, wanted, needs)

    def _command(self, words: tuple[str, ...], stdin: str) -> tuple[str, str]:
        return shlex.join(["sh", "-c", script(self.name), "deadman", *words]), stdin


def complete_frr(running: str, wanted: str) -> str:
    """Return the wanted text with those lines of the running one that are none of ours.

    frr-reload takes away what its file lacks.
    """
    kept = [line for line in running.splitlines() if ignored_by_frr(line) and line != "end"]
    kept = [line for line in kept if not line.startswith(("exit", "frr version", "frr defaults"))]
    return "".join(f"{line}\n" for line in (*kept, "!", *wanted.splitlines()))
