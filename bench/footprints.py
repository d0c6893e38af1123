"""The peers of the agent on an office's machine: how each is configured and started.

Each does the nearest thing to the agent's work that it can do by itself: it reads the machine
every ten seconds and, where it sends, sends to a sink on loopback. None of them measures a line;
that flatters them.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL_S = 10
ZABBIX_ITEMS = (
    "agent.ping", "system.uptime", "system.cpu.load[all,avg1]", "vm.memory.size[available]",
    "vm.memory.size[total]", "net.if.in[lo]", "net.if.out[lo]", "net.if.in[lo,errors]",
    "net.if.out[lo,errors]", "system.hostname",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Peer:
    """One program, and what it was told to do."""

    name: str
    program: str
    does: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    """Free TCP and UDP ports of loopback."""

    sink: int
    exporter: int
    vmagent: int
    prometheus: int
    zabbix: int
    snmpd: int


def peers(folder: Path, ports: Ports, community: str) -> list[Peer]:
    """Return the peers, their configurations written to `folder`."""
    write = f"http://127.0.0.1:{ports.sink}/write"
    scrape = folder / "scrape.yml"
    scrape.write_text(
        f"global: {{scrape_interval: {INTERVAL_S}s, scrape_timeout: 5s}}\n"
        f"scrape_configs: [{{job_name: node, static_configs: "
        f"[{{targets: ['127.0.0.1:{ports.exporter}']}}]}}]\n"
    )
    (folder / "prometheus.yml").write_text(
        scrape.read_text() + f"remote_write: [{{url: '{write}'}}]\n"
    )
    return [
        _snmpd(folder, ports, community),
        _collectd(folder),
        Peer(
            "node_exporter", "prometheus-node-exporter", "scraped every 10 s by the two below",
            (f"--web.listen-address=127.0.0.1:{ports.exporter}",),
        ),
        Peer(
            "vmagent", "vmagent", "scrapes node_exporter every 10 s, remote write to a sink",
            (
                f"-promscrape.config={scrape}", f"-remoteWrite.url={write}",
                f"-remoteWrite.tmpDataPath={folder / 'vmagent'}",
                f"-httpListenAddr=127.0.0.1:{ports.vmagent}",
            ),
        ),
        Peer(
            "prometheus_agent", "prometheus", "scrapes node_exporter every 10 s, remote write",
            (
                "--enable-feature=agent", f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.agent.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{ports.prometheus}",
            ),
        ),
        _zabbix(folder, ports),
    ]  # fmt: skip


def ask_zabbix(port: int) -> int:
    """Ask the Zabbix agent for its items, as a server would; return how many it answered."""
    answered = 0
    for item in ZABBIX_ITEMS:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as sock:
            sock.sendall(b"ZBXD\x01" + struct.pack("<Q", len(item)) + item.encode())
            sock.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
            answered += answer.startswith(b"ZBXD") and b"ZBX_NOTSUPPORTED" not in answer
    return answered


def _snmpd(folder: Path, ports: Ports, community: str) -> Peer:
    conf = folder / "snmpd.conf"
    conf.write_text(
        f"agentAddress udp:127.0.0.1:{ports.snmpd}\nrocommunity {community} 127.0.0.1\n"
    )
    state = folder / "snmpd-state"
    state.mkdir()
    return Peer(
        "snmpd", "snmpd", "polled every 10 s by each tabuah agent of this run",
        ("-f", "-C", "-c", str(conf), "-Lf", str(folder / "snmpd.log"), "-r", "-m", ""),
        {"SNMP_PERSISTENT_DIR": str(state)},
    )  # fmt: skip


def _collectd(folder: Path) -> Peer:
    conf = folder / "collectd.conf"
    data = folder / "collectd"
    data.mkdir()
    conf.write_text(
        f'BaseDir "{data}"\nPIDFile "{data}/pid"\nHostname "office"\nInterval {INTERVAL_S}\n'
        "LoadPlugin cpu\nLoadPlugin load\nLoadPlugin memory\nLoadPlugin interface\n"
        "LoadPlugin uptime\nLoadPlugin network\n"
        '<Plugin network>\n<Server "127.0.0.1" "9">\n</Server>\n</Plugin>\n'
    )
    return Peer(
        "collectd", "collectd", "cpu, load, memory, interface, uptime every 10 s; network output",
        ("-f", "-C", str(conf)),
    )  # fmt: skip


def _zabbix(folder: Path, ports: Ports) -> Peer:
    conf = folder / "zabbix_agent2.conf"
    conf.write_text(
        f"LogType=file\nLogFile={folder / 'zabbix.log'}\nServer=127.0.0.1\nListenIP=127.0.0.1\n"
        f"ListenPort={ports.zabbix}\nHostname=office\nControlSocket={folder / 'zabbix.sock'}\n"
        f"PluginSocket={folder / 'zabbix-plugin.sock'}\n"
    )
    return Peer(
        "zabbix_agent2", "zabbix_agent2", "asked for ten items every 10 s",
        ("-f", "-c", str(conf)),
    )  # fmt: skip
