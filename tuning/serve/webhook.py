"""Tells another program that a run is over: one small POST to the address that the owner of the machine gave on the command line.

No visitor can set it, no answer is read, no redirect is followed, and no run waits or fails for it.
"""

import json
import logging
import math
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from tuning.errors import InputError
from tuning.runs import summary
from tuning.runs.run_folder import Run
from tuning.text import t

logger = logging.getLogger(__name__)

SECONDS = 5.0
ATTEMPTS = 2
TOLD = frozenset({"finished", "failed", "paused"})
KEYS = ("run", "name", "status", "reason", "model", "steps", "eval_loss", "seconds")


class Webhook:
    """An address to be told of runs. Raises InputError `webhook.address` for what is no http or https address."""

    def __init__(self, address: str, lang: str = "en") -> None:
        try:
            parts = urlsplit(address)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and address.isprintable()
        except ValueError:  # a port that is no number
            known = False
        if not known or any(sign.isspace() for sign in address):
            raise InputError("webhook.address", address=address[:80])
        self.address, self.lang = address, lang
        self.host = str(parts.hostname)  # all that the log may say: the rest of an address is often a secret

    def tell(self, run: Run) -> threading.Thread | None:
        """Say how `run` ended, on a thread of its own, which is returned; nothing where it has not ended or was stopped by a person."""
        found = summary.result(run)
        if found["status"] not in TOLD:
            return None
        thread = threading.Thread(target=self._post, args=(message(found, self.lang),), name="webhook", daemon=True)
        thread.start()
        return thread

    def _post(self, content: dict[str, Any]) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "Sartoria"}
        request = urllib.request.Request(self.address, data=body, headers=headers, method="POST")
        opener = urllib.request.build_opener(_Straight)
        for attempt in range(ATTEMPTS):
            try:
                with opener.open(request, timeout=SECONDS):
                    return
            except urllib.error.HTTPError as error:
                trouble = str(error.code)
            except (OSError, ValueError) as error:  # also what is no HTTP
                trouble = type(error).__name__
            logger.warning("webhook at %s, attempt %d of %d: %s", self.host, attempt + 1, ATTEMPTS, trouble)


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like another: it could lead to a place that the owner never named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def message(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """What is sent: `KEYS` of the run's result, and the same as one sentence under `text`, as chat programs read it."""
    content = {key: result[key] for key in KEYS}
    content = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in content.items()}
    return {**content, "text": t(lang, f"ui.tell.{result['status']}", name=result["name"])}
