"""Languages in step: same keys, same placeholders, none missing, none unused, and all codes have words."""

import pathlib
import re
import string
import sys

import pytest

from tuning import text

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "app.py", *(ROOT / "tuning").rglob("*.py")])
CODE = re.compile(r'''(?:Error|Notice)\(\s*(?:code=)?f?"([a-z_.]+)"''')


def placeholders(line: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(line) if name}


def test_same_keys_and_placeholders() -> None:
    english, italian = text.table("en"), text.table("it")
    assert english.keys() == italian.keys()
    different = [key for key in english if placeholders(english[key]) != placeholders(italian[key])]
    assert not different
    assert all(placeholders(english[key]) <= placeholders(english[key.removesuffix(".one")]) for key in english if key[:-4] in english)


def test_where_one_is_counted_the_line_for_one_is_taken() -> None:
    assert text.t("it", "ui.data.rows", rows="1") == "una riga" and text.t("it", "ui.data.rows", rows="21") == "21 righe"
    told = text.say("en", "plan.batch", {"batch": 1, "accumulation": 1, "rows": 1})
    assert (
        told.endswith("each step learns from one row") and text.say("en", "plan.batch", {"batch": 1, "accumulation": 2, "rows": 2}) != told
    )
    assert text.t("it", "ui.slip.rows_limited", rows="1.000") == "al massimo 1.000 delle sue righe"


# Lines whose number is never one: several cards, ticks or names; a bound or a sample of ours.
SEVERAL = re.compile(
    r"data\.(?:system|check\.(?:contradictions|few)|hub\.large)|hardware\.several|plan\.processes|run\.ambiguous|v1\.busy"
    r"|quota\.(?:runs|full)|ui\.(?:cards\.\w+\.\w+|data\.sampled|runs\.(?:ticked\.\w+|delete\.sure_many)|compare\.title\.many|report\.ask_all)"
)
COUNTED = {  # a number that agrees with a word beside it
    "en": r"\{{{0}\}} (?!in |of |on |the )[a-z]",
    "it": r"\b(?:[Aa]ltr[ei]|[Ii]|le) \{{{0}\}}|\{{{0}\}} (?!nella |delle |su |uguali )[a-z]",
}


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_what_can_count_one_has_a_line_for_one(lang: str) -> None:
    """ "1 rows" is said nowhere: beside a line that says how many of what, there is one for one, or the number stands by itself."""
    lines = text.table(lang)
    speaking = {key: "count" if "count" in placeholders(line) else "rows" for key, line in lines.items()}
    several = {key for key, name in speaking.items() if re.search(COUNTED[lang].format(name), lines[key])}
    assert not {key for key in several if f"{key}.one" not in lines and key[-4:] != ".one" and not SEVERAL.fullmatch(key)}


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_no_key_stands_twice(lang: str) -> None:
    lines = (text.HERE / f"{lang}.yaml").read_text(encoding="utf-8").splitlines()
    keys = [line.split(":")[0] for line in lines if line[:1].isalpha()]
    assert sorted(keys) == sorted(set(keys))


# Words that say the same as another one, by language, and the one that is used; marks that belong to another language.
STRANGERS = {
    "it": r"[’“”]|adattator|cancell[aei]|[Ss]chema di conversazione|modello di (?:chat|conversazione)|impacchettat|[0-9}] %"
    r"|relazione|modello (?:di partenza|base\b)|(?<!{)\blayer\b|[Rr]ighe di verifica|learning rate|punt[oi] di salvataggio|\bverbo\b",
    "en": r"[«»]|’|\banew\b|\bin some minutes\b|\bGo on”|[0-9}] %",
}
PLACES = {"it": r"(?:[Ss]cheda|[Ss]otto) ([A-Z][a-z]+)", "en": r"\b([A-Z][a-z]+) tab\b|\b[Uu]nder ([A-Z][a-z]+)"}


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_one_thing_has_one_name(lang: str) -> None:
    """Gradio's own words aside, and what the libraries call a thing."""
    ours = {key: line for key, line in text.table(lang).items() if not key.startswith("gradio.")}
    assert not {key: line for key, line in ours.items() if re.search(STRANGERS[lang], line)}
    tabs = {text.t(lang, f"ui.tab.{tab}") for tab in ("model", "data", "train", "chat", "runs")}
    named = {name for line in ours.values() for names in re.findall(PLACES[lang], line) for name in ([names] if lang == "it" else names)}
    assert named - {""} <= tabs


def test_every_code_has_words() -> None:
    known = text.table("en")
    missing = {code for code in CODE.findall(SOURCE) if code not in known}
    assert not missing


def test_no_line_is_unused() -> None:
    named = set(re.findall(r'"[\w.]+"', SOURCE))
    prefixes = tuple(re.findall(r'f"([a-z_.]+[._])\{', SOURCE))
    lines = {key: key.removesuffix(".one") for key in text.table("en")}  # `t` itself takes the one for one
    unused = [key for key, line in lines.items() if not {f'"{key}"', f'"{line}"'} & named and not key.startswith(prefixes)]
    assert not unused


@pytest.mark.parametrize(("lang", "expected"), [("en", "1,930.50"), ("it", "1.930,50")])
def test_numbers_take_the_language_s_separators(lang: str, expected: str) -> None:
    assert text.number(1930.5, lang, 2) == expected


ELSEWHERE = {"v1.key", "order.file.head"}  # read by another program, and in a file


@pytest.mark.parametrize("lang", text.LANGUAGES)
@pytest.mark.parametrize(("script", "named"), [("/usr/bin/sartoria", "sartoria"), ("/x/tuning/__main__.py", "python -m tuning")])
def test_a_command_to_type_is_named_as_this_one_was_typed(script: str, named: str, lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [script])
    said = text.say(lang, "pull.not_here", {"target": "a/b@main"})
    assert f"`{named} pull a/b@main`" in said
    assert {key for key, line in text.table(lang).items() if "python -m tuning" in line} == ELSEWHERE
