"""Transcripts of meetings (Teams, Meet, Zoom, WebVTT with voices), and subtitles: names and times are told to be learned with what is said.

They stay the texts that they are, to the letter: who of many answers, and what is worth learning, only their owner knows.
"""

import re
from collections import Counter
from collections.abc import Sequence

from tuning.data.records import shown
from tuning.schema import Notice

_TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?(?:\s?[AaPp]\.?[Mm]\.?)?"
_NAME = r"(?P<name>[^\W\d_][\w .,'’()-]{0,59}?)"
_FORMS = (
    re.compile(rf"{_TIME}[ \t]+From[ \t]+{_NAME}(?:[ \t]+[Tt]o[ \t]+[^:\n]{{1,60}})?[ \t]*:"),  # the chat of Zoom
    re.compile(
        rf"(?:[*_]{{0,2}}|\[){_NAME}(?:[*_]{{0,2}}|\])[ \t]*[-–—|,]?[ \t]*[(\[]?{_TIME}[)\]]?[*_]{{0,2}}:?[ \t]*$"
    ),  # above: Mario Rossi 0:03
    re.compile(rf"[*_]{{0,2}}[(\[]?{_TIME}[)\]]?[ \t]*[-–—|]?[ \t]*[*_]{{0,2}}{_NAME}[*_]{{0,2}}[ \t]*(?::|$)"),  # [09:15] Mario Rossi
    re.compile(rf"[*_]{{0,2}}{_NAME}[*_]{{0,2}}[ \t]*[(\[]{_TIME}[)\]][*_]{{0,2}}[ \t]*:"),  # Mario Rossi (0:03): text
    re.compile(r"<v(?:\.[\w.]+)?[ \t]+(?P<name>[^>\n]{1,60})>"),
)
_CUE = re.compile(r"\d{1,2}:\d{1,2}(?::\d{1,2})?(?:[.,]\d{1,6})?[ \t]*-->")
_BELOW = re.compile(rf"{_NAME}(?::[ \t]|$)")  # below the times of a cue: Mario Rossi: text
_LOGGED = frozenset(("info", "error", "warning", "warn", "debug", "trace", "fatal", "critical", "notice", "errore", "avviso", "nota"))
_LEAST = 3  # lines with a name and a time
_SHARE = 8  # of the lines, one in so many at least


def named(head: str) -> Notice | None:
    """The finding that names and times are learned: one form of them stands in three lines, of names that mostly speak again; else None."""
    if ":" not in head:
        return None
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    names = max((_names(lines, form) for form in (*_FORMS, None)), key=len)
    counts = Counter(names)
    if len(names) < _LEAST or _SHARE * len(names) < len(lines) or 2 * len(counts) > len(names) + 1:
        return None
    if any(name.casefold() in _LOGGED for name in counts):
        return None
    return Notice(code="data.note.transcript", level="warning", params={"count": len(names), "name": shown(counts.most_common(1)[0][0])})


def timed(head: str) -> Notice | None:
    """The finding that the times of subtitles are learned, where no names are with them."""
    cues = sum(_CUE.match(line.strip()) is not None for line in head.splitlines()) if "-->" in head else 0
    return Notice(code="data.note.subtitles", level="warning", params={"count": cues}) if cues > 1 and named(head) is None else None


def _names(lines: Sequence[str], form: re.Pattern[str] | None) -> list[str]:
    """The names that stand in lines in a form; without one, those right below the times of most cues."""
    if form is not None:
        found = [form.match(line) for line in lines]
        after = [*found[1:], None]
        return [one["name"] for one, below in zip(found, after, strict=True) if one and (below is None or one.end() < len(one.string))]
    cues = [place + 1 for place, line in enumerate(lines[:-1]) if _CUE.match(line)]
    names = []
    for place in cues:
        one = _BELOW.match(lines[place])
        below = lines[place + 1] if place + 1 < len(lines) else "-->"
        if one and (one.end() < len(one.string) or not (below.isdigit() or "-->" in below)):
            names.append(one["name"])
    return names if 2 * len(names) > len(cues) else []
