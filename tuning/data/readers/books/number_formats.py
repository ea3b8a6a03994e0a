"""Numbers, dates and times as a spreadsheet shows them: `00184`, `15%`, `12,50 €`, `05/03/1987`, by the codes of their number formats.

The codes are those of ECMA-376, part 1, 18.8.31. What a code says beyond these (fractions, exponents, conditions, names of months) is
left as it is stored. Nothing is opened here.
"""

import datetime
import decimal
import functools
import re
from dataclasses import dataclass

USUAL = {  # the number formats that every workbook has, and that show numbers alike everywhere
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 37: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
}  # fmt: skip
_PIECE = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]-]*)[^\]]*\]|\[(?:[A-Za-z]+|[Cc]olor ?\d+)\]|([#0?][#0?,.]*)|([^\[\]@#?0])')
_LOCALE = re.compile(r"\[\$[^\]-]*-([0-9A-Fa-f]+|[A-Za-z]{2}(?:-[A-Za-z]{2})?)\]")
_POINT = frozenset((0x09, 0x04, 0x11, 0x12, 0x0D, 0x1E))  # of English, Chinese, Japanese, Korean, Hebrew, Thai: 1.5
_DATE = re.compile(r"yyyy|yy|mm?|dd?|hh?|ss?|[-/.: ,]|T")
_ODD = re.compile(r"[#0?]/[#0?]|[eE][+-]|\[[<>=]|,(?![#0?,])")


@dataclass(frozen=True)
class _Number:
    """One section of a code for numbers."""

    before: str
    after: str
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
                return int(found, 16) & 0x3FF not in _POINT
            return not found.lower().startswith(("en", "zh", "ja", "ko", "he", "th"))
    return any(re.search(r'[#0?]\s*(?:\\ |_-| )?(?:"\s*(?:€|EUR|euro|kr|zł|Kč)\s*"|\[\$(?:€|EUR|kr|zł|Kč)|€)', code) for code in codes)


def number(held: str, code: str, decimal_comma: bool) -> str | None:
    """A number as the sheet shows it; None where its code says nothing of that, or more than is known here."""
    sections = _split(code)
    if len(sections) > 3 or _ODD.search(code) or not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", held):
        return None
    value = decimal.Decimal(held)
    own = len(sections) > 1 and value < 0
    part = _number(sections[1] if own else sections[2] if len(sections) == 3 and value == 0 else sections[0])
    if part is None or part.most > 15 or abs(value) >= 10**15:
        return None
    amount = (abs(value) * 100**part.percent).quantize(decimal.Decimal(1).scaleb(-part.most), decimal.ROUND_HALF_UP)
    whole, _, rest = f"{amount:f}".partition(".")
    rest = rest[: part.least] + rest[part.least :].rstrip("0")
    whole = (whole.lstrip("0") if part.zeros == 0 else whole.zfill(part.zeros)) or ("0" if not rest else "")
    if part.grouped:
        whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", "." if decimal_comma else ",", whole)
    digits = whole + (("," if decimal_comma else ".") + rest if rest else "")
    sign = "-" if value < 0 and not own and amount else ""
    return (sign + part.before + digits + part.after).strip()


def moment(value: datetime.datetime, code: str, days: bool) -> str | None:
    """A date, a time or both, in figures, as the sheet shows them; None for other codes. `days`: whether it is more than a time."""
    first = re.sub(r'\\(.)|"([^"]*)"|\[\$[^\]]*\]|_.|;@', lambda found: found[1] or found[2] or "", code.split(";")[0]).strip()
    parts = _DATE.findall(first.replace("YY", "yy").replace("DD", "dd").replace("MM", "mm").replace("HH", "hh").replace("SS", "ss"))
    if "".join(parts).lower() != first.lower() or not ("d" in first.lower() or "h" in first.lower()):
        return None
    if not days and "d" in first.lower():
        return None
    shown, before = [], ""
    for place, part in enumerate(parts):
        after = next((other for other in parts[place + 1 :] if other.isalpha()), "")
        shown.append(_figure(value, part, minutes=part.startswith("m") and (before.startswith("h") or after.startswith("s"))))
        before = part if part.isalpha() else before
    return "".join(shown)


def _figure(value: datetime.datetime, part: str, minutes: bool) -> str:
    if not part.isalpha() or part == "T":
        return part
    if part.startswith("y"):
        return f"{value.year:04}"[-len(part) :]
    figure = {"m": value.minute if minutes else value.month, "d": value.day, "h": value.hour, "s": value.second}[part[0]]
    return f"{figure:0{len(part)}}"


def _split(code: str) -> list[str]:
    """The sections of a code: for what is above zero, below, and zero."""
    return re.findall(r'(?:"[^"]*"|\\.|[^;"\\])+', code) or [""]


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
    if not digits or end != len(section) or re.search("[A-Za-z]", re.sub(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]', "", section)):
        return None
    whole, _, rest = digits.partition(".")
    return _Number(before, after, whole.count("0"), rest.count("0"), len(rest), "," in whole, percent)
