"""Questions and answers, dialogues and quizzes that stand in a text: what belongs to which, and that no letter of it is lost."""

import time

import pytest

from tests.data.conftest import Take
from tuning.data.readers.prose.question_labels import in_line, labelled

WHOLE = {  # each is a question, and comes through to the letter
    **dict.fromkeys(("Nel capitolo 3. Che cosa succede?", "A pagina 12) Chi parla?", "Posso accorciare (orlo 5) la giacca?"), "lines"),
    **dict.fromkeys(("Chi era Enrico 8. Tudor?", "Il 25. Aprile che festa è?"), "lines"),
    **dict.fromkeys(("__name__ che cos'è?", "Cosa fa __init__?", "*args e **kwargs che cosa sono?"), "headings"),
    **dict.fromkeys(("Che cos'è C#?", "_a o b_?"), "headings"),
}


@pytest.mark.parametrize("question", WHOLE)
def test_no_letter_of_a_question_is_lost(take: Take, question: str) -> None:
    begin, after = ("", "\n") if WHOLE[question] == "lines" else ("## ", "\n\n")
    content = "".join(f"{begin}{asked}{after}{said}\n\n" for asked, said in ((question, "Uno."), ("E poi?", "Due.")))
    assert take(content).texts == [(question, "Uno."), ("E poi?", "Due.")]


@pytest.mark.parametrize(
    "written", ["## **Chi siete?**", "## *Chi siete?*", "## __Chi siete?__", "**Chi siete?**", "## Chi siete? ##", "## ***Chi siete?***"]
)
def test_emphasis_around_a_question_goes(take: Take, written: str) -> None:
    assert take(f"{written}\n\nSarti.\n\n## E poi?\n\nBasta.\n").texts == [("Chi siete?", "Sarti."), ("E poi?", "Basta.")]


LABELLED = {  # what stands before questions and answers, and is neither
    "words": ("Domanda: {}\nRisposta: {}\n\n", "Domanda: {}\nRisposta: {}\n\n"),
    "letters and stops": ("D. {}\nR. {}\n\n", "D. {}\nR. {}\n\n"),
    "letters and dashes": ("D - {}\nR – {}\n\n", "D - {}\nR – {}\n\n"),
    "letters in brackets": ("D) {}\nR) {}\n", "D) {}\nR) {}\n"),
    "numbers and stops": ("Q1. {}\nA1. {}\n\n", "Q2. {}\nA2. {}\n\n"),
    "numbered words": ("Domanda n. 1: {}\nRisposta: {}\n\n", "Domanda n. 2: {}\nRisposta: {}\n\n"),
    "numbered words, and theirs": ("Domanda n° 1: {}\nRisposta n° 1: {}\n\n", "Domanda n° 2: {}\nRisposta n° 2: {}\n\n"),
    "numbers before": ("1. D: {}\nR: {}\n", "2. D: {}\nR: {}\n"),
    "answers alone": ("1. {}\nR: {}\n\n", "2. {}\nR: {}\n\n"),
    "answers to headings": ("## {}\n\n**Risposta:** {}\n\n", "## {}\n\n**Risposta:** {}\n\n"),
    "signs of equality": ("domanda = {}\nrisposta = {}\n\n", "domanda = {}\nrisposta = {}\n\n"),
    "signs of equality, and no space": ("question={}\nanswer={}\n", "question={}\nanswer={}\n"),
    "lines of their own": ("DOMANDA\n{}\nRISPOSTA\n{}\n\n", "DOMANDA\n{}\nRISPOSTA\n{}\n\n"),
    "two sets": ("D: {}\nR: {}\n\n", "Q: {}\nA: {}\n\n"),
}


@pytest.mark.parametrize("form", LABELLED)
def test_a_label_is_no_part_of_a_question_or_an_answer(take: Take, form: str) -> None:
    first, second = LABELLED[form]
    taken = take(first.format("Chi siete?", "Sarti.") + second.format("E poi?", "Basta."))
    assert taken.texts == [("Chi siete?", "Sarti."), ("E poi?", "Basta.")] and not taken.reading.findings


WITHIN = {  # what only looks like a question or a label, within an answer that has one
    "letters of a list": "Tre:\nA: ottimo\nB: buono\nC: scarso\nD: insufficiente",
    "a form": "Il modulo:\nRisposta: da compilare\nA: Mario",
    "code": "Così:\n```python\n# stampa ciao?\nD: int = 1\n\nR: int = 2\n```\nFine.",
    "code with its kind in a second fence": "~~~\n```python\nR: x\n```\nD: y\n~~~",
}


