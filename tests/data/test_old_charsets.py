"""Texts of five languages in the charsets of Windows, DOS and an old Mac: told by where their letters stand, both ways."""

import pytest

from tests.data.conftest import Take
from tuning.data.readers.old_charsets import told

SENTENCES = {
    "Italian": [
        "Perché è così caro il caffè?",
        "Sì, però la qualità è più alta; là c'è già.",
        "Può darsi: lunedì verrà giù.",
        "L'università è in città, e la libertà è una virtù.",
        "È finito, perciò non ce n'è più.",
    ],
    "English": ["A café with a naïve résumé, déjà vu.", "The façade of the naïve café is passé.", "Zoë and Chloë ate crème brûlée."],
    "French": [
        "Où êtes-vous né ? À Noël, ça va très bien, merci à l'été.",
        "Créée l'année dernière, déjà connue.",
        "Le maître a prêté ses clés à l'élève.",
        "Ça coûte très cher, hélas !",
    ],
    "German": [
        "Größe und Füße, süß.",
        "Über die Äpfel, schöne Grüße aus Köln.",
        "Öffnen Sie die Tür; die Übergröße hängt drüben.",
        "Können wir den Ärmel kürzen?",
    ],
    "Spanish": [
        "¿Qué año es? ¡Sí, mañana!",
        "Atención: ¿cómo está usted, señor?",
        "Él habló inglés; también comió jamón.",
        "El sábado habrá más camarones aquí.",
    ],
}


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("charset", ["cp1252", "cp850", "mac-roman"])
def test_the_charset_of_sentences_is_told(language: str, charset: str) -> None:
    wrong = [text for text in SENTENCES[language] if told([f"{text}\n".encode(charset)]) != (charset, "")]
    assert not wrong
    assert told(f"{text}\n".encode(charset) for text in SENTENCES[language]) == (charset, "")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Þýðir það eitthvað? Íþróttir eru góðar",
            "Pääsiäisenä hän häätää äänet yöllä",
            "São João, coração, avó, pão, não",
            "Ærø, Århus, på øl",
        ),
        *(
            "“Ciao”, disse… “vieni”",
            "Well… that’s “it” – ‘fine’ • point",
            "Škoda, Živko, Šime",
            "Ô toi",
            "‚so‘ sagt er: „nein“",
            "a–b…c—d",
            "Ù Ú Û",
        ),
        *("5€ £3 20° §4", "l’été – l’œuvre", "¿Qué? ¡Ñandú!", "Œuvre", "ƒ(x) = 2·x ± 3", "1½ tazza", "Straße", "PERCHÉ NON È COSÌ"),
    ],
)
@pytest.mark.parametrize("times", [1, 9])
def test_texts_of_windows_stay_as_they_are(text: str, times: int) -> None:
    assert told([f"{text}\n".encode("cp1252") * times]) == ("cp1252", "")


@pytest.mark.parametrize("charset", ["cp850", "mac-roman"])
def test_a_table_of_an_old_system_is_read_to_the_letter(take: Take, charset: str) -> None:
    taken = take(
        "Domanda;Risposta\nPerché è caro?;Perché è di qualità, così dura più a lungo\nE il caffè?;Sì, però è finito\n".encode(charset)
    )
    assert taken.texts[1] == ("E il caffè?", "Sì, però è finito") and taken.reading.encoding == charset


def test_letters_that_stand_oddly_are_told_where_no_charset_is_clear(take: Take) -> None:
    taken = take(b"Domanda;Risposta\n" + b"Va b\xc6ne?;Va m\xc6le\n")
    notes = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.charset"]
    assert notes == [{"charset": "cp1252", "example": "bÆne"}]
