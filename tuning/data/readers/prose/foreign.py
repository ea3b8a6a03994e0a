"""Texts that are rows in the form of another program, such as SQL or vCard: told to be learned with all their signs.

They stay the texts that they are: a program may be what somebody wants to teach. Only what holds entries is told, no other code.
"""

import re

from tuning.schema import Notice

_ASKS = r"""\b["']?(?:question|domanda|prompt|input|frage|pregunta)["']?[ \t]*"""
_FORMS = (  # all of the patterns are there
    ("SQL", re.compile(r"(?mi)^[ \t]*INSERT[ \t]+INTO[ \t]+\S+[ \t]*[(\r\n]")),
    (
        "JavaScript",
        re.compile(r"(?:\b(?:const|let|var)[ \t]+[\w$]+[ \t]*=|\bexport[ \t]+default\b|\bexports[ \t]*=)"),
        re.compile(f"{_ASKS}:"),
    ),
    ("PHP", re.compile(r"\A[ \t\r\n]*<\?php\b"), re.compile(f"{_ASKS}=>")),
    ("vCard", re.compile(r"(?m)^BEGIN:VCARD\r?$")),
    ("iCalendar", re.compile(r"(?m)^BEGIN:VCALENDAR\r?$")),
    ("gettext", re.compile(r'(?m)^msgid "'), re.compile(r'(?m)^msgstr(?:\[\d\])? "')),
)


def entries(head: str) -> Notice | None:
    """The finding that entries in the form of another program are learned as they stand."""
    kind = next((kind for kind, *forms in _FORMS if all(form.search(head) for form in forms)), None)
    return None if kind is None else Notice(code="data.note.foreign", level="warning", params={"kind": kind})
