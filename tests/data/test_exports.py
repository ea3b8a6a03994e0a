"""Files as people have them: texts that begin with a bracket, questions in prose, exports of chats, texts in a template."""

import json
from typing import Any

import pytest

from tests.data.conftest import Take
from tuning import text
from tuning.data.moments import month_first
from tuning.errors import InputError

BRACKETS = [
    "[1] Prima nota.\n\n[2] Seconda nota.\n",
    "[ ] comprare filo\n[x] orlo signora Bianchi\n",
    "[Nota] Si chiude alle 19.\n\nSi apre alle 9.\n",
    "[12/05/2023] Arrivo della lana\n\n[13/05/2023] Taglio\n",
    '["Ciao"] disse il sarto.\n\nE poi tacque.\n',
    "{Fuori scena} Entra il sarto.\n\n{Buio} Esce.\n",
    "[] no date yet\n\n[-] void\n",
]


@pytest.mark.parametrize("content", BRACKETS)
def test_a_text_that_begins_with_a_bracket_is_text(take: Take, content: str) -> None:
    taken = take(content)
    assert (taken.reading.kind, len(taken.rows)) == ("text", 2)


@pytest.mark.parametrize("content", ['[{"question": "q", "answer" "a"}]', '[{"question": "q",', '{"question": "q", "answer": }\n', "[1, 2"])
def test_broken_json_is_still_json(take: Take, content: str) -> None:
    with pytest.raises(InputError, match=r"data\.(json|nothing|row)"):
        take(content)


ROWS_OF_JSON = ['{"question": "a?", "answer": "b"}', '{"question": "c?", "answer": "d"}']
LINES_OF_JSON, LIST_OF_JSON = "\n".join(ROWS_OF_JSON) + "\n", f"[{', '.join(ROWS_OF_JSON)}]\n"
AROUND = {  # what stands around JSON, and its lines
    "a fence": (f"```json\n{LIST_OF_JSON}```\n", "1"),
    "a fence of lines": (f"\n```jsonl\n{LINES_OF_JSON}```", "2"),
    "a fence that does not end": (f"~~~\n{LINES_OF_JSON}", "1"),
    "a fence about rows in an object": (f'```\n{{"data": {LIST_OF_JSON}}}\n```\n', "1"),
    "comments": (f"// è commento\n\n# ancora\n{LIST_OF_JSON}", "1, 3"),
    "a comment over lines": (f"/* uno\n due */\n{LINES_OF_JSON}", "1, 2"),
    "a comment and Windows line ends": (f"# esportato\n{LINES_OF_JSON}".replace("\n", "\r\n"), "1"),
}


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_fence_or_comments_around_json_are_left_out_and_named(take: Take, name: str, charset: str) -> None:
    content, lines = AROUND[name]
    taken = take(content.replace('"b"', '"è"').encode(charset))
    assert taken.texts == [("a?", "è"), ("c?", "d")] and taken.reading.kind == "json"
    params = {"lines": lines, "count": 1 + lines.count(",")}
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.around"] == [params]
    rows = [content.splitlines().index(row) + 1 for row in ROWS_OF_JSON] if LINES_OF_JSON in content.replace("\r", "") else [1, 2]
    assert [row["row"] for row in taken.rows] == rows


@pytest.mark.parametrize(
    "content, line, said",
    [
        (f"const faq = {LIST_OF_JSON[:-1]};\n", 1, "const faq ="),
        (f"Ecco 3 esempi:\n\n{LINES_OF_JSON}", 1, "Ecco 3 esempi:"),
        (f"\nEcco:\n\n```json\n{LIST_OF_JSON}```\n", 2, "Ecco:"),
        (f"```json\n{LIST_OF_JSON}```\n\nFammi sapere!\n", 5, "Fammi sapere!"),
        (f"# esportato\n{LINES_OF_JSON}rotta\n{LINES_OF_JSON}", 1, "# esportato"),
    ],
)
def test_words_beside_json_are_named_and_not_learned(take: Take, content: str, line: int, said: str) -> None:
    with pytest.raises(InputError) as refused:
        take(content)
    assert (refused.value.code, refused.value.params) == ("data.json.around", {"line": line, "text": said})


