"""The head of the inventory: everything but the offices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from inventory import values
from inventory.devices import SECURITY, snmp_security
from inventory.fields import Fields, Findings, Scope
from inventory.hours import parse_hours
from inventory.model import (
    ALERTNAMES,
    DEFAULT_BOUNDS,
    DEFAULT_ZONE,
    Alerts,
    Bounds,
    Channel,
    ChannelKind,
    Escalation,
    Inventory,
    Language,
    Maintenance,
    PowerGroup,
    Provider,
    QuietHours,
    Reference,
    Retention,
    Service,
    Severity,
    Technology,
    Traps,
    TrapUser,
    Upstream,
)
from inventory.secret import SecretRef
from inventory.yaml_nodes import Node, Scalar, Sequence
from tabuah.cadence import SHORTEST_INTERVAL_S, SHORTEST_TIMEOUT_S, too_long

T = TypeVar("T")

TOP_KEYS = (
    *("organisation", "timezone", "language", "boundaries", "page_url", "upstreams"),
    *("power_groups", "references", "services", "providers", "bounds", "alerts", "heartbeat"),
    *("remote_write", "retention", "traps", "maintenance", "sites"),
)
_CHANNEL_KINDS = tuple(kind.value for kind in ChannelKind)
_BOUND_KEYS = ("rtt", "loss", "jitter")
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Head:
    """The inventory without its offices, and the offices yet to be read."""

    inventory: Inventory
    sites: list[Node]


def read_head(node: Node, scope: Scope, directory: Path) -> Head:
    """Return what `inventory.yaml` says of the organisation; notes what is wrong."""
    fields = Fields(node, scope, TOP_KEYS)
    fields.need("organisation", "Dinas Kominfo Kabupaten Solok")
    inventory = Inventory(
        organisation=fields.text("organisation", values.some_text, ""),
        timezone=fields.value("timezone", values.time_zone, DEFAULT_ZONE),
        language=fields.value("language", values.one_of(Language), Language.INDONESIAN),
        directory=directory,
        boundaries=_path(fields, "boundaries", directory),
        page_url=fields.value("page_url", values.url, None),
        upstreams=_upstreams(fields),
        power_groups=_by_code(fields, "power_groups", ("name", "guessed"), _power_group),
        references=_references(fields),
        services=_by_code(
            fields,
            "services",
            ("name", "owner", "http", "expect", "every", "timeout", "objective", "call"),
            _service,
        ),
        providers=_by_code(fields, "providers", ("call",), _provider, values.some_text),
        bounds=_bounds(fields),
        alerts=_alerts(fields, directory),
        heartbeat=fields.value("heartbeat", fields.or_reference("heartbeat", values.url), None),
        remote_write=fields.value(
            "remote_write", fields.or_reference("remote_write", values.url), None
        ),
        retention=_retention(fields),
        traps=_traps(fields),
        maintenance=_maintenance(fields),
    )
    return Head(inventory, fields.list("sites"))


def _path(fields: Fields, key: str, directory: Path) -> Path | None:
    name = fields.text(key, values.some_text, None)
    return None if name is None else directory / name


def _by_code(
    fields: Fields,
    key: str,
    known: tuple[str, ...],
    read: Callable[[Fields, str], T | None],
    is_code: Callable[[str], str] = values.token,
) -> dict[str, T]:
    """Return the things of a mapping by their code, which is its key."""
    node = fields.node_of(key)
    things: dict[str, T] = {}
    if node is None:
        return things
    noun = key.removesuffix("s").replace("_", " ")
    for code_node, value in fields.scope.inside(key).pairs(node):
        code = fields.scope.read_text(code_node, key, is_code)
        if code is None:
            continue
        scope = fields.scope.inside(f"{noun} {code}")
        if isinstance(value, Scalar) and value.is_null:
            scope.complain(value, "has nothing behind it; write it like {name: ...}")
            continue
        thing = read(Fields(value, scope, known), code)
        if thing is not None:
            things[code] = thing
    return things


def _upstreams(fields: Fields) -> dict[str, Upstream]:
    nodes: dict[str, Fields] = {}

    def read(inner: Fields, code: str) -> Upstream:
        nodes[code] = inner
        return Upstream(
            code=code,
            name=inner.text("name", values.some_text, code),
            parent=inner.link("upstream", "parent"),
            guessed=inner.value("guessed", values.boolean, False),
        )

    upstreams = _by_code(fields, "upstreams", ("name", "parent", "guessed"), read)
    for circle in _circles(upstreams):
        inner = nodes[circle[0]]
        way = " -> ".join((*circle, circle[0]))
        inner.scope.complain(inner.at("parent"), f"its parents go in a circle: {way}")
    return upstreams


def _circles(upstreams: dict[str, Upstream]) -> Iterator[list[str]]:
    """Yield each circle of parents once, from its first member in the file's order."""
    seen: set[str] = set()
    for start in upstreams:
        way: list[str] = []
        code: str | None = start
        while code is not None and code in upstreams and code not in seen:
            seen.add(code)
            way.append(code)
            code = upstreams[code].parent
        if code in way:
            yield way[way.index(code) :]


