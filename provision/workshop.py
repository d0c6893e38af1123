"""What every command works with: inventory, settings, the folder of provisioning, the devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from inventory.load import load
from inventory.model import Device, Inventory, Site, effective_probes
from provision import masking, ssh
from provision.configuration import Scope, digest
from provision.console import Console, why_not
from provision.dialect import Dialect, Reader
from provision.diff import SectionDiff, compare
from provision.drifts import Known, differences
from provision.evidence import Collector
from provision.folder import mask_key, owning, transcript
from provision.lint import Finding, Needs, Severity
from provision.platforms import DIALECTS, READERS
from provision.render import Rendered, Risk, render
from provision.run import Order, Target
from provision.session import RefusedError, Session
from provision.settings import Settings, load_settings
from provision.ssh import Place
from tabuah.address import host_port
from tabuah.errors import ConfigError, NothingMatchedError, Problem, did_you_mean
from tabuah.measurement import Role

_SLOW_SHARE = 0.5
"""A probe that is asked less often than twice a window says nothing within it."""


class NoWayInError(RefusedError):
    """A device that cannot be entered, or not be pushed to; says what is missing."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A device as it is, and as it is to be. Holds secrets; `plan` makes a file of it without."""

    site: Site
    device: Device
    rendered: Rendered
    order: Order
    before_digest: str
    want_digest: str
    before_masked: Mapping[str, str]
    want_masked: Mapping[str, str]
    diff: tuple[SectionDiff, ...]
    findings: tuple[Finding, ...]
    lacks: str = ""
    """What the device lacks of a dead-man; a change of risk A wants someone on site then."""

    @property
    def risk(self) -> Risk | None:
        """Return the worst that the change can do; None when there is none."""
        return self.rendered.risk(frozenset(one.section for one in self.diff))

    @property
    def errors(self) -> list[str]:
        """Return why it may not be pushed."""
        return [f.what for f in self.findings if f.severity is Severity.ERROR]