@pytest.mark.parametrize(
    "content",
    [
        f"# Come si scrive JSON\n\n{'Un testo che lo spiega a parole, a lungo. ' * 4}\n\n{LINES_OF_JSON}\nFine, e poco altro.\n",
        'const colours = {"red": 1, "blue": 2};\nconsole.log(colours);\n',
        "# Un titolo\n{da compilare}\n",
    ],
)
def test_prose_and_code_with_json_in_it_stay_text(take: Take, content: str) -> None:
    assert take(content).reading.kind == "text"


SYSTEM = "I messaggi e le chiamate sono crittografati end-to-end. Nessuno al di fuori di questa chat può leggerli."
CHATS: dict[str, Any] = {
    "android, Italian": (
        f"12/05/23, 14:03 - {SYSTEM}\n12/05/23, 14:03 - Anna: A che ora?\n12/05/23, 14:05 - Sarto: Alle 9.\nLa domenica chiuso.\n"
        "12/05/23, 14:06 - Sarto: <Media omessi>\n13/05/23, 09:10 - Anna: Aperti?\n13/05/23, 09:11 - Sarto: Sì\n13/05/23, 9:12 - Anna: ok\n"
    ),
    "iPhone, English": (
        "\ufeff[5/12/23, 2:03:01\u202fPM] Sarto: \u200eMessages and calls are end-to-end encrypted.\r\n"
        "[5/12/23, 2:03:22\u202fPM] Anna: A che ora?\r\n"
        "[5/12/23, 2:05:00\u202fPM] Sarto: Alle 9.\nLa domenica chiuso.\r\n\u200e[5/12/23, 2:06:00\u202fPM] Sarto: \u200eimage omitted\r\n"
        "[5/13/23, 9:10:00\u202fAM] Anna: Aperti?\r\n[5/13/23, 9:11:00\u202fAM] Sarto: Sì\r\n[5/13/23, 9:12:00\u202fAM] Anna: ok\r\n"
    ),
    "Telegram": json.dumps(
        {
            "name": "Anna",
            "type": "personal_chat",
            "id": 1,
            "messages": [
                {"id": 1, "type": "service", "date": "2025-01-01T10:00:00", "actor": "Anna", "action": "call", "text": ""},
                {"id": 2, "type": "message", "date": "2025-01-01T10:00:00", "from": "Anna", "text": "A che ora?"},
                {
                    "id": 3,
                    "type": "message",
                    "date": "2025-01-01T10:01:00",
                    "from": "Sarto",
                    "text": ["Alle 9.\n", {"type": "bold", "text": "La domenica"}],
                },
                {"id": 4, "type": "message", "date": "2025-01-01T10:01:30", "from": "Sarto", "text": "", "photo": "a.jpg"},
                {"id": 5, "type": "message", "date": "2025-01-02T10:00:00", "from": "Anna", "text": "Aperti?"},
                {"id": 6, "type": "message", "date": "2025-01-02T10:01:00", "from": "Sarto", "text": "Sì"},
                {"id": 7, "type": "message", "date": "2025-01-02T10:02:00", "from": "Anna", "text": "ok"},
            ],
        }
    ),
    "Slack": json.dumps(
        [
            {"type": "message", "subtype": "channel_join", "user": "Anna", "text": "joined", "ts": "1700000000.1"},
            {"type": "message", "user": "Anna", "text": "A che ora?", "ts": "1700000001.1"},
            {"type": "message", "user": "Sarto", "text": "Alle 9.", "ts": "1700000002.1"},
            {"type": "message", "user": "Sarto", "text": "", "ts": "1700000003.1", "files": [{"name": "a.jpg"}]},
            {"type": "message", "user": "Anna", "text": "Aperti?", "ts": "1700090003.1"},
            {"type": "message", "user": "Sarto", "text": "Sì", "ts": "1700090004.1"},
            {"type": "message", "user": "Anna", "text": "ok", "ts": "1700090005.1"},
        ]
    ),
    "a table": (
        "Autore;Data;Messaggio\nBot;12/05/2023 13:00;\n;12/05/2023 13:59;Canale creato\n"
        "Anna;12/05/2023 14:00;A che ora?\nSarto;12/05/2023 14:01;Alle 9.\n"
        "Anna;13/05/2023 14:00;Aperti?\nSarto;13/05/2023 14:01;Sì\nAnna;13/05/2023 14:02;ok\n"
    ),
}


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_asks_who_the_assistant_is_and_becomes_conversations(take: Take, name: str) -> None:
    with pytest.raises(InputError) as asked:
        take(CHATS[name])
    assert asked.value.code.startswith("data.speakers")
    assert {"Anna", "Sarto"} <= set(asked.value.params["names"])
    assert "Anna (3)" in asked.value.params["speakers"]
    with pytest.raises(InputError, match="speakers"):
        take(CHATS[name], {"assistant": "Nobody"})
    taken = take(CHATS[name], {"assistant": "sarto"})
    first, second = taken.texts
    assert first[0] == "A che ora?" and first[1].startswith("Alle 9.") and second == ("Aperti?", "Sì")
    assert "La domenica" in first[1] or name in ("Slack", "a table")
    note = next(note for note in taken.reading.findings if note["code"] == "data.note.chat")
    assert note["params"] == {"talks": 2, "messages": 4, "service": 1, "media": 1, "edge": 1}


