"""For those whose tuning service closes: which file to bring, what of it carries over, which model is near and what it takes here.

HTML only; `docs/moving.md` says it at length. A press of a model is heard as ("near", its id).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t
from tuning.ui.view import duration, escape, size

FROM = ("openai", "gemini", "mistral")
NEAR = {  # a model of the catalog, and whom it is near to
    "Qwen/Qwen3-4B-Instruct-2507": "small",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistral",
    "Qwen/Qwen3-8B": "thinks",
    "Qwen/Qwen3-1.7B": "thinks_small",
}


def card(models: Sequence[Mapping[str, Any]], chosen: str | None, lang: str) -> str:
    """The whole, folded. `models` as the catalog has them for this machine, `chosen` the one that is to be trained."""
    entries = {entry["id"]: entry for entry in models}
    files = "".join(f"<dt>{escape(t(lang, f'ui.moving.{name}'))}</dt><dd>{escape(t(lang, f'ui.moving.{name}.file'))}</dd>" for name in FROM)
    near = "".join(_near(entries[id], kind, id == chosen, lang) for id, kind in NEAR.items() if id in entries)
    title, hint, models_title = (escape(t(lang, f"ui.moving.{part}")) for part in ("title", "hint", "near"))
    return (
        f'<details class="more moving" data-fold="moving"><summary>{title}</summary><p class="hint">{hint}</p><dl>{files}</dl>'
        f"<h4>{models_title}</h4><ul>{near}</ul></details>"
    )


def _near(entry: Mapping[str, Any], kind: str, chosen: bool, lang: str) -> str:
    """A model with what it takes on this machine, and the button that chooses it."""
    takes = [t(lang, "ui.model.memory", memory=size(entry["predicted_peak_bytes"], lang))] if entry["predicted_peak_bytes"] else []
    if not entry["fits"]:
        takes.append(t(lang, "ui.moving.too_large"))
    elif entry["seconds"]:
        takes.append(t(lang, "ui.model.seconds", duration=duration(entry["seconds"], lang)))
    said = escape(" · ".join([t(lang, f"ui.moving.near.{kind}"), *takes]))
    mark = "✓ " if chosen else ""
    button = f'<button type="button" class="mend" data-do="near" data-value="{escape(entry["id"])}">{mark}{escape(entry["title"])}</button>'
    return f"<li>{button} <span>{said}</span></li>"
