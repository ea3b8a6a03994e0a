"""The badge below each answer: whom it came from, as `engine.speak.proof` has found, in words. HTML alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuning.errors import TuningError
from tuning.hub.pulled import PulledAdapter
from tuning.runs.contents import KeptProof
from tuning.text import t
from tuning.ui import view
from tuning.ui.markup import Html, html, joined

if TYPE_CHECKING:
    from tuning.engine.question import Question


def proofs(questions: "Sequence[Question]", lang: str) -> Html:
    """The badges of answers beside each other; nothing of those that were not proven."""
    found = joined(badge(proof, lang) for proof in map(proof_of, questions) if proof is not None)
    return html('<div class="proofs">{found}</div>', found=found) if found else Html()


def proof_of(question: "Question") -> KeptProof | None:
    """What was proven of an answer, as it is kept with it; None where nothing was."""
    if question.proof is None:
        return None
    distance, fault = question.proof.distance, question.proof.fault
    kind: Any = fault or ("base" if question.run is None else "unmeasured" if distance is None else "sure")
    return KeptProof(
        kind=kind,
        name=_name(question),
        step=question.step,
        strength=question.strength,
        distance=distance,
        spoke=question.proof.adapter,
    )


def badge(proof: KeptProof, lang: str) -> Html:
    """The badge of one answer, with what it says in full folded away."""
    said: dict[str, Any] = {
        "name": _called(proof, lang),
        "distance": "–" if proof.distance is None else view.number(proof.distance, lang, 3),
        "spoke": proof.spoke or "–",
    }
    look = {"sure": "proven", "base": "proven", "unmeasured": "unknown"}.get(proof.kind, "amiss")
    short, long = (t(lang, f"ui.badge.{proof.kind}{part}", **said) for part in ("", ".says"))
    return html(
        '<details class="proof {look}" data-fold="badge-{kind}"><summary title="{long}">{short}</summary>'
        '<div class="says">{long}</div></details>',
        look=look,
        kind=proof.kind,
        short=short,
        long=long,
    )


def _name(question: "Question") -> str:
    """What the run is called."""
    if question.run is None:
        return ""
    if isinstance(question.run, PulledAdapter):
        return question.run.name
    try:
        return question.run.spec().name
    except TuningError:  # deleted while it answered
        return question.run.id


def _called(proof: KeptProof, lang: str) -> str:
    """The name with the checkpoint, and with the strength where that is not the one that it was trained with."""
    name = proof.name if proof.step is None else t(lang, "ui.beside.step", name=proof.name, step=proof.step)
    strength = view.number(proof.strength, lang)
    return name if proof.strength == 100 else t(lang, "ui.badge.at", name=name, strength=strength)
