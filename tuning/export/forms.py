"""The forms in which a result leaves: PEFT adapter, merged model, GGUF, Ollama, bundle; each in a folder with its card and its certificate.

What loads a model does so in a child process on the processor, so that neither a training nor a chat notices. Nothing is sent but to
the Ollama of this machine, or the one that somebody names.
"""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

from tuning import settings
from tuning.errors import FOLDERS, InputError, RunError
from tuning.export import archive, card, certificate, converter, errands, llama_server, portable, sizes
from tuning.export.ollama import ollama_api, ollama_folder
from tuning.export.ollama.ollama_api import Handing
from tuning.models import sampling
from tuning.runs import disk
from tuning.runs.files import clean_name, put, require_room
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec
from tuning.settings import ROOT

AS_GGUF = ("gguf", "ollama")
GIB = 2**30
LIBRARIES_BYTES = 1.5 * GIB  # of a process with torch and transformers, before its first model
READ_BYTES = 10  # for each weight of a GGUF file that is asked: 32 bits twice, and 16
MODEL_BYTES = 6  # for each weight: 32 bits, and a half more while they are read and rounded
PATIENCE_SECONDS = 3600.0
BESIDE_WEIGHTS = 64 * 2**20  # tokenizer, card and certificate
_one = threading.Lock()  # two models together would need the memory of both


@dataclass(frozen=True)
class ExportOrder:
    """What is to be taken: a run, where to, and what this machine has for it."""

    run: Run
    spec: RunSpec | None  # None where it cannot be read: the adapter can be taken all the same
    home: pathlib.Path
    memory_free: int
    trusts: bool = False  # may its base run code of its own?
    check: bool = True
    type: str = ""  # of the weights in a GGUF file
    handing: Handing = field(default_factory=Handing)
    scratch: pathlib.Path = field(default_factory=pathlib.Path)

    @property
    def adapter(self) -> bool:
        """Is it an adapter, and not a whole model?"""
        return (self.run.adapter / "adapter_config.json").is_file()


