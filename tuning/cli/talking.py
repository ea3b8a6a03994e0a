"""The verbs `chat`, one answer or a conversation with the model in this process, and `pull`, which fetches whom to talk to from the Hub.

What is asked, and of whom, is `studio.talk`'s affair.
"""

import argparse
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuning.cli import foreground
from tuning.errors import RunError, TuningError
from tuning.studio import Studio
from tuning.studio.talk import scaling, settings_of
from tuning.text import t

if TYPE_CHECKING:
    from tuning.engine.question import Question

END_SECONDS = 60.0  # for a thread that has nothing left to say

_resident: Any = None


def pull(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    """Fetch an adapter from the Hub, and its base."""
    return 0, _pulled(studio, options.adapter, lang)


def bring(studio: Studio, target: str, lang: str) -> None:
    """Fetch an adapter of the Hub that is named and is not here; nothing else is fetched."""
    if not studio.pulls.is_here(target):
        _pulled(studio, target, lang)


def _pulled(studio: Studio, target: str, lang: str) -> dict[str, Any]:
    told = studio.pulls.pull(target, progress=foreground.downloading(lang))
    if told["template"] == "other":
        print(t(lang, "pull.template", target=target), file=sys.stderr)
    return told


def chat(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    turns: list[dict[str, str]] = [] if options.system is None else [{"role": "system", "content": options.system}]
    how = settings_of(
        temperature=options.temperature, top_p=options.top_p, max_new_tokens=options.max_new_tokens, strength=options.strength
    )
    prompt, first = options.prompt, True
    bring(studio, options.target, lang)
    while prompt is not None or (prompt := _ask()) is not None:
        turns.append({"role": "user", "content": prompt})
        question = studio.talk.question(options.target, turns, options.base, options.seed, how)
        if question.run is not None and not question.run.adapter.is_dir():
            raise RunError("run.no_adapter", run=question.run.id)
        if first and question.run is None and studio.talk.untaught(question.model.id):
            print(t(lang, "chat.untaught"), file=sys.stderr)
        if first and how.strength is not None and scaling(question.run) == "direction":
            print(t(lang, "ui.chat.strength.direction"), file=sys.stderr)
        pieces = _answer(question, None if options.json else sys.__stdout__, studio.models.trusts)
        if not pieces.strip():
            print(t(lang, "chat.nothing"), file=sys.stderr)
        turns.append({"role": "assistant", "content": pieces})
        if options.prompt is not None:
            break
        prompt, first = None, False
    answer = turns[-1]["content"] if turns else ""
    return 0, {"target": options.target, "base": options.base, "messages": turns, "answer": answer} if options.json else None


def _answer(question: "Question", out: Any, trusts: Callable[[str], bool]) -> str:
    """Make the answer on a thread of its own and show it as it comes."""
    from tuning.engine.resident import Resident
    from tuning.engine.speak.chat import answer

    global _resident
    _resident = _resident or Resident(trusts)

    def work() -> None:
        try:
            _resident.load(question.model.path, question.device, question.precision, question.quantization, question.bare)
            answer(_resident, question)
        except TuningError as error:
            question.pieces.put(error)
        finally:
            question.pieces.put(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    pieces = []
    for piece in question.stream():
        pieces.append(piece)
        if out is not None:
            print(piece, end="", flush=True, file=out)
    thread.join(END_SECONDS)  # a program that ends while a library is still at work in a thread is aborted
    if out is not None:
        print(file=out)
    return "".join(pieces)


def _ask() -> str | None:
    """One line of the conversation; None at its end."""
    try:
        print("> ", end="", flush=True, file=sys.stderr)
        line = input().strip()
    except EOFError:
        return None
    return line or None
