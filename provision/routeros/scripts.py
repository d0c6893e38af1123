"""The dead-man of RouterOS, in its own scripting language. Pure: texts in, texts out.

Entries of `/system script` are its markers: they are on flash at once, and their names are unique,
so that an `add` of a name that exists fails. That is the arbiter: `decided` is added with `fired`
or with `confirmed`, and only one of the two adds succeeds, whoever is killed and whenever.

    tabuah-open            the transaction that holds the device
    tabuah-TX-deadline     when it fires, by uptime: a wall clock may jump, or have no battery
    tabuah-TX-fire         undoes it: loads the backup, which reboots
    tabuah-TX-apply        the change, in the background
    tabuah-TX-began        the change was started, when
    tabuah-TX-applied      the last line of the change: an import stops at its first error
    tabuah-TX-failed       it was not
    tabuah-TX-decided      the arbiter's word
    tabuah-TX-restored     fired before anything was changed: there was nothing to undo
    tabuah-TX-unrestored   the backup was loaded and the device still stands here
    tabuah-settled         how earlier transactions ended

The backup is taken before any of these exist. Loaded, it takes them all away: a device that knows
nothing of a transaction has undone it, or never had it, and what it runs tells which.
Three things fire: a scheduler that looks at the uptime every few seconds, a job that sleeps (where
a device forbids schedulers it is alone), and a scheduler at startup, for RouterOS saves at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.configuration import normal_section
from provision.filters import ros_quoted
from provision.routeros import menu

POLICY = "ftp,reboot,read,write,policy,test,sensitive"
"""What the schedulers may do; RouterOS refuses it to a user who may not do all of it himself."""
END = "tabuah-end"
"""Printed last: a command that stopped at an error does not come so far."""
CHANGE_S = 120
"""A change that has not ended by then has died."""
SETTLED_KEPT = 20
_TICK_S = 5


def name(tx: str, word: str) -> str:
    """Return the name of a transaction's entry."""
    return f"tabuah-{tx}-{word}"


def facts() -> str:
    """Return the command that says what a device is."""
    return (
        ':put ("version=" . [/system resource get version]);'
        ':put ("flash=" . [:len [/file find where name="flash"]])'
    )


def status(tx: str) -> str:
    """Return the command that says all that is known of a transaction, KEY=VALUE a line."""
    return (
        f':foreach s in=[/system script find where name~"^tabuah-{tx}-"] do={{'
        " :local n [/system script get $s name];"
        f' :if ([:pick $n {len(tx) + 8} [:len $n]] = "fire" or'
        f' [:pick $n {len(tx) + 8} [:len $n]] = "apply")'
        ' do={ :put ($n . "=yes") } else={'
        ' :put ($n . "=" . [/system script get $s source]) } };'
        ':put ("schedulers=" . [:len [/system scheduler find where'
        f' name~"^tabuah-{tx}-" and disabled=no]]);'
        ':foreach s in=[/system script find where name="tabuah-open"] do={'
        ' :put ("open=" . [/system script get $s source]) };'
        ':foreach s in=[/system script find where name="tabuah-settled"] do={'
        ' :put ("settled=" . [/system script get $s source]) };'
        ':put ("uptime=" . [/system resource get uptime])'
    )


def save(tx: str, folder: str) -> str:
    """Return the command that takes the backup, and says how many there are of it: one."""
    file = f"{folder}tabuah-{tx}"
    return (
        f'/system backup save name="{file}" dont-encrypt=yes;'
        f':put ("backups=" . [:len [/file find where name="{file}.backup"]])'
    )


def arming(tx: str, window_s: int, folder: str, *, guarded: bool) -> str:
    """Return the file that arms: it stops at the first line that the device refuses.

    Args:
        tx: the transaction.
        window_s: after which it fires.
        folder: of the files that outlive a reboot.
        guarded: whether the device takes schedulers.
    """
    run = f'/system script run "{name(tx, "fire")}"'
    deadline = f'[/system script get [/system script find name="{name(tx, "deadline")}"] source]'
    look = f":if ([/system resource get uptime] >= [:totime {deadline}]) do={{ {run} }}"
    when = f"[:tostr ([/system resource get uptime] + {window_s}s)]"
    lines = [
        _add("tabuah-open", tx),
        f'/system script add name="{name(tx, "deadline")}" policy={POLICY} source={when}',
        _add(name(tx, "fire"), _fire(tx, folder)),
        _add(name(tx, "apply"), _apply(tx, folder)),
    ]
    if guarded:
        for word, interval_s, event in (("timer", _TICK_S, look), ("boot", 0, run)):
            how = f"start-time=startup interval={interval_s}s policy={POLICY}"
            add = f'/system scheduler add name="{name(tx, word)}" {how}'
            lines.append(f"{add} on-event={ros_quoted(event)}")
    else:
        lines.append(_add(name(tx, "unguarded"), ""))
    lines.append(f":execute script={ros_quoted(f':delay {window_s}s; {run}')}")
    return "".join(f"{line}\n" for line in lines)


