"""The page of a watch link, and the box beside a run in which its owner gives and withdraws one.

Pure functions of what `Links` returns; a page of its own, without Gradio and for readers of both languages. It changes nothing, and asks
no other host for anything.
"""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jinja2

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.pictures import curve
from tuning.ui.draw.progress import bar, line, status
from tuning.ui.draw.report_view import report
from tuning.ui.draw.timeline_view import KEEPS, timeline
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import when

PATH = "/watch/"
LANGUAGES = {"en": "English", "it": "Italiano"}
FOLDER = pathlib.Path(__file__).parent
LIVE_SECONDS, STILL_SECONDS = 3, 20  # between two looks at a run that is on, and at one that is not

# Takes what has changed; choices and folds of whoever looks stay. Without scripts the page comes anew as a whole.
FOLLOWS = f"""
const element = document.querySelector("#watched"), drawn = [];
const watch = (name, draw) => drawn.push(draw);
let theme = null;
try {{ theme = localStorage.getItem("sartoria-theme"); }} catch {{ /* nothing is kept */ }}
const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.documentElement.classList.toggle("dark", (["dark", "light"].includes(theme) ? theme : preferred) === "dark");
{KEEPS}
let mark = null;
const look = async () => {{
  let pause = Number(element.firstElementChild?.dataset.every || {STILL_SECONDS});
  try {{
    if (!document.hidden) {{
      const asked = location.pathname + "?part=1&lang=" + document.documentElement.lang;
      const answer = await fetch(asked, {{cache: "no-store", headers: mark ? {{"If-None-Match": mark}} : {{}}}});
      if (answer.status === 404) {{ location.reload(); return; }}
      if (answer.status === 200) {{
        const open = new Set([...element.querySelectorAll("details[data-fold][open]")].map((fold) => fold.dataset.fold));
        mark = answer.headers.get("etag");
        element.innerHTML = await answer.text();
        element.querySelectorAll("details[data-fold]").forEach((fold) => {{ fold.open = open.has(fold.dataset.fold); }});
        drawn.forEach((draw) => draw());
        pause = Number(element.firstElementChild?.dataset.every || pause);
      }}
    }}
  }} catch {{ /* the network is away: what is shown stays */ }}
  setTimeout(look, pause * 1000);
}};
setTimeout(look, {LIVE_SECONDS} * 1000);
"""

# For the box: the address with the name by which this very page was opened, and the press that copies it.
COPIES = """
const whole = () => element.querySelectorAll("[data-path]").forEach((field) => { field.value = location.origin + field.dataset.path; });
element.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copied]"), field = element.querySelector("[data-path]");
  if (!button || !field) return;
  field.select();
  try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
  button.textContent = button.dataset.copied;
});
watch("value", () => requestAnimationFrame(whole));
whole();
"""


def answer(follow: Callable[[str], Mapping[str, Any] | None], secret: str, lang: str, only: bool) -> tuple[int, str]:
    """Status and HTML for whoever opens the link with this secret; `only` the part that changes."""
    run = follow(secret)
    if run is None:
        return 404, nothing(lang)
    return 200, part(run, lang) if only else page(run, lang)


def page(run: Mapping[str, Any], lang: str) -> str:
    """All of the page, for whoever opens the link."""
    return _page(lang, t(lang, "watch.title", name=run["name"]), part(run, lang), t(lang, "watch.hint"))


def nothing(lang: str) -> str:
    """The page of an address that shows no run, or not any more."""
    return _page(
        lang, t(lang, "ui.brand"), html('<section class="paper"><h2>{gone}</h2></section>', gone=t(lang, "watch.gone")), "", follows=""
    )


def part(run: Mapping[str, Any], lang: str) -> Html:
    """What changes of the page while the run goes on: where it stands, the report, the curve, and the answers on the way."""
    alive = run["status"] in ALIVE
    says = line(run, lang).removesuffix(t(lang, "ui.live.close")).removesuffix(" · ")
    facts = f"{run['model_title']} · {when(run['created'], lang)}"
    return html(
        '<section class="paper live{busy}" data-every="{every}"><h2>{name} {status}</h2>'
        '<p class="hint num">{facts}</p><p class="hint num">{says}</p>{bar}{report}{curve}{timeline}</section>',
        busy=" busy" * alive,
        every=LIVE_SECONDS if alive else STILL_SECONDS,
        name=run["name"],
        status=status(run["status"], lang),
        facts=facts,
        says=says,
        bar=bar(run, says),
        report=report(run, lang),
        curve=curve(run["metrics"], run["total_steps"], lang, ends=(run["base_eval_loss"], run["eval_loss"])),
        timeline=timeline({**run, "run": "watched"}, lang, "watch"),
    )


def _page(lang: str, title: str, inside: Html, hint: str, **other: str) -> str:
    words = {"lang": lang, "title": title, "hint": hint, "brand": t(lang, "ui.brand"), "languages": t(lang, "ui.languages")}
    made = {"inside": inside, "style": _style(), "follows": FOLLOWS, **other}
    return _template().render(words, **made, links=LANGUAGES)


@functools.cache
def _template() -> jinja2.Template:
    found = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(FOLDER), undefined=jinja2.StrictUndefined)
    return found.get_template("watching.html")


@functools.cache
def _style() -> str:
    return (FOLDER.parent / "style.css").read_text(encoding="utf-8")


def box(run: str, secret: str | None, local: bool, lang: str) -> Html:
    """The link of a run with the press that withdraws it, or the press that makes one; each time with what it shows to whom."""
    told = joined(html('<p class="hint">{says}</p>', says=t(lang, code)) for code in ("ui.watch.hint", *["ui.watch.here"] * local))
    ways = _button("give", run, t(lang, "ui.watch.give")) if secret is None else _link(run, PATH + secret, lang)
    return html(
        '<details class="folded watch-link" data-fold="watch"{opened}><summary>{watch}</summary>{told}'
        '<div class="ways">{ways}</div></details>',
        opened=" open" * (secret is not None),
        watch=t(lang, "ui.watch"),
        told=told,
        ways=ways,
    )


def _link(run: str, path: str, lang: str) -> Html:
    address, copy, copied, opens = (t(lang, f"ui.watch.{word}") for word in ("address", "copy", "copied", "open"))
    return html(
        '<input type="text" readonly value="{path}" data-path="{path}" aria-label="{address}">'
        '<button type="button" class="mend" data-copied="{copied}">{copy}</button>'
        '<a class="mend" href="{path}" target="_blank" rel="noopener">{opens}</a>{button}',
        path=path,
        address=address,
        copied=copied,
        copy=copy,
        opens=opens,
        button=_button("withdraw", run, t(lang, "ui.watch.withdraw")),
    )


def _button(do: str, run: str, label: str) -> Html:
    return html('<button type="button" class="mend" data-do="{do}" data-value="{run}">{label}</button>', do=do, run=run, label=label)
