"""Numbers, dates and times as a spreadsheet shows them: `00184`, `15%`, `12,50 €`, `05/03/1987`, by the codes of their number formats.

The codes are those of ECMA-376, part 1, 18.8.31; months and days have their names where a code says in which language. What a code says
beyond these (fractions, exponents, conditions), or each machine shows in its own way, is left as it is stored. Nothing is opened here.
"""

import datetime
import decimal
import functools
import re
from dataclasses import dataclass

_EACH_ITS_OWN = ";"  # stands for what each machine shows in its own way: the order of a date, the sign of a currency, what is below zero
USUAL = {  # the number formats that every workbook has
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 48: "##0.0E+0"},
    **{37: "#,##0;", 38: "#,##0;", 39: "#,##0.00;", 40: "#,##0.00;", 41: '#,##0;;"-"', 43: '#,##0.00;;"-"'},
    **dict.fromkeys((5, 6, 7, 8, 14, 22, 42, 44), _EACH_ITS_OWN),
    **{15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss"},
    **{45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0"},
}  # fmt: skip
_PIECE = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]-]*)[^\]]*\]|\[(?:[A-Za-z]+|[Cc]olor ?\d+)\]|([#0?][#0?,.]*)|([^\[\]@#?0])')
_LOCALE = re.compile(r"\[\$[^\]-]*-([0-9A-Fa-f]+|[A-Za-z]{2}(?:-[A-Za-z]{2})?)\]")
_POINT = frozenset((0x09, 0x04, 0x11, 0x12, 0x0D, 0x1E))  # of English, Chinese, Japanese, Korean, Hebrew, Thai: 1.5
_SYSTEM = frozenset((0xF800, 0xF400))  # in the place of a language: as the machine shows dates, and times
_MOMENT = re.compile(
    r'"(?P<text>[^"]*)"|\\(?P<sign>.)|_.|\*.|\[\$[^\]]*\]|\[(?:Black|Blue|Cyan|Green|Magenta|Red|White|Yellow|Color ?\d+)\]'
    r"|(?P<half>am/pm|a/p)|\[(?P<all>h+|m+|s+)\]|(?P<part>y+|m+|d+|h+|s+)|\.(?P<parts>0{1,3})|(?P<plain>[-/.: ,]|T)",
    re.IGNORECASE,
)
_NAMES = {  # by language: months, days from Monday on, and how many letters short names have, where they are the first ones
    0x09: ("January February March April May June July August September October November December",
           "Monday Tuesday Wednesday Thursday Friday Saturday Sunday", 3),
    0x10: ("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
           "lunedì martedì mercoledì giovedì venerdì sabato domenica", 3),
    0x07: ("Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
           "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag", 0),
    0x0C: ("janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
           "lundi mardi mercredi jeudi vendredi samedi dimanche", 0),
    0x0A: ("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
           "lunes martes miércoles jueves viernes sábado domingo", 0),
}  # fmt: skip
_BY_LETTERS = {"en": 0x09, "it": 0x10, "de": 0x07, "fr": 0x0C, "es": 0x0A}
_ODD = re.compile(r"[#0?]/[#0?]|[eE][+-]|\[[<>=]|,(?![#0?,])")


@dataclass(frozen=True)
class _Number:
    """One section of a code for numbers."""

    before: str
    after: str
    digits: str  # their places; empty where the section is a text
    zeros: int  # digits before the point, at least
    least: int  # decimals, at least and at most
    most: int
    grouped: bool
    percent: int


def comma(codes: list[str]) -> bool:
    """Whether these number formats are of somebody who writes 1,5: by the languages they name, or a currency that stands behind."""
    for code in codes:
        for found in _LOCALE.findall(code):
            if not re.fullmatch("[A-Za-z]{2}-[A-Za-z]{2}|[A-Za-z]{2}", found):
                if int(found, 16) in _SYSTEM:
                    continue
                return int(found, 16) & 0x3FF not in _POINT
            return not found.lower().startswith(("en", "zh", "ja", "ko", "he", "th"))
    return any(re.search(r'[#0?]\s*(?:\\ |_-| )?(?:"\s*(?:€|EUR|euro|kr|zł|Kč)\s*"|\[\$(?:€|EUR|kr|zł|Kč)|€)', code) for code in codes)


def language(codes: list[str]) -> int | None:
    """The one language in which these number formats write months, of those known here; None where they name none, or several."""
    named = {_language(code) for code in codes if "[$-" in code} - {None}
    return named.pop() if len(named) == 1 else None


def number(held: str, code: str, decimal_comma: bool) -> str | None:
    """A number as the sheet shows it; None where its code says nothing of that, or more than is known here."""
    sections = _split(code)
    sections = sections[:-1] if "@" in sections[-1] and len(sections) > 1 else sections
    if len(sections) > 4 or _ODD.search(code) or not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", held):
        return None
    value = decimal.Decimal(held)
    own = len(sections) > 1 and value < 0
    part = _number(sections[1] if own else sections[2] if len(sections) > 2 and value == 0 else sections[0])
    if part is None or part.most > 15 or abs(value) >= 10**15:
        return None
    if not part.digits or (value == 0 and not part.digits.strip("?")):
        return (part.before + part.after).strip() or None
    amount = (abs(value) * 100**part.percent).quantize(decimal.Decimal(1).scaleb(-part.most), decimal.ROUND_HALF_UP)
    whole, _, rest = f"{amount:f}".partition(".")
    rest = rest[: part.least] + rest[part.least :].rstrip("0")
    whole = (whole.lstrip("0") if part.zeros == 0 else whole.zfill(part.zeros)) or ("0" if not rest else "")
    if part.grouped:
        whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", "." if decimal_comma else ",", whole)
    digits = whole + (("," if decimal_comma else ".") + rest if rest else "")
    sign = "-" if value < 0 and not own and amount else ""
    return (sign + part.before + digits + part.after).strip()


def moment(value: datetime.datetime, code: str, days: bool, usual: int | None = None) -> str | None:
    """A date, a time or both as the sheet shows them; None for other codes. `days`: whether it is more than a time.

    Months and days have their names in the language that the code says, else in the `usual` one; None where that is not known here.
    None, too, for a date with AM or PM: by its figures nobody could tell any more when a message of a chat was sent.
    """
    pieces = _pieces(code)
    units = {unit for unit, _ in pieces}
    dated = bool(units & set("yMd"))
    if not units & set("yMdhms") or "all" in units or (dated and ("half" in units or not days)):
        return None
    spoken = _language(code) if _LOCALE.search(code) else usual
    shown = [_piece(value, unit, text, "half" in units, spoken) for unit, text in pieces]
    return None if None in shown else "".join(filter(None, shown)).strip() or None


def elapsed(days: float, code: str) -> str | None:
    """Hours (minutes, seconds) that go on after 24 (60) as the sheet shows them: `36:00`; None for other codes."""
    pieces = _pieces(code)
    whole = round(days * 86_400)
    if [unit for unit, _ in pieces if unit != "text"][:1] != ["all"] or whole < 0:
        return None
    shown = []
    for unit, text in pieces:
        size = {"h": 3600, "m": 60, "s": 1}.get(text[:1].lower() if unit == "all" else unit)
        if unit == "text":
            shown.append(text)
        elif size is None:
            return None
        else:
            shown.append(f"{whole // size if unit == 'all' else whole // size % 60:0{len(text)}}")
    return "".join(shown).strip()


@functools.lru_cache(maxsize=1000)
def _pieces(code: str) -> tuple[tuple[str, str], ...]:
    """What a code for dates and times consists of: unit (y, M, d, h, m, s) or kind, and how it is written; nothing for other codes."""
    section, found, end = _split(code)[0], [], 0
    if _each_its_own(code):
        return ()
    for match in _MOMENT.finditer(section):
        if match.start() != end:
            return ()
        end = match.end()
        kind = match.lastgroup
        if kind is not None:
            found.append((match[kind][0].lower() if kind == "part" else "text" if kind in ("sign", "plain") else kind, match[kind]))
    if end != len(section):
        return ()
    units = [match[0].lower() if kind == "all" else kind for kind, match in found if kind == "all" or len(kind) == 1]
    pieces, place = [], 0
    for kind, text in found:
        if kind == "all" or len(kind) == 1:
            minutes = "h" in units[max(0, place - 1) : place] or "s" in units[place + 1 : place + 2]
            kind = "M" if kind == "m" and not minutes else kind
            place += 1
        pieces.append((kind, text))
    return tuple(pieces)


def _piece(value: datetime.datetime, unit: str, text: str, half: bool, spoken: int | None) -> str | None:
    """One piece of a code as it shows a moment; `half`: whether hours are counted to 12."""
    if unit == "text":
        return text
    if unit == "half":
        return text.split("/")[value.hour >= 12]
    if unit == "parts":
        return f".{value.microsecond:06}"[: len(text) + 1]
    if unit == "y":
        return f"{value.year:04}"[-2 if len(text) < 3 else 0 :]
    if unit in "Md" and len(text) > 2:
        return _name(value, unit, len(text), spoken)
    figures = {"M": value.month, "d": value.day, "h": (value.hour % 12 or 12) if half else value.hour, "m": value.minute, "s": value.second}
    return f"{figures[unit]:0{len(text)}}" if len(text) < 3 else None


def _name(value: datetime.datetime, unit: str, length: int, spoken: int | None) -> str | None:
    """The name of a month or a day: short for 3 letters of the code, whole for 4, of a month its first letter for 5."""
    months, days, letters = _NAMES.get(spoken or 0, ("", "", 0))
    names = months.split() if unit == "M" else days.split()
    if not names or length > (5 if unit == "M" else 4) or (length == 3 and not letters):
        return None
    name = names[value.month - 1 if unit == "M" else value.weekday()]
    return name if length == 4 else name[: letters if length == 3 else 1]


def _language(code: str) -> int | None:
    """The language that a code names, where its months are known here."""
    found = _LOCALE.search(code)
    if found is None or _each_its_own(code):
        return None
    if re.fullmatch("[A-Za-z]{2}(-[A-Za-z]{2})?", found[1]):
        return _BY_LETTERS.get(found[1][:2].lower())
    number = int(found[1], 16) & 0x3FF
    return number if number in _NAMES else None


def _each_its_own(code: str) -> bool:
    """Whether a code asks for the machine's own way with dates, or for figures and calendars of other parts of the world."""
    found = _LOCALE.search(code)
    if found is None or re.fullmatch("[A-Za-z]{2}(-[A-Za-z]{2})?", found[1]):
        return "[$-x-sys" in code.lower()
    number = int(found[1], 16)
    return number in _SYSTEM or number >> 24 > 1 or number >> 16 & 0xFF > 1


@functools.lru_cache(maxsize=1000)
def _split(code: str) -> tuple[str, ...]:
    """The sections of a code: for what is above zero, below, and zero, and for texts."""
    return tuple(found[1] for found in re.finditer(r'(?:^|;)((?:"[^"]*"|\\.|[^;"\\])*)', code))


@functools.lru_cache(maxsize=1000)
def _number(section: str) -> _Number | None:
    before, after, digits, percent, end = "", "", "", 0, 0
    for found in _PIECE.finditer(section):
        if found.start() != end:
            return None
        end = found.end()
        text = found[1] or found[2] or found[3] or found[5] or ""
        percent += found[5] == "%"
        if found[4]:
            if digits:
                return None
            digits = found[4]
        elif digits:
            after += text
        else:
            before += text
    if end != len(section) or re.search("[A-Za-z]", re.sub(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]', "", section)):
        return None
    whole, _, rest = digits.partition(".")
    if "," in rest:
        return None
    return _Number(before, after, digits, whole.count("0"), rest.count("0"), len(rest), "," in whole, percent)
