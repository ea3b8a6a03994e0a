"""Personal data in a text: e-mail addresses, telephone numbers, IBANs, Italian tax codes, payment cards.

What has check digits is believed only where they are right; numbers that look like dates, amounts or sequences are left
alone. Names and addresses of streets are not looked for. What is found is handed out masked.
"""

import re
from collections.abc import Iterator

_Place = tuple[int, int, str]  # where it begins and ends, and masked

KINDS = ("email", "phone", "iban", "tax_code", "card")

_MOST = 100  # addresses looked for in one text
_AROUND = 64  # characters of an address looked at on either side of the @
_EMAIL = re.compile(r"(?<![\w.%+-])([\w.%+-]{1,64})@((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24})(?![\w-])", re.ASCII)
_NOBODY = re.compile(
    "info|support|contact|contatti|hello|help|admin|webmaster|sales|no-?reply|donotreply|newsletter|git|test|abc|xyz|example|"
    r"user(?:name)?|e?mail|name|your[._]?(?:name|email)|j(?:ohn|ane)\.?doe"
)
_NOWHERE = re.compile(r"(?:my|your|example)?-?(?:domain|company|website|email)\.")

_DIGIT = re.compile(r"\d")
_LONG = re.compile(r"\d[\d ./()-]{6,30}\d")  # without which there is no telephone number and no card

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_IBAN_LENGTH = {
    **{"IT": 27, "SM": 27, "FR": 27, "MC": 27, "DE": 22, "ES": 24, "PT": 25, "GB": 22, "IE": 22, "CH": 21, "LI": 21, "AT": 20, "BE": 16},
    **{"NL": 18, "LU": 20, "DK": 18, "NO": 15, "SE": 24, "FI": 18, "PL": 28, "CZ": 24, "SK": 24, "SI": 19, "HR": 21, "HU": 28, "RO": 24},
    **{"BG": 22, "GR": 27, "CY": 28, "MT": 31, "EE": 20, "LV": 21, "LT": 20, "IS": 26, "TR": 26, "AL": 28, "VA": 22},
}

_SIXTEEN = re.compile(r"\b\w{16}\b")  # quick to find, and few
_TAX_CODE = re.compile(r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", re.IGNORECASE | re.ASCII)
_ODD = dict(  # D.M. 23/12/1976: what a character counts in an odd place; in an even one digits and letters count from 0
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)

_ALONE = r"(?<!\d[ .-])(?<![\w.,/+=*^-])", r"(?![ .-]?\d)(?!\w|[,/:=*^]\d)"  # not amid further groups of digits
_START, _END = r"(?<![\w.,/+=*^-])", r"(?![\w]|[.,/:=*^-]\d)"
_CARD = re.compile(rf"{_START}(?:\d{{14,19}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}(?:\1\d{{1,3}})?|\d{{4}}([ -])\d{{6}}\2\d{{4,5}}){_END}")
_CARDS = (  # first digits and lengths; 13 digits, which Visa gave up long ago, are articles in shops (EAN)
    (re.compile("4"), (16, 19)),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile("3[47]"), (15,)),
    (re.compile("3(?:0[0-5]|[68])"), (14,)),
    (re.compile("6011|65|64[4-9]"), (16, 17, 18, 19)),
    (re.compile("35(?:2[89]|[3-8])"), (16, 17, 18, 19)),
)

