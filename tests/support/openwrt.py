"""A gateway with OpenWrt, played around a real shell: its flash, its boot, its services.

Real are the shell, the applets of busybox (those alone that OpenWrt's own has), processes, the
flash (a small file system of its own, which can be full) and sshd. Played are `uci` (export,
changes), `procd` (`reload_config` has the services take up what is in /etc/config; what they took
up is 'live' and lost at a reboot), `rc.common`, the scripts of /etc/rc.d in their order at boot,
and `fw4 check`. /var is memory. Its uptime is told by whoever plays, and `sleep` goes by it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.lab.machine import environment
from tests.support.sshd import WITH_US, Sshd

APPLETS = (
    *("[", "ash", "awk", "basename", "cat", "chmod", "chown", "cmp", "cp", "cut", "date", "dd"),
    *("df", "dirname", "echo", "egrep", "env", "false", "fgrep", "find", "grep", "head", "id"),
    *("kill", "killall", "ln", "logger", "ls", "md5sum", "mkdir", "mknod", "mktemp", "mount"),
    *("mv", "passwd", "pgrep", "pidof", "printf", "ps", "pwd", "readlink", "rm", "rmdir", "sed"),
    *("sha256sum", "sort", "start-stop-daemon", "sync", "tail", "tar", "tee", "test", "touch"),
    *("tr", "true", "umount", "uname", "uniq", "uptime", "usleep", "vi", "wc", "xargs"),
)
"""Those of OpenWrt's default build that matter here: no setsid, nohup, timeout, stat, conntrack."""

CONFIG = {
    "network": """\
# written by hand
config interface 'loopback'
	option device 'lo'
	option proto 'static'
	option ipaddr '127.0.0.1'
	option netmask '255.0.0.0'

config globals globals
	option ula_prefix "fd00:1::/48"

config interface 'lan'
	option device 'br-lan'
	option proto 'static'
	option ipaddr '192.168.1.1/24'

config interface 'wan'
	option device 'wan0'
	option proto 'static'
	option ipaddr '10.0.0.2/24'
	option gateway '10.0.0.1'
""",
    "firewall": """\
config defaults
	option input 'REJECT'
	option forward 'REJECT'

config zone
	option name 'lan'
	list network 'lan'
	option input 'ACCEPT'

config forwarding
	option src 'lan'
	option dest 'wan'
""",
    "system": """\
config system
	option hostname 'kubung'

config led 'led_wan'
	option sysfs 'w'
""",
}

