"""Files that were read and not understood: kept for their owner, asked about, taken or thrown away."""

import pathlib

import pytest

from tests import folders
from tests.data.books import KINDS, workbook
from tests.lots import lot
from tuning.data.glimpse import guesses
from tuning.data.ingest import ReadingOptions
from tuning.data.waiting import NotUnderstood
from tuning.errors import InputError
from tuning.studio import Studio
from tuning.ui.parts.rows.columns import mapping

ROWS = ("Quanto costa una camera?;Ottanta euro a notte.;12", "C'è la piscina?;Sì, da maggio a settembre.;13")
TURNS = (("Anna", "A che ora aprite?"), ("Sarto", "Alle nove."), ("Anna", "E la domenica?"), ("Sarto", "No."))
CHAT = "\n".join(f"05/03/2024, 09:1{minute} - {name}: {said}" for minute, (name, said) in enumerate(TURNS))
LISTED = '[{"frase": "Quanto costa?", "dati": {"pezzo": "Dieci euro al metro."}, "n": 1}]'


def kept(studio: Studio, path: pathlib.Path, content: str) -> str:
    """The id under which a content waits."""
    path.write_text(content, encoding="utf-8")
    with pytest.raises(NotUnderstood) as caught:
        studio.data.ingest([path], ReadingOptions(name=path.name, keep=True, ask=True))
    path.unlink()
    return caught.value.waiting


@pytest.mark.parametrize(
    ("content", "mapping", "said"),
    [
        ("\n".join(["a;b;c", *ROWS]), {"question": "a", "answer": "b"}, "Ottanta euro a notte."),
        ("\n".join(["zeta;eta", "una camera;Ottanta euro"]), {"question": "zeta", "answer": "eta"}, "Ottanta euro"),
        (LISTED, {"question": "frase", "answer": "dati.pezzo"}, "Dieci euro al metro."),
        (CHAT, {"assistant": "Sarto"}, "Alle nove."),
    ],
)
def test_what_is_not_understood_waits_and_is_taken(
    studio: Studio, tmp_path: pathlib.Path, content: str, mapping: dict[str, str], said: str
) -> None:
    waiting = kept(studio, tmp_path / "sheet", content)
    assert [one.id for one in studio.data.waiting()] == [waiting]
    seen = studio.data.columns(waiting)
    if "question" in mapping:  # a guess is filled in, and shown
        guessed = {column["role"]: column["name"] for column in seen["columns"] if column["role"]}
        assert guessed == mapping
        assert seen["talks"][0]["messages"][-1]["content"] == said
        assert (
            studio.data.columns(waiting, {"question": mapping["answer"], "answer": mapping["question"]})["talks"][0]["messages"][0][
                "content"
            ]
            == said
        )
    found = studio.data.take(waiting, mapping)
    assert studio.data.preview(found.id)[0]["messages"][1]["content"] == said
    assert not studio.data.waiting() and found.sources and studio.data.reread(found.id, ReadingOptions()) == found


def test_another_sheet_of_a_workbook_is_looked_at_and_taken(studio: Studio, tmp_path: pathlib.Path) -> None:
    sheets = {"Listino": [["a", "b"], ["giacca", "90"]], "Domande": [["x", "y"], ["Quanto costa?", "Novanta euro al pezzo."]]}
    path = workbook(tmp_path / f"shop.{lot('sheets').choice(KINDS)}", **sheets)
    with pytest.raises(NotUnderstood) as caught:
        studio.data.ingest([path], ReadingOptions(name=path.name, keep=True, ask=True))
    assert caught.value.code == "data.format.sheet"
    waiting = caught.value.waiting
    seen = studio.data.columns(waiting, sheet="Domande")
    assert (seen["sheets"], seen["sheet"]) == (["Listino", "Domande"], "Domande") and [column["role"] for column in seen["columns"]] == [
        "question",
        "answer",
    ]
    assert seen["talks"][0]["messages"][-1]["content"] == "Novanta euro al pezzo."
    found = studio.data.take(waiting, {"question": "x", "answer": "y", "sheet": "Domande"})
    assert studio.data.preview(found.id)[0]["row"] == 2