@pytest.mark.parametrize("answer", WITHIN.values(), ids=WITHIN)
def test_what_looks_like_a_label_within_an_answer_stays_in_it(take: Take, answer: str) -> None:
    taken = take(f"D: Come?\nR: {answer}\n\nD: E poi?\nR: Basta.\n")
    assert taken.texts == [("Come?", answer), ("E poi?", "Basta.")] and not taken.faults


def test_a_list_of_letters_stays_whole_where_answers_have_the_letter_of_its_first(take: Take) -> None:
    answer = "Due:\nA: ottimo\nB: scarso"
    assert take(f"Q: Voti?\nA: {answer}\n\nQ: E poi?\nA: Basta.\n").texts == [("Voti?", answer), ("E poi?", "Basta.")]


def test_an_answer_with_its_label_twice_is_one(take: Take) -> None:
    assert take("Q. Che?\nA. Uno.\n\nQ. E poi?\nA. Due.\nA. Tre.\n").texts == [("Che?", "Uno."), ("E poi?", "Due.\nTre.")]


CODE = "Così:\n```\n# Perché?\n\n1. Chi?\n**Dove?**\nprint(1)\n```\nFine."


@pytest.mark.parametrize("form", ["## {}\n\n{}\n\n", "**{}**\n{}\n\n", "{}\n{}\n\n", "D: {}\nR: {}\n"])
def test_code_within_a_fence_is_neither_heading_nor_question(take: Take, form: str) -> None:
    assert take(form.format("Come?", CODE) + form.format("E poi?", "Basta.")).texts == [("Come?", CODE), ("E poi?", "Basta.")]


def test_a_fence_that_nothing_closes_hides_nothing(take: Take) -> None:
    assert take("D: Uno?\nR: ```\n\nD: E poi?\nR: Basta.\n").texts == [("Uno?", "```"), ("E poi?", "Basta.")]


PAIRS = [("Quanto costa?", "Dodici euro."), ("Quando aprite?", "Alle 9."), ("Dove siete?", "In via Roma.")]
CERTAIN = {  # forms of three pairs
    "lines in turn": "{}\n{}\n",
    "paragraphs in turn": "{}\n\n{}\n\n",
    "bold, with the answer on the line": "**{}** {}\n\n",
    "points of a list": "- **{}** {}\n",
    "points with a colon": "* **{}**: {}\n",
    "folded, in a line": "<details><summary>{}</summary>\n\n{}\n\n</details>\n\n",
    "folded, with its end on the line": "<details open>\n<summary>{}</summary>\n{}</details>\n",
    "headings below sections that ask nothing": "## Orari\n\n### {}\n{}\n\n## Prezzi\n\n",
}


@pytest.mark.parametrize("form", CERTAIN)
def test_questions_in_turn_on_a_line_and_below_sections_are_pairs(take: Take, form: str) -> None:
    assert take("".join(CERTAIN[form].format(*pair) for pair in PAIRS)).texts == PAIRS


@pytest.mark.parametrize("gap", ["\n", ""])
@pytest.mark.parametrize("sign", [".", ")"])
def test_an_entry_of_a_numbered_faq_that_does_not_end_in_a_question_mark_is_one(take: Take, gap: str, sign: str) -> None:
    entries = [
        PAIRS[0],
        PAIRS[1],
        ("Vorrei sapere dove siete", "In via Roma.") if gap else PAIRS[2],
        ("E il saldo?", "Alla fine.\n1. prima\n2. poi"),
    ]
    content = "".join(f"{place}{sign} {asked}\n{said}\n{gap}" for place, (asked, said) in enumerate(entries, start=1))
    assert take(content).texts == entries


NOT_CERTAIN = {
    "bold questions in a text of other things": "**Chi siete?** Sarti.\n\n**Da quando?** Dal 1980.\n\n" + "## Prezzi\nOrlo: 12.\n" * 2,
    "titles between": "Orari\n\nQuando aprite?\nAlle 9.\n\nPrezzi\n\nQuanto costa?\nDodici.\n",
    "answers on the line": "Quanto costa? 12 euro\nDove siete? In via Roma\n",
    "headings underlined": "Quando aprite?\n====\n\nAlle 9.\n\nDove siete?\n----\n\nIn via Roma.\n",
}


@pytest.mark.parametrize("content", NOT_CERTAIN.values(), ids=NOT_CERTAIN)
def test_questions_that_are_learned_as_plain_text_are_told_with_their_line(take: Take, content: str) -> None:
    reading = take(content).reading
    lines = content.splitlines()
    first = next(number for number, line in enumerate(lines, start=1) if "?" in line)
    told = [note["params"] for note in reading.findings if note["code"] == "data.note.asks"]
    assert reading.format == "text" and told == [{"count": 2, "line": first}]


