"""The audits of data for models: each found once, in the background where somebody waits at a page, and kept beside the data.

What an audit is and how it is found is the engine's affair; here is only when, and where it is kept.
"""

import contextlib
import hashlib
import json
import logging
import pathlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata

from tuning.data.library import Library, folder_of
from tuning.data.records import ROWS
from tuning.errors import RunError, TuningError, caught
from tuning.hub.shelf import Shelf, here
from tuning.models import model_folder
from tuning.runs import disk, files
from tuning.schema import ModelRef, TrainSettings
from tuning.tokens import thoughts, trial
from tuning.tokens.lengths import Audit, Lengths

logger = logging.getLogger(__name__)

FEW = 500  # rows, spread over the data, by which a plan counts the tokens of all of them
FEW_SECONDS = 10.0  # in which they are read, or the plan guesses by characters
KEPT = 4  # audits held in memory
MOST_SPLIT = 20_000  # rows that are told apart into those to learn and those to check with, while somebody waits
AGAIN_SECONDS = 60.0  # after one that failed
WORDS = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "vocab.json", "tokenizer.model")
LIBRARIES = ("transformers", "tokenizers", "jinja2")
FORM = 4  # of an audit: raise it when the same rows and tokenizer would give another


@dataclass(frozen=True)
class Audited:
    """What an audit is of: an owner's data as a model would learn them."""

    data: str
    model: ModelRef
    owner: str
    thinking: str = "auto"
    template: str | None = None  # a chat template by hand


