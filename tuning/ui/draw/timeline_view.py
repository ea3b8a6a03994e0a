"""The answers that a run gave on the way, as HTML: a row of moments, and under each question a column from the base to now.

Pure functions of what `Runs.show` returns, and the script that keeps the chosen moment and the open questions when the
page draws anew. Nothing is asked of a model here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t
from tuning.ui.markup import Html, html, joined

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


def timeline(run: Mapping[str, Any], lang: str, place: str) -> Html:
    """What a run answered so far; nothing where it was not asked yet. `place` tells two timelines of one page apart."""
    samples: Sequence[Mapping[str, Any]] = run.get("samples") or []
    if not samples:
        return Html()
    moments = [(record["step"], _moment(record["step"], run["total_steps"], lang)) for record in samples]
    points = joined(
        html(
            '<label><input type="radio" name="moment-{place}" value="{step}"{mark}><span>{name}</span></label>',
            place=place,
            step=step,
            mark=" checked" if step == moments[-1][0] else "",
            name=name,
        )
        for step, name in moments
    )
    asked = joined(_question(samples, moments, number, lang) for number in range(len(samples[-1]["answers"])))
    return html(
        '<section class="timeline" data-run="{run}"><h3>{title}</h3><p class="hint">{hint}</p>'
        '<fieldset class="moments num">'
        '<legend class="visually-hidden">{moment}</legend>{points}</fieldset>{asked}</section>',
        run=run["run"],
        title=t(lang, "ui.timeline.title"),
        hint=t(lang, "ui.timeline.hint"),
        moment=t(lang, "ui.timeline.moment"),
        points=points,
        asked=asked,
    )


def _moment(step: int, total: int, lang: str) -> str:
    return f"{round(100 * step / max(1, total))}%" if step else t(lang, "ui.timeline.before")


def _question(samples: Sequence[Mapping[str, Any]], moments: Sequence[tuple[int, str]], number: int, lang: str) -> Html:
    """One question: its answers from the base to now, and the one in the data."""
    last = samples[-1]["answers"][number]
    lines = Html()
    for record, (step, name) in zip(samples, moments, strict=True):
        if number < len(record["answers"]):
            shown = html(' class="now"') if step == moments[-1][0] else ""
            said = record["answers"][number]["answer"] or t(lang, "ui.timeline.silent")
            lines += html(
                '<li data-step="{step}"{shown}><small class="num">{name}</small><p>{said}</p></li>',
                step=step,
                shown=shown,
                name=name,
                said=said,
            )
    general = last.get("general", False)
    if last["reference"]:
        label = t(lang, "ui.timeline.right" if general else "ui.timeline.reference")
        lines += html('<li class="reference"><small>{label}</small><p>{reference}</p></li>', label=label, reference=last["reference"])
    note = html(' <span class="soft">{general}</span>', general=t(lang, "ui.timeline.general")) if general else ""
    opened = " open" if number == 0 else ""
    summary = html("<summary><q>{prompt}</q>{note}</summary>", prompt=last["prompt"], note=note)
    return html(
        '<details data-prompt="{number}"{opened}>{summary}<ol>{lines}</ol></details>',
        number=number,
        opened=opened,
        summary=summary,
        lines=lines,
    )
