"""One run of the demo, from an empty folder to Ctrl-C: the order of things is `Demo.run`."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live

from demo import programs
from demo.children import Child, Children
from demo.control import Control, Reply, Request, Verb, changed
from demo.county import (
    Router,
    demo_inventory,
    example,
    offices,
    through_line,
    write_inventory,
)
from demo.offices import match
from demo.relay import LOOPBACK, Address
from demo.router import Command, find_snmpd, snmpd_command
from demo.stage import Stage, free_ports
from demo.view import News, Row, changes, message_text, picture, status
from demo.watch import Seen, Watch
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from demo.folder import Folder
    from demo.services import Json

REPORTS_PORT, REFLECTOR_PORT, HTTP_PORT = 10162, 10862, 8080
"""What the collector uses by itself; the demo does too where they are free."""
READY_WAIT_S = 45.0
STAGGER_S = 0.4
REFRESH_S = 1.0
GOODBYES_S = 1.5
"""How long the centre goes on listening to the goodbyes of the agents."""
PATIENCE_S = 3.0
"""How long all have from then on: an agent behind a cut line waits 3 s to be heard."""
COLLECTOR, ROUTERS = "collector", "snmpd"


def agent_name(code: str) -> str:
    """Return the name of an office's agent among the programs."""
    return f"agent-{code}"


