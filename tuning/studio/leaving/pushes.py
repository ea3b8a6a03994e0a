"""Pushing results to the Hub: the adapter export of a run, or its GGUF file, as one tagged commit, private where nobody says otherwise.

With the token of whoever asks: on a machine of one's own the one that is saved there, else one that was typed or comes with a log-in at
the Hub. A typed one is kept in memory only, as long as this process lives. What is sent how is the affair of `hub.push`.
"""

import json
import pathlib
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning.errors import InputError, RunError
from tuning.export import archive, certificate, converter, errands, forms
from tuning.export.errands import Errand
from tuning.export.ollama.ollama_api import Handing
from tuning.runs import disk, files
from tuning.runs.contents import PushedRecord
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio.leaving.exports import Exports
from tuning.studio.shared import Shared

if TYPE_CHECKING:
    from tuning.hub.push import Pusher, Wish

ERRAND = "hub"  # an errand that ends on the Hub
FORMS = ("adapter", "gguf")
RECORD = "hub.json"
GGUF = "-GGUF"  # how repositories with such files are called there
LONGEST, MOST_KEPT = 4096, 1000  # characters of a token that was typed, and how many of them are kept
TOKEN = re.compile(r"[\w.~+/=-]{1,4096}", re.ASCII)  # as a header can say it; those of a log-in are long


@dataclass(frozen=True)
class Way:
    """What is pushed of a run: its form, the type of the weights in a GGUF file, for whose eyes, and whether it is compared before."""

    to: str = "adapter"
    type: str = ""
    public: bool = False
    check: bool = True


@dataclass(frozen=True)
class Ready:
    """A push of which all is known: nothing is in its way. The token is in `pusher` alone."""

    wish: "Wish"
    order: forms.ExportOrder
    way: Way
    pusher: "Pusher" = field(repr=False)
    place: str


