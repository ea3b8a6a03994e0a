"""The options of the command line: the verbs and what they take. Nothing is done here.

What each is for is said in the language files, found by its name: of a verb as `cli.verb.train`; of an option as `cli.help.correct.prompt`,
of one verb alone, else as `cli.help.rows`; and what stands for its value, by its name or by `metavar`, as `cli.value.number`.
"""

import argparse

from tuning.cli.usage import Parser
from tuning.data.records import REPAIRS
from tuning.text import LANGUAGES, called, t

PORT = 7860


def parser(lang: str = "en") -> Parser:
    """The whole command line, with its help and what was typed wrong in `lang`."""
    top = Parser(prog=called(), description=t(lang, "cli.program"), lang=lang)
    top.add_argument("--home")
    _said(top, json=False, lang="auto")
    verbs = top.add_subparsers(dest="verb", required=True, metavar=t(lang, "cli.value.verb"))

    def verb(name: str) -> Parser:
        said = t(lang, f"cli.verb.{name}")
        top.verbs[name] = verbs.add_parser(name, help=said, description=f"{said[0].upper()}{said[1:]}.", lang=lang, verb=name)
        if name != "app":
            _said(top.verbs[name], json=argparse.SUPPRESS, lang=argparse.SUPPRESS)  # not given after the verb: as before
        return top.verbs[name]

    _page(verb("app")).set_defaults(json=False, program=f"{top.prog} app")
    _which_models(verb("models"))
    download = verb("download")
    for one in (download, verb("remove"), verb("move")):
        one.add_argument("model")
    top.verbs["move"].add_argument("folder")
    verb("recipes")
    verb("datasets")
    verb("hardware")
    _choices(verb("plan")).add_argument("--gpu-memory", type=float, metavar="gigabytes")
    _choices(verb("rent"))
    _check(verb("check"))
    _train(verb("train"))
    resume = _resume(_run(verb("resume")))
    _run(verb("stop"))
    verb("runs").add_argument("--everybody", action="store_true")
    _run(verb("show"))
    _run(verb("rename")).add_argument("name")
    _run(verb("delete"))
    _correction(_run(verb("correct")))
    chat = _chat(verb("chat"))
    evaluate = _run(verb("evaluate"))
    evaluate.add_argument("-d", "--data")
    evaluate.add_argument("--all", action="store_true")
    _form(_run(verb("export")))
    _push(_run(verb("push")))
    verb("pull").add_argument("adapter")
    verb("key").add_argument("--withdraw", action="store_true")
    for executing in (download, resume, chat, evaluate):
        _remote_code(executing)
    return top


def page_parser(lang: str) -> Parser:
    """The command line of `python app.py`, which takes what the verb `app` takes."""
    page = _page(Parser(prog="python app.py", description=t(lang, "cli.program.page"), lang=lang, verb="app"))
    page.set_defaults(home=None, lang="auto", program="python app.py")
    return page


def _said(verb: Parser, json: bool | str, lang: str) -> None:
    """How a verb speaks; what counts where nothing is given."""
    verb.add_argument("--json", action="store_true", default=json)
    verb.add_argument("--lang", choices=["auto", *LANGUAGES], default=lang)


def _page(page: Parser) -> Parser:
    page.add_argument("--host")
    page.add_argument("--port", type=int, default=PORT, filled={"port": PORT})
    page.add_argument("--share", action="store_true")
    page.add_argument("--auth", action="append", default=[])
    page.add_argument("--auth-file", metavar="file")
    page.add_argument("--open-class", action="store_true")
    page.add_argument("--public-url", metavar="url")
    page.add_argument("--lang", choices=("auto", *LANGUAGES), default=argparse.SUPPRESS)  # not given here: as before the verb
    page.add_argument("--home", default=argparse.SUPPRESS)
    page.add_argument("--webhook", metavar="url")
    page.add_argument("--no-browser", action="store_true")
    _remote_code(page)
    return page