def test_the_way_that_the_finding_names_is_followed(take: Take) -> None:
    for asks, says in (("Q", "A"), ("D", "R")):
        assert take(f"{asks}: Quanto costa?\n{says}: 12 euro\n{asks}: Dove?\n{says}: Qui\n").texts == [
            ("Quanto costa?", "12 euro"),
            ("Dove?", "Qui"),
        ]


@pytest.mark.parametrize("content", ["Un testo.\n\nUn altro. Chi sei?\n\nFine.\n", "Chi sei?\n" + "Non rispose nessuno.\n" * 9])
def test_other_texts_are_not_said_to_hold_questions(take: Take, content: str) -> None:
    assert not take(content).reading.findings or {note["code"] for note in take(content).reading.findings} == {"data.check.duplicates"}


def test_a_name_before_all_answers_is_told(take: Take) -> None:
    taken = take("".join(f"{asked}\nNoi: {said}\n\n" for asked, said in PAIRS))
    assert taken.texts[0] == (PAIRS[0][0], f"Noi: {PAIRS[0][1]}")
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.label"] == [{"label": "Noi", "pairs": 3}]


SAID = ("Ciao, fate orli?", "Sì: 12 euro.", "E quando è pronto?", "Domani.")
NAMES = [
    *(
        ("Utente", "Assistente"),
        ("User", "Assistant"),
        ("Human", "AI"),
        ("Cliente", "Operatore"),
        ("Studente", "Professore"),
        ("USER", "BOT"),
    ),
    *(("Cliente", "Noi"), ("Cliente", "Sarto"), ("Giornalista", "Sarto"), ("**Utente**", "**Assistente**"), ("Signora Rossi", "Sarta")),
]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_dialogue_with_a_name_before_each_turn_is_a_conversation(take: Take, names: tuple[str, str], gap: str) -> None:
    taken = take(gap.join(f"{names[place % 2]}: {said}" for place, said in enumerate(SAID)) + "\n")
    assert taken.texts == [SAID] and [turn["role"] for turn in taken.rows[0]["messages"]] == ["user", "assistant"] * 2


ABOVE = [  # what stands alone above a turn
    *(("You said:", "ChatGPT said:"), ("Hai detto:", "ChatGPT ha detto:"), ("Du hast gesagt:", "ChatGPT hat gesagt:")),
    *(("You", "Copilot"), ("Tu:", "Gemini:"), ("## Human", "## Assistant"), ("**You**", "**Claude 3.5 Sonnet**"), ("# User:", "# AI:")),
    *(("Vous avez dit\u00a0:", "ChatGPT a dit\u00a0:"), ("UTENTE", "ASSISTENTE"), ("Cliente:", "Operatore:"), ("You", "ChatGPT 4o")),
]


@pytest.mark.parametrize("names", ABOVE)
@pytest.mark.parametrize(("after", "between"), [("\n", "\n"), ("\n\n", "\n\n")])
def test_a_dialogue_with_a_name_alone_above_each_turn_is_a_conversation(
    take: Take, names: tuple[str, str], after: str, between: str
) -> None:
    said = (SAID[0], "Sì.\n\nDodici euro.\n\n- orlo\n\n- toppa\n\nE le cerniere?\n\nAnche.", "E quando?", "Domani.")
    taken = take(between.join(f"{names[place % 2]}{after}{text}" for place, text in enumerate(said)) + "\n")
    assert taken.texts == [said] and [turn["role"] for turn in taken.rows[0]["messages"]] == ["user", "assistant"] * 2


def test_a_blank_line_alone_does_not_divide_what_is_copied_from_a_page(take: Take) -> None:
    pair = "Hai detto:\n{}\nChatGPT ha detto:\n{}\n\n"
    assert take(pair.format(*SAID[:2]) + pair.format(*SAID[2:])).texts == [SAID]


def test_an_instruction_above_and_rules_between_such_dialogues_are_read(take: Take) -> None:
    talk = "## User\n\nCiao\n\n## Assistant\n\nSalve.\n"
    taken = take(f"# La mia chat\n\n## System\n\nSei un sarto.\n\n{talk}\n---\n\n{talk.replace('Ciao', 'Orli?')}")
    assert taken.texts == [("Sei un sarto.", "Ciao", "Salve."), ("Orli?", "Salve.")]


DIVIDED = {  # what stands between two conversations
    "a blank line": ("\n", "\n\n"),
    "a rule": ("\n", "\n---\n"),
    "a rule between blank lines": ("\n\n", "\n\n***\n\n"),
    "two blank lines": ("\n\n", "\n\n\n"),
}


