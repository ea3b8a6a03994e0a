"""What is found in data: each finding with its rows on a few of them, none on clean ones, and repairs that do what was counted."""

import json
import pathlib
import re
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.conftest import Take, Taken, Write, read_here
from tuning import text
from tuning.data.checks import leftovers, personal
from tuning.data.checks.findings import SAMPLED, Findings
from tuning.data.checks.near_duplicates import MOST, Near
from tuning.data.checks.repairs import Repairs
from tuning.data.formats.content import KnownQuestions, mended, said
from tuning.data.ingest import ReadingOptions, ingest
from tuning.data.readers.languages import language
from tuning.data.records import REPAIRS
from tuning.errors import InputError

STARTER = pathlib.Path(__file__).resolve().parents[2] / "presets" / "starter"

CLEAN = """What is the capital of Italy?|Rome has been the capital of Italy since 1871.
How do I boil an egg?|Put it into boiling water for eight minutes, then into cold water.
When was the bridge opened?|It was opened on 24 May 1883, after fourteen years of work.
What does the large pizza cost?|The large pizza costs 12.50 euros, the small one 8.90.
Why is the sky blue?|Air scatters short waves of light more than long ones.
Name a river in Spain.|The Ebro flows through the north of Spain.
How many people live in Florence?|About 360,000 people live within the city itself.
Who wrote The Betrothed?|Alessandro Manzoni wrote it, and revised it until 1842.
Give me three prime numbers.|Three of them are 101, 103 and 107.
What time does the museum close?|On weekdays it closes at 18:30, on Sundays at 13:00.
Translate good evening into German.|One says Guten Abend in German.
Is a tomato a fruit?|To a botanist it is a fruit, to a cook a vegetable.
Explain what a loan is.|Somebody lends you money, and you pay it back with interest.
How far is the Moon?|On average it is 384,400 km away from the Earth.
What is 17 times 23?|17 times 23 makes 391, as you can check by 20 times 17 and 3 times 17.
Which gas do plants take in?|They take in carbon dioxide and give off oxygen.
Write a line about autumn.|Leaves come down like letters nobody has answered.
What is a haiku?|A poem of three lines with five, seven and five syllables.
How do I clean a cast iron pan?|Wipe it while it is warm, and oil it thinly before you put it away.
Can penguins fly?|They cannot; their wings have become fins for swimming.
What is the speed of light?|It is 299,792,458 metres per second in empty space.
Who painted the ceiling of the Sistine Chapel?|Michelangelo painted it between 1508 and 1512.
Suggest a name for a cat.|Call her Minerva if she looks wise.
What is a verb?|A word that says what somebody does or what happens.
Where do kangaroos live?|They live in Australia and on New Guinea.
How is cheese made?|Milk is curdled, the curds are pressed, salted and left to ripen.
What is the ISBN of the book?|The number on its back is 978-3-16-148410-0.
When does spring begin?|In the north it begins about the 20th of March.
What is photosynthesis?|Plants make sugar out of light, water and air.
Which planet is the largest?|Jupiter is by far the largest of the eight.
How do magnets work?|Their tiny currents line up, and their fields add up.
What should I pack for the mountains?|Take good shoes, a rain jacket, water and a map.
Who invented the telephone?|Meucci, Reis and Bell all have a claim to it.
What is inflation?|Prices rise, and money buys less than it did before.
Is it safe to eat raw dough?|Better not: flour and eggs may carry germs.
Describe the taste of basil.|Sweet and peppery, with a breath of cloves.
What are the colours of the Italian flag?|Green, white and red, in three upright bands.
How long does a marathon take?|Most amateurs need between four and five hours for its 42.195 km.
What is a leap year?|A year of 366 days, with a 29th of February.
Why do cats purr?|Out of comfort mostly, and sometimes to calm themselves.
What is the address of the server in the example?|It answers at 192.168.100.200 on port 8080.
How much is a dozen?|A dozen is twelve of anything, as of eggs.
Which instrument has 88 keys?|A modern piano has 88 of them, 52 white and 36 black.
What did Galileo see near Jupiter?|He saw four moons that went round it.
How do I greet a professor in a letter?|Begin with Dear Professor and the family name.
What is the boiling point of water?|At sea level it boils at 100 degrees Celsius.
Give an example of a metaphor.|Time is a thief that takes no holidays.
Who was Ada Lovelace?|She wrote the first published program for a computing machine.
What is jazz?|A music of improvisation that was born in New Orleans.
How do bees find their way?|They read the sun, and dance to tell the others.
What is the Latin for peace?|The word is pax, of the feminine gender.
When did the war end?|It ended on 8 May 1945 in Europe.
Which cheese goes with pears?|A ripe pecorino goes with them very well.
What is a black hole?|A place where gravity lets not even light escape.
How is glass made?|Sand, soda and lime are melted at about 1,500 degrees.
What is the plural of mouse?|The plural is mice, if it is an animal.
Can you swim after lunch?|You can, if the meal was light and the water is not cold.
What is the meaning of the word serendipity?|Finding something good without having looked for it.
How tall is Mont Blanc?|Its summit stands at about 4,806 metres.
Tell me a short joke.|I told my plants a joke, and now they are rooting for me."""


