"""The product with real Alertmanagers, configured by its own export, that tell a timed webhook.

Beside it the collector tells another webhook by itself: how long Alertmanager takes shows too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tests.lab.alertmanagers import Alertmanager, with_hook
from tests.lab.net import ANCHOR, CENTRE, GATEWAY_LAN, REPORT_PORT
from tests.lab.stack import REFLECT_PORT, TABUAH, Stack
from tests.lab.told import Told, said, told
from tests.lab.town import UPSTREAM, Town

TOLD, SAID = "/alertmanager", "/collector"
"""Where Alertmanager's messages arrive, and the collector's own."""
PAGE_PORT = 8088
PACKETS = 9
"""That a cycle sends across the line."""

_HEAD = """\
organisation: Laboratorium
timezone: Asia/Jakarta
language: id
upstreams: {{{upstreams}}}
references: [{{ping: 10.200.0.254}}]
# A round trip of 250 ms is an ordinary line here.
bounds: {{fibre: {{rtt: 300ms, loss: 0.02, jitter: 30ms}}}}
services: {{siak: {{name: SIAK, owner: Disdukcapil, http: "http://{anchor}:{page}/", every: 1m}}}}
alerts:
  channels:
    - {{name: am, alertmanager: [{members}]}}
    - {{name: direct, webhook: "{direct}"}}
sites:
"""
_SITE = """\
  - code: "{code}"
    name: Kantor {number}
    kecamatan: Kubung
    interval: {every}s
    ups: none
{upstream}    circuits:
      - {{id: telkom, provider: Telkom, technology: fibre}}
    services: [siak]
    probes:
      - {{name: router, ping: {gateway}, role: gateway, every: {every}s}}
      - {{name: hop, ping: {hop}, role: first_hop, count: 3, every: {every}s}}
      - {{name: dc, udp: "{centre}:{reflect}", role: centre, count: 3, every: {every}s}}
      - {{name: anchor, ping: {anchor}, role: public, count: 3, every: {every}s}}
      - {{name: resolver, dns: {{server: {anchor}, name: siak.example}}, role: public, every: 1m}}
"""


class AlertedStack(Stack):
    """Collector, agents and Alertmanagers in a town; without its office of two lines."""

    lab: Town

    def __init__(
        self,
        town: Town,
        folder: Path,
        *,
        interval_s: int,
        members: int = 1,
        others: int = 0,
    ) -> None:
        """Plan it.

        Args:
            town: its office of two lines takes no part.
            folder: for all files.
            interval_s: of reports.
            members: how many Alertmanagers; a cluster if they are more than one.
            others: so many upstreams share the plain offices evenly, which have none otherwise.
        """
        super().__init__(town, folder)
        del self.codes[town.twofold]
        self._upstreams = dict.fromkeys(town.grouped, UPSTREAM)
        if others:
            named = {office: f"sto-{2 + n % others}" for n, office in enumerate(town.plain)}
            self._upstreams |= named
        self.interval_s = interval_s
        self.inside = self._centre
        config = folder / "alertmanager" / "with-hook.yml"
        self.members = tuple(
            Alertmanager(town, self._centre, config, 9093 + number) for number in range(members)
        )
        self._config = config

    def __enter__(self) -> Self:
        try:
            self._write_inventory()
            self._export()
            self._serve_a_page()
            for member in self.members:
                self.start_member(member)
            self.start_collector()
            self._enrol_all()
            for office in self.codes:
                self.start_agent(office)
            for member in self.members:
                self.until(90, member.ready, f"Alertmanager at {member.url}")
            self.until(120, self.all_up, lambda: f"the offices to be up: {self.states()}")
        except BaseException:
            self.close()
            raise
        return self

    # What is done to it

    def start_member(self, member: Alertmanager) -> None:
        """Start an Alertmanager with its peers."""
        member.start([other for other in self.members if other is not member])

    # What is seen of it

    def all_up(self) -> bool:
        """Return whether every office is up."""
        return set(self.states().values()) == {"up"}

    def told(self) -> list[Told]:
        """Return what Alertmanager told so far."""
        return told(self.hook.arrivals, TOLD)

    def said(self) -> list[Told]:
        """Return what the collector said by itself so far."""
        return said(self.hook.arrivals, SAID)

    # How it is set up

    def _write_inventory(self) -> None:
        self._inventory.mkdir()
        names = sorted(set(self._upstreams.values()))
        text = _HEAD.format(
            upstreams=", ".join(f"{u}: {{name: {u.upper()}}}" for u in names),
            anchor=ANCHOR,
            page=PAGE_PORT,
            members=", ".join(f'"{member.url}"' for member in self.members),
            direct=self.hook.at(SAID),
        )
        for office, code in self.codes.items():
            upstream = self._upstreams.get(office)
            text += _SITE.format(
                code=code,
                number=office.number,
                every=self.interval_s,
                upstream=f"    upstream: {upstream}\n" if upstream else "",
                gateway=GATEWAY_LAN,
                hop=office.first_hop,
                centre=CENTRE,
                reflect=REFLECT_PORT,
                anchor=ANCHOR,
            )
        (self._inventory / "inventory.yaml").write_text(text)

    def _export(self) -> None:
        """Write what an administrator is given, with a webhook where the receivers' names are."""
        folder = self._config.parent
        self.tabuah(
            "monitoring", "export", "--inventory", str(self._inventory), "--out", str(folder)
        )
        text = (folder / "alertmanager.yml").read_text()
        self._config.write_text(with_hook(text, self.hook.at(TOLD)))

    def _serve_a_page(self) -> None:
        folder = self.folder / "page"
        folder.mkdir()
        page = ("-m", "http.server", str(PAGE_PORT), "--bind", ANCHOR, "--directory", str(folder))
        self.lab.popen(self.lab.centre, (TABUAH[0], *page), self.folder / "page.log")

    def _enrol_all(self) -> None:
        self.tabuah(
            "enrol", "--all", "--inventory", str(self._inventory), "--data", str(self._data),
            "--collector", f"{CENTRE}:{REPORT_PORT}", "--out", f"{self.folder}/",
        )  # fmt: skip
        for office in self.codes:
            self._place_data(office)
