"""The turns of a conversation as the page shows them, and as they are said. No components.

Thoughts are folded away before answers. The badge of an answer is a second text of its message, for Gradio gives both the same number.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuning.tokens.thoughts import CLOSE, OPEN


def plain(content: Any) -> str:
    """What a message says: Gradio has it as a text or as a list of parts, of which the first is what was said."""
    return _parts(content)[0]


def _parts(content: Any) -> tuple[str, str]:
    """What a message says, and its badge."""
    if not isinstance(content, list):
        return str(content or ""), ""
    words, badge, *_ = *(str(part.get("text", "")) for part in content if isinstance(part, dict)), "", ""
    return words, badge


def said(history: Any, text: str | None = None) -> list[dict[str, str]]:
    """The conversation so far as plain messages, an answer with its `badge` where it has one, and the new question."""
    turns, thought = list[dict[str, str]](), ""
    for turn in [turn for turn in history or [] if turn["role"] in ("user", "assistant")]:
        content, badge = _parts(turn["content"])
        if _folded(turn):
            whole = turn["metadata"].get("status") != "pending"  # one that was cut goes on
            thought = f"{OPEN}\n{content}" + f"\n{CLOSE}\n\n" * whole
            continue
        told = {"role": str(turn["role"]), "content": thought * (turn["role"] == "assistant") + content}
        turns.append({**told, **({"badge": badge} if badge else {})})
        thought = ""
    turns += [{"role": "assistant", "content": thought}] if thought else []
    return turns if text is None else [*turns, {"role": "user", "content": text}]


def folded(turns: Iterable[Mapping[str, str]], title: str) -> list[dict[str, Any]]:
    """A conversation as it is shown: what an answer begins with up to `</think>` is folded away under a title."""
    return list(itertools.chain.from_iterable(_apart(turn, title) for turn in turns))


def _apart(turn: Mapping[str, str], title: str) -> list[dict[str, Any]]:
    content, badge = turn["content"], turn.get("badge", "")
    told = {name: value for name, value in turn.items() if name != "badge"}
    if turn["role"] != "assistant" or not content.lstrip().startswith(OPEN):
        return [_badged(told, badge)]
    thought, closed, answer = content.lstrip().removeprefix(OPEN).partition(CLOSE)
    shown = {"role": "assistant", "content": thought.strip("\n"), "metadata": {"title": title, "status": "done" if closed else "pending"}}
    spoken = [_badged({**told, "content": answer.lstrip()}, badge)] if answer.strip() or badge else []
    return [*([shown] if thought.strip() else []), *spoken]


def _badged(turn: dict[str, Any], badge: str) -> dict[str, Any]:
    return {**turn, "content": [{"type": "text", "text": text} for text in (turn["content"], badge)]} if badge else turn


def _folded(turn: Mapping[str, Any]) -> bool:
    return turn["role"] == "assistant" and bool((turn.get("metadata") or {}).get("title"))


def spot(history: Any, at: int) -> int:
    """The place of a turn, without the thoughts that are shown before it."""
    return at if at < 0 else sum(not _folded(turn) for turn in (history or [])[:at])


def _question(history: Sequence[Mapping[str, Any]], at: int) -> int:
    """Where the question stands to which the message at `at` belongs."""
    return next((place for place in range(min(at, len(history) - 1), -1, -1) if history[place]["role"] == "user"), 0)


def question_at(history: Any, at: int) -> str:
    """The question to which the message at `at` belongs."""
    turns = said(history)
    return turns[_question(turns, at)]["content"] if turns else ""


def before(histories: list[list[dict[str, str]]], at: int) -> list[list[dict[str, str]]]:
    """Both sides without the question to which the tuned side's message at `at` belongs, and all after it.

    The base's side may have begun later: as many questions go from its end.
    """
    tuned, base = histories
    cut = _question(tuned, at)
    gone = sum(turn["role"] == "user" for turn in tuned[cut:])
    asked = [place for place, turn in enumerate(base) if turn["role"] == "user"]
    return [tuned[:cut], base[: asked[-gone]] if 0 < gone <= len(asked) else []]
