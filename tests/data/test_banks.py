"""Question banks of Moodle in XML: each kind of question, what is left out of them, and what is refused."""

import html
from collections.abc import Sequence

import pytest

from tests.data.conftest import Take
from tuning.errors import InputError


def question(kind: str, stem: str, *answers: tuple[str, str], more: str = "", form: str = "html") -> str:
    """A question as Moodle exports it, with the share of the mark of each answer."""
    held = "".join(
        f'<answer fraction="{share}" format="{form}"><text><![CDATA[{said}]]></text><feedback><text></text></feedback></answer>'
        for share, said in answers
    )
    asked = f'<name><text>Titolo</text></name><questiontext format="{form}"><text><![CDATA[{stem}]]></text></questiontext>'
    return f'<question type="{kind}">{asked}<generalfeedback format="html"><text></text></generalfeedback>{held}{more}</question>\n'


def bank(*questions: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n') -> str:
    return f"{head}<quiz>\n<!-- question: 0  -->\n{''.join(questions)}</quiz>\n"


SURE = question("shortanswer", "Chi ha dipinto la Gioconda?", ("100", "Leonardo"), form="moodle_auto_format")
SURELY = ("Chi ha dipinto la Gioconda?", "Leonardo")
PAIRS = "".join(
    f'<subquestion format="html"><text>{first}</text><answer><text>{second}</text></answer></subquestion>'
    for first, second in (("Italia", "Roma"), ("<p>Francia</p>".replace("<", "&lt;"), "Parigi"), ("", "Bari"))
)
WORDS = "".join(f"<dragbox><text>{word}</text><group>1</group></dragbox>" for word in ("Po", "Adige", "Arno"))
KINDS = {  # a question, and what is asked and learned of it
    "choice": (
        question("multichoice", "<p>Capitale d'<b>Italia</b>?</p>", ("0", "<p>Milano</p>"), ("100", "<p>Roma</p>")),
        ("Capitale d'Italia?\n\nA) Milano\nB) Roma", "B) Roma"),
    ),
    "several right": (
        question("multichoice", "Quali sono fiumi?", ("50", "Po"), ("-100", "Roma"), ("50.00000", "Arno")),
        ("Quali sono fiumi?\n\nA) Po\nB) Roma\nC) Arno", "A) Po\nC) Arno"),
    ),
    "true": (question("truefalse", "Il Po è un fiume.", ("100", "true"), ("0", "false")), ("Il Po è un fiume.", "Vero")),
    "false": (question("truefalse", "Il Po è in Francia.", ("0", "true"), ("100", "false")), ("Il Po è in Francia.", "Falso")),
    "short": (question("shortanswer", "Quanto?", ("50", "x < 4"), ("100", "x < 3 & y"), form="plain_text"), ("Quanto?", "x < 3 & y")),
    "stars": (question("shortanswer", "Dove?", ("100", "*Roma*"), ("0", "*"), ("100", "a*b")), ("Dove?", "Roma")),
    "a star": (question("shortanswer", "2 per 3?", ("100", r"2\*3")), ("2 per 3?", "2*3")),
    "number": (
        question("numerical", "Quanto vale pi?").replace(
            "</question>", '<answer fraction="100"><text>3.14</text><tolerance>0.01</tolerance></answer></question>'
        ),
        ("Quanto vale pi?", "3.14"),
    ),
    "matching": (
        question("matching", "Collega.", more=PAIRS),
        ("Collega.\n\n- Italia\n- Francia\n\n- Bari\n- Parigi\n- Roma", "Italia -> Roma\nFrancia -> Parigi"),
    ),
    "gaps": (
        question("cloze", "<p>A {1:SHORTANSWER:=Roma#Sì~%50%Urbe} c'è il {1:MULTICHOICE:Po~=Tevere}, lungo {2:NM:=405:5} km.</p>"),
        ("A _____ c'è il _____ (Po / Tevere), lungo _____ km.", "Roma\nTevere\n405"),
    ),
    "places": (
        question("ddwtos", "A Torino passa il [[1]], a Pisa l'[[3]].", more=WORDS),
        ("A Torino passa il _____, a Pisa l'_____.\n\n- Adige\n- Arno\n- Po", "Po\nArno"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_question_of_a_bank_is_asked_as_it_is_there(take: Take, name: str) -> None:
    written, pair = KINDS[name]
    taken = take(bank(written, SURE))
    assert taken.texts == [pair, SURELY] and not taken.faults and taken.reading.kind == "xml"
    assert take(bank(written, SURE).replace("\n", "\r\n")).texts[0] == pair


SAID = {
    "<p>Uno</p><p>due<br />tre</p>": "Uno\ndue\ntre",
    "x<sup>2</sup> + H<sub>2</sub>O + 2<sup>n+k</sup> + a<sub>i</sub>": "x² + H₂O + 2^(n+k) + a_i",
    "<ul>\n <li>uno</li>\n <li>due</li>\n</ul>": "- uno\n- due",
    "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>": "a | b\nc | d",
    "<pre>if x:\n    y</pre>\n<p>Che\n  fa?</p>": "if x:\n    y\nChe fa?",
    "a &lt; b&nbsp;&amp; c, \\(x &lt; 1\\)": "a < b & c, \\(x < 1\\)",
    "<script>no()</script>Sì": "Sì",
    'Che è? <img src="@@PLUGINFILE@@/a.png" alt="x al quadrato">': "Che è? x al quadrato",
}


@pytest.mark.parametrize("markup", SAID)
def test_what_html_says_is_asked(take: Take, markup: str) -> None:
    assert take(bank(question("shortanswer", markup, ("100", "Boh")), SURE)).texts[0] == (SAID[markup], "Boh")


def test_escaped_html_older_exports_and_other_charsets_are_read(take: Take) -> None:
    plain = question("multichoice", "?", ("100", "È")).replace("<![CDATA[?]]>", html.escape("<p>Perché?</p>")).replace(' format="html"', "")
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    assert take(bank(plain, head=head).encode("latin-1")).texts == [("Perché?\n\nA) È", "A) È")]
    for head in ("", '\ufeff<?xml version="1.0" encoding="UTF-8"?>', "\n\n<?xml version='1.0' ?><!-- da Moodle -->\n"):
        assert take(bank(plain, head=head)).texts == [("Perché?\n\nA) È", "A) È")]
    lines = question("shortanswer", "Uno\ndue?", ("100", "tre"), form="moodle_auto_format")
    assert take(bank(lines)).texts == [("Uno\ndue?", "tre")]


def test_what_is_left_out_of_a_bank_is_counted_and_what_is_no_pair_refused(take: Take) -> None:
    taken = take(
        bank(
            '<question type="category"><category><text>$course$/Storia</text></category></question>',
            question("description", "<p>Leggi.</p>"),
            question("essay", "Racconta.", more="<graderinfo><text>Nota</text></graderinfo>"),
            question("shortanswer", "Chi?", ("100", "Io"), ("100", "Me"), ("50", "Noi")).replace("<text></text>", "<text>Bene</text>"),
            question("calculated", "Quanto fa {a} + {b}?", ("100", "{a}+{b}")),
            question("multichoice", "Quale?", ("100", '<img src="a.png">'), ("0", "b")),
            question("shortanswer", 'Che vedi? <img src="b.png">', ("100", "Un cane")),
        )
    )
    assert taken.faults == [(1, "data.row.empty_answer"), (3, "data.row.question_kind"), (4, "data.row.picture")]
    assert taken.texts == [("Chi?", "Io"), ("Che vedi?", "Un cane")]
    told = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.moodle"]
    assert told == [{"pairs": 5, "others": 2, "feedback": 5, "pictures": 1, "none": 2}]
    assert {"data.check.refused.unread", "data.check.refused.empty_answer"} <= {note["code"] for note in taken.reading.findings}
    assert [fault["line"] for fault in taken.reading.refused] == [5, 7, 8]


BROKEN: Sequence[tuple[str, str]] = [
    (bank(SURE)[:-20], "data.moodle"),
    (bank(SURE, "<b>\n"), "data.moodle"),
    (bank(SURE, "<a>" * 40 + "</a>" * 40), "data.moodle"),
    (bank(SURE, head='<?xml version="1.0"?>\n<!DOCTYPE quiz [<!ENTITY a "b">]>'), "data.binary"),
    (bank('<question type="description"></question>'), "data.no_rows"),
]


@pytest.mark.parametrize(("content", "code"), BROKEN)
def test_a_bank_that_is_broken_is_refused(take: Take, content: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        take(content)
    assert caught.value.code == code and (code != "data.moodle" or caught.value.params["line"] >= 4)


def test_a_bank_of_many_questions_is_read_piece_by_piece(take: Take) -> None:
    picture = f'<file name="a.png" encoding="base64">{"A" * 3000}</file>'
    questions = [question("shortanswer", f"Quanto fa {number} per 2?", ("100", str(number * 2))) for number in range(300)]
    taken = take(bank(*questions).replace("</text></questiontext>", f"</text>{picture}</questiontext>"))
    assert len(taken.rows) == 300 and taken.texts[-1] == ("Quanto fa 299 per 2?", "598") and not taken.faults
