"""The row from which a result goes to the Hub: the name of its repository, whose token there is, the presses, and where it is now.

Pure functions of what `Pushes.offer` returns. A press is heard as (what, form), with what stands in the fields of the row.
"""

from collections.abc import Mapping
from typing import Any

from tuning.text import t
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import when

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


def row(offers: Mapping[str, Any], busy: bool, going: str, told: str, lang: str) -> Html:
    """The row; `going` is how far a push is, `told` what went wrong with it."""
    offer = offers["hub"]
    head = html('<strong>{hub}</strong><p class="soft">{says}</p>', hub=t(lang, "ui.take.hub"), says=t(lang, "ui.take.hub.says"))
    pushed = joined(_pushed(one, lang) for one in offer["pushed"].values())
    return html(
        "<li>{head}{pushed}{going}{told}{ways}</li>",
        head=head,
        pushed=pushed,
        going=going,
        told=told,
        ways="" if going else _ways(offers["run"], offer, busy, lang),
    )


def _ways(run: str, offer: Mapping[str, Any], busy: bool, lang: str) -> Html:
    """The fields and the presses; whoever has to sign in before is told so."""
    if offer["token"] == "sign_in":
        return html('<p class="soft">{sign_in}</p>', sign_in=t(lang, "ui.take.hub.sign_in"))
    fields = field(run, "repo", "text", offer["repos"]["adapter"], t(lang, "ui.take.hub.repo"))
    if offer["token"] == "none":
        fields += field(run, "token", "password", "", t(lang, "ui.take.hub.token"))
    else:
        whose = t(lang, f"ui.take.hub.{offer['token']}")
        fields += html('<p class="soft">{whose}</p>', whose=whose)
    forms = ["adapter", *(["gguf"] if offer["gguf"] else [])]
    off = " disabled" if busy else ""
    ways = joined(
        html(
            '<button type="button" class="mend" data-what="push" data-sends="{form}"{off}>{word}</button>',
            form=form,
            off=off,
            word=t(lang, f"ui.take.hub.{form}"),
        )
        for form in forms
    )
    if offer["token"] == "typed":
        ways += html(
            '<button type="button" class="mend" data-do="forget" data-value="">{forget}</button>', forget=t(lang, "ui.take.hub.forget")
        )
    return html('{fields}<div class="ways">{ways}</div>', fields=fields, ways=ways)


def field(run: str, name: str, kind: str, value: str, says: str) -> Html:
    """A field whose text goes along with a press; `run` tells what was typed for one from what was typed for another."""
    return html(
        '<label class="typed"><span>{says}</span>'
        '<input type="{kind}" data-field="{name}" data-run="{run}" value="{value}" maxlength="4096" '
        'autocomplete="off" spellcheck="false" autocapitalize="none"></label>',
        says=says,
        kind=kind,
        name=name,
        run=run,
        value=value,
    )


def _pushed(one: Mapping[str, Any], lang: str) -> Html:
    """Where a form is on the Hub, who sees it, and how it is talked to."""
    seen = t(lang, "ui.take.hub.private" if one["private"] else "ui.take.hub.public")
    link = html('<a href="{url}" target="_blank" rel="noopener noreferrer">{repo}</a>', url=one["url"], repo=one["repo"])
    facts = html('<span class="soft">{seen} · {time}</span>', seen=seen, time=when(one["time"], lang))
    command = ""
    if one["command"]:
        command = html("<p>{says} <code>{command}</code></p>", says=t(lang, "ui.take.hub.command"), command=one["command"])
    return html('<div class="made"><p class="num"><b>{link}</b> {facts}</p>{command}</div>', link=link, facts=facts, command=command)