WEB = "[09:15, 12/5/2024] Anna: Prezzo?\n[09:16, 12/5/2024] Sarto: 12\n[09:17, 12/5/2024] Anna: ok\n"
COPIED = {
    "from WhatsApp Web": (WEB, 0),
    "from WhatsApp Web, with seconds in American hours": (WEB.replace(":15,", ":15:02 AM,").replace(":16,", ":16 AM,"), 0),
    "with a line above": (f"Ecco la chat:\n{WEB}", 1),
    "of a telephone, with lines above": (
        "La chat con Anna\n\n12/05/24, 09:15 - Anna: Prezzo?\n12/05/24, 09:16 - Sarto: 12\n12/05/24, 09:17 - Anna: ok\n",
        1,
    ),
}


@pytest.mark.parametrize("name", COPIED)
def test_a_chat_that_was_copied_is_a_chat(take: Take, name: str) -> None:
    content, above = COPIED[name]
    taken = take(content, {"assistant": "Sarto"})
    note = next(note["params"] for note in taken.reading.findings if note["code"] == "data.note.chat")
    assert taken.texts == [("Prezzo?", "12")] and (note["service"], note["edge"]) == (above, 1)


@pytest.mark.parametrize(
    "content", ["Diario\n\n12/05/2024 10:00 - Oggi: mare\n13/05/2024 11:00 - Ieri: pioggia\n", "Si apre alle 9.\n[1] Nota: sì\n"]
)
def test_a_diary_under_a_title_is_no_chat(take: Take, content: str) -> None:
    assert take(content).reading.format == "text"


NO_MESSAGES = [
    *("videomessaggio omesso", "\u200eChiamata vocale, \u200eNessuna risposta", "\u200eVideo call, \u200e3 min"),
    *("\u200ePOLL:\nQuando?\n\u200eOPTION: lun (2 votes)", "\u200eSondaggio:\nQuando?"),
]


@pytest.mark.parametrize("said", NO_MESSAGES)
def test_what_is_no_message_is_left_out_and_counted(take: Take, said: str) -> None:
    content = (
        f"12/05/24, 09:15 - Anna: Prezzo?\n12/05/24, 09:16 - Sarto: 12\n12/05/24, 09:17 - Sarto: {said}\n12/05/24, 09:18 - Sarto: fine\n"
    )
    taken = take(content, {"assistant": "Sarto"})
    note = next(note["params"] for note in taken.reading.findings if note["code"] == "data.note.chat")
    assert taken.texts == [("Prezzo?", "12\nfine")] and note["service"] + note["media"] == 1


def dated(form: str, columns: str) -> str:
    """A table of a chat over three days, with a pause of over eight hours within each."""
    said = (("9", "Anna", "Prezzo?"), ("10", "Sarto", "12 €"), ("20", "Anna", "Aperti?"), ("21", "Sarto", "Sì"))
    rows = [f"{form.format(day=day, hour=hour)};{who};{what}\n" for day in (10, 11, 12) for hour, who, what in said]
    return f"{columns};Nome;Messaggio\n{''.join(rows)}"