def row(number: int, question: str, answer: str, system: str = "") -> dict[str, Any]:
    head = [{"role": "system", "content": system}] if system else []
    return {"row": number, "messages": [*head, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def clean(count: int = 60) -> list[dict[str, Any]]:
    return [row(number, *line.split("|")) for number, line in enumerate(CLEAN.splitlines()[:count], start=1)]


def found(rows: Iterable[dict[str, Any]], known: KnownQuestions | None = None) -> dict[str, dict[str, Any]]:
    """Findings by code, without their common beginning; each must have words."""
    findings = Findings(known)
    for one in rows:
        findings.add(one)
    return told(findings)


def told(findings: Findings) -> dict[str, dict[str, Any]]:
    notices = findings.finish()
    for notice in notices:
        for lang in text.LANGUAGES:
            assert text.say(lang, notice.code, notice.params)
        if "repair" in notice.params:
            assert notice.params["repair"] in REPAIRS
    assert len({notice.code for notice in notices}) == len(notices)
    return {notice.code.removeprefix("data.check."): notice.params for notice in notices}


def held_out(rows: Iterable[dict[str, Any]]) -> KnownQuestions:
    findings = Findings(held_out=True)
    for one in rows:
        findings.add(one)
    return findings.contents()


def misread(sound: str) -> str:
    """UTF-8 as a program reads it that takes it for Windows-1252."""
    return "".join(bytes([byte]).decode("cp1252") if byte not in b"\x81\x8d\x8f\x90\x9d" else chr(byte) for byte in sound.encode())


def test_clean_data_has_no_findings() -> None:
    rows = clean()
    assert len(rows) == 60
    assert found(rows) == {}
    assert found([{"row": one["row"], "text": "\n".join(said(one))} for one in rows]) == {}
    assert found([]) == {}
    assert found(clean(2)) == {}


@pytest.mark.parametrize("name", ["starter-en", "starter-it"])
def test_the_data_that_ship_have_no_findings(name: str) -> None:
    def rows(file: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (STARTER / file).read_text(encoding="utf-8").splitlines()]
        return [row(number, line["instruction"], line["output"]) for number, line in enumerate(lines, start=1)]

    held = rows(f"{name}.heldout.jsonl")
    assert found(held) == {}
    assert found(rows(f"{name}.jsonl"), held_out(held)) == {}


def test_refusals_are_told_by_kind() -> None:
    findings = Findings()
    codes = [
        "empty_answer",
        "roles",
        "json",
        "empty_question",
        "ragged",
        "roles",
        "columns",
        "nan",
        "part",
        "call",
        "unwanted",
        "empty_text",
    ]
    for number, code in enumerate(codes, start=2):
        findings.refuse(number, f"data.row.{code}", mendable=number == 3)
    findings.refuse(20, "data.row.role")
    assert told(findings) == {
        "refused.empty_answer": {"count": 1, "rows": "2"},
        "refused.roles": {"count": 2, "rows": "3, 7", "mendable": 1, "repair": "roles"},
        "refused.broken": {"count": 2, "rows": "4, 9"},
        "refused.empty_question": {"count": 1, "rows": "5"},
        "refused.columns": {"count": 2, "rows": "6, 8"},
        "refused.type": {"count": 1, "rows": "10"},
        "refused.tools": {"count": 1, "rows": "11"},
        "refused.unwanted": {"count": 1, "rows": "12"},
        "refused.empty_text": {"count": 1, "rows": "13"},
        "refused.role": {"count": 1, "rows": "20"},
    }


def test_duplicates_and_contradictions() -> None:
    rows = clean(20)
    rows += [{**rows[4], "row": 31}, {**rows[4], "row": 32}, row(33, "Name a river in Spain.", "The Guadalquivir crosses Andalusia.")]
    assert found(rows) == {
        "duplicates": {"count": 2, "rows": "31, 32", "example": "Why is the sky blue?", "repair": "duplicates"},
        "contradictions": {"count": 2, "rows": "6, 33", "example": "Name a river in Spain."},
    }
    many = found([*clean(20), *({**rows[0], "row": number} for number in range(100, 150))])
    assert many["duplicates"]["rows"] == "100, 101, 102, 103, 104, …"
    assert many["duplicates"]["count"] == 50


def test_another_system_text_or_other_tools_make_another_row() -> None:
    rows = clean(5)
    system = [row(11, "Who are you?", "I am the baker of this street.", "You are a baker.")]
    system += [row(12, "Who are you?", "I am the smith of this street.", "You are a smith.")]
    assert found([*rows, *system]) == {}
    calls = [{"type": "function", "function": {"name": name, "arguments": {"city": "Rome"}}} for name in ("weather", "tides")]
    talks = [[{"role": "user", "content": "How is it?"}, {"role": "assistant", "content": "", "tool_calls": [call]}] for call in calls]
    used = [{"row": 20 + place, "messages": talk, "tools": [{"type": "function"}]} for place, talk in enumerate(talks)]
    assert found([*rows, *used]).keys() == {"contradictions"}
    assert found([*rows, *used, {**used[0], "row": 30}])["duplicates"]["rows"] == "30"


LONG_QUESTION = "Could you please explain to me in a few simple words how the bakery on the corner makes its sourdough bread each day?"
LONG_ANSWER = (
    "They feed the starter in the evening, knead the dough at four, let it rest for three hours and bake it on stone until it is brown."
)


@pytest.mark.parametrize(
    ("question", "answer", "near"),
    [
        (LONG_QUESTION.upper(), LONG_ANSWER.replace(".", "!"), True),
        (LONG_QUESTION, LONG_ANSWER.replace("brown", "golden"), True),
        (LONG_QUESTION, "Nobody knows.", False),  # that is a contradiction
        (LONG_QUESTION.replace("corner", "square").replace("bread", "cake"), LONG_ANSWER, False),
        (LONG_QUESTION, LONG_ANSWER.replace("four", "4"), False),  # another number is another fact
    ],
)
def test_near_duplicates(question: str, answer: str, near: bool) -> None:
    rows = [*clean(20), row(30, LONG_QUESTION, LONG_ANSWER), row(31, question, answer)]
    params = found(rows).get("near_duplicates")
    expected = {"count": 1, "rows": "31", "like": "30", "repair": "near_duplicates"}
    assert (params and {key: params[key] for key in expected}) == (expected if near else None)


def test_questions_about_one_text_are_not_near() -> None:
    passage = " ".join(line.split("|")[1] for line in CLEAN.splitlines()[:12])
    rows = [row(number, f"{passage}\n\n{line.split('|')[0]}", line.split("|")[1]) for number, line in enumerate(CLEAN.splitlines()[:12])]
    assert "near_duplicates" not in found(rows)


def test_a_template_that_all_rows_share_costs_no_square() -> None:
    near = Near()
    template = " ".join(line.split("|")[0] for line in CLEAN.splitlines()[:10])
    assert not [number for number in range(2000) if near.add(number, (f"{template} {number}", f"item {number}")) is not None]
    assert near.add(5000, (f"{template} 7", "item 7")) == 7


def test_the_same_answer_over_and_over() -> None:
    rows = [row(number, line.split("|")[0], "Sì" if number % 5 else "No, mai.") for number, line in enumerate(CLEAN.splitlines())]
    most = {"count": 48, "percent": 80, "answer": "Sì"}
    assert found(rows) == {"constant": most, "few": {"count": 2, "total": 60}}  # classes, one of which has most rows
    assert list(found(rows[:20])) == ["constant"]
    assert list(found([row(number, line.split("|")[0], "Sì") for number, line in enumerate(CLEAN.splitlines())])) == ["constant"]
    assert found(rows[:3]) == {}
    classes = [row(number, line.split("|")[0], ("joy", "anger", "fear")[number % 3]) for number, line in enumerate(CLEAN.splitlines())]
    assert found(classes) == {"few": {"count": 3, "total": 60}}


def test_short_answers_and_answers_that_say_nothing() -> None:
    lines = CLEAN.splitlines()
    short = [row(number, line.split("|")[0], f"Item {number}.") for number, line in enumerate(lines)]
    assert found(short) == {"short": {"count": 60, "percent": 100, "limit": 15}}
    rows = [
        *clean(20),
        *(row(30 + place, lines[20 + place].split("|")[0], answer) for place, answer in enumerate(["N/A", " null\n", "-", "None", "No"])),
    ]
    assert found(rows) == {"nothing": {"count": 4, "rows": "30, 31, 32, 33", "example": "N/A"}}


@pytest.mark.parametrize(
    "error", ["#N/D", "#N/A", "#NOME?", "#NAME?", "#RIF!", "#REF!", "#VALORE!", "#VALUE!", "#DIV/0!", "#NV", "Err:502"]
)
def test_an_error_of_a_spreadsheet_is_no_answer(error: str) -> None:
    rows = [*clean(20), row(30, CLEAN.splitlines()[20].split("|")[0], error)]
    assert found(rows) == {"nothing": {"count": 1, "rows": "30", "example": error}}


def test_an_answer_that_repeats_the_question() -> None:
    rows = [*clean(20), row(30, "Say what is a  Black hole", "say what is a black hole "), row(31, "Ciao", "ciao")]
    assert found(rows) == {"echo": {"count": 2, "rows": "30, 31", "example": "say what is a black hole"}}


def test_damaged_letters() -> None:
    rows = clean(20)
    rows.append(row(30, misread("Perché il caffè è così buono?"), "Because it is freshly ground."))
    rows.append(row(31, "What did she say?", misread("“It’s a pity” – and smiled 😀, didn’t she…")))
    rows.append(row(32, "What is missing?", "Here a letter is lost: perch\ufffd it was read wrongly."))
    rows.append(row(33, "What is mixed?", "Here è is right, and this is wrong: caffÃ¨ every morning."))
    assert found(rows) == {
        "mojibake": {"count": 2, "rows": "30, 31", "example": "PerchÃ© il caffÃ¨ Ã¨ cosÃ¬", "repair": "encoding"},
        "lost": {"count": 2, "rows": "32, 33", "example": "etter is lost: perch\ufffd it was read wrongly"},
    }
    sound = [
        "È vero… «sì»",
        "PERCHÉ… NON PUÒ",
        "“È”",
        "NÃO, IRMÃO",
        "Ça coûte 5 €",
        "Ünal – Ærø",
        "¿Qué? ¡Olé!",
        "日本",
        "à",
        "Â",
        "Größe: 5 µm²",
        "😀",
    ]
    assert [one for one in sound if mended(one) is not None] == []
    assert "lost" not in found([*clean(20), *(row(40 + place, f"Question {one}", f"Answer: {one}.") for place, one in enumerate(sound))])


@given(st.text(st.sampled_from("abc è àéìòùÈÀçñöü€’“”–…😀 \n"), min_size=1))
def test_what_was_misread_is_put_right_to_the_letter(sound: str) -> None:
    assert mended(sound) is None
    assert mended(misread(sound)) == (None if sound.isascii() else sound)


PERSONAL = {
    "email": ["Write to mario.rossi@example.org!", "a mailto:anna+list@mail.example.co.uk."],
    "phone": [
        *("chiamami al 3331234567", "cell. 333 123 4567", "+39 333 123 4567", "0039 02 1234567", "Tel. 02-12345678", "02/1234567"),
        *("0583 491 220", "(212) 867-5309", "212-867-5309", "+44 20 7946 0958", "+33 1 42 68 53 00", "01 42 68 53 00"),
        "(+39) 02 1234 5678",
    ],
    "iban": ["IT60X0542811101000000123456", "IBAN IT60 X054 2811 1010 0000 0123 456.", "DE89 3704 0044 0532 0130 00"],
    "tax_code": ["RSSMRA85T10A562S", "c.f. rssmra85t10a562s,"],
    "card": ["4539 1488 0343 6467", "4539148803436467", "3782 822463 10005"],
}
NOT_PERSONAL = [
    *("2024-01-15", "15/01/2024", "01-02-2024", "01/02/2024 10:30", "2023-10-05T14:48:00.000Z", "1914-1918 e 1939-1945", "ore 09 30"),
    *("1.234.567,89 euro", "$1,234,567.89", "100 000 000 000", "+10 000 000 000", "12345678901234567890", "3.14159265358979323846"),
    *("0.3333333333", "3333333333", "192.168.100.200", "010 101 01010 1100", "1 2 3 4 5 6 7 8 9 10", "04 07 12 25 31 44", "02 03 2024 12"),
    *("ISBN 978-3-16-148410-0", "01632 960 417", "(555) 123-4567", "123-456-7890", "1617181920212", "P.IVA 01234567890"),
    *("550e8400-e29b-41d4-a716-446655440000", "0x1234567890", "1234 5678 9012 3456", "45.4642, 9.1900", "Internationalism"),
    *("info@example.org", "yourname@yourdomain.com", "@someone", "a@b", "pip install x@1.2.3", "kL9@.", "git@example.org"),
    *("IT60X0542811101000000123457", "RSSMRA85T10A562T", "4539148803436468"),
]


@pytest.mark.parametrize(("kind", "example"), [(kind, example) for kind, examples in PERSONAL.items() for example in examples])
def test_personal_data(kind: str, example: str) -> None:
    assert [name for name, _ in personal.find(f"So: {example} and no more.")] == [kind]
    masked = next(masked for _, masked in personal.find(example))
    assert "…" in masked and len(re.sub(r"\D", "", masked)) < 7 and masked not in example


@pytest.mark.parametrize("example", NOT_PERSONAL)
def test_not_personal_data(example: str) -> None:
    assert list(personal.find(f"So: {example} and no more.")) == []


def test_personal_data_is_told_by_kind_and_masked() -> None:
    rows = [*clean(20), row(30, "Whom do I write to?", "To mario.rossi@example.org or anna@example.org, please.")]
    rows += [row(31, "Where do I pay?", "To the account IT60 X054 2811 1010 0000 0123 456 at the bank, or call +39 333 123 4567.")]
    assert found(rows) == {
        "personal.email": {"count": 1, "rows": "30", "example": "m…@example.org"},
        "personal.iban": {"count": 1, "rows": "31", "example": "IT60…56"},
        "personal.phone": {"count": 1, "rows": "31", "example": "+39…67"},
    }


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ("it", "Va bene, grazie mille per tutto quello che hai fatto!"),
        ("en", "Rome is the capital of Italy."),
        ("fr", "Je ne sais pas où est la gare, merci."),
        ("de", "Das ist nicht mein Haus, aber es ist schön."),
        ("es", "El perro no está en la casa de mi abuela."),
        ("pt", "O cachorro não está na casa da minha avó."),
        (None, "Va bene."),
        (None, "def add(x, y): return x + y"),
        (None, "12345678901234567890123"),
        (None, "私は学生です。今日は天気がいいです。とても。"),
    ],
)
def test_languages_are_told_apart(expected: str | None, sentence: str) -> None:
    assert language(sentence) == expected