@dataclass(slots=True)
class Demo:
    """A demo in `folder`, shown on `console`."""

    folder: Folder
    console: Console
    hints: Callable[[Address], Sequence[str]]
    """Given the page's address, what to tell the person at the start."""
    stage: Stage = field(init=False)
    children: Children = field(init=False)
    county: Json = field(init=False)
    http: Address = field(init=False)
    seen: dict[str, Seen] = field(default_factory=dict)
    news: list[News] = field(default_factory=list)
    answering: bool = False

    def __post_init__(self) -> None:
        self.county = example()
        self.stage = Stage(offices(self.county), self._on_message)
        self.children = Children(self.tell, self.folder.remember)

    async def run(self) -> None:
        """Run until cancelled; then everything that was started is stopped.

        Raises:
            TabuahError: it could not be started; the words say why.
        """
        control = Control(self.folder.socket, self.obey)
        try:
            reports, reflector = await self._prepare()
            self._start(COLLECTOR, programs.collector(self.folder, reports, reflector, self.http))
            await control.start()
            watch = Watch(self.http)
            try:
                await self._until_ready(watch)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._start_agents())
                    tasks.create_task(self._show(watch))
            finally:
                await watch.close()
        finally:
            await control.close()
            await self._stop()

    async def _prepare(self) -> tuple[Address, Address]:
        """Build the stage, the inventory and the offices' configurations around it."""
        datagrams, stream = socket.SOCK_DGRAM, socket.SOCK_STREAM
        ports = free_ports(
            [(datagrams, REPORTS_PORT), (datagrams, REFLECTOR_PORT), (stream, HTTP_PORT)]
        )
        reports, reflector, self.http = (Address(LOOPBACK, port) for port in ports)
        if self.http.port != HTTP_PORT:
            self.tell(f"port {HTTP_PORT} is taken; the page is at http://{self.http}/")
        targets = await self.stage.build(reports, reflector)
        community = secrets.token_hex(8)
        routers = await self._routers(community)
        inventory = demo_inventory(self.county, targets, routers)
        write_inventory(inventory, self.folder.inventory, community)
        await programs.enrol_all(self.folder, reports)
        for office in self.stage.offices:
            made = self.folder.enrolled / f"agent-{office.code}.toml"
            config = self._config(office.code)
            config.touch(mode=0o600)
            data = self.folder.agents / office.code
            data.mkdir(mode=0o700, exist_ok=True)
            config.write_text(through_line(made.read_text(), self.stage.relays[office.code], data))
        return reports, reflector

    async def _routers(self, community: str) -> dict[str, Router]:
        """Return each office's router: the real daemon where it is installed."""
        program = find_snmpd()
        if program is None:
            return await self.stage.play_routers(community)
        ports = free_ports([(socket.SOCK_DGRAM, 0) for _ in self.stage.offices])
        command = snmpd_command(program, self.folder.root / ROUTERS, ports, community)
        self._start(ROUTERS, command)
        # The demo's lines run over this machine's loopback: that is where their traffic shows.
        return {
            office.code: Router(Address(LOOPBACK, port), ("lo",))
            for office, port in zip(self.stage.offices, ports, strict=True)
        }

    async def _until_ready(self, watch: Watch) -> None:
        """Return when the collector stores and hears.

        Raises:
            TabuahError: it dies instead, or takes too long; with the end of its log.
        """
        child = self.children.all[COLLECTOR]
        deadline = asyncio.get_running_loop().time() + READY_WAIT_S
        while not await watch.ready():
            if child.starts > 1 or asyncio.get_running_loop().time() > deadline:
                raise TabuahError(
                    f"the collector does not get ready; the end of its log {child.log}:\n"
                    f"{programs.last_lines(child.log)}"
                )
            await asyncio.sleep(0.2)
        for line in self.hints(self.http):
            self.console.print(line, highlight=False, soft_wrap=True)

    async def _start_agents(self) -> None:
        for office in self.stage.offices:
            self._start(agent_name(office.code), programs.agent(self._config(office.code)))
            await asyncio.sleep(STAGGER_S)

    async def _show(self, watch: Watch) -> None:
        """Ask and show, each second, until cancelled."""
        before: list[Row] = []
        began = datetime.now(UTC)
        complete = False
        with Live(console=self.console, auto_refresh=False, transient=False) as live:
            while True:
                self._take(await watch.poll())
                rows = self.rows()
                for line in changes(before, rows):
                    self.tell(line)
                before = rows
                if not complete and all(row.seen.state == "up" for row in rows):
                    complete = True
                    seconds = (datetime.now(UTC) - began).total_seconds()
                    self.tell(f"all {len(rows)} offices are up, {seconds:.0f} s after the centre")
                if self.console.is_terminal:
                    title = f"http://{self.http}/"
                    shown = picture(title, rows, self.news, datetime.now(UTC))
                    # Drawn aside: while it draws, the lines go on carrying.
                    await asyncio.to_thread(live.update, shown, refresh=True)
                await asyncio.sleep(REFRESH_S)

    def _take(self, seen: dict[str, Seen] | None) -> None:
        if seen is None and self.answering:
            self.tell("the collector does not answer")
        if seen is not None:
            self.seen = seen
        self.answering = seen is not None

    async def _stop(self) -> None:
        agents = [agent_name(office.code) for office in self.stage.offices]
        self.children.ask(agents)
        await self.children.wait(agents, GOODBYES_S)
        self.children.ask([COLLECTOR, ROUTERS])
        await self.children.wait(self.children.all, PATIENCE_S)
        await self.children.end()
        await self.stage.close()

    def rows(self) -> list[Row]:
        """Return every office as it is now."""
        rows = []
        for office in self.stage.offices:
            child = self.children.all.get(agent_name(office.code))
            rows.append(
                Row(
                    office,
                    self.seen.get(office.code, Seen()),
                    self.stage.lines[office.code].condition,
                    child.pid if child else None,
                    max(0, child.starts - 1) if child else 0,
                )
            )
        return rows

    def obey(self, request: Request) -> Reply:
        """Do what a command asks and say what was done.

        Raises:
            TabuahError: no office, or several, are called as it says.
        """
        if request.verb is Verb.STATUS:
            page = f"http://{self.http}/"
            return Reply(status={"page": page, "sites": status(self.rows())})
        said = []
        for office in match(request.site, self.stage.offices):
            line = self.stage.lines[office.code]
            line.become(changed(line.condition, request))
            said.append(f"{office.code} {office.name}: line {line.condition}")
        for what in said:
            self.tell(what)
        return Reply(tuple(said))

    def tell(self, what: str) -> None:
        """Show a line of news: below the table, or on its own where there is none."""
        self.news.append(News(datetime.now(UTC), what))
        del self.news[:-100]
        if not self.console.is_terminal:
            self.console.print(str(self.news[-1]), highlight=False, markup=False, soft_wrap=True)

    def _on_message(self, message: Json) -> None:
        with self.folder.messages.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message, ensure_ascii=False) + "\n")
        self.tell(message_text(message))

    def _config(self, code: str) -> Path:
        return self.folder.agents / f"agent-{code}.toml"

    def _start(self, name: str, command: Command) -> None:
        self.children.start(Child(name, command, self.folder.logs / f"{name}.log"))


async def run_until_told(demo: Demo) -> None:
    """Run the demo until SIGINT, SIGTERM or SIGHUP, which is its proper end.

    Raises:
        TabuahError: it could not be started.
    """
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(demo.run())
    told = False

    def stop() -> None:
        # Once: a second Ctrl-C must not cut short the stopping of the programs.
        nonlocal told
        if not told:
            told = True
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        if not told:
            raise


def main_program(argv0: str, found: str | None) -> str:
    """Return how the person can call `tabuah` again: by its name where the shell finds it."""
    if found:
        return "tabuah"
    if Path(argv0).name != "tabuah":
        return "python -m tabuah"
    near = os.path.relpath(argv0)
    return str(Path(argv0).absolute()) if near.startswith("..") else near
