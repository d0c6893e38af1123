"""The dialect of RouterOS 6 and 7: its own backup, schedulers and scripts (`scripts`).

Not proven on hardware: it is tried against `tests/support/routeros.py`, which models what RouterOS'
documentation and its users say of it (docs/provisioning.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from provision.configuration import Scope, Sections, same
from provision.dialect import Armed, Login, Said, Way
from provision.lint import Finding, Needs
from provision.routeros import menu, scripts
from provision.routeros.lint import lint
from provision.session import OutOfReachError, RefusedError, Session
from provision.states import Marker
from tabuah.errors import DecodeError

_ASK_S = 10.0
_QUICK_S = 30.0
_LONG_S = 90.0
_OLDEST = (6, 43)
"""Before it, a backup could not be taken without a password."""
_DEVICE_MODE = (7, 17)
"""Since then a device's mode can forbid schedulers."""
_TIME = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(\d+):(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a device is."""

    version: tuple[int, int]
    folder: str
    """Where files outlive a reboot: on small boards `flash/`, the rest is memory."""


@dataclass(frozen=True, slots=True)
class RouterOs:
    """A gateway that runs RouterOS."""

    major: int
    name: str = "routeros"

    @property
    def login(self) -> Login:
        """Return how a session is opened."""
        return Login("mikrotik_routeros", Way.CHANNEL)

    def read(self, session: Session, scope: Scope) -> Sections:
        """Return what the device runs; nothing is changed on it."""
        facts = self._facts(session)
        return _read(session, scope, facts)

    def prepare(self, _session: Session, wanted: Sections, running: Sections) -> Sections:
        """Return what is wanted as the device would export it.

        Raises:
            RefusedError: a line is not one of an export.
        """
        try:
            return {
                section: menu.completed(section, running.get(section, ""), text)
                for section, text in wanted.items()
            }
        except DecodeError as error:
            raise RefusedError(f"a template is not as RouterOS exports it: {error}") from error

    def lint(self, before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
        """Return what speaks against running `wanted` on a gateway that runs `before`."""
        return list(lint(before, wanted, needs))

    def lacks(self, session: Session) -> str:
        """Return that the device forbids schedulers, if it does."""
        if self._facts(session).version < _DEVICE_MODE:
            return ""
        mode = _run(session, "/system device-mode print")
        if re.search(r"^\s*scheduler: no\b", mode, re.MULTILINE) is None:
            return ""
        return (
            "its device-mode forbids schedulers, so it would keep a bad change over a reboot; "
            "allow them: /system/device-mode/update scheduler=yes, then press its button"
        )

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        """Arm the dead-man and send the change; nothing of it is applied yet.

        Raises:
            RefusedError: it is not armed, and nothing of it is left there.
        """
        facts = self._facts(session)
        self._make_room(session, tx)
        before = _read(session, scope, facts)
        try:
            said = self._armed(session, tx, window_s, scope, (facts, before, wanted))
        except RefusedError as error:
            _run(session, scripts.forget(tx))
            raise RefusedError(f"the device refuses to be armed: {error}") from error
        # What arrived was compared octet by octet.
        return Armed(said, before, {name: _lined(text) for name, text in wanted.items()})

    def apply(self, session: Session, tx: str) -> None:
        """Start the change on the device by itself; returns before it is done."""
        _run(session, scripts.start(tx))

    def ask(self, session: Session, tx: str) -> Said:
        """Return what the device says of the transaction."""
        return _said(tx, _values(_run(session, scripts.status(tx), _ASK_S)))

    def confirm(self, session: Session, tx: str) -> Said:
        """Have the change kept; RouterOS saved it when it was applied.

        Raises:
            RefusedError: it is not applied, or the dead-man was quicker.
        """
        _run(session, scripts.confirm(tx))
        return self.ask(session, tx)

    def roll_back(self, session: Session, tx: str) -> None:
        """Start the undoing on the device by itself; returns before it is done."""
        _run(session, scripts.undo(tx))

    def release(self, session: Session, tx: str) -> None:
        """Let the device forget a settled transaction, but for how it ended.

        Raises:
            RefusedError: it is not settled.
        """
        values = _values(_run(session, scripts.status(tx), _ASK_S))
        said = _said(tx, values)
        if said.marker is Marker.ARMED or (said.marker is Marker.FIRED and not said.restored):
            raise RefusedError(f"{tx} is not settled on the device")
        settled = None
        if said.marker is Marker.CONFIRMED:
            kept = [word for word in values.get("settled", "").split(",") if word and word != tx]
            settled = ",".join((*kept[-scripts.SETTLED_KEPT :], tx))
        _run(session, scripts.forget(tx, settled))

    def _armed(
        self,
        session: Session,
        tx: str,
        window_s: int,
        scope: Scope,
        known: tuple[_Facts, Sections, Sections],
    ) -> Said:
        """Return what the device says after it was armed; whoever calls takes away what failed."""
        facts, before, wanted = known
        guarded = not self.lacks(session)
        saved = _values(_run(session, scripts.save(tx, facts.folder), _LONG_S))
        if saved.get("backups") != "1":
            raise RefusedError("it has no room for a backup of its configuration")
        arm = f"{facts.folder}tabuah-{tx}-arm.rsc"
        sent = {
            f"{facts.folder}tabuah-{tx}.rsc": scripts.change(tx, before, wanted),
            arm: scripts.arming(tx, window_s, facts.folder, guarded=guarded),
        }
        for path, text in sent.items():
            if session.put(path, text, _LONG_S) != text:
                raise RefusedError(f"{path} did not arrive there as it was sent")
        _run(session, f'/import file-name="{arm}"', _LONG_S)
        said = self.ask(session, tx)
        if not said.timer:
            raise RefusedError("its schedulers are not there")
        if not same(_read(session, scope, facts), before):
            raise RefusedError("it was changed while its backup was taken; plan again")
        return said

    def _make_room(self, session: Session, tx: str) -> None:
        """Release the transaction that holds the device, if it is settled."""
        other = _values(_run(session, scripts.status(tx), _ASK_S)).get("open", "")
        if not other:
            return
        try:
            self.release(session, other)
        except RefusedError as error:
            raise RefusedError(f"the device is busy with transaction {other}") from error

    def _facts(self, session: Session) -> _Facts:
        said = _values(_run(session, scripts.facts()))
        words = re.match(r"(\d+)\.(\d+)", said.get("version", ""))
        if words is None:
            raise RefusedError("the device does not say its version: is it RouterOS?")
        version = (int(words[1]), int(words[2]))
        if version[0] != self.major:
            platform = "routeros6" if version[0] == 6 else "routeros"
            raise RefusedError(
                f"the device runs RouterOS {words[0]}: its platform in the inventory is {platform}"
            )
        if version < _OLDEST:
            raise RefusedError(f"RouterOS {words[0]} is too old to be pushed to; 6.43 or later is")
        return _Facts(version, "flash/" if said.get("flash") == "1" else "")


def _read(session: Session, scope: Scope, facts: _Facts) -> Sections:
    how = "terse show-sensitive" if facts.version[0] >= 7 else "terse"
    found = {}
    for section in scope.sections:
        said = _run(session, f"{menu.console(section)} export {how}", _LONG_S)
        try:
            found[section] = menu.from_export(said, section)
        except DecodeError as error:
            raise RefusedError(str(error)) from error
    return found


def _run(session: Session, command: str, limit_s: float = _QUICK_S) -> str:
    """Return what a command printed.

    Raises:
        RefusedError: it stopped at an error, whatever the error's words are.
        OutOfReachError: the answer is cut off.
    """
    ran = session.run(f'{command};:put "{scripts.END}"', limit_s=limit_s)
    text = (ran.out + ran.err).replace("\r", "")
    lines = text.splitlines()
    if lines and lines[-1] == scripts.END:
        return "".join(f"{line}\n" for line in lines[:-1])
    if not text.strip():
        raise OutOfReachError("the device's answer is cut off")
    raise RefusedError(lines[-1].strip() or text.strip())


def _values(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found[key] = value
    return found


def _said(tx: str, values: Mapping[str, str]) -> Said:
    ours = {
        key.removeprefix(f"tabuah-{tx}-"): value
        for key, value in values.items()
        if key.startswith(f"tabuah-{tx}-")
    }
    decided, uptime = ours.get("decided"), _seconds(values.get("uptime", ""))
    marker = Marker.NONE
    if decided is not None:
        marker = Marker.CONFIRMED if decided == "confirmed" else Marker.FIRED
    elif "fire" in ours:
        marker = Marker.ARMED
    elif tx in values.get("settled", "").split(","):
        return Said(Marker.CONFIRMED, applied=True, saved=True)
    began = ours.get("began")
    failed = "failed" in ours
    applied = True if "applied" in ours else False if failed else None
    schedulers = int(values.get("schedulers", "0"))
    restored = True if "restored" in ours else False if "unrestored" in ours else None
    return Said(
        marker=marker,
        applied=applied,
        restored=restored if marker is Marker.FIRED else None,
        left_s=_seconds(ours["deadline"]) - uptime if "deadline" in ours else None,
        timer=schedulers == 2 or "unguarded" in ours,
        changing=began is not None
        and applied is None
        and 0 <= uptime - _seconds(began) < scripts.CHANGE_S,
        saved=marker is Marker.CONFIRMED and schedulers == 0,
        open=values.get("open", ""),
        words="the import stopped half-way; the device's log says where" if failed else "",
    )


def _seconds(text: str) -> int:
    """Return a time of RouterOS, `1w2d03:04:05`, in seconds."""
    said = _TIME.fullmatch(text.strip())
    if said is None:
        raise OutOfReachError(f"the device said no time: {text[:40]!r}")
    weeks, days, hours, minutes, seconds = (int(word or 0) for word in said.groups())
    return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds


def _lined(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines())