DATED = {
    "Italian, short": dated("{day}/05/24 {hour:0>2}:15", "Data"),
    "Italian, with a comma": dated("{day}/05/2024, {hour:0>2}:15:30", "Data"),
    "with hyphens": dated("{day}-05-2024 {hour}.15", "Data e ora").replace("Data e ora", "Data"),
    "the hour aside": dated("{day}/05/2024;{hour:0>2}:15", "Data;Ora"),
    "ISO, the hour aside": dated("2024-05-{day};{hour:0>2}:15", "Data;Ora"),
}


@pytest.mark.parametrize("name", DATED)
@pytest.mark.parametrize("mapping", [{}, {"role": "Nome", "content": "Messaggio"}], ids=["told", "mapped"])
def test_a_table_of_a_chat_is_divided_by_its_dates_and_hours(take: Take, name: str, mapping: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"data\.speakers"):
        take(DATED[name], mapping)
    taken = take(DATED[name], {**mapping, "assistant": "Sarto"})
    assert taken.texts == [("Prezzo?", "12 €"), ("Aperti?", "Sì")] * 3 and not taken.reading.unused


def test_an_export_of_copilot_is_divided_by_its_conversations(take: Take) -> None:
    rows = [
        "Orli,2024-05-01T10:00:00,Human,Prezzo?",
        "Orli,2024-05-01T10:00:10,AI,12",
        "Zip,2024-05-01T10:01,Human,Zip?",
        "Zip,2024-05-01T10:02,AI,Sì",
    ]
    for count in (2, 4):
        table = "\n".join(["Conversation,Time,Author,Message", *rows[:count]]) + "\n"
        assert take(table).texts == [("Prezzo?", "12"), ("Zip?", "Sì")][: count // 2]


@pytest.mark.parametrize(
    "names", ["Question,Answer 1,Answer 2,Time limit,Correct answer(s)", "Domanda,Risposta 1,Risposta 2,Tempo,Risposta/e corretta/e"]
)
def test_a_quiz_of_kahoot_is_multiple_choice(take: Take, names: str) -> None:
    assert take(f'{names}\nCapitale?,Milano,Roma,20,2\nFiumi?,Po,Arno,20,"1,2"\n').texts == [
        ("Capitale?\n\nA) Milano\nB) Roma", "B) Roma"),
        ("Fiumi?\n\nA) Po\nB) Arno", "A) Po\nB) Arno"),
    ]


TEMPLATES = [  # headers of Kahoot's, Blooket's and Quizizz's, with what they say to do there
    "Question - max 120 characters,Answer 1 - max 75 characters,Answer 2 - max 75,Time – 5 or 10,Correct answer(s) - choose",
    "Domanda - massimo 120 caratteri,Risposta 1 - massimo 75 caratteri,Risposta 2 - massimo 75,Tempo,Risposta/e corretta/e - almeno una",
    'Question Text,Answer 1,"Answer 2\n(Optional)",Time,"Correct Answer(s)\n(Only include Answer #)"',
    "Question Text,Option 1,Option 2 (optional),Time in seconds,Correct Answer",
]


@pytest.mark.parametrize("names", TEMPLATES)
def test_a_template_s_header_may_say_what_to_write_there(take: Take, names: str) -> None:
    assert take(f'{names}\nCapitale?,Milano,Roma,20,2\nFiumi?,Po,Arno,20,"1,2"\n').texts == [
        ("Capitale?\n\nA) Milano\nB) Roma", "B) Roma"),
        ("Fiumi?\n\nA) Po\nB) Arno", "A) Po\nB) Arno"),
    ]


def test_a_chat_whose_dates_are_not_read_is_one_by_its_mapping(take: Take) -> None:
    content = dated("{day} maggio", "Quando")
    assert len(take(content, {"role": "Nome", "content": "Messaggio", "assistant": "Sarto"}).texts) == 1


@pytest.mark.parametrize(
    "dates, american",
    [
        (["03/04/24", "25/04/24"], False),
        (["03/04/24", "03/25/24"], True),
        (["10/30/24", "11/02/24"], True),
        (["05/10/24", "05/11/24", "06/01/24"], True),
        (["10/05/24", "11/05/24", "01/06/24"], False),
        (["01/06/24", "11/05/24", "10/05/24"], False),
        (["03/04/24"], False),
        ([], False),
        (["2024-05-10"], False),
    ],
)
def test_a_file_says_whether_the_day_or_the_month_is_first(dates: list[str], american: bool) -> None:
    assert month_first(dates) == american


def test_turns_in_a_row_are_one_and_what_else_a_message_holds_is_named(take: Take) -> None:
    rows = [("anna", "a"), ("anna", "b"), ("sarto", "c"), ("anna", "d"), ("sarto", "e"), ("sarto", "f")]
    table = "AuthorID,Author,Date,Content,Reactions\n" + "".join(
        f"7,{who},2024-01-01T10:0{number}:00,{said},\n" for number, (who, said) in enumerate(rows)
    )
    taken = take(table, {"assistant": "sarto"})
    assert taken.texts == [("a\nb", "c", "d", "e\nf")]
    assert taken.reading.unused == {"key": {"AuthorID": 6}}


def test_a_table_of_authors_can_be_learned_as_texts(take: Take) -> None:
    taken = take(CHATS["a table"], {"text": "Messaggio"})
    assert taken.reading.format == "text" and ("Alle 9.",) in taken.texts


TEMPLATED = {
    "ChatML": "<|im_start|>system\n{s}<|im_end|>\n<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{a}<|im_end|>\n",
    "Llama 2": "<s>[INST] <<SYS>>\n{s}\n<</SYS>>\n\n{q} [/INST] {a} </s>",
    "Llama 3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{s}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{a}<|eot_id|>"
    ),
    "Zephyr": "<|system|>\n{s}</s>\n<|user|>\n{q}</s>\n<|assistant|>\n{a}</s>\n",
    "Alpaca": "{s}\n\n### Instruction:\n{q}\n\n### Response:\n{a}",
    "Phi": "<|system|>\n{s}<|end|>\n<|user|>\n{q}<|end|>\n<|assistant|>\n{a}<|end|>\n",
    "Phi in one line": "<|system|>{s}<|end|><|user|>{q}<|end|><|assistant|>{a}<|end|>",
    "DeepSeek": "<｜begin▁of▁sentence｜>{s}<｜User｜>{q}<｜Assistant｜>{a}<｜end▁of▁sentence｜>",
    "Command R": (
        "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{s}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>{q}"
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{a}<|END_OF_TURN_TOKEN|>"
    ),
    "Granite": (
        "<|start_of_role|>system<|end_of_role|>{s}<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>{q}<|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|>{a}<|end_of_text|>\n"
    ),
    "Harmony": "<|start|>system<|message|>{s}<|end|><|start|>user<|message|>{q}<|end|><|start|>assistant<|channel|>final<|message|>"
    "{a}<|return|>",
    "Vicuna": "{s} USER: {q} ASSISTANT: {a}</s>",
    "Gemma": "<bos><start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n{a}<end_of_turn>\n",
    "Mistral": "<s>[INST] {q} [/INST] {a}</s>[INST] {q} [/INST] {a}</s>",
}


