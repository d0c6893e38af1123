"""What exists and what was promised: offices, lines, devices, services, contracts.

Field names equal the keys of the inventory (docs/inventory.md); durations are seconds and
carry the suffix `_s`. Everything here is a value: `inventory.load` makes it from YAML. The
offices of a large inventory are a sequence that reads one when it is asked for
(`inventory.compiled`): who goes through `sites` must not keep them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from inventory.hours import Hours
from inventory.secret import SecretRef
from tabuah.address import address_text
from tabuah.errors import NothingMatchedError, did_you_mean
from tabuah.measurement import Kind, Role

HEAD = "inventory.yaml"
"""The file of an inventory's directory that everything begins with."""

DEFAULT_ZONE = ZoneInfo("Asia/Jakarta")
"""WIB, UTC+7, without daylight saving."""


class Language(Enum):
    """What offices and administrators read."""

    INDONESIAN = "id"
    ENGLISH = "en"


class SiteKind(Enum):
    """What sort of office it is."""

    KECAMATAN = "kecamatan"
    NAGARI = "nagari"
    PUSKESMAS = "puskesmas"
    OPD = "opd"
    OTHER = "other"


class CircuitRole(Enum):
    """Whether a line is the one that serves, or stands by."""

    PRIMARY = "primary"
    BACKUP = "backup"


class Technology(Enum):
    """What the last mile is made of; each has its own bounds of what is normal."""

    FIBRE = "fibre"
    COPPER = "copper"
    RADIO = "radio"
    LTE = "lte"
    VSAT = "vsat"


class Ups(Enum):
    """What stays powered when the mains fail."""

    NONE = "none"
    AGENT = "agent"
    """The agent's host, but not the provider's terminal."""
    ALL = "all"
    UNKNOWN = "unknown"


class Precision(Enum):
    """How near a location is to the office itself."""

    EXACT = "exact"
    APPROXIMATE = "approximate"
    CENTROID = "centroid"
    """The middle of the area it serves: good for a map and nothing finer."""


class Formula(Enum):
    """How a contract turns downtime into restitution (docs/inventory.md has the formulas)."""

    PRORATA_ALL = "prorata_all"
    PRORATA_EXCESS = "prorata_excess"
    PRORATA_EXCESS_OVER_S = "prorata_excess_over_s"
    X_Y_OVER_Z_SLG = "x_y_over_z_slg"


class ClockStart(Enum):
    """When a contract's outage begins to count."""

    MEASURED = "measured"
    TICKET = "ticket"


class Exclusion(Enum):
    """Causes that a contract does not count."""

    MAINTENANCE = "maintenance"
    POWER = "power"
    GATEWAY = "gateway"
    CONGESTION = "congestion"
    CENTRE = "centre"
    SERVICE = "service"
    AGENT = "agent"


class ChannelKind(Enum):
    """How a channel delivers. The value is its key in the inventory."""

    ALERTMANAGER = "alertmanager"
    WEBHOOK = "webhook"
    APPRISE = "apprise"
    COMMAND = "command"


class Severity(Enum):
    """How much an incident matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


ALERTNAMES = (
    "TabuahLinkDown",
    "TabuahUpstreamDown",
    "TabuahLinkDegraded",
    "TabuahLinkFlapping",
    "TabuahLinkSaturated",
    "TabuahPowerLost",
    "TabuahGatewayFault",
    "TabuahServiceDown",
    "TabuahAgentFault",
    "TabuahClockSkew",
    "TabuahCollectorIsolated",
    "TabuahChannelFailing",
)
"""The kinds of incident, as a channel may ask for them."""


class Escalation(Enum):
    """What a channel hears of an incident that nobody acknowledged in time."""

    YES = "true"
    ONLY = "only"
    """That, and nothing before it: for whoever is called when the others do not answer."""
    NO = "false"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """HOST:PORT; an IPv6 host is written in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in the inventory."""
        return address_text(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Location:
    """WGS 84 degrees."""

    lat: float
    lon: float
    precision: Precision


@dataclass(frozen=True, slots=True)
class Contact:
    """The person in charge (PIC) at an office. Personal data: kept out of repr, labels and logs."""

    name: str | SecretRef = field(repr=False)
    phone: str | SecretRef | None = field(default=None, repr=False)
    email: str | SecretRef | None = field(default=None, repr=False)
    hours: Hours | None = None
    """When the person can be reached; the provider asks for it with a ticket."""


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Mbit/s as contracted."""

    down: float
    up: float


