"""Channels that reach people directly: whatever Apprise knows, and a command of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Final

from alerts.channels import ChannelError, Deliver
from alerts.message import Status
from alerts.text import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.message import Message

COMMAND_S: Final = 30.0
"""A command that takes longer is stopped: the next message waits for it."""
COMMAND_MOST: Final = 8_000
"""Characters of a description."""
_BETWEEN: Final = "\r\n"
"""What Apprise puts between title and text where a service knows no titles."""


def by_apprise(url: str) -> Deliver:
    """Return a channel that Apprise knows: Telegram, email, ntfy, WhatsApp Cloud API and others.

    Raises:
        ValueError: it does not know the URL; the URL, which holds a token, is not in the words.
    """
    # Brings some 170 services with it: only who uses it pays for that.
    from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415

    apprise = Apprise()
    if not apprise.add(url):
        raise ValueError(
            "Apprise does not know this URL; write one like tgram://BOT_TOKEN/CHAT_ID "
            "(github.com/caronc/apprise lists them)"
        )
    service = apprise[0]
    kinds = {
        Status.FIRING: NotifyType.FAILURE,
        Status.ESCALATED: NotifyType.FAILURE,
        Status.RESOLVED: NotifyType.SUCCESS,
    }

    async def deliver(message: Message) -> None:
        title, body = fitted(message, service.title_maxlen, service.body_maxlen)
        taken = await asyncio.to_thread(
            apprise.notify,
            title=title,
            body=body,
            notify_type=kinds[message.status],
            # It is plain text: '<' in a name is no markup, where a service speaks HTML.
            body_format=NotifyFormat.TEXT,
        )
        if not taken:
            raise ChannelError("Apprise says that it was not taken")

    return deliver


def fitted(message: Message, title_most: int, body_most: int) -> tuple[str, str]:
    """Return title and text as a service has room for them; `title_most` 0 = it knows no titles.

    Such a service takes both as one: an SMS of 160 characters has the first line above all.
    """
    title = cut(message.summary, title_most or body_most)
    room = body_most if title_most else max(0, body_most - len(title) - len(_BETWEEN))
    return title, cut(message.description, room)


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
            said = json.dumps(message.within(COMMAND_MOST).json(), ensure_ascii=False).encode()
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
