"""Who may come in where others do: log-ins of a shared machine, and how often somebody may try a password.

Passwords stay in memory. Whose things a request may see is the affair of `owners`; cookies and forms are Gradio's.
"""

import hashlib
import hmac
import pathlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tuning.errors import InputError
from tuning.schema import LOCAL

AUTO, AUTO_NAME = "auto", "sartoria"
NAME = re.compile(r"[^\W_][\w .@+-]{0,39}")  # of a log-in: letters of any language, digits and a few signs
TRIES, REFILL_SECONDS = 10, 6.0  # wrong passwords of one name from one address: so many at once, then one each so many seconds
MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class People:
    """Log-ins and their passwords, in the order in which they were given; the first one is the operator."""

    passwords: Mapping[str, str] = field(repr=False)
    made: bool = False  # the password was made here, and has to be told
    common: str | None = None  # the log-in that many share, under names of their own; it is no operator's

    @property
    def operators(self) -> tuple[str, ...]:
        """Who sees everybody's runs, beside the terminal."""
        return tuple(name for name in self.passwords if name != self.common)[:1]

    def admits(self, name: str, password: str) -> bool:
        """Whether this log-in is right, in a time that tells nothing."""
        known = self.passwords.get(name.strip())
        return hmac.compare_digest(_digest(known or secrets.token_hex()), _digest(password)) and known is not None


def people(given: Sequence[str], file: str | None, open_class: bool = False) -> People:
    """The log-ins of `--auth` (USER:PASSWORD, or `auto` for one that is made up) and of `--auth-file`, a line each.

    With `open_class` the first of them is common to a class. Raises InputError `auth.…` where one is at fault; no sentence repeats
    a password.
    """
    lines = [("--auth", line) for line in given if line != AUTO]
    if file is not None:
        try:
            text = pathlib.Path(file).expanduser().read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("auth.file", file=file, kind=getattr(error, "strerror", None) or "UTF-8") from None
        numbered = enumerate((line.strip() for line in text.splitlines()), 1)
        lines += [(f"{file}, {number}", line) for number, line in numbered if line and not line.startswith("#")]
    found: dict[str, str] = {}
    for place, line in lines:
        name, colon, password = line.partition(":")
        name = name.strip()
        if not colon or not name or not password:
            raise InputError("auth.line", place=place)
        if not NAME.fullmatch(name) or name == LOCAL:
            raise InputError("auth.name", place=place, name=name[:40])
        if name in found:
            raise InputError("auth.twice", place=place, name=name)
        found[name] = password
    if AUTO in given:
        found.setdefault(AUTO_NAME, secrets.token_urlsafe(9))
    if open_class and not found:
        raise InputError("auth.class")
    return People(found, made=AUTO in given, common=next(iter(found)) if open_class else None)


class Throttle:
    """Limits how often a password may be tried: by name and address, so that nobody shuts others out.

    A browser in which somebody has logged in before has a cookie that says so, and tries of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._key = clock, secrets.token_bytes(32)
        self._left: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()  # tries, as of when

    def wait(self, name: str, address: str, cookie: str) -> float:
        """Seconds until the next try; 0 where it may be made now."""
        left = self._tries(self._who(name, address, cookie))
        return 0.0 if left >= 1 else (1 - left) * REFILL_SECONDS

    def failed(self, name: str, address: str, cookie: str) -> None:
        """Note a wrong password."""
        who = self._who(name, address, cookie)
        self._left[who] = (self._tries(who) - 1, self._clock())
        self._left.move_to_end(who)
        while len(self._left) > MOST_REMEMBERED:
            self._left.popitem(last=False)

    def cookie(self, name: str) -> str:
        """What a browser keeps in which `name` has logged in. It opens nothing."""
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()

    def _tries(self, who: tuple[str, ...]) -> float:
        left, when = self._left.get(who, (float(TRIES), self._clock()))
        return min(float(TRIES), left + (self._clock() - when) / REFILL_SECONDS)

    def _who(self, name: str, address: str, cookie: str) -> tuple[str, ...]:
        known = hmac.compare_digest(cookie.encode(), self.cookie(name).encode())
        return (name, cookie) if known else (name, "", address)


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode()).digest()