def test_mixed_languages_are_told() -> None:
    mixed = [*clean(30)]
    mixed += [
        row(40 + place, f"Domanda {place}", f"La risposta numero {place} è questa, come ti ho già detto.") for place in (1, 22, 333, 4444)
    ]
    params = found(mixed)["languages"]
    assert (params["count"], params["rows"], params["shares"]) == (4, "41, 62, 373, 4484", "en 87 %, it 13 %")
    assert "languages" not in found(mixed[:32])


def test_columns_that_differ_and_long_rows() -> None:
    findings = Findings()
    for one in clean(20):
        findings.add(one, ("question", "answer") if one["row"] % 2 else ("answer", "question"))
    findings.add(row(30, "What is new here?", "There is one column more than elsewhere."), ("question", "answer", "note"))
    findings.add(row(31, "What is long?", "It goes on and on. " * 500), ("question", "answer"))
    assert told(findings) == {
        "columns": {"count": 1, "rows": "30", "columns": "answer, question"},
        "long": {"count": 1, "rows": "31", "limit": 8000},
    }


def test_rows_that_are_also_held_out() -> None:
    known = held_out([row(1, "What is  a BLACK hole?", "Something else."), row(2, "Can penguins fly?", "They cannot.")])
    assert found(clean(), known) == {"leak": {"count": 2, "rows": "20, 54", "example": "Can penguins fly?", "repair": "leak"}}
    texts = [{"row": number, "text": line} for number, line in enumerate(CLEAN.splitlines(), start=1)]
    assert found(texts, held_out(texts[3:4]))["leak"]["rows"] == "4"