def export(order: ExportOrder, form: str, out: pathlib.Path, zipped: bool = False) -> pathlib.Path:
    """Write `form` as `out`, or into the folder `out`, whole or not at all; its path. An adapter, and what ends in .zip, is a zip.

    Raises InputError where `out` is taken, RunError where there is not enough memory, OSError.
    """
    zipped = zipped or form == "adapter" or out.suffix.lower() == ".zip"
    target = out / (archive.name_of(order.run, form) + (".zip" if zipped else "")) if out.is_dir() else out
    if target.exists() and not zipped:
        raise InputError("export.there", path=target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with built(order, form, target.parent, copies=2 if zipped else 1) as building:
        errands.current().begin("pack", sum(path.stat().st_size for path in building.rglob("*") if path.is_file()))
        if zipped:
            archive.pack(building, target, errands.current().moved)
        else:
            put(building, target)
    return target


@contextlib.contextmanager
def built(order: ExportOrder, form: str, beside: pathlib.Path, copies: int = 1) -> Iterator[pathlib.Path]:
    """A folder with all of `form`, made in the folder `beside`, where it is only as long as somebody works with it.

    `copies`: for how many of them there has to be room. Raises as `export` does.
    """
    require_room(beside, _bytes(order, form) * copies)
    with tempfile.TemporaryDirectory(dir=beside, prefix=".export-") as work:
        building, scratch = pathlib.Path(work) / "export", pathlib.Path(work) / "scratch"
        building.mkdir()
        scratch.mkdir()
        EXPORTS[form](ExportOrder(**{**vars(order), "scratch": scratch}), building)
        yield building


def _bytes(order: ExportOrder, form: str) -> int:
    """What the files of an export take."""
    own = sum(path.stat().st_size for path in order.run.adapter.rglob("*") if path.is_file())
    if form in ("adapter", "bundle") or order.spec is None:
        return own + BESIDE_WEIGHTS
    weights = (sizes.expected(order.run, order.spec, "merged") or 0) if order.adapter else 0
    return (own + weights) * (2 if form in AS_GGUF else 1) + BESIDE_WEIGHTS


def _adapter(order: ExportOrder, folder: pathlib.Path, form: str = "adapter") -> None:
    """What the run published; of an adapter also what other programs need to read it rightly."""
    archive.copy(order.run, folder)
    if order.spec is None:
        certificate.write(folder, certificate.unchecked(form, "unreadable"))
        return
    folded = order.adapter and portable.fold(folder)
    live = listen(order, None) if order.check or form != "adapter" else certificate.unchecked(form, "asked")
    _complete(order, form, folder, live, folded)


def _merged(order: ExportOrder, folder: pathlib.Path) -> None:
    """A model that plain transformers loads; one that was trained as a whole is one already."""
    if order.spec is None:
        order.run.spec()  # says what is wrong with it
    if not order.adapter:
        return _adapter(order, folder, "merged")
    live = listen(order, folder)
    if "verdict" in live:
        raise _refused(order, live)
    archive.copy(order.run, folder, of_adapters=False)
    _complete(order, "merged", folder, live, folded=False)
    return None


def _gguf(order: ExportOrder, folder: pathlib.Path) -> None:
    """One file for Ollama, LM Studio and llama.cpp, with a Modelfile."""
    live, file, found = _converted(order, folder)
    card.write_gguf(folder, order.run, order.run.spec(), file)
    how = _parameters(order, live)
    (folder / "Modelfile").write_text(ollama_folder.modelfile(file, how), encoding="utf-8")
    (folder / ollama_folder.PARAMS).write_text(f"{json.dumps(how, ensure_ascii=False, indent=1)}\n", encoding="utf-8")
    certificate.write(folder, found)


def _ollama(order: ExportOrder, folder: pathlib.Path) -> None:
    """A GGUF file handed to the Ollama that answers, which quantises it and is asked; else a folder with all that another one needs."""
    handing, file = order.handing, _file(order)
    name, quantisation = handing.name or file.removesuffix(".gguf"), handing.quantisation(order.type)
    ollama = ollama_api.find(handing)
    if ollama is not None:
        ollama.require_free(name)
    asked_there = replace(order, check=order.check and ollama is None)
    live, _, found = _converted(asked_there, folder if ollama is None else order.scratch)
    if ollama is None:
        card.write_gguf(folder, order.run, order.run.spec(), file)
        ollama_folder.write(folder, file, name, quantisation, _parameters(order, live), handing.lang)
        certificate.write(folder, found)
        return
    errands.current().begin("send", (order.scratch / file).stat().st_size)
    ollama.create(name, file, ollama.send(order.scratch / file), quantisation, _parameters(order, live))
    heard = {"model": name, "quantize": quantisation, "version": ollama.version(), **_heard(ollama, name, live)}
    card.write_handed(folder, order.run, order.run.spec(), name, quantisation)
    certificate.write(folder, certificate.of_ollama(found, live, heard))


def _parameters(order: ExportOrder, live: dict[str, Any]) -> dict[str, Any]:
    """How a model answers in Ollama: as in the chat here, by what its base says of that."""
    return ollama_api.parameters(sampling.read(pathlib.Path(order.run.spec().model.path)), live["stop_words"])


def _heard(ollama: ollama_api.Ollama, name: str, live: dict[str, Any]) -> dict[str, Any]:
    """What a model in Ollama answers to the prompts without tools, by their numbers; with them it says its answer in another form."""
    heard: dict[str, Any] = {"answers": {}, "said": ""}
    plain = [number for number, (turns, tools) in enumerate(live["asked"]) if not tools and not any("tool_calls" in turn for turn in turns)]
    try:
        for number in plain:
            heard["answers"][number] = ollama.ask(name, live["asked"][number][0], live["most"])
    except RunError as error:  # the model is made: that it does not answer is the certificate's to say
        heard["said"] = str(error.params.get("said") or error.code)
    return heard


def _file(order: ExportOrder) -> str:
    return f"{archive.name_of(order.run, 'gguf').removesuffix('-gguf')}.gguf"


def _converted(order: ExportOrder, folder: pathlib.Path) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """A GGUF file in `folder`, converted from the merged model, which goes again: the live model, the file's name, its certificate.

    It is asked for answers where the order is to be checked.
    """
    if order.spec is None:
        order.run.spec()  # says what is wrong with it
    tools = converter.installed(order.home, _child)
    merged = order.scratch / "merged"
    merged.mkdir()
    live = listen(order, merged if order.adapter else None)
    if "verdict" in live:
        raise _refused(order, live)
    archive.copy(order.run, merged, of_adapters=not order.adapter)
    file = _file(order)
    job = converter.job(order.run.spec().model.path, tools, merged, folder / file)
    job |= {"type": order.type or converter.TYPES[0], "stops": live["stops"], "template": live["template"]}
    found = certificate.of_gguf(live, converter.write(job, order.scratch, _child), job["type"])
    if order.check:
        found = _answered(order, job, live, found)
    shutil.rmtree(merged)  # while the file is sent, its room is somebody's
    return live, file, found


def _answered(order: ExportOrder, job: dict[str, Any], live: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a GGUF file after it was asked: in the llama.cpp of this machine, where there is none by transformers.

    Whatever goes wrong with either is the certificate's to say; where there is no memory for them, neither is asked.
    """
    file, program = pathlib.Path(job["file"]), llama_server.find()
    if program is not None and order.memory_free >= file.stat().st_size + GIB:
        errands.current().begin("compare")
        try:
            with errands.current().turn(_one):
                heard = llama_server.ask(program, file, live, order.scratch)
            return certificate.answered(found, live, heard["answers"], "llama_cpp", heard["version"])
        except RunError as error:
            if error.code not in llama_server.FAULTS:  # it is to stop
                raise
            found = certificate.unanswered(found, error.code, error.params)
    if order.memory_free < LIBRARIES_BYTES + READ_BYTES * order.run.spec().model.card.parameters:
        return found
    told = converter.answers(job, live, order.scratch, _child)
    if isinstance(told, str):
        return certificate.unanswered(found, "export.certificate.gguf.unread", {"said": told})
    return certificate.answered(found, live, told, "transformers", metadata.version("transformers"))


def _bundle(order: ExportOrder, folder: pathlib.Path) -> None:
    """What trains the run again without this project: a script over trl and peft, rows in tokens, settings, versions."""
    spec = order.spec or order.run.spec()  # says what is wrong with it
    errands.current().begin("bundle")
    fault = _told(order, "tuning.export.bundle.packer", folder).get("fault")
    if fault:
        raise RunError(fault["code"], **fault["params"]) if "code" in fault else RunError("export.bundle.failed", said=fault["said"])
    card.write_bundle(folder, order.run, spec)
    certificate.write(folder, certificate.unchecked("bundle", "bundle"))


EXPORTS: dict[str, Callable[[ExportOrder, pathlib.Path], None]] = {
    "adapter": _adapter,
    "merged": _merged,
    "gguf": _gguf,
    "ollama": _ollama,
    "bundle": _bundle,
}


def require(form: str, type: str, handing: Handing) -> None:
    """Raises InputError for a form that is not there, and for what is asked of a form that has nothing of the kind."""
    if form not in EXPORTS:
        raise InputError("export.unknown", to=clean_name(form), known=", ".join(EXPORTS))
    if type and form not in AS_GGUF:
        raise InputError("export.type", to=form, type=type)
    if handing.asked and form != "ollama":
        raise InputError("export.ollama.only", to=form, option=handing.asked)
    handing.quantisation(type)


def fetch_converter(home: pathlib.Path) -> None:
    """Fetch what makes GGUF files, where it is not here yet. Raises RunError."""
    converter.installed(home, _child)


def _refused(order: ExportOrder, told: dict[str, Any]) -> InputError | RunError:
    """Why there is no merged model, as an error."""
    assert order.spec is not None
    if told["why"] == "memory":
        return RunError("export.memory", need=_need(order.spec) / GIB, have=order.memory_free / GIB)
    if told["why"] == "model":
        return InputError("model.not_here", model=order.spec.model.id)
    if told.get("code"):
        return RunError(told["code"], **told["params"])
    return RunError("export.failed", said=told["said"])


def _need(spec: RunSpec) -> float:
    """Bytes of memory in which a model is loaded in 32 bits."""
    return LIBRARIES_BYTES + MODEL_BYTES * spec.model.card.parameters


def listen(order: ExportOrder, into: pathlib.Path | None) -> dict[str, Any]:
    """What `maker` tells of the live model, with the merged one `into` a folder; a certificate of nothing where it could not."""
    assert order.spec is not None
    if not (pathlib.Path(order.spec.model.path) / "config.json").is_file():
        return certificate.unchecked("adapter", "model")
    if _need(order.spec) > order.memory_free:
        return certificate.unchecked("adapter", "memory")
    errands.current().begin("live")
    told = _told(order, "tuning.export.maker", into)
    if "fault" in told:
        return {**certificate.unchecked("adapter", "failed", told["fault"].get("said", "")), **told["fault"]}
    return told


def _told(order: ExportOrder, module: str, into: pathlib.Path | None) -> dict[str, Any]:
    """What a module of ours tells that works on the run in a child process; under `fault` what was wrong."""
    answer = order.scratch / "told.json"
    request = {
        "run": str(order.run.folder.resolve()),
        "home": str(order.home.resolve()),
        "trusts": order.trusts,
        "answer": str(answer),
        "into": None if into is None else str(into),
    }
    words = _child(["-P", "-m", module], order.scratch, json.dumps(request))
    told: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {"fault": {"said": words}}
    return told


def _complete(order: ExportOrder, form: str, folder: pathlib.Path, live: dict[str, Any], folded: bool) -> None:
    """Add the tokens that end an answer, the card, and the certificate, which is made last: of all that leaves."""
    assert order.spec is not None
    if "stops" in live:
        _name_stops(order, folder, live["stops"])
    card.write(folder, order.run, order.spec, folded)
    found = {**live, "form": form} if "verdict" in live else witnessed(form, live, folder, order.spec.model.path, order.scratch)
    certificate.write(folder, found)


def _name_stops(order: ExportOrder, folder: pathlib.Path, stops: list[int]) -> None:
    """Write all tokens at which the live model ends an answer into generation_config.json; a base's own may lack the template's."""
    assert order.spec is not None
    path, base = folder / "generation_config.json", pathlib.Path(order.spec.model.path) / "generation_config.json"
    source = path if path.is_file() else base
    known: Any = disk.kept(lambda: disk.document(source), None)
    path.write_text(json.dumps({**(known if isinstance(known, dict) else {}), "eos_token_id": stops}, indent=2), encoding="utf-8")


def witnessed(form: str, live: dict[str, Any], folder: pathlib.Path, base: str, scratch: pathlib.Path) -> dict[str, Any]:
    """The certificate of the export in `folder`, loaded by `witness` in a process that knows nothing of this project."""
    seen = seen_elsewhere([folder], live, base, scratch)
    return certificate.unchecked(form, "failed", seen) if isinstance(seen, str) else certificate.compare(form, live, seen[0])


def seen_elsewhere(folders: list[pathlib.Path], live: dict[str, Any], base: str, scratch: pathlib.Path) -> list[dict[str, Any]] | str:
    """What the script `witness` sees of each export when it is asked what the live model was asked; else what it said."""
    errands.current().begin("compare")
    asked, answer = scratch / "asked.json", scratch / "seen.json"
    job = {"base": base, "dtype": certificate.PRECISIONS.get(live["precision"], "auto"), "conversation": live["talk"]}
    job |= {key: live[key] for key in ("asked", "most")}
    asked.write_text(json.dumps([{**job, "folder": str(folder.resolve())} for folder in folders]), encoding="utf-8")
    answer.unlink(missing_ok=True)
    script = pathlib.Path(__file__).with_name("witness.py")
    words = _child(["-I", "-X", "utf8", str(script), str(asked.resolve()), str(answer.resolve())], scratch)
    if not answer.is_file():
        return words
    seen: list[dict[str, Any]] = json.loads(answer.read_text(encoding="utf-8"))
    return seen


def _child(words: list[str], folder: pathlib.Path, said: str = "", online: bool = False) -> str:
    """Run a script of ours without a card, the net and any token; the last line of its errors, without folders of this machine.

    `online`: it is pip, which may know how this machine reaches its index.
    """
    env = {**settings.child_environment(), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    if online:
        del env["PYTHONPATH"]
        env |= settings.index_environment()
    settings.share_processor(env)
    try:
        with errands.current().turn(_one):
            done = errands.current().process([sys.executable, *words], said, PATIENCE_SECONDS, cwd=folder, env=env)
    except subprocess.TimeoutExpired:
        return f"{PATIENCE_SECONDS:.0f} s"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return FOLDERS.sub("", lines[-1])[:300] if lines and done.returncode else f"exit {done.returncode}"
