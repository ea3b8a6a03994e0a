"""What is said around a conversation: questions to try, and below an answer that it was cut, what can still be read, how it is corrected.

What a press does is the tab's affair.
"""

from typing import TYPE_CHECKING

from tuning.studio.talk import run_of
from tuning.ui import view
from tuning.ui.desk import Desk
from tuning.ui.markup import Html, html, joined
from tuning.ui.parts.chat.whom import is_run

if TYPE_CHECKING:
    from tuning.engine.question import Wait
    from tuning.ui.parts.chat.voices import Asking

SUGGESTIONS = 3
# Gradio follows an answer only where the end of a sheet was in sight, and a sheet that gets a second one beside it has become lower.
LAST_IN_VIEW = """
const ends = () => document.querySelectorAll('[id^="bot-"] .bubble-wrap').forEach((box) => box.scrollTo(0, box.scrollHeight));
watch("value", () => requestAnimationFrame(() => requestAnimationFrame(ends)));
"""


def chat_note(desk: Desk, asking: "Asking | None", single: bool, who: str | None) -> Html:
    """What is to be said of an answer: that it was cut, with the way on; how much the model can still read; what was left out.

    Where the data are `single` questions and so are those asked, that they are. Of a run, how an answer is corrected, and how many that
    were are still to be learned, with the press that does it.
    """
    lines, buttons, ended = [], "", [] if asking is None else [one.outcome for one in asking.questions if one.outcome is not None]
    if any(outcome.cut for outcome in ended):
        lines.append(desk.say("ui.chat.cut", tokens=view.number(max(outcome.answer for outcome in ended if outcome.cut), desk.lang)))
        buttons += _button("more", desk.say("ui.chat.more"))
    if any(outcome.left_out for outcome in ended):
        lines.append(desk.say("ui.chat.left_out", count=view.number(max(outcome.left_out for outcome in ended), desk.lang)))
    if asking is None or not asking.how.remember:
        lines += [desk.say("ui.chat.remember.single")] if single else []
    elif ended:
        used, context = view.number(ended[0].prompt + ended[0].answer, desk.lang), view.number(ended[0].context, desk.lang)
        lines.append(desk.say("ui.chat.context", used=used, context=context))
    waiting = desk.studio.corrections.waiting(run_of(who)) if who and is_run(desk, who) else 0
    if waiting:
        lines.insert(0, desk.say("ui.chat.corrected", count=view.number(waiting, desk.lang)))
        buttons += _button("learn", desk.say("ui.chat.learn"))
    elif ended and is_run(desk, who):
        lines.insert(0, desk.say("ui.chat.correct"))
    return html('<p class="hint">{lines}</p>{buttons}', lines=" ".join(lines), buttons=buttons) if lines else Html()


def waiting(desk: Desk, wait: "Wait | None") -> Html:
    """What is said to whoever waits for the first word: the place in the line, and roughly how long, where others come first."""
    if wait is not None and wait.place > 1:
        code = "ui.chat.wait" if wait.seconds is None else "ui.chat.wait.about"
        time = "" if wait.seconds is None else view.duration(wait.seconds, desk.lang)
        says = desk.say(code, place=view.number(wait.place, desk.lang), time=time)
    else:
        says = desk.say("ui.chat.wait.next" if desk.warm() else "ui.chat.warming")
    return html('<p class="hint" role="status">{says}</p>', says=says)


def _button(verb: str, word: str) -> Html:
    return html('<button type="button" class="mend" data-do="{verb}">{word}</button>', verb=verb, word=word)


def suggested(desk: Desk, who: str | None) -> Html:
    """Questions to try, from the held-out rows of the run's data or, without any, its first ones."""
    questions = desk.studio.talk.questions(who or "", desk.lang, SUGGESTIONS)
    if not questions:
        return Html()
    buttons = joined(
        html('<button type="button" class="suggestion" data-do="ask" data-value="{text}">{text}</button>', text=text) for text in questions
    )
    return html(
        '<div class="suggestions" role="group" aria-label="{label}">{buttons}</div>',
        label=desk.say("ui.chat.suggestions"),
        buttons=buttons,
    )
