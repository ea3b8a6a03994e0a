"""Test questions of one's own on the page: the list, the press that asks them all, and the table of answers. HTML alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tuning.text import t
from tuning.ui.markup import Html, html, joined


@dataclass
class AnswerTable:
    """The answers to somebody's test questions: who answered, and a row for each question so far. `on`: more will come."""

    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)
    on: bool = True


def own_questions(questions: Sequence[str], asked: AnswerTable | None, lang: str) -> Html:
    """The cards of test questions, and their answers where they were asked."""

    def button(verb: str) -> Html:
        word = t(lang, f"ui.questions.do_{verb}")
        return html('<button type="button" class="mend" data-do="{verb}">{word}</button>', verb=verb, word=word)

    drop = t(lang, "ui.questions.drop")
    listed = joined(
        html(
            '<li>{text} <button type="button" class="drop" data-do="drop" data-value="{text}" aria-label="{drop}: {text}" title="{drop}">'
            "✕</button></li>",
            text=text,
            drop=drop,
        )
        for text in questions
    )
    presses = [] if not questions else ["halt"] if asked is not None and asked.on else ["ask"]
    presses += ["csv"] if asked is not None and asked.rows and not asked.on else []
    table = _table(asked, lang) if asked is not None and (asked.rows or asked.on) else ""
    title = t(lang, "ui.questions.title")
    none = "" if questions else html('<p class="hint">{none}</p>', none=t(lang, "ui.questions.none"))
    items = html('<ul class="own">{listed}</ul>', listed=listed) if questions else ""
    return html("<h4>{title}</h4>", title=title) + none + items + joined(map(button, presses)) + table


def _table(asked: AnswerTable, lang: str) -> Html:
    heads = [t(lang, "ui.questions.question"), *asked.heads]
    head = joined(html('<th scope="col">{one}</th>', one=one) for one in heads)
    body = joined(html("<tr>{cells}</tr>", cells=joined(html("<td>{cell}</td>", cell=cell) for cell in row)) for row in asked.rows)
    said = "ui.questions.on" if asked.on else "ui.questions.done"
    status = html('<p class="hint" role="status">{says}</p>', says=t(lang, said, count=len(asked.rows)))
    return html(
        '{status}<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
        status=status,
        head=head,
        body=body,
    )