def _power_group(fields: Fields, code: str) -> PowerGroup:
    return PowerGroup(
        code=code,
        name=fields.text("name", values.some_text, code),
        guessed=fields.value("guessed", values.boolean, False),
    )


def _references(fields: Fields) -> tuple[Reference, ...]:
    references: list[Reference] = []
    for item in fields.list("references"):
        inner = Fields(item, fields.scope.inside("references"), ("ping",))
        if inner.need("ping") and (host := inner.value("ping", values.host, "")):
            references.append(Reference(ping=host))
    return tuple(references)


def _service(fields: Fields, code: str) -> Service | None:
    if not fields.need("http", "https://siak.example/health"):
        return None
    every_s = fields.value("every", values.duration(SHORTEST_INTERVAL_S), 300.0)
    timeout_s = fields.value("timeout", values.duration(SHORTEST_TIMEOUT_S), min(10.0, every_s))
    if (overlaps := too_long(every_s, 1, timeout_s)) is not None:
        fields.scope.complain(fields.at("timeout"), overlaps)
    return Service(
        code=code,
        name=fields.text("name", values.some_text, code),
        http=fields.value("http", values.url, ""),
        owner=fields.text("owner", values.text, ""),
        expect=fields.text("expect", values.some_text, ""),
        every_s=every_s,
        timeout_s=timeout_s,
        objective=fields.value("objective", values.share, None),
        call=_call(fields),
    )


def _provider(fields: Fields, name: str) -> Provider:
    return Provider(name, _call(fields))


def _call(fields: Fields) -> str | SecretRef | None:
    """Return how somebody is reached; a person's number is better kept elsewhere."""
    return fields.text("call", fields.or_reference("call", values.some_text), None)


def _bounds(fields: Fields) -> dict[Technology, Bounds]:
    bounds = dict(DEFAULT_BOUNDS)
    known = tuple(technology.value for technology in Technology)
    inner = fields.inner("bounds", known)
    for technology in Technology if inner is not None else ():
        limits = None if inner is None else inner.inner(technology.value, _BOUND_KEYS)
        if limits is None:
            continue
        default = bounds[technology]
        bounds[technology] = Bounds(
            rtt_s=limits.value("rtt", values.duration(), default.rtt_s),
            loss=float(limits.value("loss", values.share, default.loss)),
            jitter_s=limits.value("jitter", values.duration(), default.jitter_s),
        )
    return bounds


def _alerts(fields: Fields, directory: Path) -> Alerts:
    inner = fields.inner("alerts", ("channels", "escalate_after", "quiet_hours", "templates"))
    if inner is None:
        return Alerts()
    channels: dict[str, Channel] = {}
    for item in inner.list("channels"):
        channel = _channel(item, inner.scope)
        if channel is None:
            continue
        if channel.name in channels:
            inner.scope.complain(item, f"channel '{channel.name}' stands here a second time")
        channels.setdefault(channel.name, channel)
    return Alerts(
        channels=tuple(channels.values()),
        escalate_after_s=inner.value("escalate_after", values.duration(1.0), 1800.0),
        templates=_path(inner, "templates", directory),
        quiet_hours=_quiet_hours(inner),
    )


def _quiet_hours(fields: Fields) -> QuietHours | None:
    inner = fields.inner("quiet_hours", ("hours", "unless"))
    if inner is None or not inner.need("hours", '"Mon-Sun 00:00-06:00, Mon-Sun 21:00-24:00"'):
        return None
    hours = inner.value("hours", parse_hours, None)
    unless = inner.value("unless", values.one_of(Severity), Severity.CRITICAL)
    return None if hours is None else QuietHours(hours, unless)


