"""The answers that a run gave on the way, as HTML: a row of moments, and under each question a column from the base to now.

Pure functions of what `Runs.show` returns, and the script that keeps the chosen moment and the open questions when the
page draws anew. Nothing is asked of a model here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t
from tuning.ui.view import escape

# For the component that holds a timeline. Without a choice the newest moment is shown, also when a newer one comes.
KEEPS = """
let run = null, chosen = null, open = {};
const draw = () => {
  const root = element.querySelector(".timeline");
  if (!root) return;
  if (root.dataset.run !== run) { run = root.dataset.run; chosen = null; open = {}; }
  const moments = [...root.querySelectorAll("input")];
  const now = moments.find((one) => one.value === chosen) || moments[moments.length - 1];
  now.checked = true;
  root.querySelectorAll("[data-step]").forEach((line) => line.classList.toggle("now", line.dataset.step === now.value));
  root.querySelectorAll("details").forEach((fold) => { if (fold.dataset.prompt in open) fold.open = open[fold.dataset.prompt]; });
};
const choose = (step) => {
  const moments = [...element.querySelectorAll(".timeline input")];
  chosen = step === moments[moments.length - 1].value ? null : step;
  draw();
};
element.addEventListener("change", (event) => { if (event.target.matches(".timeline input")) choose(event.target.value); });
element.addEventListener("click", (event) => {
  const summary = event.target.closest(".timeline summary"), line = event.target.closest(".timeline [data-step]");
  if (summary) open[summary.parentElement.dataset.prompt] = !summary.parentElement.open;
  if (line && !String(getSelection())) choose(line.dataset.step);
});
watch("value", draw);
draw();
"""


def timeline(run: Mapping[str, Any], lang: str, place: str) -> str:
    """What a run answered so far; nothing where it was not asked yet. `place` tells two timelines of one page apart."""
    samples: Sequence[Mapping[str, Any]] = run.get("samples") or []
    if not samples:
        return ""
    moments = [(record["step"], _moment(record["step"], run["total_steps"], lang)) for record in samples]
    points = "".join(
        f'<label><input type="radio" name="moment-{place}" value="{step}"{" checked" if step == moments[-1][0] else ""}>'
        f"<span>{escape(name)}</span></label>"
        for step, name in moments
    )
    asked = "".join(_question(samples, moments, number, lang) for number in range(len(samples[-1]["answers"])))
    return (
        f'<section class="timeline" data-run="{escape(run["run"])}"><h3>{escape(t(lang, "ui.timeline.title"))}</h3>'
        f'<p class="hint">{escape(t(lang, "ui.timeline.hint"))}</p><fieldset class="moments num">'
        f'<legend class="visually-hidden">{escape(t(lang, "ui.timeline.moment"))}</legend>{points}</fieldset>{asked}</section>'
    )


def _moment(step: int, total: int, lang: str) -> str:
    return f"{round(100 * step / max(1, total))}%" if step else t(lang, "ui.timeline.before")


def _question(samples: Sequence[Mapping[str, Any]], moments: Sequence[tuple[int, str]], number: int, lang: str) -> str:
    """One question: its answers from the base to now, and the one in the data."""
    last = samples[-1]["answers"][number]
    lines = ""
    for record, (step, name) in zip(samples, moments, strict=True):
        if number < len(record["answers"]):
            shown = ' class="now"' if step == moments[-1][0] else ""
            said = record["answers"][number]["answer"] or t(lang, "ui.timeline.silent")
            lines += f'<li data-step="{step}"{shown}><small class="num">{escape(name)}</small><p>{escape(said)}</p></li>'
    general = last.get("general", False)
    if last["reference"]:
        label = t(lang, "ui.timeline.right" if general else "ui.timeline.reference")
        lines += f'<li class="reference"><small>{escape(label)}</small><p>{escape(last["reference"])}</p></li>'
    note = f' <span class="soft">{escape(t(lang, "ui.timeline.general"))}</span>' if general else ""
    opened = " open" if number == 0 else ""
    summary = f"<summary><q>{escape(last['prompt'])}</q>{note}</summary>"
    return f'<details data-prompt="{number}"{opened}>{summary}<ol>{lines}</ol></details>'
