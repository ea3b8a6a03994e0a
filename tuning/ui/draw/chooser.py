"""Which column is what, as a table with a list above each column; and for chats, who the assistant is.

Pure functions; whatever comes from a file is escaped. A press is heard as (what, value), the roles of all columns as JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t
from tuning.ui.draw import sheet
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import sentence

ROLES = ("question", "answer", "reasoning", "system", "history", "context", "messages", "text")  # in the order in which they are offered

# Each role once: a column that takes it takes it from another. One choice is under way at a time, the last one follows when all is drawn:
# of several at once the answers could overtake each other.
SCRIPT = """
const lists = () => [...element.querySelectorAll("select[data-column]")];
const roles = () => JSON.stringify(Object.fromEntries(lists().map((list) => [list.dataset.column, list.value])));
let last = null, wanted = null, asked = null, flying = 0;
const send = () => {
  if (Date.now() - flying < 10000) return;
  flying = Date.now();
  trigger("click", {what: "roles", value: wanted});
};
element.addEventListener("change", (event) => {
  const chosen = event.target;
  if (chosen.dataset.sheet !== undefined) { wanted = null; trigger("click", {what: "sheet", value: chosen.value}); return; }
  if (chosen.type === "checkbox") { wanted = null; trigger("click", {what: "bare", value: chosen.checked ? "1" : ""}); return; }
  if (chosen.tagName !== "SELECT") return;
  last = chosen.dataset.column;
  lists().forEach((list) => { if (list !== chosen && list.value === chosen.value) list.value = ""; });
  wanted = roles();
  send();
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  button.disabled = true;
  setTimeout(() => { button.disabled = false; }, 3000);
  trigger("click", {what: button.dataset.do, value: button.dataset.do === "take" ? roles() : button.dataset.value});
});
watch("value", () => {
  const question = element.querySelector(".ask"), now = question?.dataset.about ?? null;
  flying = 0;
  if (now !== asked) {
    wanted = last = null;
    requestAnimationFrame(() => question?.scrollIntoView({block: "start", behavior: "smooth"}));
  }
  asked = now;
  lists().forEach((list) => { list.value = list.dataset.role; });  // what is drawn anew keeps what was chosen by hand
  const sheet = question?.querySelector("[data-sheet]");
  if (sheet) sheet.value = sheet.dataset.sheet;
  const box = question?.querySelector("[type=checkbox]");
  if (box) box.checked = box.dataset.on === "1";
  if (wanted !== null && wanted !== roles()) {
    const chosen = JSON.parse(wanted);
    lists().forEach((list) => { list.value = chosen[list.dataset.column] ?? ""; });
    send();
  } else wanted = null;
  if (last === null || (document.activeElement && document.activeElement !== document.body)) return;
  lists().find((list) => list.dataset.column === last)?.focus({preventScroll: true});
});
"""


def chooser(seen: Mapping[str, Any], roles: Mapping[str, str], lang: str) -> Html:
    """The first rows with a list above each column, what would be learned of them, and the button that takes it.

    `seen` as `Data.columns` has it, `roles` by column.
    """
    heads = joined(_head(column, roles.get(column["name"], ""), lang) for column in seen["columns"])
    rows = joined(html("<tr>{cells}</tr>", cells=joined(html("<td>{cell}</td>", cell=cell) for cell in row)) for row in seen["rows"])
    checked = " checked" if seen["bare"] else ""
    bare = html(
        '<label class="bare"><input type="checkbox" data-on="{on}"{checked}> {bare}</label>',
        on=int(seen["bare"]),
        checked=checked,
        bare=t(lang, "ui.data.ask.bare"),
    )
    table = html(
        '<div class="scroll" tabindex="0"><table class="rows asks"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
        heads=heads,
        rows=rows,
    )
    way = html('<button type="button" class="mend take" data-do="take">{use}</button>', use=t(lang, "ui.data.columns.use"))
    ways = html('<div class="ways-on">{way}{bare}</div>', way=way if seen.get("talks") else "", bare=bare if seen["flat"] else "")
    return _sheets(seen, lang) + table + ways + _outcome(seen, lang)


def _sheets(seen: Mapping[str, Any], lang: str) -> Html:
    """Which sheet of a workbook it is, where there are several."""
    if len(seen["sheets"]) < 2:
        return Html()
    choices = joined(
        html('<option value="{name}"{mark}>{name}</option>', name=name, mark=" selected" if name == seen["sheet"] else "")
        for name in seen["sheets"]
    )
    chosen = html('<select data-sheet="{sheet}">{choices}</select>', sheet=seen["sheet"], choices=choices)
    return html('<label class="asks sheet">{sheet} {chosen}</label>', sheet=t(lang, "ui.data.ask.sheet"), chosen=chosen)


def _head(column: Mapping[str, Any], role: str, lang: str) -> Html:
    name = column["name"]
    words = [("", "none"), *((one, one) for one in ROLES)]
    choices = joined(
        html(
            '<option value="{one}"{mark}>{role}</option>',
            one=one,
            mark=" selected" if one == role else "",
            role=t(lang, f"ui.data.role.{word}"),
        )
        for one, word in words
    )
    guess = "" if not role or role != column["role"] else t(lang, "ui.data.ask.sure" if column["sure"] else "ui.data.ask.guess")
    label = t(lang, "ui.data.ask.column", column=column["name"])
    chosen = html(
        '<select data-column="{name}" data-role="{role}" aria-label="{label}">{choices}</select>',
        name=name,
        role=role,
        label=label,
        choices=choices,
    )
    return html(
        '<th scope="col" class="{role}">{chosen}<span class="name">{name}</span><small class="soft">{guess}</small></th>',
        role="used" if role else "",
        chosen=chosen,
        name=name,
        guess=guess,
    )


def _outcome(seen: Mapping[str, Any], lang: str) -> Html:
    """The conversations, or what stands in their way."""
    if seen.get("fault") is not None:
        return html('<p class="hint">{says}</p>', says=sentence(lang, seen["fault"]["code"], seen["fault"]["params"]))
    if not seen.get("talks"):
        return html('<p class="hint">{roles}</p>', roles=t(lang, "data.mapping.roles"))
    heading = t(lang, "ui.data.ask.talks")
    return html("<h4>{heading}</h4>{conversations}", heading=heading, conversations=sheet.conversations(seen["talks"], lang, 300))


def speakers(names: Sequence[str], lang: str) -> Html:
    """The speakers of a chat, to choose the assistant from."""
    drawn = (html('<button type="button" class="mend" data-do="speaker" data-value="{name}">{name}</button>', name=name) for name in names)
    return html('<p class="hint">{hint}</p><p class="speakers">{drawn}</p>', hint=t(lang, "ui.data.ask.speaker.hint"), drawn=joined(drawn))


def frame(about: str, title: str, hint: str, inside: Html, own: Html) -> Html:
    """The whole question about some data, with its name."""
    heading = html('<h3>{title}</h3><p class="hint">{hint}</p>', title=title, hint=hint)
    return html(
        '<section class="paper ask" data-about="{about}">{heading}{inside}{own}</section>',
        about=about,
        heading=heading,
        inside=inside,
        own=own,
    )


def deletion(name: str, sure: bool, lang: str) -> Html:
    """The way to delete data, and once it was pressed whether that is meant."""
    if not sure:
        word = t(lang, "ui.runs.delete")
        return html('<p class="own"><button type="button" class="mend" data-do="sure" data-value="">{word}</button></p>', word=word)
    buttons = joined(
        html('<button type="button" class="mend{kind}" data-do="{do}" data-value="">{says}</button>', kind=kind, do=do, says=t(lang, code))
        for do, code, kind in (("delete", "ui.runs.delete.yes", " stop"), ("keep", "ui.runs.delete.no", ""))
    )
    return html('<p class="own" role="alert">{sure} {buttons}</p>', sure=t(lang, "ui.data.delete.sure", name=name), buttons=buttons)