@pytest.mark.parametrize("form", DIVIDED)
def test_conversations_of_a_text_are_divided(take: Take, form: str) -> None:
    within, between = DIVIDED[form]
    talk = within.join(f"{('Utente', 'Assistente')[place % 2]}: {said}" for place, said in enumerate(SAID))
    taken = take(between.join([talk, talk.replace("orli", "toppe")]))
    assert taken.texts == [SAID, (SAID[0].replace("orli", "toppe"), *SAID[1:])]
    told = [note["params"] for note in taken.reading.findings if note["code"].startswith("data.note.dialogue")]
    assert told == [{"talks": 2, "answers": 4, "assistant": "Assistente"}]


INSIDE = [
    "Uno.\n\nDue.",
    "Uno.\n\n---\n\nDue.",
    "Così:\n```\nUtente: x\n\nUtente: y\n```",
    "Nota: uno\nCliente: due",
    "- Utente: z",
    "http://x.it: sì",
]


@pytest.mark.parametrize("answer", INSIDE)
def test_an_answer_of_a_dialogue_stays_whole(take: Take, answer: str) -> None:
    talk = f"Utente: Come?\nAssistente: {answer}\nUtente: E poi?\nAssistente: Basta.\n"
    assert take(talk + "\n---\n" + talk.replace("Come", "Dove")).texts[0] == ("Come?", answer, "E poi?", "Basta.")


def test_what_no_answer_follows_in_a_dialogue_is_left_out_and_counted(take: Take) -> None:
    taken = take("Operatore: Buongiorno.\nCliente: Quanto costa?\nOperatore: Dodici.\nCliente: Grazie.\n")
    assert taken.texts == [("Quanto costa?", "Dodici.")]
    assert [note["params"]["edge"] for note in taken.reading.findings if note["code"] == "data.note.dialogue_left"] == [2]


def test_a_system_text_begins_a_dialogue(take: Take) -> None:
    taken = take("# Prova\n\nSistema: Sei un sarto.\nUtente: Ciao\nAssistente: Salve.\n")
    assert taken.texts == [("Sei un sarto.", "Ciao", "Salve.")] and taken.rows[0]["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    "content",
    [
        "ROMEO: Giulietta!\nGIULIETTA: Romeo, perché sei tu?\nROMEO: Non so.\nGIULIETTA: Ah.\n",
        "Cliente: Rossi\nImporto: 12\nCliente: Bianchi\nImporto: 13\n",
        "Cliente: Rossi\nModello: Uno\nCliente: Bianchi\nModello: Due\n",
        "Un racconto.\n\nHuman: hi\nAssistant: hello\n\nE il racconto va avanti.\n",
        "Nota: uno\nUtente: tre?\nNota: due\nAssistente: quattro\n",
        "Anna: Vieni?\nUgo: No.\nPia: Perché?\nAnna: Boh.\n",
        "Anna\nVieni?\nUgo\nNo.\nAnna\nPerché?\nUgo\nBoh.\n",
        "Cliente\nRossi\nModello\nUno\nCliente\nBianchi\nModello\nDue\n",
        "Tu\nsei bella.\n\nTu\nnon ci sei.\n",
        "You\nare my sunshine\n\nAssistant\nManager\n",
    ],
)
def test_other_texts_with_names_are_no_dialogues(take: Take, content: str) -> None:
    reading = take(content).reading
    assert reading.format != "messages" and "data.note.dialogue" not in {note["code"] for note in reading.findings}


QUIZ = {  # the same two questions
    "letters in brackets": "1) Capitale d'Italia?\na) Milano\nb) Roma\nRisposta: b\n\n2) Fiume più lungo?\na) Po\nb) Arno\nRisposta: a\n",
    "Aiken": "Capitale d'Italia?\nA. Milano\nB. Roma\nANSWER: B\n\nFiume più lungo?\nA. Po\nB. Arno\nANSWER: A\n",
    "labels, and the text of the right one": "Domanda 1: Capitale d'Italia?\nA) Milano\nB) Roma\nSoluzione: Roma\n\n"
    "Domanda 2: Fiume più lungo?\nA) Po\nB) Arno\nSoluzione: po\n",
    "letter and text": "1. Capitale d'Italia?\n(A) Milano\n(B) Roma\nRisposta corretta: B) Roma\n\n2. Fiume più lungo?\n(A) Po\n(B) Arno\n"
    "**Risposta corretta:** A - Po\n",
    "blank lines within": "1. Capitale d'Italia?\n\n   a) Milano\n   b) Roma\n\n   Correct answer: b)\n"
    "2. Fiume più lungo?\n\n   a) Po\n   b) Arno\n\n"
    "   Correct answer: a)\n",
    "points": "**1. Capitale d'Italia?**\n- A) Milano\n- B) Roma\n\nLa risposta esatta è B\n\n"
    "**2. Fiume più lungo?**\n- A) Po\n- B) Arno\n\n"
    "La risposta esatta è A\n",
}


