"""What a verb has found, as text: one JSON document for programs, or lines for people. Nothing is printed here."""

import json
from typing import Any

import yaml

from tuning.schema import UNREADABLE
from tuning.text import number, say, t, unused
from tuning.ui.draw import offers as ways
from tuning.ui.draw import report_view

GIB = 2**30


def text_of(document: Any, as_json: bool, lang: str) -> str:
    """What a verb has found as one line of JSON, or as lines and YAML for people; nothing for None."""
    if document is None:
        return ""
    text = json.dumps(document, ensure_ascii=False, default=str)
    if as_json:
        return f"{text}\n"
    if isinstance(document, list):
        rows = [_row(entry, lang) for entry in document] or [t(lang, "cli.none")]
        return "".join(f"{row}\n" for row in rows)
    if list(document) == ["lines"]:  # to be copied
        return "".join(f"{line}\n" for line in document["lines"])
    notices = [*document.pop("faults", []), *document.pop("notices", []), *document.pop("findings", [])]
    tokens = document.get("tokens")
    notices += tokens.get("notices", []) if isinstance(tokens, dict) else []
    left = unused(lang, document.pop("unused", []))
    offered = ways.lines(document, lang) if document.get("offers") else []
    for key in ("offer", "offers"):
        document.pop(key, None)
    shown = {key: value for key, value in json.loads(text).items() if key in document}
    if shown.get("evaluation"):
        shown["evaluation"] = report_view.spoken(shown["evaluation"], lang)
    said = [f"- {line}" for line in (*(_notice(notice, lang) for notice in notices), left) if line]
    document_text: str = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)
    return document_text + "".join(f"{line}\n" for line in (*said, *offered))


def _notice(notice: dict[str, Any], lang: str) -> str:
    """A sentence, and after it the option that mends what it says of rows."""
    told, repair = say(lang, notice["code"], notice["params"]), notice["params"].get("repair")
    return f"{told} {t(lang, 'cli.repair', repair=repair)}" if repair else told


def _row(entry: dict[str, Any], lang: str) -> str:
    """One line about a model, a recipe, data or a run."""
    name = entry.get("run") or entry["id"]
    if entry.get("status") == UNREADABLE:
        faults = "  ".join(say(lang, fault["code"], fault["params"]) for fault in entry["faults"])
        return f"{name}  {t(lang, 'ui.status.unreadable')}  {faults}"
    if "status" in entry:
        place = t(lang, "cli.place", place=str(entry["place"])) if entry["place"] else ""
        return f"{name}  {entry['status']}{place}  {entry['step']}/{entry['total_steps']}  {entry.get('name') or entry['owner']}"
    if "predicted_peak_bytes" in entry:
        gib = number(entry["predicted_peak_bytes"] / GIB, lang, 1)
        fits = t(lang, "cli.fits" if entry["fits"] else "cli.no_fit")
        return f"{name}  {number(entry['parameters'] / 1e6, lang, 1)} M  {gib} GiB  {fits}"
    title = entry.get("title")
    words = title[lang] if isinstance(title, dict) else title or entry.get("name", "")
    return f"{name}  {words}"
