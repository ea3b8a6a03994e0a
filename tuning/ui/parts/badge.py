"""The badge below each answer: whom it came from, as `engine.speak.proof` has found, in words. HTML alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuning.errors import TuningError
from tuning.hub.pulled import PulledAdapter
from tuning.text import t
from tuning.ui import view
from tuning.ui.markup import Html, html, joined

if TYPE_CHECKING:
    from tuning.engine.question import Question


def proofs(questions: "Sequence[Question]", lang: str) -> Html:
    """The badges of answers beside each other; nothing of those that were not proven."""
    found = joined(_badge(question, lang) for question in questions if question.proof is not None)
    return html('<div class="proofs">{found}</div>', found=found) if found else Html()


def _badge(question: "Question", lang: str) -> Html:
    assert question.proof is not None
    distance, fault = question.proof.distance, question.proof.fault
    kind = fault or ("base" if question.run is None else "unmeasured" if distance is None else "sure")
    said: dict[str, Any] = {
        "name": _name(question, lang),
        "distance": "–" if distance is None else view.number(distance, lang, 3),
        "spoke": question.proof.adapter or "–",
    }
    look = "amiss" if fault else "unknown" if kind == "unmeasured" else "proven"
    short, long = (t(lang, f"ui.badge.{kind}{part}", **said) for part in ("", ".says"))
    return html(
        '<details class="proof {look}" data-fold="badge-{kind}"><summary title="{long}">{short}</summary>'
        '<div class="says">{long}</div></details>',
        look=look,
        kind=kind,
        short=short,
        long=long,
    )


def _name(question: "Question", lang: str) -> str:
    """What the run is called, with its strength where that is not the one it was trained with."""
    if question.run is None:
        return ""
    if isinstance(question.run, PulledAdapter):
        return _at(question.run.name, question, lang)
    try:
        name = question.run.spec().name
    except TuningError:  # deleted while it answered
        name = question.run.id
    if question.step is not None:
        name = t(lang, "ui.beside.step", name=name, step=question.step)
    return _at(name, question, lang)


def _at(name: str, question: "Question", lang: str) -> str:
    strength = view.number(question.strength, lang)
    return name if question.strength == 100 else t(lang, "ui.badge.at", name=name, strength=strength)