def damaged() -> list[dict[str, Any]]:
    """Rows with something for every repair to do."""
    rows = clean(20)
    rows += [{**rows[place], "row": 100 + place} for place in (3, 3, 7)]
    rows += [
        row(200, LONG_QUESTION, LONG_ANSWER),
        row(201, LONG_QUESTION.upper(), LONG_ANSWER),
        row(202, LONG_QUESTION.title(), LONG_ANSWER),
    ]
    more = [
        row(301, "How is tea made?", "Pour hot water on it.<br>Wait &amp; drink."),
        row(302, "Who are you, sir?", "I am {{name}}, your helper."),
    ]
    return [*rows, row(300, misread("Perché il caffè è così buono?"), "Because it is freshly ground."), *more]


@pytest.mark.parametrize("repair", ["encoding", "duplicates", "near_duplicates", "leak", "html", "unfilled"])
def test_a_repair_does_what_was_counted_and_no_more(repair: str) -> None:
    known = held_out(clean(2))
    rows, before = damaged(), json.dumps(damaged())
    counted = {params["repair"]: params["count"] for params in found(rows, known).values() if "repair" in params}
    repairs = Repairs([repair], known)
    kept = [one for one in map(repairs.apply, rows) if one is not None]
    assert repairs.counts == {repair: counted[repair]} and counted[repair] > 0
    assert len(rows) == len(kept) + repairs.dropped
    assert json.dumps(rows) == before
    after = found([dict(one) for one in kept], known)
    assert repair not in {params.get("repair") for params in after.values()}
    changed = [one for one in kept if not any(one is other for other in rows)]
    assert len(changed) == repairs.counts["encoding"] + repairs.counts["html"]


