"""Questions that learning programs write: Moodle's GIFT, flashcards and gaps. What is asked, what is learned, what is left out."""

import pytest

from tests.data.conftest import Take

GIFT = {  # a question, and what is asked and learned of it
    "choice": ("::Q1:: Capitale d'Italia? {=Roma ~Milano}", ("Capitale d'Italia?\n\nA) Roma\nB) Milano", "A) Roma")),
    "choice, lines": ("Capitale?{\n\t~Milano\n\t=Roma\n}", ("Capitale?\n\nA) Milano\nB) Roma", "B) Roma")),
    "several right": (
        "Quali sono fiumi? {~%50%Po ~%50%Arno ~%-100%Roma}",
        ("Quali sono fiumi?\n\nA) Po\nB) Arno\nC) Roma", "A) Po\nB) Arno"),
    ),
    "half right": ("Capitale? {=Roma ~%50%Torino ~Bari}", ("Capitale?\n\nA) Roma\nB) Torino\nC) Bari", "A) Roma")),
    "short": ("Capitale della Francia? {=Parigi}", ("Capitale della Francia?", "Parigi")),
    "number": ("Quanto fa pi? {#3.14}", ("Quanto fa pi?", "3.14")),
    "range": ("Un numero da 1 a 5? {#1..5}", ("Un numero da 1 a 5?", "1–5")),
    "matching": (
        "Collega. {=Italia -> Roma =Francia -> Parigi = -> Bari}",
        ("Collega.\n\n- Italia\n- Francia\n\n- Bari\n- Parigi\n- Roma", "Italia -> Roma\nFrancia -> Parigi"),
    ),
    "within": ("Il {=Po ~Tevere} passa per Torino.", ("Il _____ passa per Torino.\n\nA) Po\nB) Tevere", "A) Po")),
    "escapes": (r"Cos'è\: 1 \= \{1\}? {=x\=1 \~ y ~a\#b}", ("Cos'è: 1 = {1}?\n\nA) x=1 ~ y\nB) a#b", "A) x=1 ~ y")),
    "markup": ("::T\\:1::[markdown]Che *è*? {=uno ~due}", ("Che *è*?\n\nA) uno\nB) due", "A) uno")),
    "no space": ("Chi?{=Io~Tu}", ("Chi?\n\nA) Io\nB) Tu", "A) Io")),
}
SURE = "\n\n2 + 2? {=4 ~5}\n"
SURELY = ("2 + 2?\n\nA) 4\nB) 5", "A) 4")


@pytest.mark.parametrize("name", GIFT)
def test_a_question_of_gift_is_asked_with_its_options(take: Take, name: str) -> None:
    written, pair = GIFT[name]
    taken = take(written + SURE)
    assert taken.texts == [pair, SURELY] and not taken.faults
    assert {note["code"] for note in taken.reading.findings} <= {"data.check.short"}
    assert take((written + SURE).replace("\n", "\r\n")).texts[0] == pair


@pytest.mark.parametrize("truth", ["{T}", "{TRUE}", "{true#Sì.}", "{ T }"])
def test_true_and_false_are_said_in_the_language_of_the_questions(take: Take, truth: str) -> None:
    content = f"La capitale della Francia è Parigi. {truth}\n\nIl Po è un fiume della Francia. {{F}}\n"
    assert [texts[-1] for texts in take(content).texts] == ["Vero", "Falso"]
    assert [texts[-1] for texts in take(content.replace("La capitale della Francia è", "What is the capital of France, and is it").replace(
        "Il Po è un fiume della", "The river of the town is in")).texts] == ["True", "False"]  # fmt: skip


def test_what_is_left_out_of_gift_is_counted_and_an_open_question_refused(take: Take) -> None:
    taken = take(
        "// da Moodle\n$CATEGORY: $course$/Storia\n\nUna descrizione.\n\n"
        "Capitale? {=Parigi#Bene =%50%Paris ~%0%x#No ####Fine}\n\nRacconta. {}\n\n"
        "Pi? {#3.14:0.01}\n\nChi? {=Io =Me =Noi}\n\nChe? {=a =b}\n"
    )
    assert taken.faults == [(2, "data.row.empty_answer")] and len(taken.texts) == 4 and taken.texts[2] == ("Chi?", "Io")
    told = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.gift"]
    assert told == [{"pairs": 5, "others": 4, "feedback": 3, "lines": 3}]


@pytest.mark.parametrize(
    "content",
    [
        "Caro {nome},\n\nla tua taglia è {taglia}.\n\nSaluti\n",
        "Sia A^{T} la trasposta.\n\nE B^{T} l'altra.\n\nFine.\n",
        "Un testo {==con un passo==} e {~~un~>altro~~}.\n\nE {==un altro==}.\n",
        "a:hover {color: red}\n\nb {margin: 0}\n\n.c {}\n",
        "Una storia.\n\nUna domanda {=uno ~due} sola.\n\nFine.\n\nPoi altro.\n",
        "int f() {\n  return 1;\n}\n\nint g() {}\n",
        "<b>`{=html}\n\n<i>`{=html}\n",
    ],
)
def test_other_braces_stay_as_they_are(take: Take, content: str) -> None:
    taken = take(content)
    assert taken.reading.format == "text" and "".join(text for (text,) in taken.texts).replace("\n", "") == content.replace("\n", "")
