"""How another program talks to a run, as HTML: the three lines that point Open WebUI, the `openai` client and curl at it, and the API key.

Pure functions; a press is heard as (what, value). What the routes do stands in `serve.programs`.
"""

import json

from tuning.text import t
from tuning.ui.markup import Html, html, joined

NO_KEY = "YOUR-KEY"
ORIGIN = "{origin}"  # which the page replaces by the address under which it was opened

# The lines with this page's own address, and the press that copies one.
COPIES = """
{
  const here = () => element.querySelectorAll("[data-line]").forEach((line) => {
    line.textContent = line.dataset.line.replaceAll("{origin}", location.origin);
  });
  element.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copied]"), line = button?.parentElement.querySelector("[data-line]");
    if (!line) return;
    getSelection().selectAllChildren(line);
    try { await navigator.clipboard.writeText(line.textContent); } catch { document.execCommand("copy"); }
    button.textContent = button.dataset.copied;
  });
  watch("value", () => requestAnimationFrame(here));
  here();
}
"""


def lines(run: str, key: str) -> dict[str, str]:
    """What to type or to write for each program."""
    base, said = f"{ORIGIN}/v1", json.dumps([{"role": "user", "content": "…"}], ensure_ascii=False)
    client = f'openai.OpenAI(base_url="{base}", api_key="{key}")'
    body = f'{{"model": "{run}", "messages": {said}}}'.replace('"', '\\"')  # as cmd on Windows takes it, too
    headers = f'-H "Authorization: Bearer {key}" -H "Content-Type: application/json"'
    return {
        "Open WebUI": f"OPENAI_API_BASE_URL={base} OPENAI_API_KEY={key} open-webui serve",
        "openai (Python)": f'{client}.chat.completions.create(model="{run}", messages={said})',
        "curl": f'curl {base}/chat/completions {headers} -d "{body}"',
    }


def box(run: str, there: bool, fresh: str, lang: str) -> Html:
    """The fold of a run: `there` says whether its owner has a key, `fresh` is one that was made just now and is shown this once."""
    says = joined(html('<p class="hint">{says}</p>', says=t(lang, code)) for code in _said(there, fresh))
    key = _line("", fresh, lang) if fresh else ""
    shown = joined(_line(name, line, lang) for name, line in lines(run, fresh or NO_KEY).items())
    ways = _button("key", t(lang, "ui.programs.renew" if there else "ui.programs.give"))
    ways += _button("no_key", t(lang, "ui.programs.withdraw")) if there else ""
    return html(
        '<details class="folded programs" data-fold="programs"><summary>{programs}</summary>{says}{key}{shown}'
        '<div class="ways">{ways}</div></details>',
        programs=t(lang, "ui.programs"),
        says=says,
        key=key,
        shown=shown,
        ways=ways,
    )


def _said(there: bool, fresh: str) -> list[str]:
    return ["ui.programs.hint", *(["ui.programs.fresh"] if fresh else ["ui.programs.kept"] if there else [])]


def _line(name: str, line: str, lang: str) -> Html:
    head = html("<b>{name}</b>", name=name) if name else ""
    copy, copied = t(lang, "ui.watch.copy"), t(lang, "ui.watch.copied")
    button = html('<button type="button" class="mend" data-copied="{copied}">{copy}</button>', copied=copied, copy=copy)
    return html('<div class="line">{head}<code data-line="{line}"></code>{button}</div>', head=head, line=line, button=button)


def _button(do: str, label: str) -> Html:
    return html('<button type="button" class="mend" data-do="{do}" data-value="">{label}</button>', do=do, label=label)
