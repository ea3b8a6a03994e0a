"""Taking results away: at once, to where somebody says; or from a page: what is on offer with its size, one thing at a time being made in
the background, and what was made.

What was made stays in the run's folder, below `taken`, with its certificate, until it is removed or the run is deleted.
"""

import json
import pathlib
import time
import zipfile
from dataclasses import replace
from typing import Any

from tuning.errors import InputError, RunError
from tuning.export import archive, certificate, converter, errands, forms, sizes
from tuning.export.errands import Errand
from tuning.export.ollama import ollama_api
from tuning.export.ollama.ollama_api import NOWHERE, Handing
from tuning.runs import disk, files
from tuning.runs.contents import TakenRecord
from tuning.runs.run_folder import Run
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared
from tuning.text import LANGUAGES

RECORD = "taken.json"
CONVERTER = "converter"  # an errand that is no export
HERE, AWAY = "here", "away"  # an Ollama that answers on this machine, or one on another
TYPES: dict[str, tuple[str, ...]] = {"gguf": converter.TYPES, "ollama": (HERE, AWAY)}  # of forms that come in several


class Exports:
    """The exports of an owner."""

    def __init__(self, shared: Shared, owner: str, quotas: Quotas) -> None:
        self.shared, self.owner, self._quotas = shared, owner, quotas

    def offers(self, run: str) -> dict[str, Any]:
        """What can be taken away of a run, each form with its types, sizes and what was made of it; and what is `making`."""
        found = self.shared.store.find(run, self.owner, unreadable=True)
        spec, errand = found.known(), self.shared.errands.of(self.owner)
        return {
            "run": found.id,
            "forms": [
                {
                    "form": form,
                    "needs_converter": form in forms.AS_GGUF and not converter.place(self.shared.settings.home).is_dir(),
                    "files": [self._file(found, form, type) for type in self._types(form)],
                }
                for form in _known(found)
            ],
            "converter_bytes": converter.BYTES,
            "may_fetch": self._quotas.bounds is None,
            "method": "unknown" if spec is None else spec.settings.method,
            "making": None if errand is None else self._making(errand),
        }

    def _types(self, form: str) -> list[str]:
        """In which types a form comes; the machine's own Ollama is its operator's."""
        return [type for type in TYPES.get(form, ("",)) if type != HERE or self._quotas.operator]

    def _file(self, run: Run, form: str, type: str) -> dict[str, Any]:
        """One file on offer: its expected size, and what was made."""
        place = _place(run, form, type)
        kept: TakenRecord | None = disk.kept(lambda: disk.record(place / RECORD, TakenRecord), None)
        file = place / pathlib.PurePath(kept.file).name if kept else place
        size = sizes.expected(run, run.known(), form, type)
        if kept is None or not file.is_file():
            return {"type": type, "size_bytes": size, "made": None}
        made = {
            "file": file.name,
            "size_bytes": file.stat().st_size,
            "time": kept.made,
            "outdated": sizes.changed(run) > kept.made,
            "verdict": kept.verdict,
            "words": kept.words,
            "command": kept.command,
            "secret": self.shared.errands.address(file),
        }
        return {"type": type, "size_bytes": size, "made": made}

    def _making(self, errand: Errand) -> dict[str, Any]:
        """How far it is, or what went wrong with it."""
        told = {key: getattr(errand, key) for key in ("run", "form", "type", "step", "share", "fault", "over", "stopping")}
        return {**told, "seconds": time.time() - errand.since}

    def make(self, run: str, form: str, type: str = "", lang: str = "en") -> None:
        """Have one form made in the background, compared with the live model. Raises TuningError for what cannot be had.

        `lang`: of whoever opens what goes to another computer.
        """
        _require(form, type)
        handing = Handing(address=NOWHERE if type == AWAY else "", lang=lang) if form == "ollama" else Handing()
        order = self.ordered(run, form, True, "" if type in (HERE, AWAY) else type, handing)
        self._quotas.room()
        if type == HERE and (not self._quotas.operator or ollama_api.find(handing) is None):
            raise RunError("ui.take.ollama.absent")
        found = order.run

        def work() -> None:
            found.require_adapter()
            place = _place(found, form, type)
            place.mkdir(parents=True, exist_ok=True)
            for left in place.glob(".export-*"):  # of a process that was killed
                files.remove(left)
            name = "-".join(part for part in (archive.name_of(found, form), type) if part)
            path = self.written(order, form, place / f"{name}.zip", zipped=True)
            errands.current().check()  # the run may have gone meanwhile
            _note(path)

        self.shared.errands.begin(self.owner, Errand(found.id, form, type), work)

    def export(
        self,
        run: str,
        to: str,
        out: pathlib.Path,
        check: bool = False,
        zipped: bool = False,
        type: str = "",
        handing: Handing | None = None,
    ) -> pathlib.Path:
        """Write what a run made with its certificate, as a zip; a merged model as a folder, but where it is to be `zipped`.

        `check`: compare an adapter with the live model too, in processes of their own. Ollama is handed what the machine's operator
        exports, and the folder for another computer is everybody's. Raises InputError for an unknown form or a place that is taken,
        RunError without an adapter or enough memory.
        """
        return self.written(self.ordered(run, to, check, type, handing or Handing()), to, out, zipped)

    def ordered(self, run: str, to: str, check: bool, type: str, handing: Handing) -> forms.ExportOrder:
        """All that an export needs to know. Raises as `export` does."""
        forms.require(to, type, handing)
        if not self._quotas.operator:
            handing = replace(handing, address=NOWHERE)
        if to in forms.AS_GGUF and not converter.place(self.shared.settings.home).is_dir():
            self._quotas.machine()  # it would be fetched
        self._quotas.pace("errand")
        found = self.shared.store.find(run, self.owner, unreadable=True)
        found.require_adapter()
        spec = found.known()
        trusts = spec is not None and self.shared.shelf.trusts(spec.model.path)
        return forms.ExportOrder(found, spec, self.shared.settings.home, self.shared.probe().memory_free, trusts, check, type, handing)

    def written(self, order: forms.ExportOrder, to: str, out: pathlib.Path, zipped: bool) -> pathlib.Path:
        """Make what was ordered. Raises as `export` does."""
        try:
            return forms.export(order, to, out, zipped)
        except (OSError, zipfile.LargeZipFile) as error:
            raise InputError("export.cannot_write", path=out.name) from error

    def fetch_converter(self, run: str) -> None:
        """Have what makes GGUF files fetched from the index of packages. Raises RunError where that is the operator's to do."""
        self._quotas.machine()
        self._quotas.pace("errand")
        found = self.shared.store.find(run, self.owner)
        home = self.shared.settings.home
        self.shared.errands.begin(self.owner, Errand(found.id, CONVERTER), lambda: forms.fetch_converter(home))

    def stop(self) -> None:
        """Stop what is being made for this owner; nothing of it is left."""
        if (errand := self.shared.errands.of(self.owner)) is not None:
            errand.stop()

    def remove(self, run: str, form: str, type: str = "") -> None:
        """Take what was made off the disk; it can be made again."""
        self._quotas.pace("change")
        found = self.shared.store.find(run, self.owner, unreadable=True)
        _require(form, type)
        errand = self.shared.errands.of(self.owner)
        if errand is not None and not errand.over and (errand.run, errand.form, errand.type) == (found.id, form, type):
            raise RunError("export.busy")
        files.remove(_place(found, form, type))

    def busy(self) -> bool:
        """Whether something is being made for this owner."""
        errand = self.shared.errands.of(self.owner)
        return errand is not None and not errand.over

    def file(self, secret: str) -> pathlib.Path | None:
        """The file behind the address of a download, whoever asks: only its owner was told."""
        return self.shared.errands.file(secret)


