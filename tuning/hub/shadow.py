"""A private repository of the Hub in which a home keeps what it would lose: listed, written in whole commits, and read back.

Which files those are is the affair of `mirror`. Only the token that is handed over is sent, to the Hub alone.
"""

import pathlib
from collections.abc import Iterable, Mapping

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import logging
from huggingface_hub.utils.tqdm import disable_progress_bars

from tuning.errors import InputError
from tuning.hub.push import ITS_OWN, SECONDS
from tuning.hub.refusals import asking

SQUASHED = 20  # commits after which the older ones are let go of: each has kept its checkpoint


class Shadow:
    """One repository, owner/name, as whoever has `token` may use it."""

    def __init__(self, endpoint: str, repo: str, token: str, folders: tuple[str, ...]) -> None:
        self.repo, self.endpoint, self._folders = repo, endpoint.rstrip("/"), folders
        self._api, self._there, self._commits = HfApi(endpoint=self.endpoint, token=token), False, 0
        logging.set_verbosity_error()  # it would say at each commit which files have not changed
        disable_progress_bars()

    def names(self) -> list[str]:
        """The files in it; none where there is no such repository yet.

        Raises InputError where everybody can see it, or where it holds anything but our folders, RunError where it cannot be asked.
        """
        try:
            with asking(self.repo, self.endpoint):
                info = self._api.model_info(self.repo, timeout=SECONDS)
        except InputError as error:
            if error.code != "hub.push.missing":
                raise
            self._there = False
            return []
        self._there = True
        names = [one.rfilename for one in info.siblings or []]
        if any(name.partition("/")[0] not in self._folders for name in names if name not in ITS_OWN):
            raise InputError("hub.push.taken", repo=self.repo)
        if not info.private:
            raise InputError("hub.push.public", repo=self.repo)
        return names

    def put(self, files: Mapping[str, pathlib.Path], gone: Iterable[str], title: str) -> None:
        """Write `files` by their names and delete those that are `gone`, in one commit: all of it, or nothing. To be called after `names`.

        The repository is made where it is missing. What the Hub has already is not sent again. Raises InputError and RunError `hub.push.…`.
        """
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(name, path) for name, path in files.items()),
            *map(CommitOperationDelete, gone),
        ]
        with asking(self.repo, self.endpoint):
            if not self._there:
                self._api.create_repo(self.repo, private=True)
            self._api.create_commit(self.repo, operations, commit_message=title, num_threads=1)
            self._commits += 1
            if self._commits % SQUASHED == 0:
                self._api.super_squash_history(self.repo, commit_message=title)

    def fetch(self, names: Iterable[str], folder: pathlib.Path) -> None:
        """Copy files below `folder`. Raises InputError and RunError `hub.push.…`."""
        with asking(self.repo, self.endpoint):
            for name in names:
                self._api.hf_hub_download(self.repo, name, local_dir=folder)
