"""The row from which a result goes to the Hub: the name of its repository, whose token there is, the presses, and where it is now.

Pure functions of what `Pushes.offer` returns. A press is heard as (what, form), with what stands in the fields of the row.
"""

from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.view import escape, when

# What was typed is kept on the page when all is drawn anew, and goes along with a press; a token is forgotten with the press.
FIELDS = """
{
  const typed = {}, fields = () => [...element.querySelectorAll("input[data-field]")];
  element.addEventListener("input", (event) => {
    if (event.target.dataset.field) typed[event.target.dataset.run + event.target.dataset.field] = event.target.value;
  });
  element.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sends]");
    if (!button) return;
    button.classList.add("pressed");
    const values = Object.fromEntries(fields().map((field) => [field.dataset.field, field.value]));
    trigger("click", {what: button.dataset.what, value: button.dataset.sends, ...values});
    fields().filter((field) => field.type === "password").forEach((field) => {
      field.value = "";
      delete typed[field.dataset.run + field.dataset.field];
    });
  });
  watch("value", () => fields().forEach((field) => {
    const kept = typed[field.dataset.run + field.dataset.field];
    if (kept !== undefined) field.value = kept;
  }));
}
"""


def row(offers: Mapping[str, Any], busy: bool, going: str, told: str, lang: str) -> str:
    """The row; `going` is how far a push is, `told` what went wrong with it."""
    offer = offers["hub"]
    head = f'<strong>{escape(t(lang, "ui.take.hub"))}</strong><p class="soft">{escape(t(lang, "ui.take.hub.says"))}</p>'
    pushed = "".join(_pushed(one, lang) for one in offer["pushed"].values())
    return f"<li>{head}{pushed}{going}{told}{'' if going else _ways(offers['run'], offer, busy, lang)}</li>"


def _ways(run: str, offer: Mapping[str, Any], busy: bool, lang: str) -> str:
    """The fields and the presses; whoever has to sign in before is told so."""
    if offer["token"] == "sign_in":
        return f'<p class="soft">{escape(t(lang, "ui.take.hub.sign_in"))}</p>'
    fields = field(run, "repo", "text", offer["repos"]["adapter"], t(lang, "ui.take.hub.repo"))
    if offer["token"] == "none":
        fields += field(run, "token", "password", "", t(lang, "ui.take.hub.token"))
    else:
        whose = t(lang, f"ui.take.hub.{offer['token']}")
        fields += f'<p class="soft">{escape(whose)}</p>'
    forms = ["adapter", *(["gguf"] if offer["gguf"] else [])]
    off = " disabled" if busy else ""
    press = '<button type="button" class="mend" data-what="push" data-sends="{form}"{off}>{word}</button>'
    ways = "".join(press.format(form=form, off=off, word=escape(t(lang, f"ui.take.hub.{form}"))) for form in forms)
    if offer["token"] == "typed":
        ways += f'<button type="button" class="mend" data-do="forget" data-value="">{escape(t(lang, "ui.take.hub.forget"))}</button>'
    return f'{fields}<div class="ways">{ways}</div>'


def field(run: str, name: str, kind: str, value: str, says: str) -> str:
    """A field whose text goes along with a press; `run` tells what was typed for one from what was typed for another."""
    rest = 'autocomplete="off" spellcheck="false" autocapitalize="none"'
    return (
        f'<label class="typed"><span>{escape(says)}</span>'
        f'<input type="{kind}" data-field="{name}" data-run="{escape(run)}" value="{escape(value)}" maxlength="4096" {rest}></label>'
    )


def _pushed(one: Mapping[str, Any], lang: str) -> str:
    """Where a form is on the Hub, who sees it, and how it is talked to."""
    seen = t(lang, "ui.take.hub.private" if one["private"] else "ui.take.hub.public")
    link = f'<a href="{escape(one["url"])}" target="_blank" rel="noopener noreferrer">{escape(one["repo"])}</a>'
    facts = f'<span class="soft">{escape(seen)} · {escape(when(one["time"], lang))}</span>'
    command = ""
    if one["command"]:
        command = f"<p>{escape(t(lang, 'ui.take.hub.command'))} <code>{escape(one['command'])}</code></p>"
    return f'<div class="made"><p class="num"><b>{link}</b> {facts}</p>{command}</div>'