@pytest.mark.parametrize("content", QUIZ.values(), ids=QUIZ)
def test_a_quiz_is_multiple_choice(take: Take, content: str) -> None:
    taken = take(content)
    assert taken.texts == [("Capitale d'Italia?\n\nA) Milano\nB) Roma", "B) Roma"), ("Fiume più lungo?\n\nA) Po\nB) Arno", "A) Po")]
    assert taken.reading.format == "multiple-choice" and not taken.reading.findings


MARKED = {  # the right options of the same two questions
    "stars": "1) {}\na) Milano\n*b) Roma\n\n2) {}\n*a) Po\nb) Arno\n",
    "stars after": "1. {}\nA. Milano\nB. Roma *\n\n2. {}\nA. Po *\nB. Arno\n",
    "ticks": "{}\nA) Milano\nB) Roma ✅\n\n{}\nA) Po ✓\nB) Arno\n",
    "ticks before": "{}\nA) Milano\n✔ B) Roma\n\n{}\n✔ A) Po\nB) Arno\n",
    "bold": "**1. {}**\n- a) Milano\n- **b) Roma**\n\n**2. {}**\n- **a) Po**\n- b) Arno\n",
    "bold text": "{}\na) Milano\nb) **Roma**\n\n{}\na) __Po__\nb) Arno\n",
    "words": "1) {}\na) Milano\nb) Roma (corretta)\n\n2) {}\na) Po (risposta esatta)\nb) Arno\n",
    "arrows": "{}\nA) Milano\n-> B) Roma\n\n{}\nA) Po <-\nB) Arno\n",
    "crosses": "{}\n( ) A) Milano\n(x) B) Roma\n\n{}\n[x] A) Po\n[ ] B) Arno\n",
}
SOLVED = {  # solutions at the end of the text
    "in a line": "Soluzioni: 1b, 2a\n",
    "a line each": "Risposte corrette\n\n1. b\n2. a\n",
    "with hyphens": "**Soluzioni:** 1-B; 2-A.\n",
    "English": "Answer key\n1) B\n2) A\n",
    "a heading": "## Lösungen\n1: b | 2: a\n",
}
ASKED = ("Capitale d'Italia?", "Fiume più lungo?")
CHOSEN = [("Capitale d'Italia?\n\nA) Milano\nB) Roma", "B) Roma"), ("Fiume più lungo?\n\nA) Po\nB) Arno", "A) Po")]
OPTIONS = "1) {}\na) Milano\nb) Roma\n\n2) {}\na) Po\nb) Arno\n\n"


@pytest.mark.parametrize("form", MARKED.values(), ids=MARKED)
def test_an_option_that_is_marked_is_the_answer(take: Take, form: str) -> None:
    taken = take(form.format(*ASKED))
    assert taken.texts == CHOSEN and not taken.reading.findings


@pytest.mark.parametrize("solutions", SOLVED.values(), ids=SOLVED)
@pytest.mark.parametrize("form", [OPTIONS, OPTIONS.replace("1)", "Domanda 1:").replace("2)", "Domanda n. 2:")])
def test_the_solutions_at_the_end_of_a_quiz_are_its_answers(take: Take, form: str, solutions: str) -> None:
    taken = take(form.format(*ASKED) + solutions)
    assert taken.texts == CHOSEN and not taken.reading.findings


def test_several_marked_options_are_the_answer_and_a_line_below_says_more_than_a_mark(take: Take) -> None:
    assert take("Quali sono fiumi?\n*a) Po\n*b) Arno\nc) Roma\n").texts[0][1] == "A) Po\nB) Arno"
    assert take("Capitale?\na) Milano\nb) Roma *\nRisposta: a\n").texts[0][1] == "A) Milano"


@pytest.mark.parametrize(
    "solutions", ["", "Soluzioni: 1b\n", "Soluzioni: 1b, 2z\n", "Soluzioni: 1b, 1a\n", "Soluzioni: le trovi in fondo al libro.\n"]
)
def test_options_of_which_nothing_says_the_right_one_are_told_with_their_line(take: Take, solutions: str) -> None:
    found = {note["code"]: note["params"] for note in take(OPTIONS.format(*ASKED) + solutions).reading.findings}
    assert found["data.note.unsolved"] == {"count": 2, "line": 1}


