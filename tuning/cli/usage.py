"""What was typed wrong, in one sentence and in the language that was asked for, where argparse has three lines of its own in English.

The options themselves stand in `options`; what is wrong with their values beyond a number's form is told by whoever takes them.
"""

import argparse
import difflib
import itertools
import locale
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from tuning.text import LANGUAGES, t

# What argparse says of a fault, by the sentence that says it here; the first that fits counts.
FAULTS = {
    "cli.usage.verb": r"argument VERB: invalid choice: (?P<word>'.*?'|\".*?\")[ ,].*",
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


class Parser(argparse.ArgumentParser):
    """argparse's, with one sentence for a fault. `lang` is its language; exit code 2, as argparse has it."""

    def __init__(self, *arguments: Any, lang: str = "en", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lang = lang
        self.verbs: dict[str, Parser] = {}

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