def test_nothing_is_done_that_was_not_chosen() -> None:
    rows = damaged()
    repairs = Repairs([], held_out(rows))
    assert all(repairs.apply(one) is one for one in rows)
    assert repairs.counts == {} and repairs.dropped == 0


def test_all_repairs_together() -> None:
    rows = [*damaged(), {"row": 400, "text": misread("così è")}, {"row": 401, "text": "così è"}]
    repairs = Repairs(REPAIRS, held_out(clean(2)))
    kept = [one for one in map(repairs.apply, rows) if one is not None]
    assert repairs.counts == {"encoding": 2, "leak": 2, "duplicates": 4, "near_duplicates": 2, "html": 1, "unfilled": 1}
    assert [one["row"] for one in kept] == [*range(3, 21), 200, 300, 301, 400]
    assert said(kept[-3]) == ("Perché il caffè è così buono?", "Because it is freshly ground.") and kept[-1]["text"] == "così è"
    assert said(kept[-2])[1] == "Pour hot water on it.\nWait & drink."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Perch&eacute;? &laquo;S&igrave;&raquo;", "Perché? «Sì»"),
        ("<p>Uno</p><p>Due</p>", "Uno\nDue"),
        ("<dl><dt>Uno</dt><dd>uno.</dd></dl>", "Uno\nuno."),
        ("12&nbsp;&euro; &#8211; <b>subito</b>", "12 € – subito"),
        ('<a href="https://example.org">qui</a>', "qui"),
        ("a < b and c > d", None),
        ("AT&T, R&D; fish & chips", None),
        ("Use `<br>` in HTML to break a line.", None),
        ("```\n<p>&amp;</p>\n```", None),
        ("<html><body>x</body></html>", None),
        ("if (a && b) return '&lt;'", None),
        ("<b>", "<b>"),
    ],
)
def test_html_becomes_plain_text_and_code_stays(before: str, after: str | None) -> None:
    assert leftovers.unmarked(before) == (None if after == before else after)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Sono {{name}}.", "{{name}}"),
        ("Gentile [NOME], grazie.", "[NOME]"),
        ("Dear [Your Name],", "[Your Name]"),
        ("Scrivici: [inserisci email]", "[inserisci email]"),
        ("Hello {{ user.first_name }}!", "{{ user.first_name }}"),
        ("See [name](https://example.org).", None),
        ("In a Jinja template write {{ name }}.", None),
        ("x[0] and [1] and [data]frame is fine in ```x[name]```", None),
        ("style={{color: 'red'}}", None),
    ],
)
def test_places_that_nobody_filled_in(text: str, place: str | None) -> None:
    assert leftovers.unfilled(text) == place