@dataclass(frozen=True, slots=True)
class Sla:
    """What the signed contract promises. Nothing here has a default that speaks for a provider."""

    availability: Decimal
    """0 to 1, of a calendar month."""
    monthly_fee: int | None = None
    """Rupiah, before tax."""
    formula: Formula | None = None
    """Never None when `monthly_fee` is given."""
    min_outage_s: float = 0.0
    """Shorter outages do not count."""
    clock_start: ClockStart = ClockStart.MEASURED
    exclusions: tuple[Exclusion, ...] = ()
    mttr_s: float | None = None
    """The longest repair that the contract allows."""
    hours: Hours | None = None
    """In which it is to be kept; None = the office's own."""


@dataclass(frozen=True, slots=True)
class InService:
    """Days of the organisation's calendar on which a circuit was there, and paid for."""

    begins: date | None = None
    """The first; None = it always was."""
    ends: date | None = None
    """The one after the last; None = it still is."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One line of an office; its id is unique in the office."""

    id: str
    role: CircuitRole = CircuitRole.PRIMARY
    provider: str = ""
    product: str = ""
    technology: Technology | None = None
    sid: str = ""
    """The provider's service number (nomor layanan)."""
    interface: str | None = None
    """On the agent's host; None = the default route."""
    bandwidth: Bandwidth | None = None
    sla: Sla | None = None
    in_service: InService = InService()


@dataclass(frozen=True, slots=True)
class Probe:
    """What the agent asks, how often, and how long it waits."""

    name: str
    kind: Kind
    target: str
    """ping: a host; udp, tcp: HOST:PORT ([v6]:PORT); dns: the name asked for; http: a URL."""
    role: Role = Role.OTHER
    server: str = ""
    """dns: the resolver, HOST or HOST:PORT."""
    expect: str = ""
    """http: a text that the body must hold."""
    every_s: float = 10.0
    count: int = 1
    timeout_s: float = 2.0
    circuit: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class SnmpSecurity:
    """One of SNMPv3's two keys: `auth` (sha1, sha256) or `priv` (aes128)."""

    protocol: str
    key: SecretRef


@dataclass(frozen=True, slots=True)
class Snmp:
    """How a device is polled."""

    version: str
    """`2c` (community) or `3` (user, auth, priv)."""
    port: int = 161
    community: SecretRef | None = None
    user: str = ""
    auth: SnmpSecurity | None = None
    priv: SnmpSecurity | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """How an administrator enters a device over SSH."""

    user: str
    key: SecretRef | None = None
    """A private key: `key.path(base)` is its file."""
    password: SecretRef | None = None
    enable: SecretRef | None = None
    """The second password of devices that have a privileged mode."""
    jump: str = ""
    """[USER@]HOST[:PORT] to go through; empty = straight."""
    port: int = 22


@dataclass(frozen=True, slots=True)
class Device:
    """A router, UPS or other thing of the office that is polled or configured."""

    name: str
    host: str
    role: Role = Role.OTHER
    platform: str = ""
    interfaces: tuple[str, ...] = ()
    """ifName of those to report; empty = all that are not loopback."""
    every_s: float = 10.0
    snmp: Snmp | None = None
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """Something citizens need that offices reach over their line."""

    code: str
    name: str
    http: str
    owner: str = ""
    expect: str = ""
    every_s: float = 300.0
    timeout_s: float = 10.0
    """Longer than a probe's 2 s: name, TCP, TLS and page are four or more trips, which over a
    satellite of 0.6 s take 3 s when all is well."""
    objective: Decimal | None = None
    """The share of checks that ought to succeed, 0 to 1; None = nobody said."""
    call: str | SecretRef | None = field(default=None, repr=False)
    """How its owner is reached when it fails: a name, a telephone number."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who supplies lines, by the name that circuits give it."""

    name: str
    call: str | SecretRef | None = field(default=None, repr=False)
    """How its help desk is reached."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What several offices' lines share (STO, witel): a fault there silences them together."""

    code: str
    name: str
    parent: str | None = None
    guessed: bool = False
    """Whether the membership is our guess rather than the provider's word."""