@dataclass(frozen=True, slots=True)
class Workshop:
    """One inventory, one data folder."""

    inventory: Inventory
    settings: Settings
    folder: Path
    key: bytes
    collector: Collector

    @classmethod
    def open(cls, inventory: Path, data: Path) -> Workshop:
        """Return the workshop of an inventory and a collector's data folder.

        Raises:
            ConfigError: the inventory or the settings cannot be understood.
        """
        loaded = load(inventory)
        settings = load_settings(inventory)
        known = loaded.codes
        problems = [
            Problem(said.where, f"sites.{code}: no such office{did_you_mean(code, known)}")
            for code, said in settings.sites.items()
            if loaded.find(code) is None
        ]
        if problems:
            raise ConfigError(problems)
        folder = data / "provision"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                [Problem(str(folder), f"cannot be made: {error.strerror}")]
            ) from error
        return cls(loaded, settings, folder, mask_key(folder), Collector(data))

    @property
    def known_hosts(self) -> Path:
        """Return the file of the host keys that are trusted."""
        return self.folder / "known_hosts"

    def chosen(self, codes: tuple[str, ...]) -> list[tuple[Site, Device]]:
        """Return the gateways of the offices, all offices' when none is named.

        Raises:
            NothingMatchedError: there is no such office, or nothing in it to configure.
        """
        sites = [self.inventory.site(code) for code in codes] if codes else self.inventory.sites
        found = [
            (site, device)
            for site in sites
            for device in site.devices
            if device.role is Role.GATEWAY and device.login is not None
        ]
        if not found:
            raise NothingMatchedError(
                "no gateway with a 'login' in the inventory"
                + (f" at {', '.join(codes)}" if codes else "")
            )
        return found

    def device(self, site: str, name: str) -> tuple[Site, Device]:
        """Return one device.

        Raises:
            NothingMatchedError: it is not in the inventory any more.
        """
        office = self.inventory.site(site)
        for device in office.devices:
            if device.name == name:
                return office, device
        raise NothingMatchedError(f"{site}: no device '{name}' in the inventory any more")

    def place(self, site: Site, device: Device) -> Place:
        """Return where a device is entered.

        Raises:
            NoWayInError: the inventory names no way in.
        """
        login = device.login
        if login is None:
            raise NoWayInError(
                f"{site.code}: {device.name}: no way in: the inventory has no 'login' for it"
            )
        base = self.inventory.directory
        key_file = None if login.key is None else login.key.path(base)
        if login.key is not None and key_file is None:
            raise NoWayInError(
                f"{site.code}: {device.name}: login.key must be a file: (or none, for ssh-agent)"
            )
        password = None if login.password is None else login.password.resolve(base)
        jump = None
        if login.jump:
            user, _, where = login.jump.rpartition("@")
            host, port = host_port(where, 22)
            jump = Place(host, user or login.user, port, key_file)
        return Place(device.host, login.user, login.port, key_file, password, jump)

    def reader(self, site: Site, device: Device) -> Reader:
        """Return how a device is read.

        Raises:
            NoWayInError: its platform is none that we know.
        """
        found = READERS.get(device.platform)
        if found is None:
            known = did_you_mean(device.platform, tuple(READERS))
            raise NoWayInError(
                f"{site.code}: {device.name}: platform '{device.platform or 'unknown'}' is none "
                f"that can be read here{known}; docs/provisioning.md lists them"
            )
        return found

    def dialect(self, site: Site, device: Device) -> Dialect:
        """Return how a device is pushed to.

        Raises:
            NoWayInError: its platform cannot undo a change alone.
        """
        found = DIALECTS.get(device.platform)
        if found is None:
            self.reader(site, device)
            raise NoWayInError(f"{site.code}: {device.name}: {why_not(device.platform)}")
        return found

    def enter(
        self, site: Site, device: Device, tell: Callable[[str], None] | None = None
    ) -> Session:
        """Return a session on a device.

        Raises:
            NoWayInError: see `place` and `reader`.
            RefusedError, OutOfReachError: see `ssh.connect`.
        """
        login = self.reader(site, device).login
        return ssh.connect(self.place(site, device), self.known_hosts, tell or _nobody, login)

    def target(
        self, site: Site, device: Device, tx: str = "", hidden: frozenset[str] = frozenset()
    ) -> Target:
        """Return a device as the pusher wants it.

        Args:
            site: its office.
            device: the device.
            tx: for which what is said to it is written down; empty = for none.
            hidden: secrets that are not.

        Raises:
            NoWayInError: see `place` and `dialect`.
        """
        place = self.place(site, device)
        tell = (
            _nobody
            if not tx
            else transcript(self.folder, tx, hidden | {place.password or ""}, self.key)
        )

        def connect() -> Session:
            return self.enter(site, device, tell)

        return Target(site.code, device.name, self.dialect(site, device), connect)

    def running(self, site: Site, device: Device, session: Session) -> Mapping[str, str]:
        """Return what a device runs, secrets masked: all of it, or what its templates are for.

        Raises:
            ConfigError: a template or variable is wrong.
            RefusedError, OutOfReachError: it cannot be read.
        """
        reader = self.reader(site, device)
        if isinstance(reader, Console):
            running, hidden = reader.read(session, Scope()), self.secrets(site, device)
        else:
            rendered = render(self.inventory, self.settings, site, device)
            running, hidden = reader.read(session, rendered.scope), rendered.secrets
        return masking.mask_sections(running, hidden, self.key)

    def prepare(self, site: Site, device: Device, session: Session) -> Prepared:
        """Return a device as it is and as it is to be.

        Raises:
            ConfigError: a template or variable is wrong.
            RefusedError: the device does not understand what was rendered.
            OutOfReachError: the session broke.
        """
        reader = self.reader(site, device)
        rendered = render(self.inventory, self.settings, site, device)
        running = reader.read(session, rendered.scope)
        wanted = reader.prepare(session, rendered.sections, running)
        dialect = DIALECTS.get(device.platform)
        lacks = "" if dialect is None else dialect.lacks(session)
        before_masked = masking.mask_sections(running, rendered.secrets, self.key)
        want_masked = masking.mask_sections(wanted, rendered.secrets, self.key)
        needs = Needs(device.host, device.login.port if device.login is not None else 22)
        weak = [Finding(Severity.WARNING, f"it cannot undo a change for sure: {lacks}")]
        return Prepared(
            site=site,
            device=device,
            rendered=rendered,
            order=Order(
                scope=rendered.scope,
                before=running,
                wanted=wanted,
                window_s=round(self.settings.window_s),
                slow=self.slow(site),
            ),
            before_digest=digest(running, self.key),
            want_digest=digest(wanted, self.key),
            before_masked=before_masked,
            want_masked=want_masked,
            diff=compare(before_masked, want_masked),
            findings=(*reader.lint(running, wanted, needs), *(weak if lacks else ())),
            lacks=lacks,
        )

    def secrets(self, site: Site, device: Device) -> frozenset[str]:
        """Return the secrets that a device's templates hold; none where they cannot be rendered."""
        with suppress(ConfigError):
            return render(self.inventory, self.settings, site, device).secrets
        return frozenset()

    def slow(self, site: Site) -> frozenset[str]:
        """Return the office's probes that are asked too seldom to say anything in a window."""
        longest = self.settings.window_s * _SLOW_SHARE
        probes = effective_probes(site, self.inventory)
        return frozenset(probe.name for probe in probes if probe.every_s > longest)

    def owning(self, tx: str) -> AbstractContextManager[bool]:
        """Yield whether the transaction is ours to drive; another process may be at it.

        Raises:
            TabuahError: the folder cannot be written.
        """
        return owning(self.folder, tx)


def judged_by(one: Prepared, known: Known | None, *, accept: bool) -> Prepared:
    """Return the device with a finding more if it drifted from what was last confirmed on it.

    Args:
        one: the device.
        known: what it runs by right; None where nobody knows.
        accept: somebody has looked at it: the change goes over it.
    """
    if known is None:
        return one
    changed = differences(known, one.before_masked, one.rendered.scope)
    if not changed:
        return one
    sections = ", ".join(each.section for each in changed)
    what = (
        f"it was changed by another hand since it was confirmed ({sections}): see 'tabuah config "
        "drift'; accept it there, or take over what is right into the templates and plan with "
        "--over-drift"
    )
    finding = Finding(Severity.WARNING if accept else Severity.ERROR, what)
    return replace(one, findings=(*one.findings, finding))


def _nobody(_words: str) -> None:
    """Write nothing down."""
