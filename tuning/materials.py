"""What a model learns from, for page, command line and API: the verbs about data. `verbs.Verbs` has them all."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning import presets
from tuning.audits import Audits
from tuning.data import check as data_check
from tuning.data import read as data_read
from tuning.data.library import Library
from tuning.data.read import Wish
from tuning.data.records import OWN_FILES, Limits
from tuning.data.sandbox import Watch
from tuning.data.sources import Reference, Sources, find, kept, of_card, parse
from tuning.errors import InputError
from tuning.plan.lengths import Lengths
from tuning.plan.plan import DEFAULT_MAX_LENGTH
from tuning.runs import files
from tuning.runs.store import Store, clean_name
from tuning.schema import LOCAL, DatasetCard, DataSpec, ModelRef, TrainSettings
from tuning.settings import Settings

STARTER = "starter"


class Materials:
    """What `Verbs` can do with data."""

    settings: Settings
    store: Store
    library: Library
    sources: Sources
    audits: Audits

    def model(self, model: str, owner: str = LOCAL) -> ModelRef:
        """The model that `model` names."""
        raise NotImplementedError

    def datasets(self, owner: str = LOCAL) -> list[dict[str, Any]]:
        """The sets on offer (`builtin` true where they came with the app, `here` where nothing has to be fetched), then the owner's own."""
        cards, specs = self._dataset_cards().values(), self.library.list(owner)
        offered = []
        for card in cards:
            there = None if card.path else kept(specs, Reference(str(card.hub), card.config, card.split))
            facts = {"builtin": card.path is not None, "here": card.path is not None or there is not None, "offered": True}
            offered.append({**card.model_dump(exclude={"path", "validation"}), **facts})
        names = {card.id if card.path else str(of_card(card)) for card in cards}
        own = [
            {**spec.model_dump(by_alias=True, exclude={"refused", "findings"}), "builtin": False, "here": True, "offered": False}
            for spec in specs
            if spec.name not in names
        ]
        return offered + own

    def check(
        self, data: str, model: str | None = None, mapping: Mapping[str, str] | None = None, owner: str = LOCAL, lang: str = "en"
    ) -> dict[str, Any]:
        """Read data and say what is in it; with a model also how many tokens are learned, context and cut."""
        return self.report(self.dataset(data, owner, Wish(mapping=mapping or {}), lang).id, model, owner)

    def report(self, data: str, model: str | None = None, owner: str = LOCAL) -> dict[str, Any]:
        """As `check`, of data that were read before."""
        spec = self.library.get(data, owner)
        report = data_check.report(spec) | {"data": spec.id}
        if model is not None:
            reference = self.model(model, owner)
            report["tokens"] = self._tokens(spec.id, reference, min(reference.card.context_length, DEFAULT_MAX_LENGTH), owner)
        return report

    def audit(self, data: str, model: str, settings: dict[str, Any] | None = None, owner: str = LOCAL) -> Lengths | None:
        """Data in tokens of a model, for any maximum length; None while a page waits for it.

        With the resolved `settings` of a plan only those rows that are learned from.
        """
        found = self.audits.find(data, self.model(model, owner), owner)
        if found is None or settings is None:
            return found
        return self.audits.learned(found, data, TrainSettings.model_validate(settings), owner)

    def dataset(self, data: str, owner: str = LOCAL, wish: Wish | None = None, lang: str = "en", watch: Watch | None = None) -> DataSpec:
        """Data by a preset's name, the id of data that was read before, or a local file, in normal form.

        `wish` says how it is to be read. Raises InputError where there is no such data, or nothing in it can be used.
        """
        cards, wish = self._dataset_cards(), wish or Wish()
        if wish.held_out is not None:
            with self.sources.bring(find(wish.held_out), owner, None, self._limits().file_bytes) as aside:
                return self.dataset(data, owner, replace(wish, held_out=None, validation=aside.paths), lang, watch)
        name = f"{STARTER}-{lang}" if data == STARTER else data
        if name in cards and cards[name].path is not None:
            return self._read_card(cards[name], owner, wish)
        if any(spec.id == data for spec in self.library.list(owner)):
            return self.reread(data, wish, owner, watch)
        path = files.given(data)
        if owner == LOCAL and self.settings.mode == "local" and os.path.exists(path):  # unlike Path.exists it never raises
            return self.ingest([path], replace(wish, name=path.name), owner, watch)
        reference = of_card(cards[name]) if name in cards else parse(data)
        if reference is not None:
            return self._fetch(reference, owner, wish, watch)
        raise InputError("data.unknown", data=clean_name(data))

    def ingest(self, paths: Sequence[pathlib.Path], wish: Wish, owner: str = LOCAL, watch: Watch | None = None) -> DataSpec:
        """Read files that somebody brought, in a child process, into the library."""
        asked = replace(wish, name=clean_name(wish.name))
        return data_read.ingest(self.settings.home, owner, paths, asked, self._limits(), watch)

    def reread(self, data: str, wish: Wish, owner: str = LOCAL, watch: Watch | None = None) -> DataSpec:
        """Data that are there, read in another way; as they are, where `wish` changes nothing.

        What was wished for before (columns, repairs, number of rows) is wished for still. Raises InputError `data.gone` where the
        files were not kept.
        """
        spec = self.library.get(data, owner)
        asked = replace(
            wish,
            name=spec.name,
            mapping=wish.mapping or spec.given,
            repairs=[] if wish.repairs is None else sorted({*spec.repairs, *wish.repairs}),
            max_rows=wish.max_rows or spec.max_rows,
            license=spec.license,
        )
        if (dict(asked.mapping), asked.repairs, asked.max_rows, asked.validation) == (spec.given, spec.repairs, spec.max_rows, ()):
            return spec
        return data_read.again(self.settings.home, spec, asked, limits=self._limits(), watch=watch)

    def mend(self, data: str, repair: str | None, owner: str = LOCAL, watch: Watch | None = None) -> DataSpec:
        """Data with one more repair done, as data of their own; None takes all repairs back."""
        if repair is not None:
            return self.reread(data, Wish(repairs=[repair]), owner, watch)
        spec = self.library.get(data, owner)
        return self.reread(data, Wish(repairs=None), owner, watch) if spec.repairs else spec

    def preview(self, data: str, owner: str = LOCAL, limit: int = 5, start: int = 0) -> list[dict[str, Any]]:
        """Rows of data in the library, in normal form, from the one at `start` on."""
        return list(self.library.page(data, owner, start, limit))

    # Inside

    def _limits(self) -> Limits:
        """A machine of one's own may read what its disk holds."""
        return Limits(file_bytes=OWN_FILES) if self.settings.mode == "local" else Limits()

    def _dataset_cards(self) -> dict[str, DatasetCard]:
        return presets.datasets(self.settings.presets)

    def _fetch(self, reference: Reference, owner: str, wish: Wish, watch: Watch | None) -> DataSpec:
        """Data of the Hub: as they were read before, else fetched and read."""
        there = kept(self.library.list(owner), reference, wish.max_rows)
        if there is not None:
            return self.reread(there.id, wish, owner, watch)
        most = self._limits().file_bytes
        halves = (lambda share: watch(share / 2), lambda share: watch(0.5 + share / 2)) if watch else (None, None)
        with self.sources.bring(reference, owner, wish.max_rows, most, halves[0]) as brought:
            return self.ingest(brought.paths, replace(wish, name=str(reference), license=brought.license, keep=True), owner, halves[1])

    def _tokens(self, data: str, model: ModelRef, max_length: int, owner: str) -> dict[str, Any]:
        """Counts in tokens at one maximum length, and the numbers of the rows that lose something (the first hundred)."""
        found = self.audits.find(data, model, owner)
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

    def _read_card(self, card: DatasetCard, owner: str, wish: Wish) -> DataSpec:
        root = self.settings.presets
        held_out = [root / card.validation] if card.validation else []
        asked = replace(wish, name=card.id, validation=wish.validation or held_out, license=card.license)
        return data_read.ingest(self.settings.home, owner, [root / str(card.path)], asked)
