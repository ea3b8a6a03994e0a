"""What can go wrong between here and the Hub while something is written there, as one error each. No call is made here."""

import contextlib
import re
from collections.abc import Iterator

import httpx2
from huggingface_hub import errors

from tuning.errors import InputError, RunError, TuningError

FULL = re.compile(r"quota|storage (?:limit|space)|limit reached|exceed", re.IGNORECASE)


@contextlib.contextmanager
def asking(repo: str, endpoint: str) -> Iterator[None]:
    """Turn what huggingface_hub raises over `repo` into InputError and RunError `hub.push.…`; what this machine's disk raises passes."""
    try:
        yield
    except TuningError:
        raise
    except (httpx2.HTTPError, RuntimeError, ValueError, OSError) as error:
        raise _told(repo, endpoint, error) from error


def tokens(endpoint: str) -> str:
    """Where a person makes tokens."""
    return f"{endpoint}/settings/tokens"


def _told(repo: str, endpoint: str, error: BaseException) -> TuningError:
    """The error for a person, of whatever the library has wrapped it in."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, TuningError):
            return behind
        if isinstance(behind, errors.HfHubHTTPError):
            return _answered(repo, endpoint, behind)
        if isinstance(behind, httpx2.HTTPError):
            return RunError("hub.push.cut", repo=repo, host=endpoint.partition("://")[2])
        behind = behind.__cause__
    if isinstance(error, OSError) and error.errno is not None:
        raise error  # of this machine's disk
    if isinstance(error, errors.OfflineModeIsEnabled):
        return InputError("hub.push.offline", repo=repo)
    said = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__
    return RunError("hub.push.full" if FULL.search(said) else "hub.push.answer", repo=repo, said=said)


def _answered(repo: str, endpoint: str, error: errors.HfHubHTTPError) -> TuningError:
    status, said = error.response.status_code, (error.server_message or f"HTTP {error.response.status_code}")[:200]
    if status in (402, 413, 507) or (status in (400, 403, 422) and FULL.search(said)):
        return RunError("hub.push.full", repo=repo, said=said)
    if isinstance(error, errors.RepositoryNotFoundError) and status == 404:
        return InputError("hub.push.missing", repo=repo)
    if status == 401:
        return RunError("hub.push.refused", page=tokens(endpoint))
    if status == 403:
        return RunError("hub.push.scope", repo=repo, page=tokens(endpoint))
    if status == 409:
        return InputError("hub.push.taken", repo=repo)
    if status == 429:
        return RunError("hub.push.busy")
    return RunError("hub.push.down" if status >= 500 else "hub.push.answer", repo=repo, said=said)
