"""Dialogues written as prose, with a name before what each of two says: "Utente: …", then "Assistente: …". One record of messages each.

A name may also stand alone above what is said, as in what is copied from the page of ChatGPT ("Hai detto:", "ChatGPT ha detto:"). Who
asks is told by the names, or by who begins and asks throughout where names say nothing. Texts in which more than two speak are none.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.prose.fences import coded, opened
from tuning.data.records import FileRecord, shown, squeezed
from tuning.data.roles import ROLES
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_NAMED = re.compile(
    r"[ \t]*(?:#{1,4}[ \t]+)?[*_]{0,3}(?P<name>[^\W\d_][\w .'’-]{0,29}?)[*_]{0,3}[ \t]?:[*_]{0,3}"
    r"(?:[ \t]+|(?![/\\]))(?P<said>.*)$"
)
_ALONE = re.compile(
    r"[ \t]*(?:#{1,6}[ \t]+)?[*_]{0,3}(?P<name>[^\W\d_][\w .'’-]{0,39}?)[*_]{0,3}[ \t\u00a0\u202f]?:?[*_]{0,3}(?P<said>)[ \t]*$"
)
_SET_APART = re.compile(r"[:#*_]")  # that a name which stands alone is no word of a text
_RULE = re.compile(r"[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,}|~{4,}|#{3,})[ \t]*$")
_SPEAKERS = {  # beside those of turns; these are common words elsewhere, and names of speakers here alone
    **dict.fromkeys(("studente", "studentessa", "alunno", "alunna", "allievo", "allieva", "student", "pupil", "schüler"), "user"),
    **dict.fromkeys(("paziente", "patient", "giornalista", "intervistatore", "intervistatrice", "interviewer", "visitatore"), "user"),
    **dict.fromkeys(("professore", "professoressa", "docente", "insegnante", "maestro", "maestra", "teacher", "tutor"), "assistant"),
    **dict.fromkeys(("medico", "dottore", "dottoressa", "doctor", "lehrer", "supporto", "support", "assistenza", "noi"), "assistant"),
}
_PRODUCT = re.compile(  # an assistant by its name, as its page writes it above an answer; squeezed
    r"(?:chatgpt|gpt|claude|gemini|copilot|deepseek|perplexity|grok|mistral|lechat|llama|qwen|metaai)(?:[\d.]+\w{0,12})?"
    r"(?:said|hadetto|hatgesagt|sagte|adit|dijo)?"
)
_ASKED = frozenset(  # above a question on such a page
    ("yousaid", "haidetto", "duhastgesagt", "vousavezdit", "dijiste", "hasdicho", "you", "tu", "du", "vous", "tú")
)
_IN_FORMS = frozenset(  # names of fields of forms, too
    ("cliente", "customer", "client", "kunde", "modello", "model", "modelo", "modell", "modèle", "agente", "agent", "operatore", "operator")
)
_LEAST = 2  # exchanges, where only the order of the names tells who asks, or nothing sets them apart


@dataclass(frozen=True)
class Speakers:
    """The two who speak, squeezed, and what stands between conversations."""

    user: str
    assistant: str
    name: str  # of the assistant, as it is written
    ruled: bool  # rules do
    apart: bool  # whether blank lines stand within conversations, too
    alone: bool = False  # whether names stand alone in their lines


def takes(head: str) -> Speakers | None:
    """Who speaks in a text; None where it is no dialogue, or where that is not certain.

    A name stands first in it, and before a quarter of its paragraphs; no third is named more often than half of the answers. Names that
    stand alone in their lines are only those that say who asks and who answers; what they say may have any number of paragraphs.
    """
    lines = head.splitlines()
    code = coded(lines)
    return _speakers(lines, code, False) or _speakers(lines, code, True)


def _speakers(lines: Sequence[str], code: Sequence[int], alone: bool) -> Speakers | None:
    plain = [(place, line) for place, line in enumerate(lines) if line.strip() and not code[place] and not _RULE.match(line)]
    found = [(place, squeezed(named["name"]), named["said"]) for place, line in plain if (named := _named(line, alone))]
    first = next((place for place, line in plain if not _titled(line, alone)), -1)
    if not found or found[0][0] != first:
        return None
    ends = [place for place, _, _ in found[1:]] + [len(lines)]
    said = [text or "\n".join(lines[place + 1 : end]).strip() for (place, _, text), end in zip(found, ends, strict=True)]
    spoken = [(name, text) for (_, name, _), text in zip(found, said, strict=True) if _role(name) != "system"]
    both = _both([name for name, _ in spoken], spoken)
    if both is None or (alone and {_role(name) for name in both} != {"user", "assistant"}):
        return None
    counts = Counter(name for name, _ in spoken)
    if alone and min(counts[name] for name in both) < _LEAST and not all(_SET_APART.search(lines[place]) for place, _, _ in found):
        return None
    strangers = max((count for name, count in counts.items() if name not in both), default=0)
    begins = [place for place, _ in plain if place == 0 or not lines[place - 1].strip() or _RULE.match(lines[place - 1])]
    named_first = sum(place in {at for at, _, _ in found} for place in begins)
    if 2 * strangers > min(counts[both[0]], counts[both[1]]) or (not alone and 4 * named_first < len(begins)):
        return None
    answers = [place for place, name, _ in found if name == both[1]]
    apart = alone or both[0] in _ASKED or any(place and not lines[place - 1].strip() for place in answers)
    name = next(named["name"] for _, line in plain if (named := _named(line, alone)) and squeezed(named["name"]) == both[1])
    return Speakers(*both, name, _ruled(lines, code, both[0], alone), apart, alone)


def _named(line: str, alone: bool) -> re.Match[str] | None:
    """The name that a line begins with; where names stand alone, only one that is known."""
    if not alone:
        return _NAMED.match(line)
    found = _ALONE.match(line)
    return found if found is not None and _role(squeezed(found["name"])) else None


def records(text: TextFile, limits: Limits, speakers: Speakers, notes: list[Notice]) -> Iterator[FileRecord]:
    """A record for each conversation; `notes` hears at the end how many there are, who answers and what is left out.

    They are divided by rules (`---`) where there are some before questions; else by blank lines before a question, by several of them
    where blank lines stand within, too. What is said before the first question or has no answer is left out.
    """
    tally: Counter[str] = Counter()
    row = 0
    with opened(text, limits) as (lines, code):
        for begin, turns in _talks(lines, code, speakers, tally):
            said = _closed(turns, tally)
            if not said:
                continue
            row += 1
            tally["answers"] += sum(message["role"] == "assistant" for message in said)
            size = sum(len(message["content"]) for message in said)
            if size > limits.line:
                yield FileRecord(row, begin, fault=InputError("data.row.long", limit=limits.line))
            else:
                yield FileRecord(row, begin, values={"messages": said}, size=size)
    told = {"talks": row, "assistant": shown(speakers.name), "answers": tally["answers"]}
    notes.append(Notice(code="data.note.dialogue", params=told))
    if left := {key: tally[key] for key in ("edge", "lines") if tally["edge"] or tally["lines"]}:
        notes.append(Notice(code="data.note.dialogue_left", params=left))


class _Turn(NamedTuple):
    role: str
    lines: list[str]


def _talks(lines: Iterator[str], code: Sequence[int], speakers: Speakers, tally: Counter[str]) -> Iterator[tuple[int, list[_Turn]]]:
    """The line where a conversation begins, and its turns; `tally` counts the lines that belong to none."""
    said: list[_Turn] = []
    waiting: list[str] = []  # blank lines and rules: between two conversations, or within an answer
    begin = 0
    for place, line in enumerate(lines):
        if not line.strip() or (speakers.ruled and not code[place] and _RULE.match(line)):
            waiting.append(line)
            continue
        named = None if code[place] else _named(line, speakers.alone)
        role = _spoken(named, speakers, not said or _parted(waiting, speakers)) if named else None
        if said and role in ("user", "system") and _parted(waiting, speakers):
            yield begin, said
            said = []
        if named and role:
            begin = begin if said else place + 1
            if not said or said[-1].role != role:
                said.append(_Turn(role, []))
            said[-1].lines.append(named["said"])
        elif said:
            said[-1].lines.extend([*waiting, line])
        else:
            tally["lines"] += 1
        waiting = []
    if said:
        yield begin, said


def _parted(waiting: Sequence[str], speakers: Speakers) -> bool:
    """Whether another conversation may begin after these blank lines and rules."""
    return any(line.strip() for line in waiting) if speakers.ruled else len(waiting) >= 1 + speakers.apart


def _closed(turns: Sequence[_Turn], tally: Counter[str]) -> list[dict[str, str]]:
    """The messages from the first question on (and a system text) to the last answer; `tally` counts the turns before and after."""
    head = [turn for turn in turns[:1] if turn.role == "system"]
    begin = next((place for place, turn in enumerate(turns) if turn.role == "user"), len(turns))
    end = next((place + 1 for place in range(len(turns) - 1, begin, -1) if turns[place].role == "assistant"), begin)
    kept = [*head, *turns[begin:end]] if end > begin else []
    tally["edge"] += len(turns) - len(kept)
    return [{"role": turn.role, "content": "\n".join(turn.lines).strip()} for turn in kept]


def _spoken(named: re.Match[str], speakers: Speakers, first: bool) -> str | None:
    """The role of the name before a line; None where it is none of the two, and no system text at the head of a conversation."""
    name = squeezed(named["name"])
    if name in (speakers.user, speakers.assistant):
        return "user" if name == speakers.user else "assistant"
    return "system" if first and _role(name) == "system" else None


def _role(name: str) -> str:
    known = ROLES.get(name) or _SPEAKERS.get(name) or ("user" if name in _ASKED else "")
    return known or ("assistant" if _PRODUCT.fullmatch(name) else "")


def _titled(line: str, alone: bool) -> bool:
    """Whether a line is a heading, which may stand above a dialogue."""
    return line.lstrip().startswith("#") and _named(line, alone) is None


def _both(names: Sequence[str], spoken: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Who asks and who answers: the first two whose names say so, or the two that take turns, of whom one is known or the first asks."""
    user = next((name for name in names if _role(name) == "user"), None)
    assistant = next((name for name in names if _role(name) == "assistant"), None)
    if user is not None and assistant is not None:
        sure = not {user, assistant} & _IN_FORMS or any(_asks(said) for name, said in spoken if name == user)
        return (user, assistant) if sure else None
    two = list(dict.fromkeys(names))
    in_turn = len(two) == 2 and len(names) >= 2 * _LEAST and all(name == two[place % 2] for place, name in enumerate(names))
    if not in_turn:
        return None
    known = (user is not None and user == two[0]) or (assistant is not None and assistant == two[1])
    asks, answers = ([_asks(said) for name, said in spoken if name == one] for one in two)
    return (two[0], two[1]) if (known and any(asks)) or (all(asks) and 2 * sum(answers) < len(answers)) else None


def _asks(said: str) -> bool:
    return said.rstrip(' "»”*_').endswith("?")


def _ruled(lines: Sequence[str], code: Sequence[int], user: str, alone: bool) -> bool:
    """Whether rules stand between conversations: most have a question after them, or a system text."""
    rules, after = 0, 0
    waiting = False
    for place, line in enumerate(lines):
        if not code[place] and _RULE.match(line):
            rules, waiting = rules + 1, True
        elif line.strip() and waiting:
            named = _named(line, alone)
            after += named is not None and (squeezed(named["name"]) == user or _role(squeezed(named["name"])) == "system")
            waiting = False
    return after > 0 and 2 * after >= rules - 1
