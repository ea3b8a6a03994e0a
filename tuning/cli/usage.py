"""How the command line is used, in the language that was asked for: its help, and one sentence for what was typed wrong.

The words are those of the language files, found by the names of verbs and options, where argparse has its own in English. The options
themselves stand in `options`; what is wrong with their values beyond a number's form is told by whoever takes them.
"""

import argparse
import difflib
import functools
import itertools
import locale
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tuning.text import LANGUAGES, t, table

# What argparse says of a fault, by the sentence that says it here; the first that fits counts.
FAULTS = {
    "cli.usage.verb": r"argument (?!-)\S+: invalid choice: (?P<word>'.*?'|\".*?\")[ ,].*",
    "cli.usage.choice": r"argument (?P<option>.+?): invalid choice: (?P<word>'.*?'|\".*?\").*\(choose from (?P<allowed>.*)\)",
    "cli.usage.whole": r"argument (?P<option>.+?): invalid int value: (?P<word>.*)",
    "cli.usage.number": r"argument (?P<option>.+?): invalid float value: (?P<word>.*)",
    "cli.usage.value": r"argument (?P<option>.+?): expected .*argument.*",
    "cli.usage.no_value": r"argument (?P<option>.+?): ignored explicit argument .*",
    "cli.usage.required": r"the following arguments are required: (?P<names>.*)",
    "cli.usage.unknown": r"unrecognized arguments: (?P<words>.*)",
    "cli.usage.ambiguous": r"ambiguous option: (?P<word>.+?) could match (?P<allowed>.*)",
    "cli.usage.other": r"(?P<fault>.*)",
}


def spoken(words: Sequence[str]) -> str:
    """The language that the words of a command line ask for by `--lang`, else the machine's; English where it speaks another."""
    asked = [word.removeprefix("--lang=") for word in words if word.startswith("--lang=")]
    asked += [after for word, after in itertools.pairwise(words) if word == "--lang"]
    if asked and asked[-1] in LANGUAGES:
        return asked[-1]
    known = (locale.getlocale()[0] or "").lower()
    return "it" if known.startswith(("it_", "italian")) else "en"


class HelpLayout(argparse.HelpFormatter):
    """argparse's, with the word that begins a help in `lang`."""

    def __init__(self, prog: str, lang: str) -> None:
        super().__init__(prog)
        self.lang = lang

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, f"{t(self.lang, 'cli.words.usage')} " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """argparse's, of one `verb` or of a whole program, in the language `lang`: its help, and one sentence for a fault. Exit code 2, as
    argparse has it.
    """

    def __init__(self, prog: str, lang: str = "en", verb: str = "", **options: Any) -> None:
        super().__init__(prog, add_help=False, formatter_class=functools.partial(HelpLayout, lang=lang), **options)
        self.lang, self.verb = lang, verb
        self.verbs: dict[str, Parser] = {}
        self._positionals.title, self._optionals.title = t(lang, "cli.words.arguments"), t(lang, "cli.words.options")
        self.add_argument("-h", "--help", action="help")

    def add_argument(self, *names: str, filled: Mapping[str, object] | None = None, **how: Any) -> argparse.Action:
        """Take an option or an argument, with its help and what stands for its value, both found by its name.

        `metavar` names another value than the option's own; `filled` is for the placeholders of the help. Raises KeyError where the
        language files have no words for it.
        """
        name = names[-1].lstrip("-").replace("-", "_")
        if "help" not in how:
            how["help"] = self._text(name, filled or {}).replace("%", "%%")
        if "choices" not in how and how.get("action") in (None, "append"):
            how["metavar"] = t(self.lang, f"cli.value.{how.get('metavar', name)}")
        return super().add_argument(*names, **how)

    def _text(self, name: str, filled: Mapping[str, object]) -> str:
        """The help of an option: as this verb has it, else as all have it."""
        own = f"cli.help.{self.verb}.{name}"
        return t(self.lang, own if own in table(self.lang) else f"cli.help.{name}", **filled)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's; what nobody knows is told by the verb that it was typed for."""
        known, rest = self.parse_known_args(args, namespace)
        if rest:
            self.verbs.get(getattr(known, "verb", ""), self).error(f"unrecognized arguments: {' '.join(rest)}")
        return known

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words that were typed, and leave with exit code 2."""
        code, found = next((code, match) for code, form in FAULTS.items() if (match := re.fullmatch(form, message, re.DOTALL)))
        said = {key: value.strip("'\"")[:200] for key, value in found.groupdict().items()}
        if "allowed" in said:
            said["allowed"] = said["allowed"].replace("'", "")
        nearest = difflib.get_close_matches(said.get("word", ""), self.verbs, 1, 0.5) if code == "cli.usage.verb" else []
        if nearest:
            code, said["nearest"] = "cli.usage.nearest", nearest[0]
        self.exit(2, t(self.lang, code, prog=self.prog, **said) + "\n")