class Pushes:
    """The pushes of an owner."""

    def __init__(self, shared: Shared, owner: str, exports: Exports) -> None:
        self.shared, self.owner, self._exports = shared, owner, exports

    def push(self, run: str, repo: str = "", revision: str = "", way: Way | None = None, token: str = "") -> dict[str, Any]:
        """Have a run on the Hub; where. `repo`: a name in the owner's namespace, or owner/name; `revision`: a branch, `main` by default.

        Raises InputError and RunError `hub.push.…` for what is in the way, and as `Exports.export` does.
        """
        return self._pushed(self._prepared(run, repo, revision, way or Way(), token))

    def begin(self, run: str, repo: str = "", to: str = "adapter", token: str = "", typed: str = "") -> None:
        """Push in the background, from a page; how far it is stands where exports are. `typed` is kept for the next one.

        Raises as `push` does.
        """
        if typed:
            self.keep(typed)
        ready = self._prepared(run, repo, "", Way(to), token)

        def work() -> None:
            self._pushed(ready)

        self.shared.errands.begin(self.owner, Errand(ready.order.run.id, ERRAND, to), work)

    def offer(self, run: str, signed_in: bool) -> dict[str, Any]:
        """What a page shows of it: the names that repositories would have, whose token there is, and what was pushed of each form."""
        found = self.shared.store.find(run, self.owner, unreadable=True)
        at = found.folder / "taken"
        pushed = {form: _record(at / f"hub-{form}" / RECORD) for form in FORMS}
        return {
            "repos": {form: _name(found, form) for form in FORMS},
            "token": self._whose(signed_in),
            "gguf": converter.place(self.shared.settings.home).is_dir(),
            "pushed": {form: one.model_dump() for form, one in pushed.items() if one is not None},
        }

    @property
    def needs_token(self) -> bool:
        """Whether a token is to be typed before anything can be pushed."""
        return self._whose(False) == "none"

    def keep(self, token: str) -> None:
        """Keep a token that was typed, in memory, for this owner's next pushes; "" forgets it."""
        if token:
            self.shared.hub_tokens[self.owner] = token[:LONGEST]
            while len(self.shared.hub_tokens) > MOST_KEPT:
                self.shared.hub_tokens.pop(next(iter(self.shared.hub_tokens)))
        else:
            self.shared.hub_tokens.pop(self.owner, None)

    def token(self, given: str = "") -> str:
        """The token with which the Hub is asked: the one that was given, typed before, or is saved; "" where there is none."""
        return given or self.shared.hub_tokens.get(self.owner, "") or self._own() or ""

    def _whose(self, signed_in: bool) -> str:
        """Whose token there is for a push: signed_in, typed, saved, or none; `sign_in` where one is to be had by that."""
        space = self.shared.settings.space
        if self.owner in self.shared.hub_tokens:
            return "typed"
        if signed_in:
            return "signed_in"
        if space is not None and space.oauth:
            return "sign_in"
        from tuning.hub.push import is_saved

        return "saved" if self._mine and (self.shared.settings.token or is_saved()) else "none"

    @property
    def _mine(self) -> bool:
        """Whether the token that is saved on this machine is the owner's; on a Space it would be the Space's."""
        return self.owner == LOCAL and self.shared.settings.mode != "space"

    def _own(self) -> str | None:
        from tuning.hub.push import saved_token

        return (self.shared.settings.token or saved_token()) if self._mine else None

    def _prepared(self, run: str, repo: str, revision: str, way: Way, token: str) -> "Ready":
        """All that is found out before anything is made. Raises as `push` does."""
        from tuning.hub.push import MAIN, Pusher, Wish

        if way.to not in FORMS:
            raise InputError("hub.push.form", to=files.clean_name(way.to), known=", ".join(FORMS))
        order = self._exports.ordered(run, way.to, way.check, way.type, Handing())
        found, here = order.run, self.shared.settings
        wish = Wish(_name(found, way.to, repo), revision or MAIN, found.id, found.name(), way.public)
        page = f"{here.endpoint}/settings/tokens"
        token = self.token(token)
        if here.offline:
            raise InputError("hub.push.offline", repo=wish.repo)
        if not token:
            raise RunError("hub.push.sign_in" if self._whose(False) == "sign_in" else "hub.push.token", page=page)
        if not TOKEN.fullmatch(token):
            raise RunError("hub.push.refused", page=page)
        pusher = Pusher(here.endpoint, token)
        try:
            place = pusher.place(wish)
            pusher.require_free(place, way.public)
        except RunError as error:
            if error.code in ("hub.push.refused", "hub.push.scope"):
                self.keep("")
            raise
        return Ready(wish, order, way, pusher, place)

    def _pushed(self, ready: "Ready") -> dict[str, Any]:
        run, to, errand = ready.order.run, ready.way.to, errands.current()
        run.require_adapter()
        beside = run.folder / "taken" / f"hub-{to}"
        beside.mkdir(parents=True, exist_ok=True)
        for left in beside.glob(".export-*"):  # of a process that was killed
            files.remove(left)
        with forms.built(ready.order, to, beside) as folder:
            going = {name: path for name, path in _files(folder) if to == "gguf" or archive.leaves(name)}
            size = sum(path.stat().st_size for path in going.values())
            errand.begin(ERRAND, size)
            pushed = ready.pusher.push(ready.place, going, ready.wish, errand.moved)
            found = certificate.read(folder)
        told = {"run": run.id, "to": to, **vars(pushed), "tag": run.id, "files": sorted(going), "bytes": size}
        told |= {"verdict": found["verdict"], **({"command": f"ollama run hf.co/{pushed.repo}"} if to == "gguf" else {})}
        errand.check()  # the run may have gone meanwhile
        files.write(beside / RECORD, json.dumps({**told, "time": time.time()}, ensure_ascii=False))
        return told


def _record(path: pathlib.Path) -> PushedRecord | None:
    return disk.kept(lambda: disk.record(path, PushedRecord), None)


def _name(run: Run, form: str, given: str = "") -> str:
    """What the repository of a run is called, as somebody says or as the run; one with a GGUF file is another, as is usual there."""
    name = given or archive.name_of(run, "adapter")
    if form == "gguf" and not name.lower().endswith(GGUF.lower()):
        return re.sub("-(adapter|model)$", "", name) + GGUF
    return name


def _files(folder: pathlib.Path) -> list[tuple[str, pathlib.Path]]:
    return [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]