@pytest.mark.parametrize("form", ["D: {}\nR: Queste:\na) uno\nb) due\n\n", "## {}\n\nQueste:\n\na) uno\nb) due\n\n"])
def test_lists_within_answers_are_no_options(take: Take, form: str) -> None:
    taken = take("".join(form.format(asked) for asked in ("Che taglie avete?", "Che colori?")))
    assert [note["code"] for note in taken.reading.findings if note["code"] == "data.note.unsolved"] == []


def test_a_question_of_a_quiz_without_a_right_option_is_refused_and_an_explanation_counted(take: Take) -> None:
    content = QUIZ["Aiken"].replace("ANSWER: B\n", "ANSWER: B\nLo dice la legge.\n")
    taken = take(content + "\nSenza?\nA. x\nB. y\n\nSbagliata?\nA. x\nB. y\nANSWER: Z\n")
    assert len(taken.texts) == 2 and taken.faults == [(3, "data.row.empty_answer"), (4, "data.row.choices")]
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.faq"] == [{"lines": 1, "pairs": 4}]


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("Quali taglie avete?\na) piccola\nb) grande\n\nE i colori?\na) blu\nb) rosso\n", "a) piccola\nb) grande"),
        ("D: Scegli:\na) x\nb) y\nR: a\n\nD: Dove?\nR: Qui.\n\nD: Quando?\nR: Ora.\n\nD: Chi?\nR: Noi.\n", "a"),
    ],
)
def test_options_without_a_right_one_and_one_among_other_questions_make_no_quiz(take: Take, content: str, answer: str) -> None:
    taken = take(content)
    assert taken.reading.format == "question-answer" and taken.texts[0][1] == answer


TRANSCRIPTS = {  # who speaks and when, before what is said or above it
    "Teams": "{}   0:03\n{}\n\n",
    "Teams, copied": "**{}** 0:03\n{}\n\n",
    "Zoom": "[{}] 09:15:03\n{}\n",
    "Zoom's chat": "09:15:03 From {} to Everyone : {}\n",
    "Meet": "{} (00:03:10): {}\n",
    "before": "[09:15] {}: {}\n",
    "above": "00:03 {}\n{}\n\n",
    "with a dash": "{} - 10:15 AM\n{}\n\n",
    "voices": "00:00:01.000 --> 00:00:02.500\n<v {}>{}</v>\n\n",
    "cues": "1\n00:00:01.000 --> 00:00:02.500\n{}: {}\n\n",
    "old Teams": "0:0:3.120 --> 0:0:5.0\n{}\n{}\n\n",
}
MEETING = [("Ugo Rossi", "Buongiorno a tutti."), ("Anna", "Possiamo iniziare."), ("Ugo Rossi", "Sì."), ("Anna", "Bene, grazie.")]


@pytest.mark.parametrize("form", TRANSCRIPTS.values(), ids=TRANSCRIPTS)
def test_names_and_times_of_a_meeting_are_told_and_stay(take: Take, form: str) -> None:
    content = "".join(form.format(*turn) for turn in MEETING)
    taken = take(content)
    told = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.transcript"]
    assert told == [{"count": 4, "name": "Ugo Rossi"}]
    assert "\n".join(text for (text,) in taken.texts).split() == content.split()


@pytest.mark.parametrize(
    "content",
    [
        "".join(f"{place}\n00:00:0{place},000 --> 00:00:0{place},500\nCiao, mondo.\n\n" for place in range(1, 5)),
        "WEBVTT\n\n" + "".join(f"00:0{place}.000 --> 00:0{place}.500\nSì\n\n" for place in range(1, 5)),
        "[09:15] INFO: avvio\n[09:16] ERROR: fallito\n[09:17] INFO: fine\n",
        "Roma 10:30\nMilano 11:45\nRoma 12:00\nMilano 13:45\n",
        "09:00 Caffè\nInsieme.\n\n10:00 Lezione\nIn aula.\n\n11:00 Pausa\nFuori.\n",
        "Ci vediamo alle 10:30\nTutti.\n\nPoi alle 11:30\nAltri.\n\nInfine alle 12:30\nFine.\n",
    ],
)
def test_subtitles_timetables_and_logs_are_no_meetings(take: Take, content: str) -> None:
    assert "data.note.transcript" not in {note["code"] for note in take(content).reading.findings}