@pytest.mark.parametrize(
    "word", ["nan", "NaN", "None", "<noinput>", "N/A", "#N/A", "null", "No input", " n.d. ", "#RIF!", "#VALUE!", "Err:508"]
)
def test_a_word_that_stands_for_nothing_is_told_and_the_cell_emptied(tmp_path: pathlib.Path, word: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"instruction,input,output\nAdd them.,{word},It depends.\nWhat is it?,a nan is bread,Bread.\n", encoding="utf-8")
    told, mended_rows = (
        ingest(tmp_path / "home", "local", [file], ReadingOptions(name=file.name, repairs=repairs)) for repairs in ([], ["no_value"])
    )
    assert [(note.params["count"], note.params["repair"]) for note in told.findings if note.code == "data.check.no_value"] == [
        (1, "no_value")
    ]
    assert not mended_rows.findings and mended_rows.rows_kept == 2
    questions = [json.loads(line)["messages"][0]["content"] for line in (tmp_path / "home/data" / mended_rows.id / "rows.jsonl").open()]
    assert questions == ["Add them.", "What is it?\n\na nan is bread"]


def test_repairs_that_leave_nothing_say_so(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("question,answer\nWho are you?,I am {{name}}.\nAnd you?,I am {{other}}.\n", encoding="utf-8")
    assert (
        "repair"
        not in {note.code: note for note in ingest(tmp_path, "local", [file], ReadingOptions()).findings}["data.check.unfilled"].params
    )
    with pytest.raises(InputError, match="all_dropped"):
        ingest(tmp_path, "local", [file], ReadingOptions(repairs=["unfilled"]))


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.sets(st.sampled_from(REPAIRS)))
def test_rows_are_kept_or_dropped_and_never_lost(answers: Sequence[str], chosen: set[str]) -> None:
    rows = [row(number, "Which letter?", answer * 20) for number, answer in enumerate(answers)]
    repairs = Repairs(sorted(chosen), held_out([]))
    kept = [one for one in map(repairs.apply, rows) if one is not None]
    assert len(rows) == len(kept) + repairs.dropped == len(kept) + sum(repairs.counts.values())
    assert len(kept) == (len(set(answers)) if "duplicates" in chosen else len(answers))


