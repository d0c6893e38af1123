"""The dialect of Linux gateways: everything by `deadman.sh`, which needs a shell and root."""

from __future__ import annotations

import shlex
from functools import cache
from importlib.resources import files

from provision.configuration import Scope, Sections, ignored_by_frr
from provision.dialect import Armed, Login, Said, Way
from provision.lint import Finding, Needs, lint
from provision.linux import framing
from provision.session import OutOfReachError, RefusedError, Session
from provision.states import Marker
from tabuah.errors import DecodeError

_ASK_S = 10.0
"""A device that takes longer to say where it stands is asked again over a new connection."""
_QUICK_S = 30.0
_LONG_S = 90.0


@cache
def script() -> str:
    """Return the text of `deadman.sh`."""
    return files("provision.linux").joinpath("deadman.sh").read_text(encoding="utf-8")


class LinuxGateway:
    """A gateway that runs Linux, with or without FRR."""

    name = "linux"
    login = Login("linux", Way.SHELL)

    def read(self, session: Session, scope: Scope) -> Sections:
        """Return what the device runs; nothing is changed on it."""
        frames = self._ask(session, "capture", stdin=framing.encode(framing.scope_frames(scope)))
        return framing.sections(frames, scope)

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

    def lacks(self, _session: Session) -> str:
        """Return nothing: whatever the dead-man needs, `read` has asked for already."""
        return ""

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        """Arm the dead-man and send the change; nothing of it is applied yet."""
        frames = {
            "script": script(),
            **framing.scope_frames(scope),
            **framing.section_frames(wanted, scope, "want/"),
        }
        said = self._ask(
            session, "arm", tx, str(window_s), stdin=framing.encode(frames), limit_s=_LONG_S
        )
        return Armed(
            _said(said["status"]),
            framing.sections(said, scope, "pre/"),
            framing.sections(said, scope, "want/"),
        )

    def apply(self, session: Session, tx: str) -> None:
        """Start the change on the device by itself; returns before it is done."""
        self._run(session, "apply", tx)

    def ask(self, session: Session, tx: str) -> Said:
        """Return what the device says of the transaction."""
        return _said(self._ask(session, "status", tx, limit_s=_ASK_S)["status"])

    def confirm(self, session: Session, tx: str) -> Said:
        """Have the change kept and saved.

        Raises:
            RefusedError: it is not applied, or the dead-man was quicker.
        """
        return _said(self._ask(session, "confirm", tx, limit_s=_LONG_S)["status"])

    def roll_back(self, session: Session, tx: str) -> None:
        """Start the undoing on the device by itself; returns before it is done."""
        self._run(session, "rollback", tx)

    def release(self, session: Session, tx: str) -> None:
        """Let the device forget a settled transaction."""
        self._run(session, "release", tx)

    def _ask(
        self, session: Session, *words: str, stdin: str = "", limit_s: float = _QUICK_S
    ) -> dict[str, str]:
        try:
            return framing.decode(self._run(session, *words, stdin=stdin, limit_s=limit_s))
        except DecodeError as error:
            # An answer that is cut off is a session that broke.
            raise OutOfReachError(str(error)) from error

    def _run(
        self, session: Session, *words: str, stdin: str = "", limit_s: float = _QUICK_S
    ) -> str:
        command = shlex.join(["sh", "-c", script(), "deadman", *words])
        ran = session.run(command, stdin, limit_s)
        if ran.code:
            lines = ran.err.strip().splitlines()
            said = [line for line in lines if "rror:" in line] or lines[-1:]
            what = said[0] if said else f"exit code {ran.code}"
            raise RefusedError(f"the device refuses '{words[0]}': {what}")
        return ran.out


def complete_frr(running: str, wanted: str) -> str:
    """Return the wanted text with those lines of the running one that are none of ours.

    frr-reload takes away what its file lacks.
    """
    kept = [line for line in running.splitlines() if ignored_by_frr(line) and line != "end"]
    kept = [line for line in kept if not line.startswith(("exit", "frr version", "frr defaults"))]
    return "".join(f"{line}\n" for line in (*kept, "!", *wanted.splitlines()))


def _said(text: str) -> Said:
    facts: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        facts[key] = f"{facts[key]}; {value}" if key in facts else value
    deadline, uptime = facts.get("deadline", ""), facts.get("uptime", "")
    return Said(
        marker=Marker(facts.get("marker", "none")),
        applied={"ok": True, "failed": False}.get(facts.get("applied", "")),
        restored={"yes": True, "no": False}.get(facts.get("restored", "")),
        left_s=int(deadline) - int(uptime) if deadline and uptime else None,
        timer="timer" in facts,
        changing="change" in facts,
        saved="saved" in facts,
        open=facts.get("open", ""),
        words=facts.get("log", ""),
    )