@pytest.mark.parametrize(
    ("form", "left"),
    [
        ("{}\n: {}\n\n{}\n: {}\n", 0),
        ("{}\n:   {}\n\n{}\n:   {}\n", 0),
        ("[faq1]\nquestion={}\nanswer={}\n\n[faq2]\nquestion={}\nanswer={}\n", 2),
        ('[[faq]]\nquestion = "{}"\nanswer = "{}"\n\n[[faq]]\nquestion = "{}"\nanswer = "{}"\n', 2),
    ],
)
def test_signs_of_definitions_and_of_settings_are_not_learned(take: Take, form: str, left: int) -> None:
    taken = take(form.format("Come si paga?", "Con carta.", "Quando arriva?", "In tre giorni."))
    assert taken.texts == [("Come si paga?", "Con carta."), ("Quando arriva?", "In tre giorni.")]
    told = [note["params"]["lines"] for note in taken.reading.findings if note["code"] == "data.note.faq"]
    assert told == ([left] if left else [])


@pytest.mark.parametrize(
    "form",
    [
        "R: {1}\nD: {0}\n\nR: {3}\nD: {2}\n",
        "Risposta: {1}\nDomanda: {0}\n\n\nRisposta: {3}\nDomanda: {2}\n",
        "**A:** {1}\n**Q:** {0}\n\n**A:** {3}\n**Q:** {2}\n",
        "D: {0} R: {1}\nD: {2} R: {3}\n",
        "# FAQ\n\n**Domanda:** {0} **Risposta:** {1}\n\n**Domanda:** {2} **Risposta:** {3}\n",
        "1. Q: {0} - A: {1}\n2. Q: {2} - A: {3}\n",
        "- Domanda 1: {0} Risposta 1: {1}\n- Domanda 2: {2} Risposta 2: {3}\n",
    ],
)
def test_answers_above_their_questions_and_on_their_line_are_theirs(take: Take, form: str) -> None:
    for end in ("\n", "\r\n"):
        taken = take(form.format("Come si paga?", "Con carta: sempre.", "Quando arriva?", "In tre giorni.").replace("\n", end))
        assert taken.texts == [("Come si paga?", "Con carta: sempre."), ("Quando arriva?", "In tre giorni.")]


@pytest.mark.parametrize(
    "form", ["# {}\n## Risposta\n{}\n# {}\n## Risposta\n{}\n", "## {}\n\n**Answer**\n\n{}\n\n## {}\n\n**Answer:**\n\n{}\n"]
)
def test_a_heading_may_say_that_the_answer_is_below(take: Take, form: str) -> None:
    taken = take(form.format("Come si paga?", "Con carta.", "Quando arriva?", "In tre giorni."))
    assert taken.texts == [("Come si paga?", "Con carta."), ("Quando arriva?", "In tre giorni.")]


@pytest.mark.parametrize(
    "content",
    [
        "R: Buongiorno.\nD: Come sta?\nR: Bene.\nD: E poi?\nR: Altro.\n",
        "R: Buongiorno.\n\nD: Come sta?\nR: Bene.\n\nD: E poi?\nR: Altro.\n",
    ],
)
def test_an_answer_before_all_questions_does_not_turn_the_others(take: Take, content: str) -> None:
    assert take(content).texts == [("Come sta?", "Bene."), ("E poi?", "Altro.")]


@pytest.mark.parametrize("line", ["Q" + " " * 60_000, "Q: x" + " " * 60_000, "Q: x a" + " " * 60_000 + "x", "Q: " + "a " * 30_000])
def test_a_long_line_of_blanks_is_no_work_for_labels(line: str) -> None:
    started = time.process_time()
    assert in_line(line) is None
    labelled(line)
    assert time.process_time() - started < 1


def test_colons_of_some_answers_stay(take: Take) -> None:
    assert take("Come si paga?\n: Con carta.\n\nQuando arriva?\nIn tre giorni.\n").texts[0] == ("Come si paga?", ": Con carta.")


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("1\n00:00:01,000 --> 00:00:02,500\nCiao, mondo.\n\n2\n00:00:03,000 --> 00:00:04,500\nCome va?\n", 2),
        (
            "WEBVTT\n\n00:01.000 --> 00:02.000 align:start\nSì\n\n00:03.000 --> 00:04.000\n<v Anna>No</v>\n\n00:05.000 --> 00:06.000\nMa\n",
            3,
        ),
    ],
)
def test_times_of_subtitles_are_told(take: Take, content: str, count: int) -> None:
    for written in (content, content.replace("\n", "\r\n")):
        found = {note["code"]: note["params"] for note in take(written).reading.findings}
        assert found["data.note.subtitles"] == {"count": count}
    assert "data.note.subtitles" not in {
        note["code"] for note in take(f"A --> B\n\nUn testo: 10:30 --> poi.\n\n{content[:40]}").reading.findings
    }


