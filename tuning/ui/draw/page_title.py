"""How a page tells that a run is over: its title, and a notice of the browser where the visitor asked for one.

Pure HTML of what the scene knows, and the script that reads it. It works in a tab that nobody looks at, as long as it is open;
the webhook of `serve.webhook` needs no page.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui.draw.progress import SIGNS
from tuning.ui.markup import Html, html
from tuning.ui.view import number

TOLD = ("finished", "failed", "paused")
NEWEST = 10  # runs among which one may just have ended
SHOWN_SECONDS = 3600.0  # how long the title speaks of a run that is over

# Whether to tell is remembered in this browser. A run is told once, by whichever page saw it alive: the others use the same tag.
SCRIPT = """
const KEY = "sartoria-tell", can = "Notification" in window && isSecureContext;
let living = new Set();
const allowed = () => can && Notification.permission === "granted" && localStorage.getItem(KEY) === "on";
const tell = (one) => {
  try {
    const note = new Notification(one.title, {body: one.body, tag: one.run, lang: document.documentElement.lang});
    note.onclick = () => { window.focus(); note.close(); };
  } catch { localStorage.removeItem(KEY); }
};
const draw = () => {
  const told = element.querySelector(".telling");
  if (!told) return;
  document.title = told.dataset.title;
  JSON.parse(told.dataset.over).forEach((one) => { if (living.has(one.run) && allowed()) tell(one); });
  living = new Set(JSON.parse(told.dataset.living));
  const button = told.querySelector("button"), denied = can && Notification.permission === "denied";
  button.hidden = !can || !living.size;
  button.disabled = denied;
  button.setAttribute("aria-pressed", String(allowed()));
  button.textContent = denied ? button.dataset.denied : allowed() ? button.dataset.on : button.dataset.off;
  button.title = denied ? button.dataset.why : "";
};
element.addEventListener("click", (event) => {
  if (!event.target.closest("[data-off]")) return;
  if (allowed()) { localStorage.removeItem(KEY); draw(); return; }
  localStorage.setItem(KEY, "on");
  Notification.requestPermission().then(draw);
});
watch("value", draw);
draw();
"""


def title(run: Mapping[str, Any] | None, lang: str, now: float | None = None) -> str:
    """What the browser's tab is called: how far the watched run is, or how it ended. Plain text."""
    brand = t(lang, "ui.brand")
    if run is None:
        return brand
    status, ended = run["status"], run["state"]["ended"]
    if status == "running":
        return f"{number(100 * run['step'] // max(1, run['total_steps']), lang)}% – {brand}"
    if status in ALIVE or (ended and (time.time() if now is None else now) - ended < SHOWN_SECONDS):
        return f"{SIGNS[status]} {run['name']} – {brand}"
    return brand


def telling(run: Mapping[str, Any] | None, runs: Sequence[Mapping[str, Any]], lang: str) -> Html:
    """The title, the runs that live and what to say of those that are over, for the script; and the button that asks for it."""
    living = [one["run"] for one in runs if one["status"] in ALIVE]
    over = [
        {
            "run": one["run"],
            "title": t(lang, f"ui.tell.{one['status']}", name=one["name"]),
            "body": t(lang, "ui.live.step", step=number(one["step"], lang), total=number(one["total_steps"], lang)),
        }
        for one in runs[: NEWEST + len(living)]
        if one["status"] in TOLD
    ]
    words = {"off": "ui.tell.button", "on": "ui.tell.on", "denied": "ui.tell.denied", "why": "ui.tell.denied.why"}
    labels = Html(" ").join(html('data-{name}="{says}"', name=name, says=t(lang, code)) for name, code in words.items())
    return html(
        '<span class="telling" data-title="{title}" data-living="{living}" data-over="{over}">'
        '<button type="button" class="tell" hidden {labels}></button></span>',
        title=title(run, lang),
        living=json.dumps(living),
        over=json.dumps(over, ensure_ascii=False),
        labels=labels,
    )
