"""The options of the command line: verbs, what they take, and the help that docs/usage.md shows. Nothing is done here."""

import argparse
import pathlib
import sys

from tuning.cli.usage import Parser
from tuning.data.records import REPAIRS
from tuning.text import LANGUAGES

PORT = 7860
REMOTE_CODE = "let this one model of the Hub run its own code, at this full commit hash; on a machine of your own only"


def parser(lang: str = "en") -> Parser:
    """The whole command line; what was typed wrong is said in `lang`."""
    top = Parser(prog=called(), description="Fine-tune an open language model.", lang=lang)
    top.add_argument("--home", help="where runs and data are kept (default: TUNING_HOME, else the user's data folder)")
    common = Parser(add_help=False)
    _said(top, json=False, lang="auto")
    _said(common, json=argparse.SUPPRESS, lang=argparse.SUPPRESS)  # not given after the verb: as before
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help_text: str) -> Parser:
        top.verbs[name] = verbs.add_parser(name, help=help_text, parents=[common], lang=lang)
        return top.verbs[name]

    page = top.verbs["app"] = verbs.add_parser("app", help="the page, in a browser", lang=lang)
    page_options(page).set_defaults(json=False, program=f"{top.prog} app")
    _which_models(verb("models", "the catalog, with predicted memory and whether it fits"))
    download = verb("download", "fetch a model, or go on with a download that was cut")
    download.add_argument("model", metavar="MODEL", help="a catalog id or an id of the Hub")
    verb("remove", "take a downloaded model off the disk").add_argument("model", metavar="MODEL")
    move = verb("move", "put a downloaded model into another folder, on another disk for instance")
    for place in ("model", "folder"):
        move.add_argument(place, metavar=place.upper())
    verb("recipes", "the recipes and their settings")
    verb("datasets", "built-in data and yours")
    verb("hardware", "what this machine has")
    plan = verb("plan", "what a run would do: settings, memory, time")
    _choices(plan)
    plan.add_argument("--gpu-memory", type=float, metavar="GB", help="for a card of this size instead of this machine's")
    _choices(verb("rent", "what a run would take and cost on machines that are rented by the minute"))
    check = verb("check", "read data and say what is in it")
    check.add_argument("data", metavar="DATA", help="a built-in set, a local file, or data that was read before")
    check.add_argument("-m", "--model", help="also count the tokens this model would learn")
    _wish_options(check)
    _train(verb("train", "train in the foreground"))
    resume = _resume(_run(verb("resume", "train a run further from its newest whole checkpoint")))
    _run(verb("stop", "stop a run after its step and keep what it has learned"))
    verb("runs", "all runs, newest first").add_argument("--everybody", action="store_true", help="those of all who log in on this machine")
    _run(verb("show", "everything about one run"))
    _run(verb("rename", "give a run another name")).add_argument("name", metavar="NAME")
    _run(verb("delete", "remove a run and all it made"))
    _correction(
        _run(verb("correct", "keep a better answer as a row of a new version of the run's data; `train --continue RUN -d` learns it"))
    )
    chat = _chat(verb("chat", "talk to a run or a model"))
    evaluate = _run(verb("evaluate", "compare a run with its base, on the rows that were held out"))
    evaluate.add_argument("-d", "--data", help="on other data instead: a built-in set, a local file, or data that was read before")
    evaluate.add_argument("--all", action="store_true", help="ask all questions, however long it takes")
    _form(_run(verb("export", "take a result away")))
    _push(_run(verb("push", "have a result on the Hub: private, with its card, in your namespace")))
    pull = verb("pull", "fetch an adapter from the Hub at one version, and its base, to talk to it")
    pull.add_argument("adapter", metavar="OWNER/NAME@REVISION", help="a tag (of a push the run's id), a branch or a commit")
    key = verb("key", "a new API key for other programs, in the place of the one before")
    key.add_argument("--withdraw", action="store_true", help="from now on no program comes in by it")
    for executing in (download, resume, chat, evaluate):
        _remote_code(executing)
    return top


