"""For those whose tuning service closes: which file to bring, what of it carries over, which model is near and what it takes here.

HTML only; `docs/moving.md` says it at length. A press of a model is heard as ("near", its id).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, size

FROM = ("openai", "gemini", "mistral")
NEAR = {  # a model of the catalog, and whom it is near to
    "Qwen/Qwen3-4B-Instruct-2507": "small",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistral",
    "Qwen/Qwen3-8B": "thinks",
    "Qwen/Qwen3-1.7B": "thinks_small",
}


def card(models: Sequence[Mapping[str, Any]], chosen: str | None, lang: str) -> Html:
    """The whole, folded. `models` as the catalog has them for this machine, `chosen` the one that is to be trained."""
    entries = {entry["id"]: entry for entry in models}
    files = joined(
        html("<dt>{moving}</dt><dd>{file}</dd>", moving=t(lang, f"ui.moving.{name}"), file=t(lang, f"ui.moving.{name}.file"))
        for name in FROM
    )
    near = joined(_near(entries[id], kind, id == chosen, lang) for id, kind in NEAR.items() if id in entries)
    title, hint, models_title = (t(lang, f"ui.moving.{part}") for part in ("title", "hint", "near"))
    return html(
        '<details class="more moving" data-fold="moving"><summary>{title}</summary><p class="hint">{hint}</p>'
        "<dl>{files}</dl><h4>{models_title}</h4><ul>{near}</ul></details>",
        title=title,
        hint=hint,
        files=files,
        models_title=models_title,
        near=near,
    )


def _near(entry: Mapping[str, Any], kind: str, chosen: bool, lang: str) -> Html:
    """A model with what it takes on this machine, and the button that chooses it."""
    takes = [t(lang, "ui.model.memory", memory=size(entry["predicted_peak_bytes"], lang))] if entry["predicted_peak_bytes"] else []
    if not entry["fits"]:
        takes.append(t(lang, "ui.moving.too_large"))
    elif entry["seconds"]:
        takes.append(t(lang, "ui.model.seconds", duration=duration(entry["seconds"], lang)))
    said = " · ".join([t(lang, f"ui.moving.near.{kind}"), *takes])
    mark = "✓ " if chosen else ""
    button = html(
        '<button type="button" class="mend" data-do="near" data-value="{id}">{mark}{title}</button>',
        id=entry["id"],
        mark=mark,
        title=entry["title"],
    )
    return html("<li>{button} <span>{said}</span></li>", button=button, said=said)