def test_nobody_else_sees_takes_or_deletes_it(studio: Studio, tmp_path: pathlib.Path) -> None:
    waiting, other = kept(studio, tmp_path / "sheet", "\n".join(["a;b;c", *ROWS])), studio.for_owner("somebody")
    assert not other.data.waiting() and not other.shared.waiting.size("somebody") and studio.shared.waiting.size("local")
    for asked in (other.data.columns, other.data.delete, lambda id: other.data.take(id, {"question": "a", "answer": "b"})):
        with pytest.raises(InputError, match=r"data\.unknown"):
            asked(waiting)
    studio.data.delete(waiting)
    assert not studio.data.waiting() and not list((studio.shared.settings.home / "waiting").iterdir())


def test_a_mapping_that_fits_nothing_is_said_and_it_waits_on(studio: Studio, tmp_path: pathlib.Path) -> None:
    waiting = kept(studio, tmp_path / "sheet", "\n".join(["a;b;c", *ROWS]))
    assert studio.data.columns(waiting, {"question": "a", "answer": "zz"})["fault"]["code"] == "data.mapping.column"
    with pytest.raises(InputError, match=r"data\.mapping\.column"):
        studio.data.take(waiting, {"question": "a", "answer": "zz"})
    assert studio.data.waiting()


@pytest.mark.parametrize("content", ["\x80\x04\x95\x00", '{"input_ids": [1, 2], "labels": [1, 2]}\n'])
def test_what_is_no_table_is_refused_and_not_kept(studio: Studio, tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        studio.data.ingest([path], ReadingOptions(name="odd", keep=True, ask=True))
    assert not isinstance(caught.value, NotUnderstood) and not studio.data.waiting()


def test_data_are_deleted_in_all_ways_they_were_read(studio: Studio, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "qa.csv"
    path.write_text("question,answer\na,b\na,b\n", encoding="utf-8")
    first = studio.data.ingest([path], ReadingOptions(name="qa.csv", keep=True))
    studio.data.mend(first.id, "duplicates")
    with pytest.raises(InputError, match=r"data\.unknown"):
        studio.for_owner("somebody").data.delete(first.id)
    run = folders.make(studio, "Prices", data=first.id)
    with pytest.raises(InputError, match=r"data\.in_use") as caught:
        studio.data.delete(first.id)
    assert caught.value.params["runs"] == "Prices"
    studio.runs.delete(run.id)
    studio.data.delete(first.id)
    assert not [one for one in studio.data.list() if not one["offered"] and one["name"] == "qa.csv"]


def test_a_column_that_asks_is_guessed_as_the_question_however_long_it_is() -> None:
    asks, tells = (
        ["Quanto costa una camera con vista sul lago?", "C'è un parcheggio qui vicino?", ""],
        ["Ottanta euro.", "Sì, gratuito.", ""],
    )
    for columns in ({"a": asks, "b": ["x", "", "y"], "c": tells}, {"c": tells, "b": ["x", "", "y"], "a": asks}):
        assert guesses(columns) == {"a": ("question", False), "c": ("answer", False)}
    assert guesses({"a": ["one thing", "two"], "b": ["a longer text", "and more of it"]})["b"] == ("answer", False)


def test_a_column_of_thoughts_is_guessed_by_its_name_and_chosen() -> None:
    cells = {"Quesito": ["Quanto fa?"], "Ragionamento": ["Due più due, e poi ancora tre volte."], "Esito": ["Sette."]}
    found = guesses(cells)
    assert found["Ragionamento"] == ("reasoning", True) and found["Quesito"][0] == "question" and found["Esito"][0] == "answer"
    asked = mapping({role: column for column, (role, _) in found.items()})
    assert asked == {"question": "Quesito", "answer": "Esito", "reasoning": "Ragionamento"}