_UCI = r"""#!/bin/sh
# export and changes of OpenWrt's uci, as far as a dead-man uses them
dir=/etc/config staged=/tmp/.uci quiet=
while :; do
    case $1 in
    -c) dir=$2; shift 2 ;;
    -t) staged=$2; shift 2 ;;
    -q) quiet=1; shift ;;
    -N) shift ;;
    *) break ;;
    esac
done
case $1 in
changes)
    [ ! -e "$staged/$2" ] || cat "$staged/$2"
    ;;
export)
    [ -e "$dir/$2" ] || { [ -n "$quiet" ] || echo "uci: Entry not found" >&2; exit 1; }
    cat "$dir/$2" "$staged/$2" 2>/dev/null | awk -v package="$2" '
        function bad() {
            print "uci: Parse error (invalid command) at line " NR ", byte 0" >"/dev/stderr"
            failed = 1; exit 1
        }
        function word(rest) { # the first word of rest into w, what is left into left
            sub(/^[ \t]+/, "", rest); w = ""; left = ""
            if (rest == "") return 0
            while (rest != "" && rest !~ /^[ \t]/) {
                q = substr(rest, 1, 1)
                if (q == "\047" || q == "\"") {
                    rest = substr(rest, 2); at = index(rest, q)
                    if (!at) bad()
                    w = w substr(rest, 1, at - 1); rest = substr(rest, at + 1)
                } else if (q == "\\") { w = w substr(rest, 2, 1); rest = substr(rest, 3)
                } else { w = w q; rest = substr(rest, 2) }
            }
            left = rest; return 1
        }
        function quoted(s) { gsub(/\047/, "\047\\\047\047", s); return "\047" s "\047" }
        BEGIN { print "package " package }
        /^[ \t]*(#|$)/ { next }
        {
            word($0); verb = w; rest = left
            if (verb == "package") next
            if (verb == "config") {
                if (!word(rest)) bad()
                kind = w; name = word(left) ? " " quoted(w) : ""
                print "\nconfig " kind name; open = 1; next
            }
            if ((verb != "option" && verb != "list") || !open || !word(rest)) bad()
            key = w; if (!word(left)) bad()
            print "\t" verb " " key " " quoted(w)
        }
        END { if (failed) exit 1 }'
    ;;
*) echo "uci: not played: $1" >&2; exit 1 ;;
esac
"""
_SLEEP = """#!/bin/sh
case $1 in *.*) exec /bin/busybox sleep "$1" ;; esac
read -r up _ </proc/uptime
end=$((${up%%.*} + $1))
while read -r up _ </proc/uptime && [ "${up%%.*}" -lt "$end" ]; do /bin/usleep 10000; done
"""
_SCRIPTS = {
    "sbin/uci": _UCI,
    "bin/sleep": _SLEEP,
    "sbin/reload_config": "#!/bin/sh\nmkdir -p /tmp/live && cp /etc/config/* /tmp/live/\n",
    "sbin/fw4": "#!/bin/sh\n! grep -q NONSENSE /etc/config/firewall\n",
    "etc/rc.common": '#!/bin/sh\n. "$1"\ncase $2 in boot | start) start ;; esac\n',
    "etc/init.d/network": (
        "#!/bin/sh /etc/rc.common\nSTART=20\nstart() {\n\t/sbin/reload_config\n"
        "\tgrep ipaddr /tmp/live/network >>/etc/came-up\n}\n"
    ),
    "etc/boot": (
        "mkdir -p /var/run /tmp/live\nfor s in /etc/rc.d/S*; do $s boot; done\n"
        ": >/tmp/booted\nwhile :; do /bin/busybox sleep 1000; done\n"
    ),
}


