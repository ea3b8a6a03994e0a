"""API keys: the bearer key by which an owner's programs ask for answers, one for each owner, shown once when it is made.

Kept in one file of the home, as digests: who reads it can use none. Where a key is asked for is the affair of `serve.programs`.
"""

import hashlib
import hmac
import secrets

import pydantic

from tuning.errors import InputError
from tuning.runs import disk, files, locks
from tuning.schema import Record
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared

FILE = "keys.json"
PREFIX = "sk-sartoria-"  # by which somebody who finds one knows what it opens


class Ring(Record):
    """The digests of all keys, by their owners."""

    digests: dict[str, str] = pydantic.Field(default_factory=dict)


class Keys:
    """The API key of an owner."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.owner, self._quotas = owner, Quotas(shared, owner)
        self._path = shared.settings.home / FILE

    @property
    def offered(self) -> bool:
        """Whether the owner may have one: not who is known by a cookie alone, on a Space that anybody may open."""
        return not self._quotas.passing

    def there(self) -> bool:
        """Has the owner a key?"""
        return self.owner in self._known().digests

    def give(self) -> str:
        """A new key; the one before opens nothing any more.

        Raises InputError `key.sign_in` for visitors of a Space who have not signed in, RunError `home.locked`.
        """
        if not self.offered:
            raise InputError("key.sign_in")
        made = PREFIX + secrets.token_urlsafe(32)
        self._keep(_digest(made))
        return made

    def withdraw(self) -> None:
        """From now on no program comes in for the owner."""
        self._keep(None)

    def holder(self, key: str) -> str | None:
        """Whose key it is, whoever that is. Raises FileFault where the file cannot be read: nobody is taken for somebody else then."""
        given = _digest(key)
        return next((owner for owner, digest in self._known().digests.items() if hmac.compare_digest(digest, given)), None)

    def _keep(self, digest: str | None) -> None:
        self._quotas.pace("change")
        with locks.changing(self._path):
            kept = {owner: one for owner, one in self._known().digests.items() if owner != self.owner}
            files.write(self._path, Ring(digests=kept | ({self.owner: digest} if digest else {})).model_dump_json())
            self._path.chmod(0o600)

    def _known(self) -> Ring:
        return disk.record_or_new(self._path, Ring)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