class Audits:
    """The audits of one home folder. With `wait` an audit is there when `find` returns."""

    def __init__(self, home: pathlib.Path, library: Library, shelf: Shelf, wait: bool) -> None:
        self._folder, self._library, self._shelf, self._wait = folder_of(home), library, shelf, wait
        self._passed = home / trial.PASSED
        self._known: dict[str, Lengths] = {}
        self._faults: dict[str, tuple[float, TuningError]] = {}
        self._working: dict[str, str] = {}  # whose audit is being found, by its key
        self._parts: dict[str, Lengths] = {}
        self._tried = set[str]()  # chat templates by hand that have passed on a first row
        self._guessed = set[str]()  # of what was to be counted for a plan, what nothing came of
        self._one = threading.Lock()  # one at a time: somebody may be training beside it

    def thinking(self, asked: Audited) -> str:
        """What is done with thoughts, where `asked` may leave it open; see `tokens.thoughts`."""
        thinks = asked.model.card.thinking or model_folder.thinks(pathlib.Path(asked.model.path))
        thinks = model_folder.knows_thoughts(asked.template) if asked.template else thinks
        return thoughts.decide(asked.thinking, self._library.get(asked.data, asked.owner).thoughts, thinks)

    def find(self, asked: Audited) -> Lengths | None:
        """What the model would learn of the data, for any maximum length; None while it is being found.

        Raises InputError `data.unknown`, and whatever went wrong a moment ago: `model.…`, `audit.…`, `template.…`.
        """
        decided = self._decided(asked)
        key = self._key(decided)
        if key in self._known:
            return self._known[key]
        if self._wait:
            return self._look(key, decided)
        when, fault = self._faults.get(key, (0.0, None))
        if fault is not None and time.monotonic() - when < AGAIN_SECONDS:
            raise fault
        if key not in self._working:
            self._working[key] = decided.owner
            threading.Thread(target=self._work, args=(key, decided), daemon=True).start()
        return None

    def require(self, asked: Audited) -> None:
        """Raises EngineError `template.…` for a chat template by hand that cannot be learned by: tried on the first row, in seconds.

        Nothing is tried again that has passed.
        """
        if self.known(asked) is None:
            alone = replace(asked, thinking="auto")
            key = self._key(alone)
            if key not in self._tried:
                self._audit(alone, chosen=[0])
                self._tried.add(key)

    def known(self, asked: Audited) -> Lengths | None:
        """As `find`, of what was found before; nothing is begun."""
        return self._kept(self._key(self._decided(asked)), asked.data)

    def counted(self, asked: Audited, look: bool) -> Lengths | None:
        """As `known`, or else of FEW rows, which `look` says to read now; None where no tokenizer is here, or nothing came of it."""
        decided = self._decided(asked)
        key, rows = self._key(decided), self._library.get(asked.data, asked.owner).rows_kept
        found = self._kept(key, asked.data)
        if found is None and rows > FEW:
            key = hashlib.sha256(f"{key} {FEW}".encode()).hexdigest()
            found = self._kept(key, asked.data)
        if found is not None or not look or key in self._guessed or not here(asked.model):
            return found
        try:
            return self._look(key, decided, few_of=rows)
        except TuningError as error:  # whoever looks at the tokens, or trains, is told
            logger.info("the tokens of %s are guessed by its characters: %s", asked.data, error)
            self._guessed.add(key)
            return None

    def learned(self, found: Lengths, data: str, settings: TrainSettings, owner: str) -> Lengths:
        """Of `found`, the rows that a run with these settings learns from: less those it checks with, and those beyond its limit.

        Where only a sample was looked at, the sample as it is.
        """
        if found.audit.sampled is not None or found.audit.rows > MOST_SPLIT:
            return found
        key = json.dumps([data, id(found), settings.max_samples, settings.validation_share, settings.seed])
        if key not in self._parts:
            rows = {row["row"] for row in self._library.parts(data, owner, settings)[0]}
            looked = [one for one in found.audit.looked if one.row in rows]
            shown = [one for one in found.audit.shown if one.row in rows]
            refused = [one for one in found.audit.refused if one.row in rows]
            part = found.audit.model_copy(update={"rows": len(rows), "looked": looked, "shown": shown, "refused": refused})
            self._parts = {key: Lengths(part)}
        return self._parts[key]

    def busy(self, owner: str) -> bool:
        """Whether one of the owner's is being found."""
        return owner in list(self._working.values())

    def _decided(self, asked: Audited) -> Audited:
        return replace(asked, thinking=self.thinking(asked))

    def _work(self, key: str, decided: Audited) -> None:
        error = caught(lambda: self._look(key, decided), f"the audit of {decided.data}")
        if error is not None:
            known = error if isinstance(error, TuningError) else RunError("audit.crashed", model=decided.model.card.title, how="?")
            self._faults[key] = (time.monotonic(), known)
        self._working.pop(key, None)

    def _look(self, key: str, decided: Audited, few_of: int | None = None) -> Lengths:
        """`few_of`: how many rows there are, where FEW of them are enough."""
        path = self._path(decided.data, key)
        found = _read(path)
        if found is None:
            if few_of is None:
                found = self._audit(decided)
            else:
                some = None if few_of <= FEW else [at * few_of // FEW for at in range(FEW)]
                found = self._audit(decided, some, FEW_SECONDS).model_copy(update={"rows": few_of})
            with contextlib.suppress(OSError):  # it is known all the same
                files.remove(path)
                files.write(path, found.model_dump_json())
        return self._remember(key, found)

    def _audit(self, decided: Audited, chosen: Sequence[int] | None = None, seconds: float | None = None) -> Audit:
        from tuning.tokens.audit import LIMITS, audit

        title, rows = decided.model.card.title, self._folder / decided.data / ROWS
        words = self._shelf.words(decided.model, decided.owner)
        look = partial(audit, title, str(words), rows, chosen, thinking=decided.thinking, template=decided.template)
        if seconds is not None:  # it takes as long as the trial, which somebody waits for beside it
            return look(limits=replace(LIMITS, seconds=seconds))
        if not self._shelf.trusts(str(words)):
            trial.require(words, self._passed)
        with self._one:
            return look()

    def _path(self, data: str, key: str) -> pathlib.Path:
        return self._folder / data / f"audit-{key[:16]}.json"

    def _kept(self, key: str, data: str) -> Lengths | None:
        found = None if key in self._known else _read(self._path(data, key))
        return self._known.get(key) if found is None else self._remember(key, found)

    def _remember(self, key: str, found: Audit) -> Lengths:
        while len(self._known) >= KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[key] = Lengths(found)
        return self._known[key]

    def _key(self, decided: Audited) -> str:
        """What an audit depends on: data, the tokenizer's files where they are here, libraries, what is done with thoughts, a template."""
        model = decided.model
        there = [path.stat() for name in WORDS if (path := pathlib.Path(model.path) / name).is_file()]
        stamps = [(status.st_size, status.st_mtime_ns) for status in there]
        data, libraries = self._library.get(decided.data, decided.owner).id, [metadata.version(name) for name in LIBRARIES]
        depends = [FORM, data, model.id, decided.thinking, stamps, libraries, *([decided.template] if decided.template else [])]
        return hashlib.sha256(json.dumps(depends).encode()).hexdigest()


def _read(path: pathlib.Path) -> Audit | None:
    """An audit that was kept; one that is damaged is logged, and found anew."""
    return disk.kept(lambda: disk.record(path, Audit), None)