@dataclass(frozen=True, slots=True)
class PowerGroup:
    """Offices on one feeder or substation of the power company."""

    code: str
    name: str
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A host elsewhere by which the collector tells its own fault from the offices'."""

    ping: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Beyond these a line is degraded."""

    rtt_s: float
    loss: float
    """Share of packets, 0 to 1."""
    jitter_s: float


DEFAULT_BOUNDS: Mapping[Technology, Bounds] = {
    # Ours, for telling 'as usual' from 'worse'; no provider promises them.
    Technology.FIBRE: Bounds(0.100, 0.02, 0.030),
    Technology.COPPER: Bounds(0.150, 0.02, 0.050),
    Technology.RADIO: Bounds(0.150, 0.03, 0.050),
    Technology.LTE: Bounds(0.250, 0.03, 0.080),
    # Geostationary: 550-650 ms is normal.
    Technology.VSAT: Bounds(0.800, 0.05, 0.100),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to people; exactly one of the four is given (`kind` says which)."""

    name: str
    alertmanager: tuple[str | SecretRef, ...] = ()
    """URLs of all members of one Alertmanager cluster."""
    webhook: str | SecretRef | None = None
    apprise: SecretRef | None = None
    command: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    """What it wants to hear of; empty = all."""
    only: tuple[str, ...] = ()
    """Alertnames that it wants to hear of; empty = all."""
    escalate: Escalation | None = None
    """None = as a people's channel that hears all."""

    @property
    def people(self) -> bool:
        """Whether people read it; an Alertmanager decides by itself whom it reminds."""
        return not self.alertmanager

    @property
    def kind(self) -> ChannelKind:
        """Return which of the four it is."""
        if self.alertmanager:
            return ChannelKind.ALERTMANAGER
        if self.webhook is not None:
            return ChannelKind.WEBHOOK
        return ChannelKind.APPRISE if self.apprise is not None else ChannelKind.COMMAND


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When people are told at once of grave things alone."""

    hours: Hours
    unless: Severity = Severity.CRITICAL
    """From this severity on they are told all the same."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Whom to tell of what, and when to tell again."""

    channels: tuple[Channel, ...] = ()
    escalate_after_s: float = 1800.0
    templates: Path | None = None
    """A folder with texts in place of the shipped ones."""
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Planned work: in [begins, ends) nothing is alerted; whether it counts is the contract's."""

    sites: tuple[str, ...]
    begins: datetime
    """Aware, in UTC."""
    ends: datetime
    why: str = ""
    announced: bool = False

    def covers(self, site: str, at: datetime) -> bool:
        """Return whether `site` is under maintenance at `at` (aware)."""
        return site in self.sites and self.begins <= at < self.ends


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the store keeps what it has."""

    reports_s: float = timedelta(days=90).total_seconds()
    rollups_s: float = timedelta(days=5 * 365).total_seconds()
    traps_s: float = timedelta(days=90).total_seconds()


@dataclass(frozen=True, slots=True)
class TrapUser:
    """Who may sign traps (SNMPv3)."""

    user: str
    auth: SnmpSecurity
    priv: SnmpSecurity | None = None
    """None = its traps are signed and not encrypted."""
    site: str | None = None
    """The only office that has this key: what it signs is that office's for certain."""