def _said(verb: argparse.ArgumentParser, json: bool | str, lang: str) -> None:
    """How a verb speaks; what counts where nothing is given."""
    verb.add_argument("--json", action="store_true", default=json, help="one JSON document on stdout")
    verb.add_argument("--lang", choices=["auto", *LANGUAGES], default=lang, help="language of the sentences")


def _train(train: argparse.ArgumentParser) -> None:
    _choices(train)
    _wish_options(train)
    train.add_argument("--name", help="what to call the run")
    _rented(train)
    _on_nodes(train)
    train.add_argument("--webhook", metavar="URL", help="tell this address when the run is over (one POST of JSON)")
    train.add_argument(
        "--continue", metavar="RUN", dest="continues", help="begin with what a run (or OWNER/NAME@REVISION) has made, on its data or on -d"
    )
    train.add_argument("--spec", metavar="FILE", help="choices from a YAML file, such as the spec.yaml of a run")


def _resume(resume: argparse.ArgumentParser) -> argparse.ArgumentParser:
    resume.add_argument("--webhook", metavar="URL", help="as of train")
    resume.add_argument("--queued", action="store_true", help=argparse.SUPPRESS)  # of the page, which has taken it from the queue
    _rented(resume)
    _on_nodes(resume)
    return resume


def _correction(correct: argparse.ArgumentParser) -> None:
    correct.add_argument("--prompt", required=True, metavar="TEXT", help="the question that was answered wrong")
    correct.add_argument("--answer", required=True, metavar="TEXT", help="the right answer")
    correct.add_argument("--system", metavar="TEXT", help="the system text before the question")


def _chat(chat: argparse.ArgumentParser) -> argparse.ArgumentParser:
    chat.add_argument(
        "target", metavar="RUN_OR_MODEL", help="RUN@STEP: as it was at a checkpoint; OWNER/NAME@REVISION: an adapter of the Hub"
    )
    chat.add_argument("--base", action="store_true", help="as the model was before the run")
    chat.add_argument("--prompt", help="one question, one answer")
    chat.add_argument("--system", metavar="TEXT", help="the system text before the conversation")
    chat.add_argument("--seed", type=int, help="sample with this seed instead of the likeliest words")
    chat.add_argument("--temperature", type=float, help="sample with this temperature, 0 to 2; 0, or less than 0.01: the likeliest words")
    chat.add_argument("--top-p", type=float, metavar="P", help="sample from the likeliest tokens that have this probability together")
    chat.add_argument("--max-new-tokens", type=int, metavar="N", help="length of an answer, at most (512)")
    chat.add_argument("--strength", type=float, metavar="PERCENT", help="how much of the adapter is added to the base, 0 to 150 (100)")
    return chat


def called() -> str:
    """What somebody typed to get here: the command that a wheel installs, or the module."""
    return "sartoria" if pathlib.PurePath(sys.argv[0]).stem.lower() == "sartoria" else "python -m tuning"


