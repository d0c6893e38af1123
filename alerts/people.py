"""Channels that reach people directly: whatever Apprise knows, and a command of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Final

from alerts.channels import ChannelError, Deliver
from alerts.message import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.message import Message

COMMAND_S: Final = 30.0
"""A command that takes longer is stopped: the next message waits for it."""


def by_apprise(url: str) -> Deliver:
    """Return a channel that Apprise knows: Telegram, email, ntfy, WhatsApp Cloud API and others.

    Raises:
        ValueError: it does not know the URL; the URL, which holds a token, is not in the words.
    """
    # Brings some 170 services with it: only who uses it pays for that.
    from apprise import Apprise, NotifyType  # noqa: PLC0415

    apprise = Apprise()
    if not apprise.add(url):
        raise ValueError(
            "Apprise does not know this URL; write one like tgram://BOT_TOKEN/CHAT_ID "
            "(github.com/caronc/apprise lists them)"
        )
    kinds = {Status.FIRING: NotifyType.FAILURE, Status.RESOLVED: NotifyType.SUCCESS}

    async def deliver(message: Message) -> None:
        taken = await asyncio.to_thread(
            apprise.notify,
            title=message.summary,
            body=message.description,
            notify_type=kinds[message.status],
        )
        if not taken:
            raise ChannelError("Apprise says that it was not taken")

    return deliver


def by_command(argv: Sequence[str]) -> Deliver:
    """Return a channel that runs a program, without a shell; exit code 0 means taken.

    The webhook's JSON object is its standard input; `TABUAH_STATUS`, `TABUAH_ALERTNAME`,
    `TABUAH_SEVERITY`, `TABUAH_INCIDENT` and `TABUAH_SUMMARY` are in its environment.
    """

    async def deliver(message: Message) -> None:
        incident = message.incident
        # Not all of our own environment: it may hold the inventory's secrets.
        told = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        told |= {
            "TABUAH_STATUS": message.status.value,
            "TABUAH_ALERTNAME": incident.alertname,
            "TABUAH_SEVERITY": incident.severity,
            "TABUAH_INCIDENT": incident.id,
            "TABUAH_SUMMARY": message.summary,
        }
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=pipe, stdout=null, stderr=null, env=told
            )
        except OSError as error:
            raise ChannelError(f"{argv[0]}: {error.strerror}") from error
        try:
            said = json.dumps(message.json(), ensure_ascii=False).encode()
            await asyncio.wait_for(process.communicate(said), COMMAND_S)
        except TimeoutError as error:
            raise ChannelError(f"{argv[0]} took more than {COMMAND_S:g} s") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            raise ChannelError(f"{argv[0]} ended with {process.returncode}")

    return deliver
