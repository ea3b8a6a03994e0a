"""Dates, times and numbers come out as their format shows them, or as they are stored: never as something between."""

import datetime

import pytest

from tuning.data.readers.books import number_formats
from tuning.data.readers.books.number_formats import USUAL

MAY = datetime.datetime(2024, 5, 3, 15, 5, 7, 250_000)
ITALIAN, ENGLISH = 0x10, 0x09
BOOKED = '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-'

MOMENTS: dict[str, str | None] = {
    "dd/mm/yyyy": "03/05/2024",
    "d/m/yy h:mm": "3/5/24 15:05",
    "yyyy\\-mm\\-dd;@": "2024-05-03",
    "yyyy-mm-ddThh:mm:ss": "2024-05-03T15:05:07",
    'hh"."mm': "15.05",
    '[h]" ore"': None,
    "mm/yyyy": "05/2024",
    "mm:ss.0": "05:07.2",
    "[Red]h:mm AM/PM": "3:05 PM",
    "h:mm A/P": "3:05 P",
    "[$-410]d\\ mmmm\\ yyyy;@": "3 maggio 2024",
    "[$-410]dddd\\ d\\ mmmm\\ yyyy;@": "venerdì 3 maggio 2024",
    "[$-410]d\\-mmm\\-yy;@": "3-mag-24",
    '[$-it-IT]ddd d "del mese" m': "ven 3 del mese 5",
    "[$-409]mmmm\\ d\\,\\ yyyy;@": "May 3, 2024",
    "[$-409]m/d/yy\\ h:mm\\ AM/PM;@": None,  # a chat is told apart by its times
    "[$-409]mmmmm;@": "M",
    "[$-0407]dddd, d. mmmm yyyy": "Freitag, 3. Mai 2024",
    "[$-40C]d mmmm": "3 mai",
    "[$-C0A]d mmmm": "3 mayo",
    "[$-407]d. mmm": None,  # short names are not the first letters
    "[$-415]d mmmm": None,
    "[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy": None,
    "[$-F400]h:mm:ss\\ AM/PM": None,
    "[$-x-sysdate]dddd, mmmm dd, yyyy": None,
    "[$-107041E]d/m/yy": None,  # years of Buddha
    "[$-2000401]d/m/yy": None,
    "dd mmm yyyy": None,
    "dddd": None,
    "ggge": None,
    "mmmmmm": None,
    "hhh": None,
    "gg/mm/aaaa": None,
    "": None,
}


@pytest.mark.parametrize("code", MOMENTS)
def test_a_moment_is_as_its_format_shows_it(code: str) -> None:
    assert number_formats.moment(MAY, code, days=True) == MOMENTS[code]


@pytest.mark.parametrize(("usual", "shown"), [(ITALIAN, "3 mag 2024"), (ENGLISH, "3 May 2024"), (None, None)])
def test_names_are_in_the_language_of_the_other_formats(usual: int | None, shown: str | None) -> None:
    assert number_formats.moment(MAY, "d mmm yyyy", True, usual) == shown


def test_the_language_is_what_all_formats_of_dates_name() -> None:
    assert number_formats.language(["0.00", "[$-410]d mmmm", "[$-410]mmm\\-yy;@", "[$-F800]dddd", "[$$-409]0.00"]) == ITALIAN
    assert number_formats.language(["[$-410]d mmmm", "[$-409]d mmmm"]) is None
    assert number_formats.language(["dd/mm/yyyy"]) is None
    assert not number_formats.comma(["[$-F800]dddd"]) and number_formats.comma(["[$-F800]dddd", "[$-410]d mmmm"])


@pytest.mark.parametrize(
    ("hour", "code", "shown"),
    [
        (9, USUAL[20], "9:30"),
        (9, USUAL[21], "9:30:00"),
        (9, USUAL[18], "9:30 AM"),
        (0, USUAL[18], "12:30 AM"),
        (12, "h AM/PM", "12 PM"),
        (9, "hh:mm", "09:30"),
        (9, USUAL[14], None),
        (9, USUAL[22], None),
        (9, "dd/mm/yyyy", None),
        (9, "mmmm", None),
    ],
)
def test_a_time_without_a_day(hour: int, code: str, shown: str | None) -> None:
    assert number_formats.moment(datetime.datetime(1, 1, 1, hour, 30), code, days=False, usual=ITALIAN) == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("[h]:mm", "36:30"),
        ("[hh]:mm:ss", "36:30:00"),
        ("[m]", "2190"),
        ("[mm]:ss", "2190:00"),
        ('[h]"h "mm', "36h 30"),
        ("[h]:mm AM/PM", None),
        ("d [h]", None),
        ("h:[mm]", None),
        ("", None),
    ],
)
def test_hours_that_go_on(code: str, shown: str | None) -> None:
    assert number_formats.elapsed(1.5 + 30 / 1440, code) == shown


@pytest.mark.parametrize(
    ("held", "code", "shown"),
    [
        ("12.5", BOOKED, "12,50 €"),
        ("-3", BOOKED, "-3,00 €"),
        ("0", BOOKED, "- €"),
        ("1234.5", USUAL[43], "1.234,50"),
        ("0", USUAL[43], "-"),
        ("-2", USUAL[37], None),
        ("2000", USUAL[37], "2.000"),
        ("12.5", USUAL[44], None),
        ("12.5", USUAL[7], None),
        ("5", ";;;", None),
        ("-3", "0.00;;;@", None),
        ("3", "0.00;;;@", "3,00"),
        ("-3", "0.00;@", "-3,00"),
        ("0", '0;-0;"zero"', "zero"),
        ("1", '"Sì";;"No"', "Sì"),
        ("12.5", "#.##0,00", None),
        ("0.5", "# ?/?", None),
        ("1500", "[>=1000]#,##0;0", None),
        ("5", "General", None),
        ("5", "@", None),
    ],
)
def test_a_number_is_as_its_format_shows_it(held: str, code: str, shown: str | None) -> None:
    assert number_formats.number(held, code, decimal_comma=True) == shown
