"""What a repository of the Hub is to us: its id, one revision of it, and the files worth having. No network here."""

import re

import pydantic

from tuning.schema import SCHEMA, ModelCard, Record

ID = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
PAGE = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([^/?#]+/[^/?#]+)(?:[/?#].*)?")


class HubFile(Record):
    """A file of a repository: bytes, and the hash the Hub keeps of it (SHA-256 of a large one, else git's of a blob)."""

    name: str
    size: int
    sha256: str | None = None
    git: str | None = None


class Repository(Record):
    """One revision of a model on the Hub: its card, and the files of it that are worth having."""

    schema_: int = pydantic.Field(default=SCHEMA, alias="schema")
    id: str
    revision: str
    card: ModelCard
    files: list[HubFile]
    asked: float = 0.0  # when, in seconds since 1970

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


class Cut(Exception):
    """Somebody asked for a download to stop."""


def hub_id(text: str) -> str | None:
    """The id in what a person pasted: `owner/name` itself, or the address of its page. None where it is neither."""
    text = text.strip()
    match = PAGE.fullmatch(text)
    id = match[1] if match else text
    return id if ID.fullmatch(id) and ".." not in id and "--" not in id else None