def change(tx: str, running: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Return the file that changes the device. It ends with the word that it has come so far."""
    lines = []
    for section in sorted(wanted):
        before, after = running.get(section, ""), wanted[section]
        if normal_section(section, before) != normal_section(section, after):
            lines += menu.program(section, before, after)
    if any(line.startswith("/ip firewall") for line in lines):
        # Old flows would pass rules that let no new one pass, and hide it from the agent.
        flows = "/ip firewall connection"
        own = "protocol=udp or protocol=icmp"
        lines.append(f":do {{ {flows} remove [{flows} find where {own}] }} on-error={{}}")
    lines.append(_add(name(tx, "applied"), ""))
    return "".join(f"{line}\n" for line in lines)


def start(tx: str) -> str:
    """Return the command that starts the change in the background; once only."""
    # Marked before it runs: who asks next is told that it is under way, not that it never began.
    began = f'/system script add name="{name(tx, "began")}" policy={POLICY}'
    return _background(tx, "apply", f"{began} source=[:tostr [/system resource get uptime]];")


def undo(tx: str) -> str:
    """Return the command that starts the undoing in the background, another time if need be."""
    failed = f'[/system script find where name="{name(tx, "unrestored")}"]'
    return _background(tx, "fire", f"/system script remove {failed};")


def _background(tx: str, word: str, first: str = "") -> str:
    entry = name(tx, word)
    return (
        f'{_none_of(entry)} do={{ :error "no such transaction: {tx}" }};'
        f"{first}:execute script={ros_quoted(f'/system script run {ros_quoted(entry)}')}"
    )


def confirm(tx: str) -> str:
    """Return the command that has the change kept, or fails."""
    decided = name(tx, "decided")
    return (
        f'{_none_of(name(tx, "applied"))} do={{ :error "not applied" }};'
        f":do {{ {_add(decided, 'confirmed')} }} on-error={{}};"
        f':if ({_source(decided)} != "confirmed") do={{'
        ' :error "too late: it is being undone" };'
        f"{_disarm(tx)}"
    )


def forget(tx: str, settled: str | None = None) -> str:
    """Return the command that takes away what is left of a transaction.

    Args:
        tx: the transaction.
        settled: what `tabuah-settled` says from now on; None = as before.
    """
    noted = ""
    if settled is not None:
        noted = (
            '/system script remove [/system script find where name="tabuah-settled"];'
            f"{_add('tabuah-settled', settled)};"
        )
    return (
        f"{noted}{_disarm(tx)};"
        f'/system script remove [/system script find where name~"^tabuah-{tx}-"];'
        f':foreach f in=[/file find where name~"tabuah-{tx}[.-]"] do={{ /file remove $f }};'
        f'/system script remove [/system script find where name="tabuah-open" and source="{tx}"]'
    )


def _fire(tx: str, folder: str) -> str:
    """Return the arbiter's other side."""
    decided = name(tx, "decided")
    return (
        f":do {{ {_add(decided, 'fired')} }} on-error={{}}\n"
        f":local how {_source(decided)}\n"
        f':if ($how = "confirmed") do={{ {_disarm(tx)} }}\n'
        ':if ($how = "fired") do={\n'
        # Decided first, asked then: a change that begins later sees that it may not.
        f" {_none_of(name(tx, 'began'))} do={{\n"
        f"  {_disarm(tx)}\n"
        f"  :do {{ {_add(name(tx, 'restored'), '')} }} on-error={{}}\n"
        " } else={\n"
        f'  :do {{ /system backup load name="{folder}tabuah-{tx}.backup" password="" }}'
        " on-error={}\n"
        "  :delay 20s\n"
        f"  :do {{ {_add(name(tx, 'unrestored'), '')} }} on-error={{}}\n"
        " }\n}\n"
    )


def _apply(tx: str, folder: str) -> str:
    return (
        f"{_none_of(name(tx, 'decided'))} do={{\n"
        f' :do {{ /import file-name="{folder}tabuah-{tx}.rsc" }} on-error={{}}\n'
        f" {_none_of(name(tx, 'applied'))} do={{\n"
        f"  :do {{ {_add(name(tx, 'failed'), '')} }} on-error={{}}\n"
        f'  /system script run "{name(tx, "fire")}"\n'
        " }\n}\n"
    )


def _add(entry: str, source: str) -> str:
    return f'/system script add name="{entry}" policy={POLICY} source={ros_quoted(source)}'


def _none_of(entry: str) -> str:
    return f':if ([:len [/system script find where name="{entry}"]] = 0)'


def _source(entry: str) -> str:
    return f'[/system script get [/system script find where name="{entry}"] source]'


def _disarm(tx: str) -> str:
    return f'/system scheduler remove [/system scheduler find where name~"^tabuah-{tx}-"]'