@pytest.mark.parametrize("name", TEMPLATED)
@pytest.mark.parametrize("column", ["text", "testo"])
def test_a_text_in_a_template_is_taken_apart(take: Take, name: str, column: str) -> None:
    said = {"s": "Sei il sarto.", "q": "Quanto costa?\nE quando?", "a": "Dodici euro.\n\n- domani"}
    taken = take([{column: TEMPLATED[name].format(**said)}, {column: "Un testo senza segni."}, {column: TEMPLATED[name].format(**said)}])
    system = () if name in ("Gemma", "Mistral") else (said["s"],)
    talk = (*system, said["q"], said["a"]) if name != "Mistral" else (said["q"], said["a"]) * 2
    assert taken.texts == [talk, ("Un testo senza segni.",), talk]
    assert taken.reading.reason is not None and taken.reading.reason["code"] == "data.reason.templated"


@pytest.mark.parametrize("name", [name for name in TEMPLATED if name not in ("Mistral", "Llama 2", "Alpaca")])
@pytest.mark.parametrize("columns", [("prompt", "completion"), ("question", "answer")], ids="/".join)
def test_a_pair_in_a_template_is_taken_apart(take: Take, name: str, columns: tuple[str, str]) -> None:
    said = {"s": "Sei il sarto.", "q": "Quanto costa?\nE quando?", "a": "Dodici euro.\n\n- domani"}
    before, _, after = TEMPLATED[name].partition("{a}")
    taken = take([dict(zip(columns, (before.format(**said), said["a"] + after), strict=True))] * 2)  # the answer with its end
    assert taken.texts == [((said["q"], said["a"]) if name == "Gemma" else tuple(said.values()))] * 2