_MOBILE = "3(?:2[0-9]|3[0-9]|4[0-9]|5[0-3]|6[0-8]|7[0-9]|8[0-9]|9[0-7])"  # in Italy
_PHONES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\w+/])(?:\+|00)[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,4}){1,4}(?!\w|[.,/-]\d)",  # international
        rf"{_START}{_MOBILE}(?:([ .-])\d{{3}}\1?\d{{3,4}}|\d{{7}}){_END}",
        rf"{_START}0[1-9]\d{{0,3}}[ ./-]\d{{5,8}}{_END}",  # prefix and number
        rf"{_ALONE[0]}0[1-9]\d{{0,3}}[ .-]\d{{3,4}}(?:[ .-]\d{{2,4}}){{1,2}}{_ALONE[1]}",  # the same in groups, as in Italy and Britain
        rf"{_ALONE[0]}0[1-9]([ .])\d\d(?:\1\d\d){{3}}{_ALONE[1]}",  # French
        rf"{_START}(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[.-]\d{{4}}{_END}",  # North American
    )
)
_FICTION = re.compile(r"(?:44|0)?(?:1632960|7700900)|1?\d{3}555")  # numbers kept free for films and examples


def find(text: str) -> Iterator[tuple[str, str]]:
    """What is found, as (one of `KINDS`, masked), each once at its place."""
    if "@" in text:
        yield from (("email", masked) for masked in emails(text))
    if _DIGIT.search(text) is None:
        return
    taken: list[tuple[int, int]] = []
    for kind, candidates in (("iban", _ibans(text)), ("tax_code", _tax_codes(text)), *_long(text)):
        for start, end, masked in candidates:
            if all(end <= other or start >= after for other, after in taken):
                taken.append((start, end))
                yield kind, masked


def _long(text: str) -> list[tuple[str, Iterator[_Place]]]:
    return [("card", _cards(text)), ("phone", _phones(text))] if _LONG.search(text) else []


def emails(text: str) -> Iterator[str]:
    """Addresses of persons, masked; those of nobody in particular (info@, yourname@) are left out."""
    place = text.find("@")
    for _ in range(_MOST):
        if place < 0:
            return
        start = max(0, place - _AROUND - 1)
        for match in _EMAIL.finditer(text, start, place + 4 * _AROUND):
            if match.start(2) == place + 1:
                local, host = match.group(1).lower(), match.group(2).lower()
                if not _NOBODY.fullmatch(local) and not _NOWHERE.match(host):
                    yield f"{local[0]}…@{host}"
                break
        place = text.find("@", place + 1)


def valid_iban(number: str) -> bool:
    """ISO 13616: the length of its country, and 1 as the remainder by 97."""
    if _IBAN_LENGTH.get(number[:2]) != len(number):
        return False
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


def valid_tax_code(code: str) -> bool:
    """The last character of a codice fiscale, out of the fifteen before it."""
    total = sum(_ODD[character] for character in code[0:15:2])
    total += sum(int(character, 36) - (10 if character.isalpha() else 0) for character in code[1:15:2])
    return chr(ord("A") + total % 26) == code[15]


def valid_card(digits: str) -> bool:
    """A known first number and length, and Luhn's sum."""
    if not any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in _CARDS) or len(set(digits)) < 3:
        return False
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(int(digit) for digit in digits[-1::-2]) + sum(value - 9 if value > 9 else value for value in doubled)) % 10 == 0


def _ibans(text: str) -> Iterator[_Place]:
    for match in _IBAN.finditer(text):
        number = match.group().replace(" ", "")
        if valid_iban(number):
            yield *match.span(), f"{number[:4]}…{number[-2:]}"


def _tax_codes(text: str) -> Iterator[_Place]:
    for match in _SIXTEEN.finditer(text):
        code = match.group().upper()
        if _TAX_CODE.fullmatch(code) and valid_tax_code(code):
            yield *match.span(), f"{code[:3]}…{code[-1]}"


def _cards(text: str) -> Iterator[_Place]:
    for match in _CARD.finditer(text):
        digits = re.sub("[ -]", "", match.group())
        if valid_card(digits):
            yield *match.span(), f"…{digits[-4:]}"


def _phones(text: str) -> Iterator[_Place]:
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            number = match.group()
            digits = re.sub(r"\D", "", number)
            if 8 <= len(digits.removeprefix("00")) <= 15 and len(set(digits)) > 2 and not _FICTION.match(digits):
                yield *match.span(), f"{number[:3]}…{number[-2:]}"