def _which_models(verb: Parser) -> None:
    verb.add_argument("--goal")
    verb.add_argument("--gpu-memory", type=float, metavar="gigabytes")
    verb.add_argument("--search", metavar="words")
    verb.add_argument("--downloaded", action="store_true")


def _check(check: Parser) -> None:
    check.add_argument("data")
    check.add_argument("-m", "--model")
    _wish_options(check)


def _train(train: Parser) -> None:
    _choices(train)
    _wish_options(train)
    train.add_argument("--name")
    _rented(train)
    _on_nodes(train)
    train.add_argument("--webhook", metavar="url")
    train.add_argument("--continue", metavar="run", dest="continues")
    train.add_argument("--spec", metavar="file")


def _resume(resume: Parser) -> Parser:
    resume.add_argument("--webhook", metavar="url")
    resume.add_argument("--queued", action="store_true", help=argparse.SUPPRESS)  # of the page, which has taken it from the queue
    _rented(resume)
    _on_nodes(resume)
    return resume


def _correction(correct: Parser) -> None:
    correct.add_argument("--prompt", required=True, metavar="text")
    correct.add_argument("--answer", required=True, metavar="text")
    correct.add_argument("--system", metavar="text")


def _chat(chat: Parser) -> Parser:
    chat.add_argument("target", metavar="speaker")
    chat.add_argument("--base", action="store_true")
    chat.add_argument("--prompt", metavar="text")
    chat.add_argument("--system", metavar="text")
    chat.add_argument("--seed", type=int, metavar="number")
    chat.add_argument("--temperature", type=float)
    chat.add_argument("--top-p", type=float)
    chat.add_argument("--max-new-tokens", type=int, metavar="number")
    chat.add_argument("--strength", type=float, metavar="percent")
    return chat


def _form(verb: Parser) -> None:
    verb.add_argument("--to", default="adapter", metavar="form")
    verb.add_argument("--type", choices=("f16", "bf16", "q8_0"))
    verb.add_argument("--quantize", metavar="name")
    verb.add_argument("--name")
    verb.add_argument("--ollama", metavar="address")
    verb.add_argument("--no-check", action="store_true")
    verb.add_argument("--out", required=True, metavar="path")


def _push(verb: Parser) -> None:
    verb.add_argument("--repo", default="")
    verb.add_argument("--revision", default="", metavar="name")
    verb.add_argument("--to", default="adapter", metavar="form")
    verb.add_argument("--type", choices=("f16", "bf16", "q8_0"), default="")
    verb.add_argument("--public", action="store_true")
    verb.add_argument("--no-check", action="store_true")


def _remote_code(verb: Parser) -> None:
    verb.add_argument("--allow-remote-code", metavar="pinned")


def _choices(verb: Parser) -> Parser:
    _remote_code(verb)
    verb.add_argument("-m", "--model")
    verb.add_argument("-d", "--data")
    verb.add_argument("-r", "--recipe")
    verb.add_argument("--set", action="append", default=[], dest="changes")
    verb.add_argument("--chat-template", metavar="file")
    return verb


def _rented(verb: Parser) -> None:
    verb.add_argument("--rent", metavar="flavour")
    verb.add_argument("--max-cost", type=float, metavar="dollars")
    verb.add_argument("--yes", action="store_true")


def _on_nodes(verb: Parser) -> None:
    verb.add_argument("--nodes", type=int, metavar="number")


def _wish_options(verb: Parser) -> None:
    verb.add_argument("--map", action="append", default=[])
    verb.add_argument("--repair", action="append", default=[], metavar="name", filled={"repairs": ", ".join(REPAIRS)})
    verb.add_argument("--validation", action="append", default=[], metavar="file")
    verb.add_argument("--rows", type=int, metavar="number")


def _run(verb: Parser) -> Parser:
    verb.add_argument("run")
    return verb