def test_many_rows_are_sampled_evenly() -> None:
    """Every second row is Italian: a sample that takes every second row would see but one language."""
    answers = ("The answer to this is not what you think it is.", "La risposta a questo non è quella che pensi.")
    findings = Findings()
    for number in range(1, MOST + 1002):
        findings.add(row(number, f"q{number}", f"{answers[number % 2]} {number}"))
    findings.add({**row(40_000, "q1", f"{answers[1]} 1")})
    params = told(findings)
    assert params["duplicates"]["rows"] == "40000"  # every row is looked at for that
    assert SAMPLED // 3 < params["languages"]["sampled"] <= SAMPLED
    assert sorted(params["languages"]["shares"].split(", ")) == ["en 50 %", "it 50 %"]


@pytest.mark.nightly
def test_memory_of_many_rows_is_bounded() -> None:
    line = " ".join(CLEAN.split()[:80])
    tracemalloc.start()
    findings = Findings()
    for number in range(300_000):
        findings.add(row(number, f"Question {number}: {line[:100]}", f"{line} {number}"), ("question", "answer"))
    findings.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6


OF_PROGRAMS = {  # what another program left, its finding, and the answer as the repair makes it
    "a NUL": ("A\0 che ora apre?", "control", "A che ora apre?"),
    "a bell": ("Suona\x07 alle nove.", "control", "Suona alle nove."),
    "line ends in letters": ("Primo passo.\\nSecondo passo.\\n\\n- terzo", "escape", "Primo passo.\nSecondo passo.\n\n- terzo"),
    "Windows line ends in letters": ("Primo passo\\r\\nSecondo passo", "escape", "Primo passo\nSecondo passo"),
    "a letter that was lost": ("La qualit? ? pi? alta.", "letter", None),
    "German letters that were lost": ("Gr??e f?r alle.", "letter", None),
}


@pytest.mark.parametrize("name", OF_PROGRAMS)
def test_signs_of_other_programs_are_found_and_mended(take: Take, write: Write, tmp_path: pathlib.Path, name: str) -> None:
    answer, kind, mended = OF_PROGRAMS[name]
    rows = [{"question": f"Domanda {number}", "answer": answer} for number in range(3)]
    found = [note for note in take(rows).reading.findings if note["code"] == f"data.check.{kind}"]
    assert [note["params"]["count"] for note in found] == [3]
    if mended is not None:
        taken = read_here([write(rows)], tmp_path / "mended", repairs=[kind])
        assert {texts[1] for texts in taken.texts} == {mended}
        assert not [note for note in taken.reading.findings if note["code"] == f"data.check.{kind}"]


@pytest.mark.parametrize(
    "answer",
    [
        *("Scrivi \\n per andare a capo.", "print('a\\nb')", "C:\\nuovo", "$\\nu$ e \\nabla f", "riga\tuno\n\rdue\n"),
        *("Où ? Je ne sais pas ? oui.", "https://x.it/page?id=1", "Davvero?? sì", "a? b? c?", "Perché? perché sì."),
    ],
)
def test_signs_that_are_meant_are_not_found(take: Take, answer: str) -> None:
    rows = [{"question": f"Domanda {number}", "answer": answer} for number in range(3)]
    assert not {"data.check.control", "data.check.escape", "data.check.letter"} & {note["code"] for note in take(rows).reading.findings}


