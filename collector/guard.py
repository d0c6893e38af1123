"""What stands before every page: security headers on the way out, the token on the way in.

Where there is no token, the name by which the page is asked for: a browser on this machine may be
shown a stranger's page whose name turns out to be 127.0.0.1 (DNS rebinding), and would read ours.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Collection, MutableMapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS: Final = {
    # Names of offices and probes come from files and from the network: were one ever to get
    # through the escaping, there is nothing it could load or run.
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

PUBLIC_PAGE: Final = "/status"
"""Its answers are everybody's: caches may keep them as long as they say."""

_FORM: Final = {
    "content-security-policy": SECURITY_HEADERS["content-security-policy"].replace(
        "form-action 'none'", "form-action 'self'"
    )
}
"""The public page has a search form, and no other page has a form."""

# Those who ask whether the collector lives have no token: load balancers, systemd, Kubernetes.
_OPEN: Final = frozenset({"/healthz", "/readyz"})


class SecurityHeaders:
    """Puts the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                harden(message, scope["path"])
            await send(message)

        await self._app(scope, receive, guarded)


def harden(message: MutableMapping[str, object], path: str) -> None:
    """Put the headers on the start of a response; live pages are never kept by a cache."""
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    if path == PUBLIC_PAGE:
        headers.update(_FORM)
        headers.setdefault("cache-control", "no-store")
        return
    # Static files are asked for again with their ETag, so that an upgrade shows at once.
    headers["cache-control"] = "no-cache" if path.startswith("/static/") else "no-store"


class Names:
    """Lets only those in who ask for a name of this machine's own, or an allowed one."""

    def __init__(
        self, app: ASGIApp, allowed: Collection[str], everybody: Collection[str] = ()
    ) -> None:
        self._app = app
        self._open = _OPEN.union(everybody)
        self._allowed = {name.rstrip(".").lower() for name in allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        name = host_name(Headers(scope=scope).get("host", ""))
        if is_loopback(name) or name in self._allowed:
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse(
            {"error": "asked by a name that is not this machine's own; allow it with --http-name"},
            status_code=421,  # Misdirected Request, RFC 9110 15.5.20
        )
        await refusal(scope, receive, send)


def host_name(host: str) -> str:
    """Return the name or address in a Host header, without its port; empty when it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Token:
    """Lets only those in who know the token, as Bearer or as a Basic password.

    Basic is for browsers, which ask for it by themselves and send it with the page's own fetch;
    the user name is not looked at.
    """

    def __init__(self, app: ASGIApp, token: str, everybody: Collection[str] = ()) -> None:
        self._app = app
        self._open = _OPEN.union(everybody)
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (
            scope["type"] != "http"
            or scope["path"] in self._open
            or self._knows(Headers(scope=scope))
        ):
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse(
            {"error": "a token is needed: Authorization: Bearer TOKEN"},
            status_code=401,
            headers={"www-authenticate": 'Basic realm="tabuah", charset="UTF-8"'},
        )
        await refusal(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            # Header values are decoded as Latin-1, octet for octet.
            given = credentials.strip().encode("latin-1")
        elif scheme.lower() == "basic":
            try:
                given = b64decode(credentials, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        else:
            return False
        return hmac.compare_digest(given, self._token)
