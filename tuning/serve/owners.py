"""Whose things a request may see and change: the one place that knows. It looks at the request and at nothing else."""

import time
from collections.abc import Mapping
from typing import Any

from tuning.errors import InputError
from tuning.schema import LOCAL, SIGNED_IN
from tuning.serve.edge import VISITOR
from tuning.serve.entrance.names import COOKIE, Nicknames
from tuning.settings import Settings


def of(request: Any, settings: Settings) -> str:
    """The owner for whom `request`, as Gradio hands it to an event, speaks.

    On a machine of one's own everybody who comes in is its owner. Where others come in it is the log-in that Gradio found by the
    request's cookie, and behind a common one the name of the browser; on a Space the account of the Hub that signed in, else the
    visitor's cookie. Raises InputError `auth.log_in` where there is none.
    """
    if settings.mode == "local":
        return LOCAL
    name = _on_a_space(request, settings) if settings.mode == "space" else getattr(request, "username", None)
    if not name:
        raise InputError("auth.log_in")
    if name != settings.common:
        return str(name)
    person = Nicknames(settings.home).of(request.cookies.get(COOKIE))
    if person is None:
        raise InputError("auth.person.first")
    return person


def hub_token(request: Any, settings: Settings) -> str:
    """The token that whoever signed in on a Space has lent to it, for what is done at their press; "" where there is none."""
    info = _signed_in(request, settings)
    return str(info.get("access_token") or "") if info else ""


def _on_a_space(request: Any, settings: Settings) -> str | None:
    """Gradio keeps an account in a signed cookie. Without OAuth that is signed with what everybody knows, and nobody is believed."""
    info = _signed_in(request, settings)
    return f"{SIGNED_IN}{info['userinfo']['sub']}" if info else _scope(request).get(VISITOR)


def _signed_in(request: Any, settings: Settings) -> Mapping[str, Any]:
    """What Gradio keeps of an account that has signed in and whose time is not over; nothing of any other."""
    if settings.mode != "space" or settings.space is None or not settings.space.oauth:
        return {}
    info: Mapping[str, Any] = _scope(request).get("session", {}).get("oauth_info") or {}
    return info if info.get("userinfo", {}).get("sub") and (info.get("expires_at") or 0) > time.time() else {}


def _scope(request: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(getattr(request, "request", None), "scope", {})
    return found
