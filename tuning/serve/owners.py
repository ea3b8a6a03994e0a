"""Whose things a request may see and change: the one place that knows. It looks at the request and at nothing else."""

from typing import Any

from tuning.errors import InputError
from tuning.schema import LOCAL
from tuning.serve.names import COOKIE, Nicknames
from tuning.settings import Settings


def of(request: Any, settings: Settings) -> str:
    """The owner for whom `request`, as Gradio hands it to an event, speaks.

    On a machine of one's own everybody who comes in is its owner. Where others come in it is the log-in that Gradio found by
    the request's cookie, and behind a common one the name of the browser; raises InputError `auth.log_in` where there is none.
    """
    if settings.mode == "local":
        return LOCAL
    name = getattr(request, "username", None)
    if not name:
        raise InputError("auth.log_in")
    if name != settings.common:
        return str(name)
    person = Nicknames(settings.home).of(request.cookies.get(COOKIE))
    if person is None:
        raise InputError("auth.person.first")
    return person
