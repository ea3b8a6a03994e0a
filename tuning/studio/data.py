"""What a model learns from, for page, command line and API: sets on offer, data that are brought, and what is in them."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning import presets
from tuning.data import ingest as data_read
from tuning.data import overview as data_check
from tuning.data import waiting
from tuning.data.ingest import ReadingOptions
from tuning.data.records import SHEET, SYSTEM, together
from tuning.data.sources import Reference, kept, of_card, parse
from tuning.data.sources import find as named
from tuning.data.waiting import NotUnderstood, WaitingFiles
from tuning.errors import InputError
from tuning.forecast.plan import DEFAULT_MAX_LENGTH
from tuning.hub.repository import Collection
from tuning.runs import files
from tuning.runs.files import clean_name
from tuning.sandbox.limits import OWN_FILES, Limits
from tuning.sandbox.run import Watch
from tuning.schema import LOCAL, UNREADABLE, DatasetCard, DataSpec, ModelRef, Notice, TrainSettings
from tuning.studio.models import Models
from tuning.studio.shared import STARTER, Shared
from tuning.tokens.kept import Audited
from tuning.tokens.lengths import Lengths

NO_TABLE = (  # no mapping mends it
    "data.stopped", "data.slow", "data.memory", "data.disk", "data.output", "data.repair", "data.system", "data.systems",
)  # fmt: skip


class Data:
    """The data of an owner."""

    def __init__(self, shared: Shared, owner: str, models: Models) -> None:
        self.shared, self.owner = shared, owner
        self._models = models

    def check(self, data: str, model: str | None = None, mapping: Mapping[str, str] | None = None, lang: str = "en") -> dict[str, Any]:
        """Read data and say what is in it; with a model also how many tokens are learned, context and cut."""
        self._models.quotas.pace("data")
        return self.report(self.find(data, ReadingOptions(mapping=mapping or {}), lang).id, model)

    def report(self, data: str, model: str | None = None) -> dict[str, Any]:
        """As `check`, of data that were read before."""
        spec = self.shared.library.get(data, self.owner)
        report = data_check.report(spec) | {"data": spec.id}
        if model is not None:
            reference = self._models.find(model)
            report["tokens"] = self._tokens(spec.id, reference, min(reference.card.context_length, DEFAULT_MAX_LENGTH))
        return report

    def audit(self, data: str, model: str, settings: dict[str, Any] | None = None) -> Lengths | None:
        """Data in tokens of a model, for any maximum length; None while a page waits for it.

        With the resolved `settings` of a plan only those rows that are learned from.
        """
        said = settings or {"thinking": "auto", "chat_template": None}
        asked = Audited(data, self._models.find(model), self.owner, str(said["thinking"]), said["chat_template"])
        found = self.shared.audits.find(asked)
        if found is None or settings is None:
            return found
        return self.shared.audits.learned(found, data, TrainSettings.model_validate(settings), self.owner)

    def auditing(self) -> bool:
        """Whether the tokens of any of the data are being counted at this moment."""
        return self.shared.audits.busy(self.owner)

    def find(self, data: str, wish: ReadingOptions | None = None, lang: str = "en", watch: Watch | None = None) -> DataSpec:
        """Data by a preset's name, the id of data that was read before, or a local file, in normal form.

        `wish` says how it is to be read. Raises InputError where there is no such data, or nothing in it can be used.
        """
        cards, wish = self._dataset_cards(), wish or ReadingOptions()
        if wish.held_out is not None:
            with self.shared.sources.bring(named(wish.held_out), self.owner, None, self._limits().file_bytes) as aside:
                return self.find(data, replace(wish, held_out=None, validation=aside.paths), lang, watch)
        name = f"{STARTER}-{lang}" if data == STARTER else data
        if name in cards and cards[name].path is not None:
            return self._read_card(cards[name], wish)
        if any(spec.id == data for spec in self.shared.library.list(self.owner)):
            return self.reread(data, wish, watch)
        if data in self.shared.library.unreadable(self.owner):
            return self.shared.library.require(data, self.owner)
        path = files.given(data)
        local = self.owner == LOCAL and self.shared.settings.mode == "local"
        if local and os.path.exists(path):  # unlike Path.exists it never raises
            return self.ingest([path], replace(wish, name=path.name), watch)
        reference = of_card(cards[name]) if name in cards else parse(data)
        if reference is not None:
            return self._fetch(reference, wish, watch)
        mistyped = local and ("." in data or os.sep in data)
        raise InputError("data.missing", file=clean_name(data)) if mistyped else InputError("data.unknown", data=clean_name(data))

    def ingest(self, paths: Sequence[pathlib.Path], wish: ReadingOptions, watch: Watch | None = None) -> DataSpec:
        """Read files that somebody brought, in a child process, into the library."""
        self._models.quotas.pace("data")
        self._models.quotas.room()
        asked = replace(wish, name=clean_name(wish.name))
        try:
            return data_read.ingest(self.shared.settings.home, self.owner, paths, asked, self._limits(), watch)
        except InputError as fault:
            if asked.ask and fault.code not in NO_TABLE and self._is_table(paths):
                raise NotUnderstood(fault, self.shared.waiting.keep(self.owner, paths, asked, fault).id) from fault
            raise

    def waiting(self) -> Sequence[WaitingFiles]:
        """Files that were not understood and wait until somebody says what is in them, the newest first."""
        return self.shared.waiting.all(self.owner)

    def columns(self, data: str, mapping: Mapping[str, str] | None = None, bare: bool | None = None, sheet: str = "") -> dict[str, Any]:
        """The first rows of files that wait, or of data whose files were kept, as `waiting.look` has them.

        `bare`: whether their columns have no names; None where nobody said so. `sheet`: the one of a workbook, by its name.
        """
        self._models.quotas.pace("data")
        return waiting.look(self._files(data), mapping, bare, self._limits(), sheet)

    def take(self, data: str, mapping: Mapping[str, str], watch: Watch | None = None) -> DataSpec:
        """Files that wait, or data that are there, read by a mapping. What has waited does so no longer."""
        entry = self._waits(data)
        if entry is None:
            return self.reread(data, ReadingOptions(mapping=mapping), watch)
        rows, held_out = self.shared.waiting.paths(entry)
        wish = ReadingOptions(entry.name, held_out, mapping=mapping, max_rows=entry.max_rows, license=entry.license, keep=True)
        found = self.ingest(rows, wish, watch)
        self.shared.waiting.delete(entry.id, self.owner)
        return found

    def delete(self, data: str) -> None:
        """Throw away data of one's own, in whatever way the same files were read, or files that wait.

        Raises InputError `data.unknown`, and `data.in_use` where runs were made with them.
        """
        self._models.quotas.pace("change")
        if self._waits(data) is not None:
            self.shared.waiting.delete(data, self.owner)
            return
        spec = self.shared.library.get(data, self.owner)
        same = spec.name, spec.sha256, spec.corrected  # what was corrected for another run is that run's, if every row is the same
        alike = [one.id for one in self.shared.library.list(self.owner) if (one.name, one.sha256, one.corrected) == same]
        used_by = [name for id in alike for name in self.users(id)]
        for id in alike:
            self.shared.library.delete(id, self.owner, used_by)

    def reread(self, data: str, wish: ReadingOptions, watch: Watch | None = None) -> DataSpec:
        """Data that are there, read in another way; as they are, where `wish` changes nothing.

        What was wished for before (columns, repairs, rows edited by hand, number of rows) is wished for still. Raises InputError
        `data.gone` where the files were not kept.
        """
        spec = self.shared.library.require(data, self.owner)
        asked = replace(
            wish,
            name=spec.name,
            mapping=wish.mapping or spec.given,
            repairs=[] if wish.repairs is None else together(spec.repairs, wish.repairs),
            edits=spec.edits if wish.edits is None and _same_rows(wish.mapping, spec) else wish.edits or {},
            max_rows=wish.max_rows or spec.max_rows,
            license=spec.license,
        )
        before = spec.given, spec.repairs, spec.max_rows, (), spec.edits
        if (dict(asked.mapping), asked.repairs, asked.max_rows, asked.validation, asked.edits) == before:
            return spec
        return data_read.again(self.shared.settings.home, spec, asked, limits=self._limits(), watch=watch)

    def mend(self, data: str, repair: str | None, watch: Watch | None = None) -> DataSpec:
        """Data with one more repair done, as data of their own; None takes all repairs back."""
        self._models.quotas.pace("data")
        if repair is not None:
            return self.reread(data, ReadingOptions(repairs=[repair]), watch)
        spec = self.shared.library.get(data, self.owner)
        return self.reread(data, ReadingOptions(repairs=None), watch) if spec.repairs else spec

    def told(self, data: str, system: str) -> DataSpec:
        """Data whose conversations begin with a system text, in the place of their own; as they came, if it is empty.

        Raises InputError `data.system` where it is too long.
        """
        self._models.quotas.pace("data")
        return self.reread(data, ReadingOptions(repairs=[SYSTEM + system.strip()]))

    def rewrite(self, data: str, edits: Mapping[int, Mapping[str, Any] | None]) -> DataSpec:
        """Data with these rows by hand, and no others, as data of their own."""
        self._models.quotas.pace("data")
        self._models.quotas.room()
        return self.reread(data, ReadingOptions(edits=edits))

    def preview(self, data: str, limit: int = 5, start: int = 0) -> list[dict[str, Any]]:
        """Rows of data in the library, in normal form, from the one at `start` on."""
        self.shared.library.require(data, self.owner)
        return list(self.shared.library.page(data, self.owner, start, limit))

    def search(self, data: str, words: str) -> Sequence[int]:
        """Where rows stand in which somebody says these words, among those of the library from 0 on."""
        self._models.quotas.pace("data")
        return self.shared.library.search(data, self.owner, words)

    def place(self, data: str, row: int) -> int:
        """Where the row of that number stands, among those of the library from 0 on; if it is not there, the next one."""
        return self.shared.library.place(data, self.owner, row)

    def users(self, data: str) -> list[str]:
        """The names of the owner's runs that have learned, or are to learn, from data."""
        known = [(run, run.known()) for run in self.shared.store.all(self.owner)]
        return [run.name() for run, spec in known if spec is not None and spec.data.id == data]

    def describe(self, reference: Reference) -> Collection:
        """What the Hub says of a data set. Raises InputError `data.hub.…`."""
        self._models.quotas.pace("data")
        return self.shared.sources.describe(reference, self.owner)

    def glimpse(self, reference: Reference, limit: int = 5) -> list[dict[str, Any]] | None:
        """The first rows of a data set of the Hub, without a download; None where it does not show them."""
        return self.shared.sources.preview(reference, self.owner, limit)

    def list(self) -> list[dict[str, Any]]:
        """The sets on offer (`builtin` true where they came with the app, `here` where nothing has to be fetched), then the owner's own.

        Last those of the owner that cannot be read, with their `faults`.
        """
        cards, specs = self._dataset_cards().values(), self.shared.library.list(self.owner)
        broken = self.shared.library.unreadable(self.owner)
        offered = []
        for card in cards:
            there = None if card.path else kept(specs, Reference(str(card.hub), card.config, card.split))
            facts = {"builtin": card.path is not None, "here": card.path is not None or there is not None, "offered": True}
            offered.append({**card.model_dump(exclude={"path", "validation"}), **facts})
        names = {card.id if card.path else str(of_card(card)) for card in cards}
        own = [
            {**spec.model_dump(by_alias=True, exclude={"refused", "findings", "unused"}), "builtin": False, "here": True, "offered": False}
            for spec in specs
            if spec.name not in names and spec.id not in broken
        ]
        return offered + own + [_unreadable(id, fault) for id, fault in broken.items()]

    # Inside

    def _waits(self, data: str) -> WaitingFiles | None:
        return next((entry for entry in self.waiting() if entry.id == data), None)

    def _files(self, data: str) -> Sequence[pathlib.Path]:
        """The files of data, as they came. Raises InputError `data.gone` where they were not kept."""
        entry = self._waits(data)
        if entry is not None:
            return self.shared.waiting.paths(entry)[0]
        return data_read.kept_files(self.shared.settings.home, self.shared.library.get(data, self.owner))["rows"]

    def _is_table(self, paths: Sequence[pathlib.Path]) -> bool:
        try:
            return bool(waiting.look(paths, None, None, self._limits())["columns"])
        except InputError:
            return False

    def _limits(self) -> Limits:
        """A machine of one's own may read what its disk holds."""
        return Limits(file_bytes=OWN_FILES) if self.shared.settings.mode == "local" else Limits()

    def _dataset_cards(self) -> dict[str, DatasetCard]:
        return presets.datasets(self.shared.settings.presets)

    def _fetch(self, reference: Reference, wish: ReadingOptions, watch: Watch | None) -> DataSpec:
        """Data of the Hub: as they were read before, else fetched and read."""
        there = kept(self.shared.library.list(self.owner), reference, wish.max_rows)
        if there is not None:
            return self.reread(there.id, wish, watch)
        most = self._limits().file_bytes
        halves = (lambda share: watch(share / 2), lambda share: watch(0.5 + share / 2)) if watch else (None, None)
        with self.shared.sources.bring(reference, self.owner, wish.max_rows, most, halves[0]) as brought:
            return self.ingest(brought.paths, replace(wish, name=str(reference), license=brought.license, keep=True), halves[1])

    def _tokens(self, data: str, model: ModelRef, max_length: int) -> dict[str, Any]:
        """Counts in tokens at one maximum length, and the numbers of the rows that lose something (the first hundred)."""
        found = self.shared.audits.find(Audited(data, model, self.owner))
        if found is None:
            return {"max_length": max_length, "looking": True}
        sums = found.totals(max_length).model_dump()
        sums |= {key: sums[key][:100] for key in ("rows_cut", "answers_cut", "rows_nothing")}
        blocked = found.blocked(max_length)
        return {
            **sums,
            "sampled": found.audit.sampled,
            "longest": found.longest,
            "histogram": found.histogram(),
            "packing": found.packing(max_length, 4).model_dump(),
            "blocked": blocked.model_dump() if blocked else None,
            "notices": [notice.model_dump() for notice in found.notices(max_length)],
        }

    def _read_card(self, card: DatasetCard, wish: ReadingOptions) -> DataSpec:
        root = self.shared.settings.presets
        held_out = [root / card.validation] if card.validation else []
        asked = replace(wish, name=card.id, validation=wish.validation or held_out, license=card.license)
        return data_read.ingest(self.shared.settings.home, self.owner, [root / str(card.path)], asked)


def _same_rows(mapping: Mapping[str, str], spec: DataSpec) -> bool:
    """Whether rows keep their numbers under another mapping: not on another sheet, nor in conversations of another speaker."""
    return not mapping or all(mapping.get(target) == spec.given.get(target) for target in (SHEET, "assistant"))


def _unreadable(id: str, fault: Notice) -> dict[str, Any]:
    """Data of which no more is known than what is wrong with them."""
    told = {"id": id, "name": id, "sha256": id, "rows_kept": 0, "format": "", "status": UNREADABLE, "faults": [fault.model_dump()]}
    return {**told, "builtin": False, "here": True, "offered": False}