def page_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what the page takes: the same for `python app.py` and for the verb `app`."""
    parser.add_argument("--host", help="address to listen on (default: this machine only; on a Space all)")
    parser.add_argument("--port", type=int, default=PORT, help=f"port to listen on (default: {PORT})")
    parser.add_argument("--share", action="store_true", help="a public link, for whoever has a log-in")
    who = "who may come in, once for each; the first one sees everybody's runs; `auto` makes a log-in and prints it"
    parser.add_argument("--auth", action="append", default=[], metavar="USER:PASSWORD", help=who)
    parser.add_argument("--auth-file", metavar="FILE", help="a file with a line USER:PASSWORD for each who may come in")
    parser.add_argument("--open-class", action="store_true", help="the first log-in is a whole class's: each types a name of their own")
    parser.add_argument("--public-url", metavar="URL", help="the address under which a proxy shows the page")
    unsaid = argparse.SUPPRESS  # not given here: as before the verb
    first = "language of the first page (default: the browser's)"
    parser.add_argument("--lang", choices=("auto", *LANGUAGES), default=unsaid, help=first)
    home = "where runs and data are kept (default: TUNING_HOME or the user's data folder)"
    parser.add_argument("--home", metavar="DIR", default=unsaid, help=home)
    parser.add_argument("--webhook", metavar="URL", help="tell this address when a run is over (one POST of JSON)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument("--allow-remote-code", metavar="ID@REVISION", help=REMOTE_CODE)
    return parser


def _form(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--to", default="adapter", metavar="FORM",
        help="adapter (a zip for PEFT; default), merged (a model by itself, for transformers), gguf (one file for llama.cpp, LM Studio), "
        "ollama (into the Ollama of this machine; where none answers, a folder for one elsewhere) "
        "or bundle (trains again with trl and peft alone)",
    )  # fmt: skip
    verb.add_argument("--type", choices=("f16", "bf16", "q8_0"), help="how gguf keeps the weights (f16)")
    verb.add_argument("--quantize", metavar="NAME", help="what Ollama makes of the weights: q4_K_M (default), q4_K_S, q8_0 or none")
    verb.add_argument("--name", help="what Ollama is to call the model (default: as the run)")
    verb.add_argument("--ollama", metavar="ADDRESS", help="where Ollama answers (http://127.0.0.1:11434); none: the folder in any case")
    verb.add_argument("--no-check", action="store_true", help="do not compare an adapter with the live model, in processes of their own")
    verb.add_argument(
        "--out", required=True, metavar="PATH", help="a file or, for all but adapter, a new folder (or a .zip); or a folder to put it in"
    )


def _push(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--repo", default="", metavar="ID", help="NAME or OWNER/NAME (default: as the run, in your own namespace)")
    verb.add_argument("--revision", default="", metavar="NAME", help="the branch that the commit goes to (main)")
    verb.add_argument("--to", default="adapter", metavar="FORM", help="adapter (default), or gguf: one file for `ollama run hf.co/…`")
    verb.add_argument("--type", choices=("f16", "bf16", "q8_0"), default="", help="how gguf keeps the weights (f16)")
    verb.add_argument("--public", action="store_true", help="for everybody to see")
    verb.add_argument("--no-check", action="store_true", help="as of export")


def _which_models(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--goal", help="for what")
    verb.add_argument("--gpu-memory", type=float, metavar="GB", help="for a card of this size instead of this machine's")
    verb.add_argument("--search", metavar="WORDS", help="models of the Hub with these words in their name instead")
    verb.add_argument("--downloaded", action="store_true", help="those that were downloaded instead, with their size")


def _remote_code(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--allow-remote-code", metavar="ID@REVISION", help=REMOTE_CODE)


def _choices(verb: argparse.ArgumentParser) -> None:
    _remote_code(verb)
    verb.add_argument("-m", "--model", help="a catalog id, an id of the Hub or a local folder (default: the recipe's, else the starter)")
    verb.add_argument("-d", "--data", help="a built-in set, a local file, or data that was read before")
    verb.add_argument("-r", "--recipe", help="a recipe's name (default: facts)")
    verb.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes", help="change one setting")
    verb.add_argument("--chat-template", metavar="FILE", help="a Jinja template to learn and ask by, in the place of the model's own")


def _rented(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--rent", metavar="FLAVOUR", help="on a machine of Hugging Face Jobs, by the name that the verb `rent` lists")
    verb.add_argument("--max-cost", type=float, metavar="USD", help="the highest price, then it ends (default: about twice the forecast)")
    verb.add_argument("--yes", action="store_true", help="yes, model and data may leave this machine for the rented one, and it costs")


def _on_nodes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--nodes", type=int, metavar="N", help="on N machines together: print the line that is typed on each of them")


def _wish_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--map", action="append", default=[], metavar="TARGET=COLUMN", help="which column is what")
    verb.add_argument("--repair", action="append", default=[], metavar="NAME", help=f"mend the rows: {', '.join(REPAIRS)}, or system=TEXT")
    verb.add_argument(
        "--validation",
        action="append",
        default=[],
        metavar="FILE",
        help="rows to check with, in a file of their own or a part of a data set of the Hub (id:config:split)",
    )
    verb.add_argument("--rows", type=int, metavar="N", help="only the first N rows")


def _run(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    verb.add_argument("run", metavar="RUN", help="a run's id, a unique beginning of it, or `last`")
    return verb
