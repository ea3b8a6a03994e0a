"""What a row in normal form says: its texts, when two rows say the same, and letters that were read in a wrong encoding.

Pure functions. Hashes are those of this process (they differ from one start of Python to the next): they are never stored.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Said = tuple[str, ...]

LOST = "\ufffd"  # what stands where a letter could not be read
_DAMAGE = re.compile(f"{LOST}|Ã[\x80-\xbf€ƒ„†‡ˆ‰Š‹ŒŽ‘“•˜™š›œžŸ]|Â[\xa0-\xbf]|â€[\x80-\xbf™œ˜¦“”¢]|â‚¬|ðŸ")
_PLAIN = 2  # keys of a message that is only role and content


def _bytes_as_characters() -> dict[int, int]:
    """The characters of Windows-1252 to the bytes they are. Five bytes have none there, and stand for themselves."""
    table = {}
    for byte in range(128, 256):
        character = bytes([byte]).decode("cp1252", errors="replace")
        if character != LOST:
            table[ord(character)] = byte
    return table


_BYTES = _bytes_as_characters()
_LETTERS = frozenset(_BYTES) | frozenset(range(0xA0, 0x100))  # what Western texts are written with, beside ASCII


def said(row: Mapping[str, Any]) -> Said:
    """All that a row says, in order: the text alone, or a text per message, the answer last.

    Calls of tools are part of a message's text; tools on offer stand before all.
    """
    messages = row.get("messages")
    if messages is None:
        return (row["text"],)
    if "tools" not in row:
        if len(messages) == 2 and len(messages[0]) == len(messages[1]) == _PLAIN:
            return (messages[0]["content"], messages[1]["content"])  # most rows are so, and every row comes here
        if max(map(len, messages)) == _PLAIN:
            return tuple([message["content"] for message in messages])
    texts = [_with_calls(message) for message in messages]
    if row.get("tools"):
        texts.insert(0, _json(row["tools"]))
    return tuple(texts)


def spoken(row: Mapping[str, Any], texts: Said) -> Said:
    """`said(row)` less the tools and the system text, which many rows have in common."""
    messages = row.get("messages")
    if not messages:
        return texts
    return texts[len(texts) - len(messages) + (messages[0]["role"] == "system") :]


def fold(text: str) -> str:
    """A text without regard to case and white space."""
    return " ".join(text.split()).casefold()


def question_key(texts: Said) -> int:
    """A number that rows with the same question share, case and white space set aside; of a plain text, its whole."""
    return hash(fold("\n".join(texts[:-1] or texts)))


class KnownQuestions:
    """The questions of other data, by `question_key`; 8 bytes each."""

    def __init__(self, keys: Sequence[int] = ()) -> None:
        self._keys = array("q", sorted(keys))

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: int) -> bool:
        place = bisect_left(self._keys, key)
        return place < len(self._keys) and self._keys[place] == key


def suspicious(text: str) -> bool:
    """Whether a text may have damaged letters (UTF-8 read wrongly, or lost): quick, and true of some sound texts."""
    return "Ã" in text or "Â" in text or LOST in text or "â€" in text or "â‚¬" in text or "ðŸ" in text  # spelled out: every row comes here


def mended(text: str) -> str | None:
    """The text as it was written, where its UTF-8 was read as Windows-1252 or Latin-1; None where it was not.

    Only a text that turns back as a whole is taken, into letters that a Western text has or into signs such as quotation
    marks and emoji: sound texts do not do that by chance.
    """
    if text.isascii() or not suspicious(text):
        return None
    try:
        result = text.translate(_BYTES).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None
    plausible = all(ord(letter) < 128 or ord(letter) in _LETTERS or ord(letter) >= 0x2000 for letter in result)
    return result if plausible and LOST not in result else None


def broken_letters(text: str) -> bool:
    """Whether letters of a text are damaged: a sign in their place, or UTF-8 read wrongly amid letters that are right."""
    return _DAMAGE.search(text) is not None


def around(text: str) -> str:
    """The words about the first damaged letter of a text."""
    match = _DAMAGE.search(text)
    return text[max(0, match.start() - 20) : match.end() + 20] if match else text


def _with_calls(message: Mapping[str, Any]) -> str:
    extras = {key: value for key, value in message.items() if key not in ("role", "content", "weight")}
    return f"{message['content']}\n{_json(extras)}" if extras else message["content"]


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
