"""What a repository of the Hub is to us: its id, one revision of it, and the files worth having. No network here."""

import re
from typing import Any

import pydantic

from tuning.schema import SCHEMA, ModelCard, Record
from tuning.settings import RemoteCode

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


class AdapterRepository(Record):
    """A repository with an adapter at one commit, that was `asked` for by a tag, a branch or itself. Nothing of it is judged yet."""

    id: str
    asked: str
    commit: str
    config: dict[str, Any]  # adapter_config.json
    base: Any = None  # as its card names it
    files: list[HubFile]


class DownloadManifest(Record):
    """What the folder of a downloaded model holds, and when each file of it was last found right, in nanoseconds."""

    repository: Repository
    stamps: dict[str, int] = pydantic.Field(default_factory=dict)


class Split(Record):
    """A part of a data set that is read as a whole: its rows (None where nobody says) and its files."""

    config: str
    name: str
    rows: int | None = None
    files: list[HubFile]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


class Config(Record):
    """A variant of a data set, with the split that most people mean first."""

    name: str
    splits: list[Split]


class Collection(Record):
    """One revision of a data set on the Hub, with the variant that most people mean first."""

    id: str
    title: str
    revision: str
    files_at: str  # the revision that its files are in: the one where the Hub keeps it converted, or its own
    license: str | None  # None: its page may say
    free_license: bool  # commercial use is allowed; false also where nobody says so
    languages: list[str]
    gated: bool
    downloads: int
    configs: list[Config]


class Cut(Exception):
    """Somebody asked for a download to stop."""


def folder_name(id: str, pinned: RemoteCode | None) -> str:
    """What a model's folder is called. One that may run its code has a folder for that very revision."""
    return id.replace("/", "--") + (f"--{pinned.revision}" if pinned else "")


def hub_id(text: str) -> str | None:
    """The id in what a person pasted: `owner/name` itself, or the address of its page. None where it is neither."""
    text = text.strip()
    match = PAGE.fullmatch(text)
    id = match[1] if match else text
    return id if ID.fullmatch(id) and ".." not in id and "--" not in id else None