def test_what_was_thought_in_a_channel_is_a_thought(take: Take) -> None:
    said = "<|start|>user<|message|>q<|end|><|start|>assistant<|channel|>analysis<|message|>hm<|end|>"
    taken = take([{"text": f"{said}<|start|>assistant<|channel|>final<|message|>a<|return|>"}] * 2)
    assert taken.rows[0]["messages"][1] == {"role": "assistant", "content": "a", "reasoning_content": "hm"}


SIGNS = ["<|mystery_sign|>", "<｜fim▁hole｜>", "[/INST]", "</s>", "<end_of_turn>", "<|endoftext|>"]


@pytest.mark.parametrize("sign", SIGNS)
def test_signs_of_a_template_that_stay_in_texts_are_found(take: Take, sign: str) -> None:
    rows = [{"question": f"Dove {number}?", "answer": f"Qui siamo, {number}.{sign if number == 1 else ''}"} for number in range(3)]
    (told,) = [note for note in take(rows).reading.findings if note["code"] == "data.check.signs"]
    assert told["params"] == {"count": 1, "rows": "2", "example": sign}
    assert all(text.say(lang, told["code"], told["params"]) for lang in text.LANGUAGES)


@pytest.mark.parametrize(
    "answer", ["Scrivi `<s>` nel template del modello: </s> lo chiude.", "a <| b |> c", "x </sub> y", "```\n<|im_end|>\n```"]
)
def test_a_text_about_such_signs_is_meant_so(take: Take, answer: str) -> None:
    findings = take([{"question": "Come?", "answer": answer}]).reading.findings
    assert "data.check.signs" not in [note["code"] for note in findings]


def gpt(role: str, text: str, parent: str | None, **more: Any) -> dict[str, Any]:
    return {"parent": parent, "message": {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, **more}}


def test_of_a_tree_of_chatgpt_the_branch_that_is_shown_is_learned(take: Take) -> None:
    tree = {
        "root": {"parent": None, "message": None},
        "s": gpt("system", "", "root"),
        "q": gpt("user", "q", "s"),
        "a1": gpt("assistant", "bad", "q"),
        "a2": gpt("assistant", "search()", "q", recipient="browser"),
        "t": gpt("tool", "found", "a2"),
        "a3": gpt("assistant", "good", "t"),
        "a4": gpt("assistant", "more", "a3"),
        "q2": gpt("user", "thanks", "a4"),
    }
    taken = take(json.dumps([{"title": "T", "mapping": tree, "current_node": "q2"}] * 3))
    assert taken.texts == [("q", "good\n\nmore")] * 3
    parts = taken.reading.unused["part"]
    assert parts == {
        "mapping: other branches": 3,
        "mapping: assistant text": 3,
        "mapping: tool text": 3,
        "mapping: without an answer": 3,
    }
    assert taken.reading.unused["column"] == {"title": 3}


