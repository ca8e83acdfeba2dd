"""Round every request: which host is meant, how large a body may be, and the security headers of every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

LARGEST_BODY = 4 << 20  # bytes; an imported table of some years is smaller

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Nothing but what this server sends: no inline script, no other host, no frame around it. Pictures within figures are data: URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
_SECURE = (b"strict-transport-security", b"max-age=31536000")


class Guard:
    """ASGI middleware. A cookie left in ``scope["state"]["cookie"]`` goes out with the answer."""

    def __init__(self, app: Any, hosts: Sequence[str], secure: bool) -> None:
        self.app = app
        self.hosts = frozenset(host.casefold() for host in hosts)
        self.headers = [*_HEADERS, *([_SECURE] if secure else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"])
        scope.setdefault("state", {})

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in self.headers if one[0] not in own)]
                if b"cache-control" not in own:
                    message["headers"].append((b"cache-control", b"no-store"))
                if scope["state"].get("cookie"):
                    message["headers"].append((b"set-cookie", scope["state"]["cookie"].encode()))
            await send(message)

        if self.hosts and _name(given.get(b"host", b"")) not in self.hosts:
            await _refuse(guarded, 421, b"this desk does not answer under that name; the setting web.hosts says which ones it knows")
        elif int(given.get(b"content-length", b"0") or 0) > LARGEST_BODY or b"transfer-encoding" in given:
            await _refuse(guarded, 413, b"too large")
        else:
            await self.app(scope, receive, guarded)


def _name(host: bytes) -> str:
    """Return the host without its port."""
    text = host.decode("latin-1").casefold()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]


async def _refuse(send: Send, status: int, text: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain; charset=utf-8")]})
    await send({"type": "http.response.body", "body": text})
