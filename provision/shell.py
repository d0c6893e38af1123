"""Gateways with a shell: all by `deadman.sh`, after the functions that know what they run."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from provision import framing
from provision.configuration import Scope, Sections
from provision.dialect import Armed, Said
from provision.session import OutOfReachError, RefusedError, Session
from provision.states import Marker
from tabuah.errors import DecodeError

_ASK_S = 10.0
"""A device that takes longer to say where it stands is asked again over a new connection."""
_QUICK_S = 30.0
_LONG_S = 90.0


@cache
def script(parts: str) -> str:
    """Return the whole script of a kind of gateway: `linux` or `openwrt`."""
    ours = files("provision")
    return "".join(
        file.read_text(encoding="utf-8")
        for file in (ours.joinpath(parts, "parts.sh"), ours.joinpath("deadman.sh"))
    )


class ShellGateway:
    """What the dialects of such gateways have in common."""

    name: str

    def read(self, session: Session, scope: Scope) -> Sections:
        """Return what the device runs; nothing is changed on it."""
        frames = self._ask(session, "capture", stdin=framing.encode(framing.scope_frames(scope)))
        return framing.sections(frames, scope)

    def lacks(self, _session: Session) -> str:
        """Return nothing: whatever the dead-man needs, `read` has asked for already."""
        return ""

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        """Arm the dead-man and send the change; nothing of it is applied yet."""
        frames = {
            "script": script(self.name),
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
        command, fed = self._command(words, stdin)
        ran = session.run(command, fed, limit_s)
        if ran.code:
            lines = ran.err.strip().splitlines()
            said = [line for line in lines if "rror:" in line] or lines[-1:]
            what = said[0] if said else f"exit code {ran.code}"
            raise RefusedError(f"the device refuses '{words[0]}': {what}")
        return ran.out

    def _command(self, words: tuple[str, ...], stdin: str) -> tuple[str, str]:
        """Return the command that runs the script with such arguments, and what it is fed."""
        raise NotImplementedError


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