class OpenWrt:
    """One gateway; ends with `close`."""

    def __init__(self, folder: Path, shell: str = "dash", flash_kb: int = 1024) -> None:
        """Make one.

        Args:
            folder: of its root, and of sshd.
            shell: `dash`, which has no applet of its own, or `ash`, which prefers them all.
            flash_kb: how much its flash holds.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._root = folder / "root"
        self.uptime_s = 1_000_000
        self.boots = 0
        self._init: subprocess.Popen[bytes] | None = None
        self._make_root(shell)
        self._flash = self._hold_flash(flash_kb)
        enter = folder / "enter"
        enter.write_text(
            f'#!/bin/sh\nexec nsenter -t "$(cat {folder}/init)" -m -p -r -w -- '
            '/bin/sh -c "${SSH_ORIGINAL_COMMAND:-exec /bin/sh}"\n'
        )
        enter.chmod(0o755)
        self._write_uptime()
        self._boot()
        self.sshd = Sshd(folder, str(enter))

    # What happens to it

    def pass_a_second(self) -> None:
        """Let a second pass by its uptime, and what is due have a moment."""
        self.uptime_s += 1
        self._write_uptime()
        began = time.monotonic()
        self.run(":")
        # As long as it takes to start a few programs: on a slow machine all goes slower alike.
        time.sleep(max(0.05, 4 * (time.monotonic() - began)))

    def reboot(self) -> None:
        """Lose power: what is not on flash is gone."""
        self.sshd.kill()
        self._stop()
        self._boot()
        self.sshd.start(anew=False)

    def run(self, command: str) -> str:
        """Return what a command printed there; it needs no network."""
        argv = ["sh", "-c", f"SSH_ORIGINAL_COMMAND='{command}' {self._folder / 'enter'}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout

    def live(self, package: str) -> str:
        """Return what the services have taken up of a package."""
        return self.run(f"cat /tmp/live/{package}")

    def close(self) -> None:
        """End all of it."""
        self.sshd.kill()
        self._stop()
        self._flash.kill()
        self._flash.wait()

    # How it is made

    def _make_root(self, shell: str) -> None:
        root = self._root
        for name in ("bin", "sbin", "tmp", "proc", "dev", "etc", "lib", "lib64"):
            (root / name).mkdir(parents=True)
        (root / "var").symlink_to("tmp")
        busybox = shutil.which("busybox")
        assert busybox is not None, "busybox is missing; run `make test`"
        shutil.copy(busybox, root / "bin" / "busybox")
        for name in APPLETS:
            (root / "bin" / name).symlink_to("busybox")
        if shell == "ash":
            (root / "bin" / "sh").symlink_to("busybox")
        else:
            _copy_with_libraries(Path("/bin/dash"), root / "bin" / "sh", root)
        for path, text in _SCRIPTS.items():
            place = root / path
            if path == "bin/sleep" and shell == "ash":
                continue  # it would not be asked
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(0o755)
        (root / "etc" / "rc.d").mkdir()
        (root / "etc" / "rc.d" / "S20network").symlink_to("../init.d/network")
        (root / "etc" / "config").mkdir()
        for name, text in CONFIG.items():
            (root / "etc" / "config" / name).write_text(text)

    def _hold_flash(self, flash_kb: int) -> subprocess.Popen[bytes]:
        """Return the process in whose view flash is mounted; it outlives every boot."""
        etc, seed, ready = self._root / "etc", self._folder / "seed", self._folder / "ready"
        shutil.move(etc, seed)
        etc.mkdir()
        program = (
            "mount --make-rprivate / && "
            f"mount -t tmpfs -o size={flash_kb}k,mode=755 tmpfs {etc} && "
            f"cp -a {seed}/. {etc}/ && touch {ready} && exec sleep infinity"
        )
        argv = [*WITH_US, "unshare", "-m", "sh", "-c", program]
        made = subprocess.Popen(argv, env=environment())
        _await(ready)
        return made

    def _boot(self) -> None:
        root, ready = self._root, self._folder / "pid"
        ready.unlink(missing_ok=True)
        program = (
            f"mount -t tmpfs -o size=4m tmpfs {root}/tmp && mount -t proc proc {root}/proc && "
            f"mount --bind {self._folder}/uptime {root}/proc/uptime && "
            f"mount --bind /dev {root}/dev && "
            f"touch {ready} && exec chroot {root} /bin/sh /etc/boot"
        )
        self._init = subprocess.Popen(
            [
                *WITH_US,
                *("nsenter", "-t", str(self._flash.pid), "-m", "--"),
                *("unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", program),
            ],
            env={**environment(), "PATH": f"{environment()['PATH']}:/bin:/sbin"},
            start_new_session=True,
        )
        _await(ready)
        children = f"/proc/{self._init.pid}/task/{self._init.pid}/children"
        pid = Path(children).read_text().split()[0]
        (self._folder / "init").write_text(pid)
        self._pid = int(pid)
        self.boots += 1
        end = time.monotonic() + 20
        while subprocess.run(
            [str(self._folder / "enter")],
            env={**environment(), "SSH_ORIGINAL_COMMAND": "[ -e /tmp/booted ]"},
            check=False,
            capture_output=True,
        ).returncode:
            assert time.monotonic() < end, "it does not boot"
            time.sleep(0.05)

    def _stop(self) -> None:
        assert self._init is not None
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)  # the first of its processes takes all with it
        self._init.kill()
        self._init.wait()

    def _write_uptime(self) -> None:
        # In place, and always as long: whoever reads it meanwhile reads one or the other.
        path = self._folder / "uptime"
        flags = os.O_WRONLY | os.O_CREAT
        handle = os.open(path, flags, 0o644)
        os.pwrite(handle, f"{self.uptime_s}.00 1.00\n".encode(), 0)
        os.close(handle)


def _copy_with_libraries(program: Path, place: Path, root: Path) -> None:
    shutil.copy(program.resolve(), place)
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True)
    for word in listed.stdout.split():
        if word.startswith("/"):
            target = root / word.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(word).resolve(), target)


def _await(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} is not there"
        time.sleep(0.01)
