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


def test_questions_of_gift_on_a_line_each_are_as_many(take: Take) -> None:
    taken = take("Capitale? {=Roma ~Bari}\n2 + 2? {=4 ~5}\nChe ora è? {=Mezzogiorno}\n")
    assert [answer for _, answer in taken.texts] == ["A) Roma", "A) 4", "Mezzogiorno"]


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


DECKS = {  # the same two cards
    "on a line": "#flashcards\n\n{}::{}\n{}::{}\n",
    "with spaces": "{} :: {}\n{} :: {}\n",
    "lines between": "{}\n?\n{}\n\n{}\n?\n{}\n",
    "headings and tags": "---\ntags: [flashcards]\n---\n# Storia\n#flashcards/storia\n{}::{}\n\n## Altro\n{}\n?\n{}\n",
    "points": "- {}::{}\n- {}::{}\n",
    "a tag on each line": "#flashcards {}::{}\n#flashcards {}::{}\n",
    "what was shown": "{}::{} <!--SR:!2024-01-01,3,250-->\n{}\n?\n{}\n<!--SR:!2024-01-02,4,270-->\n",
}
PAIRS = [("Capitale d'Italia?", "Roma"), ("Fiume più lungo d'Italia", "Il Po: 652 km")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("form", DECKS.values(), ids=DECKS)
def test_a_deck_of_cards_is_questions_and_answers(take: Take, form: str, end: str) -> None:
    taken = take(form.format(*PAIRS[0], *PAIRS[1]).replace("\n", end))
    assert taken.texts == PAIRS and not taken.faults


def test_an_answer_may_end_with_a_bracket(take: Take) -> None:
    assert take("Chi è?::Ugo (Rossi)\nE lei?::Anna (Neri)\n").texts == [("Chi è?", "Ugo (Rossi)"), ("E lei?", "Anna (Neri)")]


def test_a_card_with_three_colons_is_asked_in_both_directions_and_colons_in_code_are_none(take: Take) -> None:
    content = "#flashcards\ncane:::dog\nChe cos'è `std::map`?::un `a::b`\nSu\n??\nGiù\nin due linee\n\nFine.\n"
    taken = take(content.replace("`\nSu", "`\n\nSu"))
    down = "Giù\nin due linee"
    assert taken.texts == [("cane", "dog"), ("dog", "cane"), ("Che cos'è `std::map`?", "un `a::b`"), ("Su", down), (down, "Su")]
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.faq"] == [{"lines": 2, "pairs": 5}]


@pytest.mark.parametrize("content", ["autore:: Rossi\nanno:: 1990\nvoto:: 5\n", "cane::dog\ngatto::cat\n"])
def test_single_words_with_colons_between_them_are_told_and_read_with_the_tag(take: Take, content: str) -> None:
    reading = take(content).reading
    count = content.count("\n")
    assert reading.format == "text"
    assert [note["params"] for note in reading.findings if note["code"] == "data.note.cards"] == [{"count": count, "line": 1}]
    assert len(take(f"#flashcards\n{content}").texts) == count


@pytest.mark.parametrize(
    "content",
    [
        "use std::fmt;\nuse std::io;\nuse std::net;\n",
        "2001:db8::1\nfe80::1\n",
        "void Foo::a()\nint Foo::b(int x)\nchar Bar::c()\n",
        "Un testo.\nUn altro::così.\nE altro.\nPoi::fine.\n",
        ".. note:: a\n.. image:: b\n",
        "Ciao ::wave:: a tutti\nCome state ::smile::\nBene, grazie ::ok::\n",
        "Come?\n?\n\nUn testo.\n\nUn altro.\n",
    ],
)
def test_other_colons_are_no_cards(take: Take, content: str) -> None:
    taken = take(content)
    assert taken.reading.format == "text" and "data.note.cards" not in {note["code"] for note in taken.reading.findings}


HIDDEN = ("La capitale della Francia è {{c1::Parigi}}.", "Nel {{c1::1492}} {{c2::Colombo::chi}} partì, {{c1::in agosto}}.")
ASKED_HIDDEN = [
    ("La capitale della Francia è _____.", "Parigi"),
    ("Nel _____ Colombo partì, _____.", "1492, in agosto"),
    ("Nel 1492 [chi] partì, in agosto.", "Colombo"),
]


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("{}\n{}\n", 0),
        ("{}\n\n{}\n", 0),
        ("{}\tNota\tgeo\n{}\t\tstoria\n", 3),
        ("#separator:tab\n#html:false\n#tags column:3\n{}\tNota\tgeo\n{}\t\tstoria\n", 3),
        ('#separator:Semicolon\n#html:false\n{};"a;b"\n"{}";c\n', 2),
    ],
)
def test_hidden_words_are_asked_for_once_a_number(take: Take, form: str, cells: int) -> None:
    taken = take(form.format(*HIDDEN))
    assert taken.texts == ASKED_HIDDEN
    told = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.hidden_words"]
    assert told == [{"pairs": 3, "cells": cells, "lines": 0}]