FOREIGN = {
    "SQL": "INSERT INTO faq (q, a) VALUES ('Quando aprite?', 'Alle 9');\nINSERT INTO faq (q, a) VALUES ('Dove?', 'A Roma');\n",
    "JavaScript": "// dal sito\nexport const faq = [\n  { question: 'Quando?', answer: 'Alle 9' },\n];\n",
    "PHP": "<?php\nreturn [\n  ['domanda' => 'Quando?', 'risposta' => 'Alle 9'],\n];\n",
    "vCard": "BEGIN:VCARD\nVERSION:3.0\nFN:Mario Rossi\nEND:VCARD\n",
    "iCalendar": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Riunione\nEND:VEVENT\nEND:VCALENDAR\n",
    "gettext": 'msgid "Hello"\nmsgstr "Ciao"\n\nmsgid ""\n"Good "\n"night"\nmsgstr "Buona notte"\n',
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_entries_of_another_program_are_told_and_stay(take: Take, kind: str) -> None:
    for content in (FOREIGN[kind], FOREIGN[kind].replace("\n", "\r\n")):
        reading = take(content).reading
        told = [note["params"] for note in reading.findings if note["code"] == "data.note.foreign"]
        assert reading.format == "text" and told == [{"kind": kind}]


@pytest.mark.parametrize(
    "content",
    [
        "const x = [1];\nfunction f() {\n  return x;\n}\n",
        "<?php\necho 'ciao';\n",
        "Per inserire una riga si usa INSERT INTO.\n\nPoi si salva.\n",
        "def f(question):\n    return 1\n",
    ],
)
def test_other_programs_are_not_told(take: Take, content: str) -> None:
    assert "data.note.foreign" not in {note["code"] for note in take(content).reading.findings}


APART = {  # the same two questions, with their answers further down
    "headings": "Domande\n1. {}\n2. {}\n\nRisposte\n1. {}\n2. {}\n",
    "Markdown": "# Quiz\n\n1. {}\n2. {}\n\n## Soluzioni\n\n1. {}\n2. {}\n",
    "blank lines": "1) {}\n\n2) {}\n\nANSWERS:\n\n1) {}\n\n2) {}\n",
    "no heading": "1. {}\n2. {}\n\n1. {}\n2. {}\n",
    "bold": "**1. {}**\n**2. {}**\n\n**Risposte**\n\n1) {}\n2) {}\n",
    "a rule": "1. {}\n2. {}\n\n---\n\n1. {}\n2. {}\n",
}
ASKED_APART = ("Qual è la capitale d'Italia?", "Chi ha scritto la Commedia?", "È Roma.", "Dante, nel Trecento.")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("form", APART.values(), ids=APART)
def test_answers_in_a_list_below_the_questions_are_theirs(take: Take, form: str, end: str) -> None:
    taken = take(form.format(*ASKED_APART).replace("\n", end))
    assert taken.texts == [(ASKED_APART[0], ASKED_APART[2]), (ASKED_APART[1], ASKED_APART[3])] and not taken.faults


def test_answers_below_a_heading_go_by_their_numbers(take: Take) -> None:
    taken = take(
        "Esercizi di ripasso\n\n1. Calcola l'area.\nIl lato è 2.\n2. Spiega.\n   1. Prima.\n   2. Dopo.\n3. Disegna.\n\n"
        "Soluzioni\n\n1. Quattro.\n3. Ecco:\n\n   1. un cerchio\n\n   ```\n1. ()\n   ```\n"
    )
    assert taken.texts == [
        ("Calcola l'area.\nIl lato è 2.", "Quattro."),
        ("Disegna.", "Ecco:\n\n   1. un cerchio\n\n   ```\n1. ()\n   ```"),
    ]
    assert taken.faults == [(2, "data.row.empty_answer")]
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.faq"] == [{"lines": 2, "pairs": 3}]


@pytest.mark.parametrize(
    "content",
    [
        "1. Uno.\n2. Due.\n\n1. Tre.\n2. Quattro.\n",
        "1. Uno?\n2. Due?\n\n1. Tre.\n2. Quattro.\n3. Cinque.\n",
        "1. Uno?\n2. Due?\n\n1. Tre.\n2. Quattro.\n\n1. Altro.\n2. Ancora.\n",
        "1. Uno.\n2. Due.\n\nSoluzioni\n\n7. Tre.\n8. Quattro.\n",
        "Un testo.\n\n1. Uno?\n2. Due?\n\nUn altro testo.\nE un altro.\n\n# Poi\n\nTanto altro.\nE altro.\nFine.\nPoi.\nE poi.\nFine.\n",
    ],
)
def test_other_numbered_lists_are_no_questions(take: Take, content: str) -> None:
    assert take(content).reading.format == "text"
