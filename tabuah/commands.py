"""The root command: finds the subcommands that the installed packages name, imports the asked one.

The packages name theirs in the entry-point group `tabuah.commands`. The table below lets
`tabuah --help` speak of them without importing SQLAlchemy, netmiko or pysnmp.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import click

from tabuah import __version__
from tabuah.errors import TabuahError, did_you_mean

GROUP = "tabuah.commands"


@dataclass(frozen=True, slots=True)
class About:
    """What the root command says of a subcommand without loading it."""

    short_help: str
    extra: str = ""
    """The extra of the distribution `tabuah` that it needs; empty = the base."""


ABOUT = {
    "agent": About("Run or check an office's agent."),
    "alerts": About("Try the channels; explain what was told of an incident.", "centre"),
    "collector": About("Run the centre.", "centre"),
    "config": About("Push configuration to offices' gateways; a push undoes itself.", "provision"),
    "data": About("Check, back up and restore what the centre keeps.", "centre"),
    "demo": About("Fourteen offices on this machine, over lines that can be cut.", "demo"),
    "enrol": About("Make an office's configuration, its key included.", "centre"),
    "incidents": About("What is wrong and what was; tickets, notes, liability.", "centre"),
    "inventory": About("Check the inventory.", "centre"),
    "maintenance": About("Announced work.", "centre"),
    "monitoring": About("Rules and configurations for Prometheus and Alertmanager.", "centre"),
    "outages": About("The ledger of outages; its proof; exports.", "centre"),
    "simulate": About("Simulate many offices, to load a collector or to rehearse.", "centre"),
    "sites": About("List the offices and their state.", "centre"),
    "sla": About("A month's availability and restitution, by contract.", "centre"),
}


class Root(click.Group):
    """A group whose subcommands are entry points, each imported when it is asked for."""

    def __init__(self, found: dict[str, EntryPoint]) -> None:
        super().__init__(
            name="tabuah",
            help="Watch, explain and look after the internet lines of government offices.",
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self.found = found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the installed subcommands."""
        return sorted(self.found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand, imported now.

        Raises:
            TabuahError: when a library that it needs is not installed; says which extra brings it.
        """
        point = self.found.get(cmd_name)
        if point is None:
            return None
        try:
            command = point.load()
        except ModuleNotFoundError as error:
            extra = ABOUT[cmd_name].extra if cmd_name in ABOUT else ""
            wanted = f"tabuah[{extra}]" if extra else "tabuah"
            raise TabuahError(
                f"'tabuah {cmd_name}' needs {wanted} (no module '{error.name}'); "
                f"install it with: pip install '{wanted}'"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return click's answer; an unknown name is refused with the nearest known one."""
        if args and args[0] not in self.found and not args[0].startswith("-"):
            ctx.fail(f"no such command '{args[0]}'{did_you_mean(args[0], self.found)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands, loading none of them."""
        rows = [(name, ABOUT[name].short_help if name in ABOUT else "") for name in self.found]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(sorted(rows))


def root() -> click.Group:
    """Return the root command over the installed subcommands."""
    group = Root({point.name: point for point in entry_points(group=GROUP)})
    return click.version_option(__version__, prog_name="tabuah", message="%(prog)s %(version)s")(
        group
    )


def invoke(arguments: list[str]) -> int:
    """Return the exit code of `arguments`; click's own complaints are printed here.

    Raises:
        TabuahError: from the subcommand.
        KeyboardInterrupt: also where click turned it into its Abort.
    """
    try:
        result = root().main(arguments, prog_name="tabuah", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    # `ctx.exit(3)` arrives here as its code.
    return result if isinstance(result, int) else 0
