"""Further inputs of kinds that files are: plain text, YAML, Markdown, tables, workbooks, and what is not read."""

import datetime
import json
import pickle

from tests.data.kinds import QA, Input, lines, paired, parquet, sheets, table

(Q1, A1), (Q2, A2), *_ = QA
PAIRS = list(QA)
ALL = len(QA)

BRACKETS = {
    "a verse": Input("[Strophe 1]\nO du\n\n[Strophe 2]\nIch\n", [("[Strophe 1]\nO du",), ("[Strophe 2]\nIch",)]),
    "times of a song": Input("[00:01.20] Ciao\n\n[00:02.50] Come va\n", [("[00:01.20] Ciao",), ("[00:02.50] Come va",)]),
    "numbers": Input("[1, 2, 3] sind Zahlen.\n\nNoch eine Zeile.\n", [("[1, 2, 3] sind Zahlen.",), ("Noch eine Zeile.",)]),
    "a link": Input("[Sartoria](https://x.it) è aperta.\n\n[ ] botones\n", [("[Sartoria](https://x.it) è aperta.",), ("[ ] botones",)]),
    "a list to do": Input("- [ ] Faden kaufen\n\n- [x] Saum\n", [("- [ ] Faden kaufen",), ("- [x] Saum",)]),
    "a curly bracket": Input("{Hinweis} so.\n\nUnd so.\n", [("{Hinweis} so.",), ("Und so.",)]),
}

BINARY = {
    "pickle, protocol 0": Input(pickle.dumps(paired("q", "a"), 0), code="data.binary"),
    "pickle, protocol 1": Input(pickle.dumps(paired("q", "a"), 1), code="data.binary"),
    "pickle, protocol 5": Input(pickle.dumps(paired("q", "a"), 5), code="data.binary"),
    "XML without a declaration": Input("<faq>\n<frage>Wo?</frage>\n</faq>\n", code="data.binary"),
    "XML after a comment": Input("<!-- x -->\n<quiz n='1'><q>Où ?</q></quiz>", code="data.binary"),
    "a feed": Input('<rss version="2.0"><channel><title>x</title></channel></rss>', code="data.binary"),
    "tokens in Parquet": Input(parquet({"input_ids": [1, 2], "labels": [1, 2]}), code="data.tokenized"),
    "tokens by another name": Input(lines({"token_ids": [1, 2], "mask": [1, 1]}), code="data.tokenized"),
    "tokens in a table": Input(table(["input_ids", "attention_mask"], ["[1, 2]", "[1, 1]"]), code="data.tokenized"),
    "thoughts are no XML": Input("<think>hm</think>\n\nUnd dann.\n", [("<think>hm</think>",), ("Und dann.",)]),
}

YAML = {
    "in German, below a name": Input(
        "faqs:\n- frage: Wo?\n  antwort: Hier.\n- frage: Wann?\n  antwort: Jetzt.\n", [("Wo?", "Hier."), ("Wann?", "Jetzt.")]
    ),
    "texts of several lines": Input(
        "- pregunta: |\n    ¿Dónde?\n    ¿Aquí?\n  respuesta: >\n    Sí\n    claro.\n", [("¿Dónde?\n¿Aquí?\n", "Sí claro.\n")]
    ),
    "questions as names": Input(
        "Où êtes-vous ?: À Rome.\nQuand ?: À neuf heures.\n", [("Où êtes-vous ?", "À Rome."), ("Quand ?", "À neuf heures.")]
    ),
    "messages": Input("- messages:\n  - {role: user, content: Wo?}\n  - {role: assistant, content: Hier}\n", [("Wo?", "Hier")]),
    "InstructLab's": Input(
        "created_by: x\nseed_examples:\n- question: Wo?\n  answer: Hier.\n- question: Wann?\n  answer: Jetzt.\n",
        [("Wo?", "Hier."), ("Wann?", "Jetzt.")],
    ),
}


def headers(first: str, second: str) -> Input:
    return Input(table([first, second], ["Dove?", "Qui"], delimiter=";"), [("Dove?", "Qui")], mapping={"question": first, "answer": second})


TO_THE_LETTER = {
    f"{first} | {second}": headers(first, second)
    for first, second in (("Frage=1", "Antwort, kurz"), ("null", "~"), ("[Frage]", "{Antwort}"), ("a.b", "c.d"), ("1", "2"))
}
YES_NO = {
    f"{first} | {second}": headers(first, second)
    for first, second in (("Ja", "Nein"), ("on", "off"), ("Oui", "Non"), ("true", "false"), ("Sì", "No"))
}