def _channel(node: Node, scope: Scope) -> Channel | None:
    known = ("name", *_CHANNEL_KINDS, "severities", "only", "escalate")
    fields = Fields(node, scope.named("channel", node, "name"), known)
    if not fields.need("name"):
        return None
    name = fields.text("name", values.token, None)
    if name is None:
        return None
    given = [kind for kind in _CHANNEL_KINDS if kind in fields]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        what = f"needs exactly one of {', '.join(_CHANNEL_KINDS)}; has {found}"
        fields.scope.complain(fields.node, what)
        return None
    behind = fields.node_of(given[0])
    if isinstance(behind, Sequence) and not behind.items:
        fields.scope.complain(behind, f"{given[0]}: is an empty list")
    return Channel(
        name=name,
        alertmanager=fields.texts("alertmanager", fields.or_reference("alertmanager", values.url)),
        webhook=fields.value("webhook", fields.or_reference("webhook", values.url), None),
        apprise=fields.secret("apprise"),
        command=fields.texts("command", values.some_text),
        severities=fields.texts("severities", values.one_of(Severity)),
        only=fields.texts("only", _alertname),
        escalate=fields.value("escalate", values.one_of(Escalation), None),
    )


def _alertname(word: str) -> str:
    if word not in ALERTNAMES:
        near = values.hint(word, ALERTNAMES) or f"; use some of: {', '.join(ALERTNAMES)}"
        raise ValueError(f"unknown alert '{values.shown(word)}'{near}")
    return word


def _retention(fields: Fields) -> Retention:
    inner = fields.inner("retention", ("reports", "rollups", "traps"))
    default = Retention()
    if inner is None:
        return default
    day = values.duration(86400.0)
    return Retention(
        reports_s=inner.value("reports", day, default.reports_s),
        rollups_s=inner.value("rollups", day, default.rollups_s),
        traps_s=inner.value("traps", day, default.traps_s),
    )


def _traps(fields: Fields) -> Traps | None:
    inner = fields.inner("traps", ("listen", "users"))
    if inner is None or not inner.need("listen", "0.0.0.0:162"):
        return None
    listen = inner.value("listen", values.endpoint, None)
    users: dict[str, TrapUser] = {}
    for item in inner.list("users"):
        user = _trap_user(item, inner.scope)
        if user is None:
            continue
        if user.user in users:
            inner.scope.complain(item, f"user '{user.user}' stands here a second time")
        users[user.user] = user
    return None if listen is None else Traps(listen, tuple(users.values()))


def _trap_user(node: Node, scope: Scope) -> TrapUser | None:
    fields = Fields(node, scope.named("user", node, "user"), ("user", "auth", "priv", "site"))
    needed = [fields.need(key) for key in ("user", "auth")]
    name = fields.text("user", _user_name, None)
    auth, priv = (snmp_security(fields, key, SECURITY[key]) for key in ("auth", "priv"))
    site = fields.link("site", "site")
    if not all(needed) or name is None or auth is None:
        return None
    return TrapUser(name, auth, priv, site)


def _user_name(word: str) -> str:
    if not 1 <= len(word.encode()) <= 32:
        raise ValueError("a user name has 1 to 32 octets (RFC 3414)")
    return values.some_text(word)


def _maintenance(fields: Fields) -> tuple[Maintenance, ...]:
    windows: list[Maintenance] = []
    for item in fields.list("maintenance"):
        keys = ("sites", "begins", "ends", "why", "announced")
        inner = Fields(item, fields.scope.inside("maintenance"), keys)
        complete = [inner.need(key) for key in ("sites", "begins", "ends")]
        begins = inner.value("begins", values.instant, _EPOCH)
        ends = inner.value("ends", values.instant, None)
        if ends is not None and ends <= begins:
            inner.scope.complain(inner.at("ends"), "ends before it begins")
        window = Maintenance(
            sites=inner.links("site", "sites"),
            begins=begins,
            ends=ends or begins,
            why=inner.text("why", values.text, ""),
            announced=inner.value("announced", values.boolean, False),
        )
        if all(complete):
            windows.append(window)
    return tuple(windows)


class LinkCheck:
    """Notes every word that names nothing."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._hints: dict[tuple[str, str], str] = {}

    def against(self, known: dict[str, tuple[str, ...]]) -> None:
        """Check the links to what `known` has the names of; the others wait for another call."""
        sets = {noun: frozenset(names) for noun, names in known.items()}
        waiting = []
        for link in self._findings.links:
            if link.to not in sets:
                waiting.append(link)
                continue
            if link.word in sets[link.to]:
                continue
            asked = (link.to, link.word)
            if asked not in self._hints:
                # Comparing with thousands of names takes 0.1 s: once a word, for the first ten.
                near = values.hint(link.word, known[link.to]) if len(self._hints) < 10 else ""
                self._hints[asked] = near
            what = f"{link.path}unknown {link.to} '{link.word}'{self._hints[asked]}"
            self._findings.add(link.where, what)
        self._findings.links = waiting