def _known(run: Run) -> list[str]:
    """The forms that this run has: a whole model is no adapter, and of a run that cannot be read there is nothing but what it published."""
    if not run.adapter.is_dir() or (run.known() is not None and run.adapter_fault() is not None):
        return []
    if run.known() is None:
        return ["adapter"]
    whole = (run.adapter / "config.json").is_file()
    return [form for form in forms.EXPORTS if not (whole and form == "adapter")]


def _place(run: Run, form: str, type: str) -> pathlib.Path:
    """Where one form of a run stands."""
    return run.folder / "taken" / f"{form}-{type}".rstrip("-")


def _require(form: str, type: str) -> None:
    """Raises InputError for a form that is not there, and for a type that it does not have."""
    forms.require(form, "", Handing())
    if type not in TYPES.get(form, ("",)):
        raise InputError("export.type.unknown", type=files.clean_name(type), known=", ".join(TYPES.get(form, ("–",))))


def _note(path: pathlib.Path) -> None:
    """Keep beside a zip what its certificate says, and take away what was made before under another name."""
    found = certificate.read(path)
    words = {lang: certificate.spoken(found, lang) for lang in LANGUAGES}
    record = {"file": path.name, "made": time.time(), "verdict": found["verdict"], "words": words}
    if "model" in found:  # Ollama has it
        record["command"] = f"ollama run {found['model']}"
    files.write(path.parent / RECORD, json.dumps(record, ensure_ascii=False))
    for other in path.parent.iterdir():
        if other.name not in (path.name, RECORD):
            files.remove(other)
