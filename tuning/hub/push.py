"""A folder's files as one tagged commit of a repository on the Hub.

Only the token that is handed over is sent, to the Hub alone; it is written nowhere. Which files go is the affair of whoever calls.
"""

import contextlib
import io
import pathlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, errors, get_token
from huggingface_hub.utils import logging
from huggingface_hub.utils.tqdm import disable_progress_bars

from tuning.errors import InputError, RunError
from tuning.hub.refusals import asking, tokens
from tuning.hub.repository import ID

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")  # of a repository, a branch or a tag
MAIN = "main"
OURS = "sartoria"  # the tag of our model cards
ITS_OWN = frozenset({".gitattributes"})  # what the Hub puts into a new repository
SECONDS = 30.0


@dataclass(frozen=True)
class Wish:
    """Where to: `repo` as owner/name or as a name of one's own, a branch, and the tag of the commit."""

    repo: str
    revision: str = MAIN
    tag: str = ""
    title: str = ""
    public: bool = False

    def __post_init__(self) -> None:
        """Raises InputError for a repository or a branch that the Hub would not take."""
        _, _, name = self.repo.rpartition("/")
        if not (ID.fullmatch(self.repo) or NAME.fullmatch(self.repo)) or re.search(r"\.\.|--|\.git$|[.-]$", name):
            raise InputError("hub.push.name", repo=self.repo[:100])
        if not NAME.fullmatch(self.revision) or re.search(r"\.\.|\.lock$|\.$", self.revision):
            raise InputError("hub.push.revision", revision=self.revision[:100])


@dataclass(frozen=True)
class Pushed:
    """A commit on the Hub: its repository, branch and hash, and where a person sees it."""

    repo: str
    url: str
    revision: str
    commit: str
    private: bool


class Pusher:
    """Pushes for whoever `token` belongs to."""

    def __init__(self, endpoint: str, token: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._api = HfApi(endpoint=self.endpoint, token=token)
        logging.set_verbosity_error()  # it would say at each push that a file is sent by HTTP
        disable_progress_bars()

    def place(self, wish: Wish) -> str:
        """The full id of the repository, in the namespace of the token's owner or of an organization of theirs.

        Raises InputError where it is somebody else's, RunError where the token is refused or can only read.
        """
        with asking(wish.repo, self.endpoint):
            account = self._api.whoami()
        names = [str(account.get("name")), *(str(one.get("name")) for one in account.get("orgs") or [])]
        owner, _, name = wish.repo.rpartition("/")
        repo = f"{owner or names[0]}/{name}"
        if (((account.get("auth") or {}).get("accessToken")) or {}).get("role") == "read":
            raise RunError("hub.push.scope", repo=repo, page=tokens(self.endpoint))
        if owner and owner.lower() not in map(str.lower, names):
            raise InputError("hub.push.namespace", repo=repo, names=", ".join(names[:8]))
        return repo

    def require_free(self, repo: str, public: bool) -> bool:
        """Whether `repo` is there. Raises InputError where it is somebody's other work, or open to everybody without being meant to be."""
        try:
            with asking(repo, self.endpoint):
                info = self._api.model_info(repo, timeout=SECONDS)
        except InputError as error:
            if error.code != "hub.push.missing":
                raise
            return False
        files = {one.rfilename for one in info.siblings or []}
        if OURS not in (info.tags or []) and not files <= ITS_OWN:
            raise InputError("hub.push.taken", repo=repo)
        if not info.private and not public:
            raise InputError("hub.push.public", repo=repo, page=f"{self.endpoint}/{repo}/settings")
        return True

    def push(self, repo: str, files: Mapping[str, pathlib.Path], wish: Wish, moved: Callable[[int], None]) -> Pushed:
        """Have exactly `files` at the branch of `repo`, which is made where it is missing, and tag the commit.

        What the Hub has of them already is not sent again. `moved` hears of the bytes that went; what it raises ends it.
        Raises InputError and RunError `hub.push.…`.
        """
        there = self.require_free(repo, wish.public)
        with asking(repo, self.endpoint), contextlib.ExitStack() as opened:
            if not there:
                self._api.create_repo(repo, private=not wish.public)
            if wish.revision != MAIN:
                self._api.create_branch(repo, branch=wish.revision, exist_ok=True)
            info = self._api.model_info(repo, revision=wish.revision, timeout=SECONDS)
            adding = [CommitOperationAdd(name, opened.enter_context(_Sent(path, moved))) for name, path in sorted(files.items())]
            left = {one.rfilename for one in info.siblings or []} - files.keys() - ITS_OWN
            operations: list[CommitOperationAdd | CommitOperationDelete] = [*adding, *map(CommitOperationDelete, sorted(left))]
            for one in adding:
                one.path_or_fileobj.sending = True  # type: ignore[union-attr]  # before that it was read for its hash
            commit = self._api.create_commit(repo, operations, commit_message=wish.title or wish.tag, revision=wish.revision, num_threads=1)
            if wish.tag:
                self._tag(repo, wish.tag, commit.oid)
        at = f"{self.endpoint}/{repo}" + ("" if wish.revision == MAIN else f"/tree/{wish.revision}")
        return Pushed(repo, at, wish.revision, commit.oid, bool(info.private))

    def _tag(self, repo: str, tag: str, commit: str) -> None:
        """Have `tag` at a commit; that of an earlier push of the same run is moved."""
        try:
            self._api.create_tag(repo, tag=tag, revision=commit)
        except errors.HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
            self._api.delete_tag(repo, tag=tag)
            self._api.create_tag(repo, tag=tag, revision=commit)


class _Sent(io.BufferedReader):
    """A file that tells how much of it went. As a buffer it goes by HTTP, piece by piece, so that a stop ends it at once."""

    def __init__(self, path: pathlib.Path, moved: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self.sending, self._moved = False, moved

    def read(self, size: int | None = -1, /) -> bytes:
        """The next piece. Raises what `moved` does."""
        found = super().read(-1 if size is None else size)
        if self.sending:
            self._moved(len(found))
        return found


def is_saved() -> bool:
    """Whether `hf auth login` has kept a token here; it is not read."""
    return pathlib.Path(constants.HF_TOKEN_PATH).is_file()


def saved_token() -> str | None:
    """The token of this machine's owner: of HF_TOKEN, else the one that `hf auth login` has kept."""
    return get_token()
