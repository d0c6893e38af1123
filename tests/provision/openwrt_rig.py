"""The gateway with OpenWrt that a push can be tried on; see `rigs`."""

from __future__ import annotations

from pathlib import Path

from provision import ssh
from provision.configuration import ManagedFile, Scope, Sections
from provision.dialect import Dialect
from provision.openwrt.gateway import OpenWrtGateway
from provision.session import OutOfReachError, Session
from tests.provision.fake import Clock
from tests.support.openwrt import OpenWrt

_RUNS = (
    "cd /etc/config && for f in *; do echo == $f; cat $f; done; cat /etc/banner 2>&1;"
    " cd /tmp/live && for f in *; do echo == live $f; cat $f; done"
)


class OpenWrtRig:
    """A real shell with a played `uci` and `procd`, behind a real sshd."""

    window_s = 20
    scope = Scope(
        sections=("uci/network", "uci/firewall", "uci/system"),
        files=(ManagedFile("/etc/banner", "0644"),),
    )

    def __init__(self, folder: Path, shell: str = "dash") -> None:
        self.clock = Clock()
        self.gateway = OpenWrt(folder, shell)
        self._known = folder / "known_hosts"
        place = self.gateway.sshd.place
        ssh.pin(place, ssh.offered_key(place, self._known), self._known)
        self._began = self.clock.now - self.gateway.uptime_s
        self.clock.ticks.append(self._tick)
        self.dialect: Dialect = OpenWrtGateway()
        session = self.connect()
        self.before: Sections = self.dialect.read(session, self.scope)
        now = self.before
        self.good = self._prepared(
            session,
            {
                **now,
                "uci/system": now["uci/system"].replace("kubung", "camat kubung"),
                "/etc/banner": "Hanya untuk yang berhak\n",
            },
        )
        wan = now["uci/network"].replace("10.0.0.2", "10.0.0.66")
        self.bad = self._prepared(session, {**now, "uci/network": wan})
        rules = now["uci/firewall"] + "\nconfig rule\n\toption target 'NONSENSE'\n"
        self.refused = self._prepared(session, {**self.good, "uci/firewall": rules})
        session.close()

    def connect(self) -> Session:
        if not self.reachable():
            raise OutOfReachError("no route to host")
        return ssh.connect(self.gateway.sshd.place, self._known, login=OpenWrtGateway.login)

    def runs(self) -> object:
        return self.gateway.run(_RUNS)

    def reachable(self) -> bool:
        """Return whether SSH gets in: a session that is open lives on."""
        return "10.0.0.2/24" in self.gateway.live("network")

    def well(self) -> bool:
        network = self.gateway.live("network")
        lives = "10.0.0.2/24" in network and "192.168.1.1/24" in network
        return lives and "config forwarding" in self.gateway.live("firewall")

    def changed(self) -> bool:
        return (
            "applied" in self.gateway.run("ls /etc/tabuah-deadman/tx-* 2>/dev/null; true").split()
        )

    def drift(self) -> None:
        self.gateway.run("echo config drift >>/etc/config/system")

    def break_restoring(self) -> None:
        """Have flash go bad at the moment at which the change is found to be no good."""
        bad = "mount --bind /etc/config /etc/config && mount -o remount,ro,bind /etc/config; false"
        self.gateway.run(f'echo "{bad}" >/sbin/fw4')

    def mend(self) -> None:
        self.gateway.run("umount /etc/config")

    def reboot(self) -> None:
        self.gateway.reboot()

    def close(self) -> None:
        self.gateway.close()

    def _tick(self) -> None:
        self.gateway.uptime_s = round(self.clock.now - self._began) - 1
        self.gateway.pass_a_second()

    def _prepared(self, session: Session, wanted: Sections) -> Sections:
        return self.dialect.prepare(session, wanted, self.before)
