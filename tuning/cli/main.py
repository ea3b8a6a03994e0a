"""The command line, `sartoria VERB` or `python -m tuning VERB`: the same verbs as the page. `app`, `foreground`, `nodes`,
`renting` and `talking` print beside it; what is typed wrong is told by `usage`.

With --json one document goes to stdout and nothing else; progress and the libraries' words go to stderr.
"""

import argparse
import contextlib
import getpass
import logging
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import yaml

from tuning import settings
from tuning.cli import app, foreground, nodes, renting, talking, usage
from tuning.cli.options import parser
from tuning.cli.shown import text_of
from tuning.data.ingest import ReadingOptions
from tuning.data.sources import parse
from tuning.errors import InputError, RunError, TuningError, of_disk
from tuning.export import certificate
from tuning.export.ollama.ollama_api import Handing
from tuning.hub import pulled
from tuning.runs import disk, files
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.serve.webhook import Webhook
from tuning.studio import Studio
from tuning.studio.leaving.pushes import Way
from tuning.studio.ordering import order_files
from tuning.studio.shared import STARTER
from tuning.text import say, t
from tuning.ui.draw import offers as ways
from tuning.ui.draw import report_view

GIB = 2**30
PROGRESS_SECONDS = 2.0
EXAMPLES = {"--set": "num_train_epochs=3", "--map": "question=COLUMN"}  # of KEY=VALUE, by the option that takes it


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code. The command line's edge: no traceback reaches a user."""
    words = sys.argv[1:] if arguments is None else arguments
    lang = usage.spoken(words)
    options = parser(lang).parse_args(words)
    options.words = words
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    read = settings.read(home=options.home)
    try:
        settings.require_mode(read)
        files.home(read.home)
        studio = Studio(_allowing(read, options, lang), LOCAL)
        settings.keep_shares()
        if read.shared_by and read.offloads and options.verb in ("train", "resume"):
            raise InputError("cli.offloads", by=read.shared_by)
        if read.rank > 0:  # rank 0 does the verb
            return foreground.assist(studio, lang) if options.verb in ("train", "resume") else 0
        with contextlib.redirect_stdout(sys.stderr):  # libraries print; stdout is ours
            code, document = VERBS[options.verb](studio, options, lang)
        print(text_of(document, options.json, lang), end="")
        return code
    except TuningError as error:
        print(say(lang, error.code, error.params), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  the edge: logged in full below
        known = of_disk(error) or TuningError("cli.unexpected", kind=type(error).__name__, log=_write_log(read.home, error))
        print(say(lang, known.code, known.params), file=sys.stderr)
        return known.exit_code


def _allowing(read: settings.Settings, options: argparse.Namespace, lang: str) -> settings.Settings:
    """The settings, with the one model that may run its code; the page sees to that by itself. Raises InputError."""
    pinned = getattr(options, "allow_remote_code", None)
    if pinned is None or options.verb == "app":
        return read
    allowed = settings.allowing(read, pinned)
    print(t(lang, "code.on", pinned=pinned), file=sys.stderr)
    return allowed


def _write_log(home: pathlib.Path, error: Exception) -> pathlib.Path:
    import traceback

    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    path = (home if os.access(home, os.W_OK) else pathlib.Path(tempfile.mkdtemp(prefix="sartoria-"))) / "log.txt"
    with path.open("a", encoding="utf-8") as file:
        file.write(time.strftime("%Y-%m-%d %H:%M:%S ") + "".join(traceback.format_exception(error)))
    return path


def _pairs(words: list[str], option: str) -> dict[str, Any]:
    """`key=value` words; values are read as YAML, so that numbers, lists and `true` are what they look like."""
    pairs: dict[str, Any] = dict(_words(words, option))
    for key, value in pairs.items():
        with contextlib.suppress(yaml.YAMLError):
            pairs[key] = yaml.safe_load(value)
    return pairs


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that are changed: by `--set`, and a chat template by the file that it stands in."""
    if options.chat_template is None:
        return _pairs(options.changes, "--set")
    path = files.given(options.chat_template)
    if not path.exists():
        raise InputError("data.missing", file=options.chat_template)
    return {**_pairs(options.changes, "--set"), "chat_template": disk.text(path)}


def _words(words: list[str], option: str) -> dict[str, str]:
    """`key=value` words, divided at the first sign; values are taken to the letter."""
    pairs = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise InputError("cli.pair", option=option, word=word[:80], example=EXAMPLES[option])
        pairs[key] = value
    return pairs


# The verbs: each returns an exit code and a document


def _models(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    if options.downloaded:
        return 0, studio.models.downloaded()
    if options.search:
        return 0, studio.models.search(options.search)
    return 0, studio.models.list(options.goal, options.gpu_memory)


def _download(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    model = studio.models.find(options.model)
    for notice in studio.models.coming(model):
        if notice.level == "info":
            print(say(lang, notice.code, notice.params), file=sys.stderr)
    studio.models.download(model, foreground.downloading(lang))
    return 0, {"model": model.id, "path": model.path}


def _remove(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    remove = studio.models.remove if pulled.parsed(options.model) is None else studio.pulls.remove
    return 0, {"model": options.model, "freed_bytes": remove(options.model)}


def _move(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    return 0, {"model": options.model, "path": str(studio.models.move(options.model, files.given(options.folder)))}


def _plan(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    changes = _changes(options)
    return 0, studio.plans.plan(options.model, options.data, options.recipe, changes, options.gpu_memory, lang=lang)


def _check(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    return 0, studio.data.report(_data(studio, options, options.data, lang), options.model)


def _data(studio: Studio, options: argparse.Namespace, data: str, lang: str) -> str:
    """The id of data, read as the options ask."""
    mapping = _words(options.map, "--map")
    if options.rows is not None and options.rows < 1:
        raise InputError("cli.rows", rows=options.rows)
    paths = [files.given(name) for name in options.validation]
    on_hub = len(paths) == 1 and not os.path.exists(paths[0]) and parse(options.validation[0]) is not None
    aside: dict[str, Any] = {"held_out": options.validation[0]} if on_hub else {"validation": paths}
    wish = ReadingOptions(mapping=mapping, repairs=options.repair, max_rows=options.rows, **aside)
    return studio.data.find(data, wish=wish, lang=lang, watch=_reading(lang)).id


def _reading(lang: str) -> Callable[[float], None]:
    """Progress of a large file: one line for every tenth of it, after the first seconds."""
    started, said = time.monotonic(), 0

    def progress(share: float) -> None:
        nonlocal said
        if int(10 * share) > said and time.monotonic() - started > PROGRESS_SECONDS:
            said = int(10 * share)
            print(t(lang, "ui.data.reading", percent=10 * said), file=sys.stderr)

    return progress


def _train(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    if options.nodes is not None:
        return nodes.lines(studio, options, lang)
    renting.require(options)
    hook = _hook(options, lang)
    choices = _read_spec(options.spec) if options.spec else {}
    given = {"model": options.model, "data": options.data, "recipe": options.recipe, "name": options.name}
    choices |= {key: value for key, value in given.items() if value is not None}
    changes = {**choices.pop("settings", {}), **_changes(options)}
    if options.map or options.repair or options.validation or options.rows is not None:
        recipe = studio.plans.recipe(choices.get("recipe"))
        choices["data"] = _data(studio, options, choices.get("data") or recipe.dataset or STARTER, lang)
    try:
        if options.rent:
            run = renting.order(studio, options, choices, changes, lang)
            return _told(run, hook, renting.follow(studio, run, lang))
        if options.continues:
            talking.bring(studio, options.continues, lang)
            run = _further(studio, options.continues, choices, changes)
        else:
            run = studio.runs.create(**choices, settings=changes, lang=lang)
    except RunError as error:
        if error.code == "plan.refused" and not options.rent:
            told = {key: value for key, value in choices.items() if key != "name"}
            print("\n".join(ways.lines(studio.plans.plan(**told, settings=changes, lang=lang), lang)), file=sys.stderr)
        raise
    return _told(run, hook, foreground.train(studio, run, lang, options.json))


def _further(studio: Studio, run: str, choices: dict[str, Any], changes: dict[str, Any]) -> Run:
    """With the model and the recipe of the run; only data and settings may be others."""
    for key in ("model", "recipe"):
        if key in choices:
            raise InputError("cli.further", option=f"--{key}")
    return studio.runs.further(run, choices.get("data"), changes, choices.get("name"))


def _read_spec(name: str) -> dict[str, Any]:
    """Choices from a file, as `order_files.choices` reads them. Raises InputError where it cannot be read."""
    try:
        content = pathlib.Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cli.spec", file=name) from error
    return order_files.choices(content, name)


def _resume(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    if options.nodes is not None:
        return nodes.lines(studio, options, lang)
    renting.require(options)
    hook = _hook(options, lang)
    if options.queued:
        return foreground.train(studio, studio.runs.queued(options.run), lang, options.json)
    away = renting.again(studio, options, lang) if options.rent else studio.rentals.away(options.run)
    if away is not None:
        return _told(away, hook, renting.follow(studio, away, lang))
    run = studio.runs.resumable(options.run)
    return _told(run, hook, foreground.train(studio, run, lang, options.json))


def _hook(options: argparse.Namespace, lang: str) -> Webhook | None:
    return Webhook(options.webhook, lang) if options.webhook else None


def _told(run: Run, hook: Webhook | None, result: tuple[int, Any]) -> tuple[int, Any]:
    """The result, after the webhook knows how the run ended: this process ends soon."""
    telling = hook.tell(run) if hook is not None else None
    if telling is not None:
        telling.join(talking.END_SECONDS)
    return result


def _correct(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    turns = [{"role": "system", "content": options.system}] if options.system is not None else []
    kept = studio.corrections.add(options.run, [*turns, {"role": "user", "content": options.prompt}], options.answer, lang)
    print(t(lang, "cli.correct", run=options.run, data=kept["data"]), file=sys.stderr)
    return 0, kept


def _evaluate(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    wanted = studio.talk.comparison(options.run, options.data, options.all)
    print(t(lang, "cli.evaluating", run=wanted.run.id), file=sys.stderr)
    found = studio.talk.report(wanted)
    return 0, found if options.json else report_view.spoken(found, lang)


def _export(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    handing = Handing(options.quantize or "", options.name or "", options.ollama or "", lang)
    path = studio.exports.export(
        options.run, options.to, files.given(options.out), check=not options.no_check, type=options.type or "", handing=handing
    )
    written = sum(one.stat().st_size for one in ([path] if path.is_file() else path.rglob("*")))
    told = {"run": studio.runs.id(options.run), "to": options.to, "path": str(path), "bytes": written}
    found = certificate.read(path)
    if options.to == "ollama" and "model" not in found:
        print(t(lang, "export.ollama.elsewhere"), file=sys.stderr)
    return 0, {**told, "verdict": found["verdict"], **({"command": f"ollama run {found['model']}"} if "model" in found else {})}


def _push(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    way = Way(options.to, options.type, options.public, check=not options.no_check)
    token = ""
    if studio.pushes.needs_token and sys.stdin.isatty() and not options.json:
        token = getpass.getpass(t(lang, "cli.push.token")).strip()  # for this once
    return 0, studio.pushes.push(options.run, options.repo, options.revision, way, token)


def _key(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    if not options.withdraw:
        return 0, {"key": studio.keys.give()}
    studio.keys.withdraw()
    return 0, {"key": None}


VERBS: dict[str, Callable[[Studio, argparse.Namespace, str], tuple[int, Any]]] = {
    "app": lambda studio, options, lang: (app.run(options), None),
    "models": _models,
    "download": _download,
    "remove": _remove,
    "move": _move,
    "recipes": lambda studio, options, lang: (0, studio.plans.recipes()),
    "datasets": lambda studio, options, lang: (0, studio.data.list()),
    "hardware": lambda studio, options, lang: (0, studio.hardware()),
    "plan": _plan,
    "check": _check,
    "train": _train,
    "resume": _resume,
    "rent": lambda studio, options, lang: renting.offers(studio, options, _changes(options), lang),
    "stop": lambda studio, options, lang: renting.stop(studio, options.run, lang),
    "runs": lambda studio, options, lang: (0, studio.everybody.list() if options.everybody else studio.runs.list()),
    "show": lambda studio, options, lang: (0, studio.runs.show(options.run)),
    "rename": lambda studio, options, lang: (0, studio.runs.rename(options.run, options.name)),
    "delete": lambda studio, options, lang: (0, studio.runs.delete(options.run)),
    "correct": _correct,
    "chat": talking.chat,
    "evaluate": _evaluate,
    "export": _export,
    "push": _push,
    "pull": talking.pull,
    "key": _key,
}