NAMES = [
    *("Frage;Antwort", "Kundenfrage;Unsere Antwort", "Anfrage;Rückmeldung", "Question du client;Notre réponse", "Demande;Réponse"),
    *("Pregunta;Respuesta", "Consulta;Solución", "Kunde;Mitarbeiter", "Client;Conseiller", "Usuario;Asistente", "Nachricht;Antwort"),
    *(
        "Eingabe;Ausgabe",
        "Entrée;Sortie",
        "Entrada;Salida",
        "Quelle;Übersetzung",
        "Вопрос;Ответ",
        "質問;回答",
        "问题;答案",
        "Pytanie;Odpowiedź",
    ),
    *("Vraag;Antwoord", "Fråga;Svar", "Soru;Cevap", "Pergunta;Resposta", "Benutzer;Assistent", "Problème;Solution", "Anweisung;Antwort"),
]
HEADERS = {name: Input(table(name.split(";"), *QA, delimiter=";"), PAIRS) for name in NAMES}


def form(when: str, mail: str, question: str, answer: str) -> Input:
    rows = [[f"2024/05/0{n + 1} 10:00:00 AM GMT+2", f"x{n}@esempio.it", *pair] for n, pair in enumerate(QA)]
    return Input(table([when, mail, question, answer], *rows), PAIRS, unused={when: ALL, mail: ALL})


FORMS = {
    "German": form("Zeitstempel", "E-Mail-Adresse", "Ihre Frage", "Die richtige Antwort"),
    "French": form("Horodateur", "Adresse e-mail", "Votre question", "La bonne réponse"),
    "Spanish": form("Marca temporal", "Dirección de correo electrónico", "Tu pregunta", "La respuesta correcta"),
}


def node(role: str, said: str, parent: str | None) -> dict[str, object]:
    return {"message": {"author": {"role": role}, "content": {"content_type": "text", "parts": [said]}}, "parent": parent}


CHAT = {"mapping": {"a": node("user", "Wo?", None), "b": node("assistant", "Hier.", "a")}, "current_node": "b"}
CLAUDE = {"chat_messages": [{"sender": "human", "text": "Où ?"}, {"sender": "assistant", "text": "Ici."}]}
ASSISTANTS = {
    "ChatGPT, one": Input(json.dumps(CHAT, indent=1), [("Wo?", "Hier.")]),
    "ChatGPT, a line each": Input(lines(CHAT, CHAT), [("Wo?", "Hier.")] * 2),
    "Claude": Input(json.dumps([CLAUDE]), [("Où ?", "Ici.")]),
}

TEMPLATES = {
    name: Input(lines(*[{"text": text}] * 3), [("Wo?", "Hier.")] * 3)
    for name, text in {
        "Llama 3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWo?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHier.<|eot_id|>",
        "Mistral": "<s>[INST] Wo? [/INST] Hier.</s>",
        "Gemma": "<bos><start_of_turn>user\nWo?<end_of_turn>\n<start_of_turn>model\nHier.<end_of_turn>\n",
        "Alpaca in German": "### Anweisung:\nWo?\n\n### Antwort:\nHier.",
        "Alpaca in French": "### Instruction :\nWo?\n\n### Réponse :\nHier.",
        "OpenAssistant": "<|prompter|>Wo?<|endoftext|><|assistant|>Hier.<|endoftext|>",
        "h2oGPT": "<|prompt|>Wo?<|endoftext|><|answer|>Hier.<|endoftext|>",
        "OpenChat": "GPT4 Correct User: Wo?<|end_of_turn|>GPT4 Correct Assistant: Hier.<|end_of_turn|>",
        "headings": "### Question:\nWo?\n\n### Answer:\nHier.",
    }.items()
}

FAQ = {
    "German, as headings": Input(
        "# Fragen\n\n## Was kostet ein Saum?\n\nZwölf Euro.\n\n## Wann öffnen Sie?\n\nUm 9.\n",
        [("Was kostet ein Saum?", "Zwölf Euro."), ("Wann öffnen Sie?", "Um 9.")],
    ),
    "French, in bold": Input(
        "**Combien coûte un ourlet ?**\n\nDouze euros.\n\n**Où êtes-vous ?**\n\nRue de Rome.\n",
        [("Combien coûte un ourlet ?", "Douze euros."), ("Où êtes-vous ?", "Rue de Rome.")],
    ),
    "Spanish, with labels": Input(
        "Pregunta: ¿Dónde?\nRespuesta: Aquí.\n\nPregunta: ¿Cuándo?\nRespuesta: Ahora.\n", [("¿Dónde?", "Aquí."), ("¿Cuándo?", "Ahora.")]
    ),
    "English, numbered": Input(
        "1. Where are you?\nIn Rome.\n\n2. When do you open?\nAt nine.\n",
        [("Where are you?", "In Rome."), ("When do you open?", "At nine.")],
    ),
}

