"""Nicknames that people give themselves behind one common log-in: whose browser may use which, and a code that brings a name elsewhere.

Kept in one file of the home, as digests: who reads it can use none. How a browser shows its cookie is the gate's affair.
"""

import hashlib
import hmac
import pathlib
import secrets
from collections.abc import Iterable

import pydantic

from tuning.errors import InputError
from tuning.runs import disk, files, locks
from tuning.schema import LOCAL, Record
from tuning.serve.entrance.doors import NAME

COOKIE = "sartoria_person"
FILE = "people.json"
MOST = 500  # people of a class, in all
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read as another


class Person(Record):
    """A name, the browsers that may use it, and the code that adds one."""

    name: str
    browsers: list[str]
    code: str


class Register(Record):
    """All of them, by the name without capitals."""

    people: dict[str, Person] = pydantic.Field(default_factory=dict)


class Nicknames:
    """The names of one home. `reserved` are nobody's to take: those of other log-ins."""

    def __init__(self, home: pathlib.Path, reserved: Iterable[str] = ()) -> None:
        self.path = home / FILE
        self.reserved = {name.casefold() for name in (LOCAL, *reserved)}

    def of(self, cookie: str | None) -> str | None:
        """Whose browser it is. Raises FileFault where the file cannot be read: nobody is taken for somebody else then."""
        found = _digest(cookie or "")
        return next((person.name for person in self._known().people.values() if found in person.browsers), None) if cookie else None

    def taken(self, name: str) -> bool:
        """Is it somebody's name here?"""
        return any(person.name == name for person in self._known().people.values())

    def take(self, name: str, code: str) -> tuple[str, str | None]:
        """Give a browser a name: the cookie that it keeps, and for a new name the code that is shown once, for other browsers.

        Raises InputError `auth.person.…`: a name that is none, that is taken where `code` is not its code, or one too many. RunError
        `home.locked`.
        """
        name = " ".join(name.split())
        key = name.casefold()
        if not NAME.fullmatch(name) or key in self.reserved:
            raise InputError("auth.person.name", name=name[:40])
        cookie, made = secrets.token_urlsafe(32), None
        with locks.changing(self.path):
            kept = self._known()
            person = kept.people.get(key)
            if person is None:
                if len(kept.people) >= MOST:
                    raise InputError("auth.person.full", most=MOST)
                made = "".join(secrets.choice(LETTERS) for _ in range(10))
                person = kept.people[key] = Person(name=name, browsers=[], code=_digest(made))
            elif not hmac.compare_digest(person.code, _digest("".join(code.split()).lower())):
                raise InputError("auth.person.taken", name=person.name)
            person.browsers.append(_digest(cookie))
            files.write(self.path, kept.model_dump_json())
        return cookie, made

    def _known(self) -> Register:
        return disk.record_or_new(self.path, Register)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
