"""Files as people have them: texts that begin with a bracket, questions in prose, exports of chats, texts in a template."""

import pytest

from tests.data.conftest import Take
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
