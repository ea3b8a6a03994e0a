"""Test questions of one's own on the page: the list, the press that asks them all, and the table of answers. HTML alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tuning.text import t
from tuning.ui import view


@dataclass
class AnswerTable:
    """The answers to somebody's test questions: who answered, and a row for each question so far. `on`: more will come."""

    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)
    on: bool = True


def own_questions(questions: Sequence[str], asked: AnswerTable | None, lang: str) -> str:
    """The cards of test questions, and their answers where they were asked."""

    def button(verb: str) -> str:
        return f'<button type="button" class="mend" data-do="{verb}">{view.escape(t(lang, f"ui.questions.do_{verb}"))}</button>'

    drop = view.escape(t(lang, "ui.questions.drop"))
    listed = "".join(
        f'<li>{(text := view.escape(one))} <button type="button" class="drop" data-do="drop" data-value="{text}" '
        f'aria-label="{drop}: {text}" title="{drop}">✕</button></li>'
        for one in questions
    )
    presses = [] if not questions else ["halt"] if asked is not None and asked.on else ["ask"]
    presses += ["csv"] if asked is not None and asked.rows and not asked.on else []
    table = _table(asked, lang) if asked is not None and (asked.rows or asked.on) else ""
    title = view.escape(t(lang, "ui.questions.title"))
    none = "" if questions else f'<p class="hint">{view.escape(t(lang, "ui.questions.none"))}</p>'
    items = f'<ul class="own">{listed}</ul>' if questions else ""
    return f"<h4>{title}</h4>" + none + items + "".join(map(button, presses)) + table


def _table(asked: AnswerTable, lang: str) -> str:
    heads = [t(lang, "ui.questions.question"), *asked.heads]
    head = "".join(f'<th scope="col">{view.escape(one)}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{view.escape(cell)}</td>' for cell in row)}</tr>" for row in asked.rows)
    said = "ui.questions.on" if asked.on else "ui.questions.done"
    status = f'<p class="hint" role="status">{view.escape(t(lang, said, count=len(asked.rows)))}</p>'
    return f'{status}<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
