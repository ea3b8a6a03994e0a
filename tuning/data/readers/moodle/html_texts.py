"""What a piece of HTML says, as plain text: its blocks as lines, points of a list with a hyphen, cells with bars between them.

Raised and lowered signs keep their place (`x²`, `H₂O`, `2^(n+1)`). A picture says what stands for it, if anything does.
"""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(("p", "div", "ul", "ol", "dl", "dt", "dd", "table", "tr", "hr", "blockquote", "pre", "section", "article", "figure"))
_BLOCKS |= {"h1", "h2", "h3", "h4", "h5", "h6", "figcaption", "center", "address"}
_UNSAID = frozenset(("script", "style"))
_RAISED = {"sup": ("^", "0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ"), "sub": ("_", "0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")}
_SPACES = re.compile(r"[ \t\r\n\f]+")
_LINES = re.compile(r"(?<! ) *\n[ \n]*")


def text_of(markup: str, lines: bool = False) -> tuple[str, int]:
    """The text of some HTML, and how many pictures are in it; `lines` where an end of a line is one."""
    reader = _Reader(lines)
    reader.feed(markup)
    reader.close()
    return reader.text(), reader.pictures


class _Reader(HTMLParser):
    """Gathers the text, element by element."""

    def __init__(self, lines: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.pictures = 0
        self._said: list[str] = []
        self._raised: list[tuple[str, int]] = []  # open elements of raised or lowered signs, and where they begin
        self._kept = int(lines)  # elements in which white space stays that are open
        self._unsaid = 0

    def text(self) -> str:
        """All that was said so far."""
        return _LINES.sub("\n", "".join(self._said)).replace("\xa0", " ").strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begins a line, a point, a cell, or signs that are raised."""
        if tag in _BLOCKS or tag == "br":
            self._said.append("\n")
        elif tag == "li":
            self._said.append("\n- ")
        elif tag in ("td", "th") and self._said and not self._said[-1].endswith("\n"):
            self._said.append(" | ")
        elif tag in _RAISED:
            self._raised.append((tag, len(self._said)))
        elif tag == "img":
            self.pictures += 1
            self._said.append(next((said for name, said in attrs if name == "alt" and said), ""))
        self._kept += tag == "pre"
        self._unsaid += tag in _UNSAID

    def handle_endtag(self, tag: str) -> None:
        """Ends them."""
        if tag in _BLOCKS:
            self._said.append("\n")
        elif self._raised and self._raised[-1][0] == tag:
            begin = self._raised.pop()[1]
            self._said[begin:] = [_raised(tag, "".join(self._said[begin:]))]
        self._kept -= tag == "pre" and self._kept > 0
        self._unsaid -= tag in _UNSAID and self._unsaid > 0

    def handle_data(self, data: str) -> None:
        """Takes a text; of its white space only what counts."""
        if not self._unsaid:
            self._said.append(data.replace(" ", "\xa0") if self._kept else _SPACES.sub(" ", data))


def _raised(tag: str, said: str) -> str:
    """Raised or lowered signs, as such where there are some, else after a sign that says so."""
    sign, plain, small = _RAISED[tag]
    said = said.strip()
    if all(letter in plain for letter in said):
        return said.translate(str.maketrans(plain, small))
    return f"{sign}{said}" if len(said) == 1 else f"{sign}({said})"