@dataclass(frozen=True, slots=True)
class Traps:
    """Where traps of foreign devices are heard, and who may sign them."""

    listen: Endpoint
    users: tuple[TrapUser, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One office."""

    code: str
    name: str
    kind: SiteKind = SiteKind.OTHER
    kecamatan: str = ""
    kabupaten: str = ""
    """The loader fills in the organisation where it is absent."""
    location: Location | None = None
    upstream: str | None = None
    power_group: str | None = None
    ups: Ups = Ups.UNKNOWN
    hours: Hours | None = None
    """When it serves; None = always."""
    contacts: tuple[Contact, ...] = ()
    address: str | None = None
    """Pinged from the centre."""
    interval_s: float = 10.0
    circuits: tuple[Circuit, ...] = ()
    probes: tuple[Probe, ...] = ()
    """Those written down; `effective_probes` adds what `services` imply."""
    devices: tuple[Device, ...] = ()
    services: tuple[str, ...] = ()
    where: str = field(default="", compare=False, repr=False)
    """FILE:LINE of its entry, for messages."""

    def circuit(self, circuit_id: str) -> Circuit | None:
        """Return the line of that id, if the office has it."""
        return next((circuit for circuit in self.circuits if circuit.id == circuit_id), None)

    @property
    def primary(self) -> Circuit | None:
        """Return the line that serves: the first primary, else the first there is."""
        primaries = (c for c in self.circuits if c.role is CircuitRole.PRIMARY)
        return next(primaries, self.circuits[0] if self.circuits else None)


class Outline(NamedTuple):
    """What is asked of all offices at once, by the names that it has in `Site`."""

    code: str
    interval_s: float
    upstream: str | None
    address: str | None


def outline_of(site: Site) -> Outline:
    """Return an office's outline."""
    return Outline(site.code, site.interval_s, site.upstream, site.address)


class StoredSites(Sequence[Site]):
    """Offices that lie elsewhere, each read when it is asked for."""

    @property
    @abstractmethod
    def outlines(self) -> Iterable[Outline]:
        """Return the offices' outlines, in their order; no office is read for it."""

    @property
    @abstractmethod
    def codes(self) -> Sequence[str]:
        """Return the offices' codes, in their order; no office is read for it."""

    @abstractmethod
    def find(self, code: str) -> Site | None:
        """Return the office of that code, if there is one."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that is known of an organisation's offices."""

    organisation: str
    timezone: ZoneInfo = DEFAULT_ZONE
    language: Language = Language.INDONESIAN
    directory: Path = Path()
    """Where it was read; `file:` secrets are relative to it."""
    boundaries: Path | None = None
    page_url: str | None = None
    """Where people open the collector's page; messages link to it."""
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    power_groups: Mapping[str, PowerGroup] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    """By name; those of whom more is known than circuits say."""
    bounds: Mapping[Technology, Bounds] = field(default_factory=lambda: dict(DEFAULT_BOUNDS))
    """Complete: the inventory's own over `DEFAULT_BOUNDS`."""
    alerts: Alerts = field(default_factory=Alerts)
    heartbeat: str | SecretRef | None = None
    remote_write: str | SecretRef | None = None
    retention: Retention = field(default_factory=Retention)
    traps: Traps | None = None
    maintenance: tuple[Maintenance, ...] = ()
    sites: Sequence[Site] = ()
    """A tuple, or `StoredSites`."""
    _by_code: Mapping[str, Site] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the sites: the collector looks one up for each datagram."""
        known = () if isinstance(self.sites, StoredSites) else self.sites
        object.__setattr__(self, "_by_code", {site.code: site for site in known})

    @property
    def codes(self) -> Sequence[str]:
        """Return the offices' codes, in their order: for thousands much quicker than `sites`."""
        if isinstance(self.sites, StoredSites):
            return self.sites.codes
        return tuple(self._by_code)

    @property
    def outlines(self) -> Iterable[Outline]:
        """Return what is asked of all offices, in their order: for thousands much quicker."""
        if isinstance(self.sites, StoredSites):
            return self.sites.outlines
        return (outline_of(site) for site in self.sites)

    @property
    def names(self) -> Mapping[str, str]:
        """Return the offices' names by their codes, looked up when they are asked for."""
        return _Names(self)

    def find(self, code: str) -> Site | None:
        """Return the office of that code, if there is one."""
        if isinstance(self.sites, StoredSites):
            return self.sites.find(code)
        return self._by_code.get(code)

    def site(self, code: str) -> Site:
        """Return the office of that code.

        Raises:
            NothingMatchedError: there is none; the message suggests the nearest code.
        """
        found = self.find(code)
        if found is None:
            hint = did_you_mean(code, self.codes)
            raise NothingMatchedError(f"no site '{code}' in the inventory{hint}")
        return found

    def upstream_chain(self, site: Site | Outline) -> tuple[Upstream, ...]:
        """Return what the office hangs on, nearest first, up to the root."""
        chain: list[Upstream] = []
        code = site.upstream
        while code is not None and (upstream := self.upstreams.get(code)) is not None:
            if upstream in chain:
                break
            chain.append(upstream)
            code = upstream.parent
        return tuple(chain)


class _Names(Mapping[str, str]):
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def __getitem__(self, code: str) -> str:
        site = self._inventory.find(code)
        if site is None:
            raise KeyError(code)
        return site.name

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory.codes)

    def __len__(self) -> int:
        return len(self._inventory.sites)


def effective_probes(site: Site, inventory: Inventory) -> tuple[Probe, ...]:
    """Return the office's probes: those written down, and one for each service without its own."""
    own = {probe.service for probe in site.probes if probe.service is not None}
    implied = (
        Probe(
            name=service.code,
            kind=Kind.HTTP,
            target=service.http,
            role=Role.SERVICE,
            expect=service.expect,
            every_s=service.every_s,
            timeout_s=service.timeout_s,
            service=service.code,
        )
        for code in site.services
        if code not in own and (service := inventory.services.get(code)) is not None
    )
    return (*site.probes, *implied)
