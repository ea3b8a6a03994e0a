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
    return str(name)


def _on_a_space(request: Any, settings: Settings) -> str | None:
    """Gradio keeps an account in a signed cookie. Without OAuth that is signed with what everybody knows, and nobody is believed."""
    scope: Mapping[str, Any] = getattr(getattr(request, "request", None), "scope", {})
    if settings.space is not None and settings.space.oauth:
        info = scope.get("session", {}).get("oauth_info") or {}
        subject = info.get("userinfo", {}).get("sub")
        if subject and (info.get("expires_at") or 0) > time.time():
            return f"{SIGNED_IN}{subject}"
    return scope.get(VISITOR)
