"""Hugging Face Jobs as one person may use them: whose token it is, what machines cost, one job, and its private repository.

What a job is for is `rent`'s affair. What can go wrong between here and the Hub is one sentence each; no token is ever part of one.
"""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import httpx2
from huggingface_hub import HfApi, JobHardwareInfo, JobInfo, errors
from huggingface_hub.utils.tqdm import disable_progress_bars

from tuning.errors import InputError

SCOPES = ("job.write", "repo.write")  # of a fine-grained token, as the Hub calls them
SECRET = "HF_TOKEN"  # under which a job has the token: the Hub keeps secrets encrypted, and shows them to nobody
CODES = {401: "rent.token_refused", 402: "rent.credit", 403: "rent.forbidden", 404: "rent.gone", 429: "rent.hub_busy"}


class HubJobs:
    """The jobs of whoever has `token`."""

    def __init__(self, endpoint: str, token: str, offline: bool = False) -> None:
        self.endpoint, self.offline, self._token = endpoint.rstrip("/"), offline, token
        self._api = HfApi(endpoint=self.endpoint, token=token)
        disable_progress_bars()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        host = self.endpoint.partition("://")[2]
        if self.offline:
            raise InputError("rent.offline")
        try:
            yield
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            code = CODES.get(status, "rent.hub_down" if status >= 500 else "rent.hub_answer")
            raise InputError(code, page=self.endpoint, status=status) from error
        except (httpx2.HTTPError, errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, errors.FileMetadataError) as error:
            raise InputError("rent.hub_unreachable", host=host) from error

    @contextlib.contextmanager
    def _sending(self) -> Iterator[None]:
        """As `_asking`, with what an upload raises over whatever was behind it."""
        with self._asking():
            try:
                yield
            except (RuntimeError, ValueError) as error:
                if isinstance(error, errors.HfHubHTTPError | errors.LocalEntryNotFoundError):
                    raise
                raise InputError("rent.sending", host=self.endpoint.partition("://")[2]) from error

    def account(self) -> str:
        """The name that the token speaks for. Raises InputError `rent.token_scope` where it may not do what a rented run needs."""
        with self._asking():
            who = self._api.whoami()
        lacks = _lacking(who)
        if lacks:
            raise InputError("rent.token_scope", lacks=", ".join(lacks), page=f"{self.endpoint}/settings/tokens")
        return str(who["name"])

    def machines(self) -> list[JobHardwareInfo]:
        """The machines that can be rented now, with their prices."""
        with self._asking():
            return self._api.list_jobs_hardware()

    def open_box(self, repo: str) -> None:
        """Make a private repository that was not there before."""
        with self._asking():
            self._api.create_repo(repo, private=True, exist_ok=False)

    def send(self, repo: str, folder: pathlib.Path, place: str, only: list[str]) -> None:
        """Put those files of a folder whose names match into the repository, below `place`."""
        with self._sending():
            self._api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo=place, allow_patterns=only, commit_message=place)

    def put(self, repo: str, name: str, content: bytes) -> None:
        """Write one small file of the repository."""
        with self._sending():
            self._api.upload_file(repo_id=repo, path_in_repo=name, path_or_fileobj=content, commit_message=name)

    def names(self, repo: str) -> list[str]:
        """The files of the repository."""
        with self._asking():
            return list(self._api.list_repo_files(repo))

    def fetch(self, repo: str, folder: pathlib.Path, only: list[str]) -> None:
        """Copy those files of the repository whose names match below `folder`."""
        with self._asking():
            self._api.snapshot_download(repo, local_dir=folder, allow_patterns=only)

    def close_box(self, repo: str) -> None:
        """Delete the repository."""
        with self._asking():
            self._api.delete_repo(repo, missing_ok=True)

    def start(self, account: str, flavour: str, image: str, command: list[str], seconds: int, run: str) -> str:
        """Submit a job that ends after so many seconds at most; its id."""
        with self._asking():
            job = self._api.run_job(
                image=image,
                command=command,
                flavor=flavour,
                timeout=seconds,
                secrets={SECRET: self._token},
                env={"HF_ENDPOINT": self.endpoint},
                labels={"name": "sartoria", "run": run[-60:]},
                namespace=account,
            )
            return job.id

    def look(self, account: str, job: str) -> JobInfo:
        """How a job is."""
        with self._asking():
            return self._api.inspect_job(job_id=job, namespace=account)

    def lines(self, account: str, job: str) -> Iterator[str]:
        """What a job has said from its beginning on, and what it says, until it ends."""
        with self._asking():
            yield from self._api.fetch_job_logs(job_id=job, namespace=account, follow=True)

    def cancel(self, account: str, job: str) -> None:
        """End a job at once."""
        with self._asking():
            self._api.cancel_job(job_id=job, namespace=account)


def _lacking(who: dict[str, Any]) -> list[str]:
    """The scopes that a token lacks, by what the Hub says of it; none where it says nothing of them."""
    token = who.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        return list(SCOPES)
    if token.get("role") != "fineGrained":
        return []
    scoped = token.get("fineGrained", {}).get("scoped", [])
    mine = {right for scope in scoped if scope.get("entity", {}).get("name") == who.get("name") for right in scope.get("permissions", [])}
    creates = "repo.write" in mine or any(right.startswith("repo.contribut") for right in mine)  # of those that it makes itself
    return [scope for scope, given in zip(SCOPES, ("job.write" in mine, creates), strict=True) if not given]