def of_pairs(rows: Iterable[tuple[str, ...]]) -> dict[str, dict[str, Any]]:
    """The findings of pairs, by their codes."""
    findings = Findings()
    for number, (asked, answered) in enumerate(rows, start=2):
        findings.add({"row": number, "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]})
    return {notice.code: notice.params for notice in findings.finish()}


def test_answers_that_ask_and_questions_that_do_not_are_told_to_be_swapped() -> None:
    pairs = [line.split("|") for line in CLEAN.strip().splitlines() if "?|" in line]
    swapped = [(answered, f"{asked} ") for asked, answered in pairs]
    assert of_pairs(swapped)["data.check.swapped"] == {"count": len(swapped), "total": len(swapped)}
    for rows in (pairs, swapped[:3], [(asked, f"{answered} And you?") for asked, answered in pairs], swapped[:9] + pairs[9:]):
        assert "data.check.swapped" not in of_pairs([(asked, answered) for asked, answered in rows])


@pytest.mark.parametrize("name", ["Totale", "TOTALE:", "total", "Totali", "Summe", "Gesamt", "Totale domande", "Grand total"])
def test_a_row_of_a_total_is_told(name: str) -> None:
    rows = [("Quanto costa?", "12 euro."), ("Come si dice tutto?", "Totale"), (name, "3")]
    assert of_pairs(rows)["data.check.total"]["rows"] == "4"


def test_a_question_about_a_total_is_none() -> None:
    assert "data.check.total" not in of_pairs(
        [("Totale di 3 e 4?", "7"), ("Total war", "Guerra totale."), ("Totale", "Che è tutto intero.")]
    )


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u00ad", "\u2060"])
def test_signs_without_width_are_told_and_taken_out(sign: str) -> None:
    assert of_pairs([("Quando?", f"Alle{sign}nove.")])["data.check.control"]["example"] == f"U+{ord(sign):04X}"
    assert leftovers.uncontrolled(f"{sign}Alle{sign}nove.") == "Allenove."


@pytest.mark.parametrize("text", ["👨\u200d👩\u200d👧", "می\u200cخواهم", "ภาษา\u200bไทย", "שלום\u200f!", "a\u00a0b"])
def test_signs_without_width_that_a_script_needs_are_none(text: str) -> None:
    assert leftovers.control(text) is None and leftovers.uncontrolled(text) is None


BETTER = [  # an answer, and what is called as if it were a better one
    *(("Risposta", "Risposta corretta"), ("answer", "correct_answer"), ("answer", "corrected answer"), ("response", "Improved Response")),
    *(("Risposta", "Correzione"), ("output", "expected_output"), ("answer", "ground_truth"), ("Antwort", "Korrigierte Antwort")),
]
OTHERS = [
    *(("answer", "wrong_answer"), ("answer", "answer_start"), ("Risposta", "Note"), ("correct_answer", "answer_length")),
    *(("answer", "final_answer"), ("correct_answer", "expected_answer")),
]


def codes(taken: Taken) -> set[str]:
    return {note["code"] for note in taken.reading.findings}


def with_another(answer: str, other: str, say: Callable[[str], str]) -> str:
    rows = [("Quando aprite?", "Alle otto di mattina."), ("Dove siete?", "In via Roma, in centro.")]
    return "".join(json.dumps({"question": asks, answer: says, other: say(says)}) + "\n" for asks, says in rows)


@pytest.mark.parametrize(("answer", "other"), BETTER)
def test_better_answers_beside_those_that_are_learned_are_told(take: Take, answer: str, other: str) -> None:
    content = with_another(answer, other, lambda says: f"No. {says}")
    found = [note["params"] for note in take(content).reading.findings if note["code"] == "data.note.better"]
    assert found == [{"column": answer, "other": other, "target": "answer"}]
    for same in (str.upper, lambda says: "", lambda says: says[5:9]):
        assert "data.note.better" not in codes(take(with_another(answer, other, same)))
    taken = take(content, {"answer": other})
    assert taken.texts[0][1] == "No. Alle otto di mattina." and "data.note.better" not in codes(taken)


@pytest.mark.parametrize(("answer", "other"), OTHERS)
def test_other_columns_are_no_better_answers(take: Take, answer: str, other: str) -> None:
    assert "data.note.better" not in codes(take(with_another(answer, other, lambda says: f"No. {says}")))