def test_an_export_of_claude_is_read(take: Take) -> None:
    turns = [
        {"sender": "human", "text": "q", "content": [{"type": "text", "text": "q"}], "attachments": []},
        {"sender": "assistant", "text": "", "content": [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": "a"}]},
        {"sender": "human", "text": "r", "uuid": "7"},
        {"sender": "assistant", "text": "b", "created_at": "2025-01-01"},
    ]
    taken = take(json.dumps([{"uuid": "u", "name": "N", "chat_messages": turns}, {"name": "empty", "chat_messages": []}]))
    assert taken.texts == [("q", "a", "r", "b")] and taken.faults == [(2, "data.row.empty_question")]
    assert taken.reading.unused == {"column": {"uuid": 1, "name": 1}, "key": {"uuid": 1, "created_at": 1}}
    assert taken.rows[0]["messages"][1] == {"role": "assistant", "content": "a", "reasoning_content": "…"}


FAQS = {
    "headings": "# FAQ\n\n## Quanto costa?\n\nDodici euro.\n\n- subito\n\n## Quando aprite?\n\nAlle 9.\n",
    "headings below sections": "# Help\n## Prices\n### Quanto costa?\nDodici euro.\n\n- subito\n### Quando aprite?\nAlle 9.\n",
    "bold": "**Quanto costa?**\n\nDodici euro.\n\n- subito\n\n**Quando aprite?**\nAlle 9.\n",
    "bold labels": "**D:** Quanto costa?\n**R:** Dodici euro.\n\n- subito\n\n**D:** Quando aprite?\n**R:** Alle 9.\n",
    "labels": "Domanda: Quanto costa?\nRisposta: Dodici euro.\n\n- subito\n\nDomanda: Quando aprite?\nRisposta: Alle 9.\n",
    "letters": "Q: Quanto costa?\r\nA: Dodici euro.\r\n\r\n- subito\r\n\r\nQ: Quando aprite?\r\nA: Alle 9.\r\n",
    "numbers": "Question 1: Quanto costa?\nAnswer 1: Dodici euro.\n\n- subito\n\nQuestion 2: Quando aprite?\nAnswer 2: Alle 9.\n",
    "German": "Frage: Quanto costa?\nAntwort: Dodici euro.\n\n- subito\n\nFrage: Quando aprite?\nAntwort: Alle 9.\n",
    "Spanish": "**Pregunta:** Quanto costa?\n**Respuesta:** Dodici euro.\n\n- subito\n\n"
    "**Pregunta:** Quando aprite?\n**Respuesta:** Alle 9.\n",
    "headings that are labels": "## Frage\nQuanto costa?\n\n## Antwort\nDodici euro.\n\n- subito\n\n"
    "## Frage\nQuando aprite?\n\n## Antwort\nAlle 9.\n",
    "as Alpaca writes them": "### Instruction:\nQuanto costa?\n\n### Response:\nDodici euro.\n\n- subito\n\n"
    "### Instruction:\nQuando aprite?\n\n### Response:\nAlle 9.\n",
    "numbered lines": "1. Quanto costa?\nDodici euro.\n\n- subito\n\n2. Quando aprite?\nAlle 9.\n",
    "paragraphs that begin with a question": "Quanto costa?\nDodici euro.\n\n- subito\n\nQuando aprite?\nAlle 9.\n",
    "folded away": "<details>\n<summary>Quanto costa?</summary>\n\nDodici euro.\n\n- subito\n\n</details>\n\n<details>\n"
    "<summary><b>Quando aprite?</b></summary>\nAlle 9.\n</details>\n",
    "yaml": "- question: Quanto costa?\n  answer: |-\n    Dodici euro.\n\n    - subito\n- question: Quando aprite?\n  answer: Alle 9.\n",
    "yaml, Italian, below a name": "# nostre\nfaq:\n  - domanda: Quanto costa?\n    risposta: |-\n      Dodici euro.\n\n      - subito\n"
    "  - domanda: Quando aprite?\n    risposta: 'Alle 9.'\n",
    "yaml, a mapping": '"Quanto costa?": "Dodici euro.\\n\\n- subito"\nQuando aprite?: Alle 9.\n',
}


@pytest.mark.parametrize("name", FAQS)
def test_questions_and_answers_in_prose_are_pairs(take: Take, name: str) -> None:
    taken = take(FAQS[name])
    assert taken.texts == [("Quanto costa?", "Dodici euro.\n\n- subito"), ("Quando aprite?", "Alle 9.")]
    left = [note["params"]["lines"] for note in taken.reading.findings if note["code"] == "data.note.faq"]
    assert left == {"headings": [1], "headings below sections": [2]}.get(name, [])


GLAIVE = 'USER: Quanto?\n\n\nASSISTANT: <functioncall> {"name": "price"} <|endoftext|>\n\n\nFUNCTION RESPONSE: {"p": 12}\n\n\n'
GLAIVE += "ASSISTANT: Dodici euro. <|endoftext|>\n\n\n"


@pytest.mark.parametrize("column", ["chat", "trascrizione", "dialogue"])
def test_a_dialogue_in_one_text_is_found_under_any_name_and_what_a_tool_says_is_not_learned(take: Take, column: str) -> None:
    taken = take([{"id": number, column: GLAIVE} for number in (1, 2)])
    assert [turn["role"] for turn in taken.rows[0]["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert taken.texts[0][2:] == ('{"p": 12}', "Dodici euro.") and taken.reading.unused == {"column": {"id": 2}}


@pytest.mark.parametrize(
    "content",
    [
        "- question: &a x\n  answer: *a\n",
        "Chi?: io\nChi?: tu\n",
        "- question: [a\n  answer: b\n",
    ],
)
def test_yaml_that_would_lose_or_unfold_something_is_refused(take: Take, content: str) -> None:
    with pytest.raises(InputError, match=r"data\.yaml"):
        take(content)


@pytest.mark.parametrize(
    "content",
    [
        "# Titolo\n\nUn testo. Chi sei?\n\n## Altro\n\nFine.\n",
        "Nota: uno\n\nNota: due\n",
        "- uno: a\n\n- due: b\n",
        "1. Chi sei?\n2. Da dove vieni?\n3. Dove vai?\n",
        "Chi sei?\n\nDa dove vieni?\n\nNon lo so.\n",
        "«Chi sei?»\nNon rispose.\n\nPassò un giorno. Poi un altro.\n\nDove vai?\nNessuno lo seppe.\n\nE fu notte.\n",
    ],
)
def test_other_prose_stays_text(take: Take, content: str) -> None:
    assert take(content).reading.format == "text"


SHORT: dict[str, Any] = {  # chats in which each speaks once, and one of three
    "WhatsApp": "05/03/24, 09:12 - Anna: Aperti?\n05/03/24, 09:13 - Sarto: Sì.\n",
    "Telegram": json.dumps(
        {
            "name": "Anna",
            "type": "personal_chat",
            "messages": [
                {"id": 2, "type": "message", "date": "2025-01-01T10:00:00", "from": "Anna", "from_id": "user1", "text": "Aperti?"},
                {"id": 3, "type": "message", "date": "2025-01-01T10:01:00", "from": "Sarto", "from_id": "user2", "text": "Sì."},
            ],
        }
    ),
    "Discord": json.dumps(
        {
            "channel": {"id": "2", "name": "help"},
            "messages": [
                {"id": "1", "timestamp": "2024-03-05T09:12:00+00:00", "content": "Aperti?", "author": {"id": "1", "name": "Anna"}},
                {"id": "2", "timestamp": "2024-03-05T09:13:00+00:00", "content": "Sì.", "author": {"id": "2", "name": "Sarto"}},
            ],
        }
    ),
    "Discord, a table": (
        "AuthorID,Author,Date,Content,Attachments,Reactions\n1,Anna,05-Mar-24 09:12 AM,Aperti?,,\n2,Sarto,05-Mar-24 09:13 AM,Sì.,,\n"
    ),
    "Slack": json.dumps(
        [
            {"type": "message", "user": "U1", "text": "Aperti?", "ts": "1709629920.0", "user_profile": {"real_name": "Anna"}},
            {"type": "message", "user": "U2", "text": "Sì.", "ts": "1709629980.0", "user_profile": {"real_name": "Sarto"}},
        ]
    ),
    "Messenger": json.dumps(
        {
            "participants": [{"name": "Anna"}, {"name": "Sarto"}],
            "messages": [
                {"sender_name": "Sarto", "timestamp_ms": 1709629980000, "content": "Sì."},
                {"sender_name": "Anna", "timestamp_ms": 1709629920000, "content": "Aperti?"},
            ],
        }
    ),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_export_asks_as_a_long_one_does(take: Take, name: str) -> None:
    with pytest.raises(InputError, match=r"data\.speakers"):
        take(SHORT[name])
    assert take(SHORT[name], {"assistant": "Sarto"}).texts == [("Aperti?", "Sì.")]


def test_tokens_of_a_log_are_no_context(take: Take) -> None:
    rows = [{"model": "x", "prompt": "a?", "response": "b", "context": [128006, 882, 128007], "done": True}] * 2
    taken = take(rows)
    assert taken.texts == [("a?", "b")] * 2 and taken.reading.unused["column"]["context"] == 2
    texts = take([{"question": "a?", "answer": "b", "context": ["uno", "due"]}]).texts
    assert texts == [("a?\n\nuno\n\ndue", "b")] or texts == [("uno\n\ndue\n\na?", "b")]