HTML = {
    "German": Input(lines({"frage": "Wo?", "antwort": "<p>Gr&ouml;&szlig;e</p>"}), [("Wo?", "Größe")], repair="html"),
    "French": Input(table(["question", "réponse"], ["Où ?", "C&#39;est l&agrave;<br/>oui"]), [("Où ?", "C'est là\noui")], repair="html"),
    "it is told": Input(
        table(["pregunta", "respuesta"], ["¿Qué?", "&iquest;As&iacute;?<br>S&iacute;"]),
        [("¿Qué?", "&iquest;As&iacute;?<br>S&iacute;")],
        finding="data.check.html",
    ),
}


def hollow(word: str, column: str = "input", repair: str = "no_value") -> Input:
    rows = [[q, word if n == 1 else "", a] for n, (q, a) in enumerate(QA)]
    kept = PAIRS if repair else [(f"{q}\n\n{word}" if n == 1 else q, a) for n, (q, a) in enumerate(QA)]
    return Input(table(["instruction", column, "output"], *rows), kept, repair=repair, finding="" if repair else "data.check.no_value")


HOLLOW = {
    **{word: hollow(word) for word in ("NaN", "NULL", "<noinput>", "n/a")},
    "it is told": hollow("nan", repair=""),
    "in a context": hollow("None", "context"),
}


def unfilled(said: str) -> Input:
    rows = [*({"question": q, "answer": a} for q, a in QA), {"question": "Wer?", "answer": said}]
    return Input(lines(*rows), PAIRS, left=1, repair="unfilled")


UNFILLED = {said: unfilled(said) for said in ("Ich bin {{ nome }}.", "Caro {{Nome_Cliente}}, salve.", "Sono {{name}} e {{firma}}.")}
EXCEL = {
    "tabs": Input("Frage\tAntwort\t\t\nWo?\tHier.\t\t\n\t\t\t\nWann?\tJetzt.\t\t\n\t\t\t\n", [("Wo?", "Hier."), ("Wann?", "Jetzt.")]),
    "commas": Input("Question,Réponse,,\nOù ?,Ici.,,\n,,,\n,,,\nQuand ?,À 9h.,,\n", [("Où ?", "Ici."), ("Quand ?", "À 9h.")]),
    "in a workbook": Input(
        sheets(F=[["Domanda", "Risposta"], ["Dove?", "Qui"], [None, None], ["Quando?", "Ora"], [None, None]]),
        [("Dove?", "Qui"), ("Quando?", "Ora")],
    ),
}
INTRO = [["Istruzioni"], ["Compilare il secondo foglio"]]
SHEETS = {
    "German": Input(sheets(Anleitung=INTRO, Daten=[["Frage", "Antwort"], *QA]), PAIRS, finding="data.note.sheets"),
    "the third": Input(sheets(A=INTRO, B=[["x"]], C=[["Question", "Réponse"], *QA]), PAIRS, finding="data.note.sheets"),
    "chosen by name": Input(
        sheets(Uno=[["Pregunta", "Respuesta"], ["¿A?", "B."]], Dos=[["Pregunta", "Respuesta"], *QA]), PAIRS, mapping={"sheet": "Dos"}
    ),
}


def shown(code: str, value: object, as_shown: str, finding: str = "data.note.shown") -> Input:
    return Input(sheets(F=[["Domanda", "Risposta"], ["Quanto?", value]], _formats={"B2": code}), [("Quanto?", as_shown)], finding=finding)


NUMBERS = {
    "zeros": shown("000000", 184, "000184"),
    "a percentage with decimals": shown("0.0%", 0.155, "15.5%"),
    "a currency": shown('#,##0.00 "CHF"', 1234.5, "1,234.50 CHF"),
    "in the books": shown('_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-', -12.5, "-12,50 €"),
    "in each machine's own way": shown("mm-dd-yy", datetime.date(2024, 12, 8), "2024-12-08", "data.note.kept"),
    "a fraction": shown("# ?/?", 0.5, "0.5", "data.note.kept"),
}
KINDS = {
    "text that begins with a bracket (min-bracket-text, markdown-todo)": BRACKETS,
    "what is not read (faq.xml, dataset.pkl, min-pretokenized)": BINARY,
    "YAML (qa.yaml)": YAML,
    "headers to the letter (colon-hash-headers)": TO_THE_LETTER,
    "headers that are truths (yes-no-headers)": YES_NO,
    "names of headers (domande-risposte, cliente-operatore)": HEADERS,
    "forms (gforms)": FORMS,
    "exports of assistants (chatgpt-conversations)": ASSISTANTS,
    "templates in a text (templated-chatml)": TEMPLATES,
    "FAQ (faq.md)": FAQ,
    "HTML (csv-html-entities)": HTML,
    "words for nothing (alpaca-nan-input)": HOLLOW,
    "placeholders (placeholders)": UNFILLED,
    "blank rows (excel-trailing-semicolons)": EXCEL,
    "another sheet (instructions-first-sheet)": SHEETS,
    "number formats (formats.xlsx)": NUMBERS,
}
