"""Which column is what, as a table with a list above each column; and for chats, who the assistant is.

Pure functions; whatever comes from a file is escaped. A press is heard as (what, value), the roles of all columns as JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.text import t
from tuning.ui.draw import sheet
from tuning.ui.view import escape, sentence

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


def chooser(seen: Mapping[str, Any], roles: Mapping[str, str], lang: str) -> str:
    """The first rows with a list above each column, what would be learned of them, and the button that takes it.

    `seen` as `Data.columns` has it, `roles` by column.
    """
    heads = "".join(_head(column, roles.get(column["name"], ""), lang) for column in seen["columns"])
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in seen["rows"])
    checked = " checked" if seen["bare"] else ""
    bare = (
        f'<label class="bare"><input type="checkbox" data-on="{int(seen["bare"])}"{checked}> {escape(t(lang, "ui.data.ask.bare"))}</label>'
    )
    table = f'<div class="scroll" tabindex="0"><table class="rows asks"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    way = f'<button type="button" class="mend take" data-do="take">{escape(t(lang, "ui.data.columns.use"))}</button>'
    ways = f'<div class="ways-on">{way if seen.get("talks") else ""}{bare if seen["flat"] else ""}</div>'
    return f"{_sheets(seen, lang)}{table}{ways}{_outcome(seen, lang)}"


def _sheets(seen: Mapping[str, Any], lang: str) -> str:
    """Which sheet of a workbook it is, where there are several."""
    if len(seen["sheets"]) < 2:
        return ""
    choices = "".join(
        f'<option value="{escape(name)}"{" selected" if name == seen["sheet"] else ""}>{escape(name)}</option>' for name in seen["sheets"]
    )
    chosen = f'<select data-sheet="{escape(seen["sheet"])}">{choices}</select>'
    return f'<label class="asks sheet">{escape(t(lang, "ui.data.ask.sheet"))} {chosen}</label>'


def _head(column: Mapping[str, Any], role: str, lang: str) -> str:
    name = escape(column["name"])
    words = [("", "none"), *((one, one) for one in ROLES)]
    choices = "".join(
        f'<option value="{one}"{" selected" if one == role else ""}>{escape(t(lang, f"ui.data.role.{word}"))}</option>'
        for one, word in words
    )
    guess = "" if not role or role != column["role"] else t(lang, "ui.data.ask.sure" if column["sure"] else "ui.data.ask.guess")
    label = escape(t(lang, "ui.data.ask.column", column=column["name"]))
    chosen = f'<select data-column="{name}" data-role="{role}" aria-label="{label}">{choices}</select>'
    return (
        f'<th scope="col" class="{"used" if role else ""}">{chosen}'
        f'<span class="name">{name}</span><small class="soft">{escape(guess)}</small></th>'
    )


def _outcome(seen: Mapping[str, Any], lang: str) -> str:
    """The conversations, or what stands in their way."""
    if seen.get("fault") is not None:
        return f'<p class="hint">{escape(sentence(lang, seen["fault"]["code"], seen["fault"]["params"]))}</p>'
    if not seen.get("talks"):
        return f'<p class="hint">{escape(t(lang, "data.mapping.roles"))}</p>'
    heading = escape(t(lang, "ui.data.ask.talks"))
    return f"<h4>{heading}</h4>{sheet.conversations(seen['talks'], lang, 300)}"


def speakers(names: Sequence[str], lang: str) -> str:
    """The speakers of a chat, to choose the assistant from."""
    drawn = (f'<button type="button" class="mend" data-do="speaker" data-value="{escape(name)}">{escape(name)}</button>' for name in names)
    return f'<p class="hint">{escape(t(lang, "ui.data.ask.speaker.hint"))}</p><p class="speakers">{"".join(drawn)}</p>'


def frame(about: str, title: str, hint: str, inside: str, own: str) -> str:
    """The whole question about some data, with its name."""
    heading = f'<h3>{escape(title)}</h3><p class="hint">{escape(hint)}</p>'
    return f'<section class="paper ask" data-about="{escape(about)}">{heading}{inside}{own}</section>'


def deletion(name: str, sure: bool, lang: str) -> str:
    """The way to delete data, and once it was pressed whether that is meant."""
    if not sure:
        word = escape(t(lang, "ui.runs.delete"))
        return f'<p class="own"><button type="button" class="mend" data-do="sure" data-value="">{word}</button></p>'
    buttons = "".join(
        f'<button type="button" class="mend{kind}" data-do="{do}" data-value="">{escape(t(lang, code))}</button>'
        for do, code, kind in (("delete", "ui.runs.delete.yes", " stop"), ("keep", "ui.runs.delete.no", ""))
    )
    return f'<p class="own" role="alert">{escape(t(lang, "ui.data.delete.sure", name=name))} {buttons}</p>'