OF_LINES = {  # notes of several lines, and what is asked and learned of the first and the last
    "sentences": (
        "La capitale della {{c1::Francia}} è\n{{c2::Parigi}}.\n\nIl fiume\nè il {{c1::Po}}.\n",
        [("La capitale della _____ è\nParigi.", "Francia"), ("Il fiume\nè il _____.", "Po")],
    ),
    "lists": (
        "Le parti:\n- {{c1::nucleo}}\n- {{c2::membrana}}\n\nI fiumi:\n- {{c1::Po}}\n",
        [("Le parti:\n- _____\n- membrana", "nucleo"), ("I fiumi:\n- _____", "Po")],
    ),
    "one note": (
        "Le parti: {{c1::nucleo}}\ne {{c2::membrana}}\n",
        [("Le parti: _____\ne membrana", "nucleo"), ("Le parti: nucleo\ne _____", "membrana")],
    ),
    "words over lines": (
        "Le regole: {{c1::uno\ndue}}\n\nAltre: {{c1::a\nb}}\n",
        [("Le regole: _____", "uno\ndue"), ("Altre: _____", "a\nb")],
    ),
    "fields": (
        '#separator:tab\n#html:false\n"Il {{c1::Po}}\n""passa"" di qui."\tGeo\nUn {{c1::fiume}}\t"lungo\nqui"\n',
        [('Il _____\n"passa" di qui.', "Po"), ("Un _____", "fiume")],
    ),
    "other fields": (
        '#separator:Semicolon\n"Il {{c1::Po}}\npassa.";a\nUn {{c1::fiume}};b\n',
        [("Il _____\npassa.", "Po"), ("Un _____", "fiume")],
    ),
    "a quote alone": ('#separator:tab\n"Il {{c1::Po}}\tGeo\nUn {{c1::fiume}}\tb\n', [('"Il _____', "Po"), ("Un _____", "fiume")]),
    "headings above lines": (
        "{{c1::Po}}, fiume\n{{c1::Roma}}, città\n\n# Altro\n{{c1::Etna}}, vulcano\n{{c1::Como}}, lago\n",
        [("_____, fiume", "Po"), ("_____, lago", "Como")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", OF_LINES)
def test_a_note_of_several_lines_is_one(take: Take, name: str, end: str) -> None:
    content, ends = OF_LINES[name]
    taken = take(content.replace("\n", end))
    assert [taken.texts[0], taken.texts[-1]] == ends


def test_hidden_words_among_other_lines_are_told(take: Take) -> None:
    reading = take(f"Un testo.\n\n{HIDDEN[0]}\n\nUn altro.\n\n{HIDDEN[1]}\n").reading
    told = [note["params"] for note in reading.findings if note["code"] == "data.note.gaps"]
    assert reading.format == "text" and told == [{"count": 2, "line": 3}]


def test_a_table_with_columns_that_are_known_stays_one_though_words_are_hidden(take: Take) -> None:
    assert take(f"question\tanswer\n{HIDDEN[0]}\tsì\n{HIDDEN[1]}\tno\n").texts == [(HIDDEN[0], "sì"), (HIDDEN[1], "no")]


def test_a_table_with_colons_in_its_cells_stays_one(take: Take) -> None:
    assert take("question,answer\nChe è a::b?,c\nChe è d::e?,f\nChe è g::h?,i\n").texts[0] == ("Che è a::b?", "c")
