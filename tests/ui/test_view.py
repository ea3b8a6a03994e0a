"""What the page shows, as pure functions: numbers and times in both languages, escaping, the curve, the slip."""

import datetime
import pathlib
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from tuning import text
from tuning.data.ingest import ReadingOptions
from tuning.errors import InputError
from tuning.runs import differences
from tuning.studio import Studio
from tuning.text import t
from tuning.tokens.lengths import Looked, Piece, Shown
from tuning.ui import form, slip, view
from tuning.ui.draw import cards, pictures, progress, sheet
from tuning.ui.parts.rows import bring, row_browser
from tuning.ui.parts.rows import columns as columns_of_page

GIB = 2**30
REPORT: dict[str, Any] = {
    **{"rows_read": 3, "rows_kept": 2, "rows_refused": 1, "rows_dropped": 0, "validation_rows": 0, "format": "alpaca", "kind": "csv"},
    **{"encoding": "utf-8", "reason": None, "findings": [], "repairs": [], "refused": [], "source_kept": True},
}


@pytest.mark.parametrize(
    ("value", "digits", "en", "it"), [(1930, 0, "1,930", "1.930"), (0.84, 2, "0.84", "0,84"), (1234567.5, 1, "1,234,567.5", "1.234.567,5")]
)
def test_numbers(value: float, digits: int, en: str, it: str) -> None:
    assert view.number(value, "en", digits) == en
    assert view.number(value, "it", digits) == it


def test_numbers_that_are_none() -> None:
    assert view.number(float("inf"), "it") == "∞"
    assert view.number(float("nan"), "it") == "–"
    assert view.loss(None, "it") == "–"


@pytest.mark.parametrize(
    ("value", "en", "it"), [(2e-4, "0.0002", "0,0002"), (0.0025, "0.0025", "0,0025"), (0.05, "0.05", "0,05"), (5e-5, "0.00005", "0,00005")]
)
def test_rates_stand_in_full(value: float, en: str, it: str) -> None:
    assert (view.rate(value, "en"), view.rate(value, "it")) == (en, it)


@pytest.mark.parametrize(
    ("count", "text"), [(500, "1 kB"), (31 * 2**20, "31 MB"), (int(9.3 * GIB), "9,3 GB"), (12 * GIB, "12 GB"), (140 * GIB, "140 GB")]
)
def test_sizes(count: int, text: str) -> None:
    assert view.size(count, "it") == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "1 s"), (12, "12 s"), (47, "45 s"), (360, "6 min"), (4800, "1 h 20 min")])
def test_durations(seconds: float, text: str) -> None:
    assert view.duration(seconds, "it") == text


def test_times() -> None:
    now = datetime.datetime(2026, 3, 12, 18, 36).timestamp()
    assert view.clock(now + 360, "it", now) == "alle 18:42"
    assert view.clock(now + 86400, "en", now) == "tomorrow at 18:36"
    assert view.when(now - 3600, "it", now) == "oggi, 17:36"
    assert view.when(now - 86400, "it", now) == "ieri, 18:36"
    assert view.when(now - 10 * 86400, "it", now) == "2 mar 2026, 18:36"


def test_parameters() -> None:
    assert view.parameters(3_945_728, "it") == "3,9 milioni di parametri"
    assert view.parameters(1_540_000_000, "en") == "1.5 billion parameters"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "${alert(1)}", "{{this}}", "`x`"])
def test_nothing_from_outside_is_markup_or_template(text: str) -> None:
    call = {"type": "function", "function": {"name": text, "arguments": {text: text}}}
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": text, "tool_calls": [call]}]
    rows = [{"row": 1, "messages": messages, "tools": [call]}, {"row": 2, "text": text}]
    pieces = Shown(row=1, pieces=[Piece(text=text, kind="learned"), Piece(text=text, kind="context", special=True)])
    shown = [
        row_browser.browser(rows, (0, 2, text), row_browser.Edits("2", False), "en"),
        sheet.table([{text: text}]),
        sheet.tokens(pieces, Looked(row=1, length=2, learned=[(0, 1)], stop=0), 1, "en"),
        sheet.report(REPORT | {"findings": [found(text)], "refused": [{"code": "data.row.columns", "row": 1, "column": text}]}, text, "en"),
        view.fault("en", "run.unknown", {"run": text}),
        cards.card("model", text, "", False),
    ]
    assert not [drawn for drawn in shown if text in drawn]
    assert not re.search(r"\$\{|\{\{|<script|<img", "".join(shown))


def found(text: str) -> dict[str, Any]:
    return {
        "code": "data.check.duplicates",
        "level": "warning",
        "params": {"count": 1, "rows": "2", "example": text, "repair": "duplicates"},
    }


@pytest.mark.parametrize("kept", [True, False])
def test_a_finding_offers_its_repair_where_the_file_can_be_read_again(kept: bool) -> None:
    shown = sheet.report(REPORT | {"findings": [found("x")], "source_kept": kept}, "a", "it")
    assert ('data-do="repair" data-value="duplicates"' in shown) is kept


def test_what_is_not_used_is_one_line_of_the_report() -> None:
    left = [{"kind": "column", "name": "<b>storia", "count": 2, "of": 3}, {"kind": "others", "name": "", "count": 1200, "of": None}]
    shown = sheet.report(REPORT | {"unused": left}, "a", "it")
    assert "Non usato: colonna &lt;b&gt;storia (2 righe su 3), altro (1.200)." in shown
    assert 'id="unused"' not in sheet.report(REPORT | {"unused": []}, "a", "it")


def test_tokens_are_told_apart_and_cut_where_the_line_stands() -> None:
    row = Shown(row=7, pieces=[Piece(text="<s>", kind="context", special=True), Piece(text="Ciao\n", kind="learned", tokens=2)], more=5)
    looked = Looked(row=7, length=8, learned=[(1, 3)], stop=2)
    whole, cut = sheet.tokens(row, looked, 8, "en"), sheet.tokens(row, looked, 2, "en")
    assert '<span class="tok context special">&lt;s&gt;</span><span class="tok learned">Ciao' in whole and "↵" in whole
    assert '<span class="tok cut">Ciao' in cut
    assert "is learned" in whole and "is not learned" in cut and "5 more tokens" in whole


def test_the_histogram_says_what_it_shows() -> None:
    drawn = sheet.histogram([(1, 10, 4), (11, 20, 2), (21, 30, 1)], (3, 30), 20, 1, "it")
    assert "Le righe hanno da 3 a 30 token. La linea è a 20; righe più lunghe: 1." in drawn
    assert drawn.count('class="within"') == 2 and drawn.count('class="over"') == 1 and "cutline" in drawn


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ({"question": "q", "answer": "a", "context": ""}, {"question": "q", "answer": "a"}),
        ({"question": "q", "answer": "a", "system": "s"}, {"question": "q", "answer": "a", "system": "s"}),
        ({"messages": "talk", "system": "s"}, {"messages": "talk", "system": "s"}),
        ({"text": "body", "system": "s"}, {"text": "body"}),
    ],
)
def test_columns_chosen_by_hand_become_a_mapping(columns: dict[str, str], asked: dict[str, str]) -> None:
    assert columns_of_page.mapping(columns) == asked


@pytest.mark.parametrize("columns", [{}, {"question": "q"}, {"answer": "a", "system": "s"}])
def test_too_few_columns_chosen_is_said(columns: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"data\.mapping\.roles"):
        columns_of_page.mapping(columns)


def test_a_fault_inside_a_fault_is_spoken_too() -> None:
    said = view.sentence("it", "data.nothing", {"file": "a.csv", "row": 1200, "line": 1201, "fault": "data.row.columns", "column": "x"})
    assert said == "a.csv: nessuna riga si può usare. La prima, riga 1200: manca la colonna «x»."


def test_an_unknown_code_still_says_something() -> None:
    assert "no.such.code" in view.sentence("en", "no.such.code", {})


def test_values_in_sentences_are_in_the_reader_s_words() -> None:
    said = view.sentence("it", "settings.value", {"where": "x", "key": "lora_r", "value": "a", "allowed": "integer >= 1"})
    assert said == "«Rango» non accetta il valore «a». Ammessi: un numero intero da 1 in su."
    allowed = {"number > 0 <= 1e+31 | auto": "a number above 0 or auto", "integer >= 16 <= 1024": "a whole number from 16 to 1,024"}
    for written, words in allowed.items():
        assert view.sentence("en", "settings.value", {"key": "x", "value": "a", "allowed": written}).endswith(f"Allowed: {words}.")
    found = {"format": "question-answer", "columns": "question -> Domanda, del cliente, answer -> Risposta", "rows": "3", "of": "3"}
    said = view.sentence("it", "data.reason.columns", found)
    assert said.startswith("Riconosciuto come domande e risposte dalle colonne: Domanda, del cliente → domanda, Risposta → risposta.")
    assert "12,5" in view.sentence("it", "plan.no_fit", {"need": 12.52, "have": 8.0})
    assert view.sentence("it", "run.busy", {"run": "r", "status": "running"}).startswith("Questo lavoro è attivo (in corso)")


def metrics(count: int) -> list[dict[str, float]]:
    return [{"step": step, "loss": 6.0 / (1 + step)} for step in range(1, count + 1)]


def test_the_curve_without_points_says_when_it_begins() -> None:
    assert "primi passi" in pictures.curve([], 100, "it")


@pytest.mark.parametrize("count", [1, 2, 40])
def test_the_curve_and_its_sentence(count: int) -> None:
    drawn = pictures.curve([*metrics(count), {"step": 1, "eval_loss": 3.25}], 100, "it")
    assert "<polyline" in drawn and "da 3,00 a" in drawn and "da 3,25 a 3,25" in drawn
    assert "nan" not in drawn.lower().replace("finance", "")


def test_the_curve_is_thinned_and_keeps_its_ends() -> None:
    points = [(float(x), float(x % 7)) for x in range(10_000)]
    thinned = differences.thin(points)
    assert len(thinned) == differences.MOST_POINTS and thinned[0] == points[0] and thinned[-1] == points[-1]
    drawn = pictures.curve([{"step": x, "loss": float("nan") if x % 2 else 1.0} for x in range(5000)], 5000, "en")
    assert max(len(found.split()) for found in re.findall(r'points="([^"]*)"', drawn)) <= differences.MOST_POINTS


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.01, 0.02), (1.0, 6.3), (0.0, 12000.0)])
def test_ticks_enclose_and_are_few(low: float, high: float) -> None:
    marks = pictures.ticks(low, high)
    assert marks[0] <= low and marks[-1] >= high and 2 <= len(marks) <= 8


def test_the_memory_bar_says_its_parts() -> None:
    drawn = pictures.memory_bar({"weights": 3 * GIB, "activations": GIB, "strange": 2**20}, 12 * GIB, "it")
    assert "il modello 3 GB" in drawn and "il resto 1 MB" in drawn and "4 GB su 12 GB liberi" in drawn


RUN = {"run": "r1", "status": "finished", "has_adapter": True}


@pytest.mark.parametrize(
    ("choice", "tab", "run", "step"),
    [
        ({}, "model", None, "take_model"),
        ({}, "data", None, "choose_model"),
        ({"model": "m"}, "data", None, "take_data"),
        ({"model": "m"}, "train", None, "choose_data"),
        ({"model": "m", "data": "d"}, "runs", None, "train"),
        ({}, "train", {**RUN, "status": "running"}, "talk_now"),
        ({}, "chat", {**RUN, "status": "queued"}, "watch"),
        ({"model": "m", "data": "d", "made": "r0"}, "data", {**RUN, "status": "running"}, "queue"),
        ({"model": "m", "data": "d", "made": "r1"}, "train", RUN, "talk"),
        ({"model": "m", "data": "d", "made": "r1"}, "chat", RUN, "take_away"),
        ({"model": "m", "data": "d", "made": "r1"}, "runs", RUN, "again"),
        ({"model": "m", "data": "d", "made": "r1"}, "train", {**RUN, "status": "interrupted"}, "resume"),
        ({"model": "m", "data": "d", "made": "r0"}, "train", RUN, "train"),
    ],
)
def test_the_next_step(choice: dict[str, str], tab: str, run: dict[str, object] | None, step: str) -> None:
    assert slip.next_step(slip.Order.of(choice), tab, run) == step
    assert slip.goes_to(step, tab) in slip.TABS
    assert slip.label(step, "it", "M", "D")


def test_what_does_not_fit_is_not_trained() -> None:
    chosen = slip.Order(model="m", data="d")
    assert slip.next_step(chosen, "train", None, fits=False) == "too_big"
    at_work = {"run": "r", "status": "running", "has_adapter": False}
    told = [slip.next_step(chosen, "train", {**at_work, "spec": {"processes": count}}, placed=True) for count in (1, 2)]
    assert told == ["talk_now", "watch"]  # several processes answer nobody
    assert [slip.next_step(chosen, tab, None, fits=False, ways=True) for tab in ("data", "train")] == ["mend", "mend_now"]


@pytest.mark.parametrize("value", [None, 3, "x", [], {"model": 3, "limit": True}, {"model": "", "limit": -1}, {"model": "x" * 10_000}])
def test_a_forged_choice_is_no_choice(value: object) -> None:
    assert slip.Order.of(value) == slip.Order()


def test_the_reasons_that_matter_come_first() -> None:
    notices = [
        {"code": "plan.device_cpu", "level": "info", "params": {"cores": 2}},
        {"code": "plan.learning_rate", "level": "info", "params": {"rate": 0.0025, "hidden": 256}},
        {"code": "plan.no_fit", "level": "warning", "params": {"need": 20.0, "have": 8.0}},
    ]
    first, second, _ = slip.reasons(notices, "it")
    assert first.startswith("Servirebbero 20,0 GB") and "0,0025" in second


@pytest.mark.parametrize(
    ("text", "lang", "value"),
    [
        ("0,05", "it", 0.05),
        ("0.05", "it", 0.05),
        ("1.024", "it", 1024),
        ("1,024", "en", 1024),
        ("12", "it", 12),
        ("auto", "en", "auto"),
        ("molto", "it", "molto"),
    ],
)
def test_typed_numbers(text: str, lang: str, value: object) -> None:
    assert form.parse(text, lang) == value


def test_only_what_differs_from_the_recipe_is_passed_on() -> None:
    recipe = {"lora_r": 16, "learning_rate": "auto", "lora_dropout": 0.0, "lora": {}}
    assert form.differing({"lora_r": 16, "learning_rate": "auto", "lora_dropout": 0, "lora.use_dora": False}, recipe) == {}
    assert form.differing({"sft.report_to": "none"}, recipe) == {}
    turned = {"lora_r": 8, "learning_rate": 0.0002, "lora.use_dora": True, "sft.report_to": "tensorboard"}
    assert form.differing(turned, recipe) == turned


def test_perplexity_in_plain_words() -> None:
    said = progress.gained({"status": "finished", "base_perplexity": 489.2, "perplexity": 1.17}, "it")
    assert "489" in said and "1,17" in said
    assert "non è meglio" in progress.gained({"status": "finished", "base_perplexity": 2.0, "perplexity": 3.0}, "it")
    assert "mancano" not in progress.gained({"status": "finished", "base_perplexity": None, "perplexity": None}, "it")


@pytest.mark.parametrize(("lang", "separator"), [("en", ","), ("it", ";")])
def test_the_table_to_begin_with_is_understood(studio: Studio, tmp_path: pathlib.Path, lang: str, separator: str) -> None:
    found = re.search(r'download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]+)"', bring.template(lang))
    assert found is not None
    path = tmp_path / found[1]
    path.write_bytes(unquote_to_bytes(found[2]))
    assert separator in path.read_text(encoding="utf-8-sig").splitlines()[0] and path.read_bytes().startswith(b"\xef\xbb\xbf")
    spec = studio.data.ingest([path], ReadingOptions(name=path.name))
    assert (spec.rows_kept, spec.refused, spec.findings) == (2, [], [])


@pytest.mark.parametrize(("lang", "unsaid"), [("en", ("unknown", "Italian:")), ("it", ("unknown", "italiano:"))])
def test_of_a_model_of_one_s_own_nothing_is_claimed_that_nobody_knows(lang: str, unsaid: tuple[str, ...]) -> None:
    entry = {
        "parameters": 4_000_000,
        "context_length": 512,
        "languages": [],
        "italian": "none",
        "free_license": False,
        "license": "unknown",
    }
    entry |= {"here": True, "predicted_peak_bytes": 1, "seconds": 60.0, "fit": "comfortable", "id": "/m", "title": "m", "why": {lang: ""}}
    drawn = cards.model(entry, False, lang)
    assert not [word for word in unsaid if word in drawn]
    assert t(lang, "ui.model.license.unknown") in drawn


def test_a_cut_beyond_every_row_is_not_said_to_stand_in_the_picture() -> None:
    drawn = sheet.histogram([(11, 14, 3)], (11, 14), 1024, 0, "it")
    assert "La linea" not in drawn and "1.024" in drawn and "cutline" not in drawn
    assert "La linea è a 12" in sheet.histogram([(11, 14, 3)], (11, 14), 12, 2, "it")


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_an_example_stands_once_and_an_answer_that_is_not_learned_is_not_called_one_to_learn(lang: str) -> None:
    sheets = {"sheet": "Dati", "count": 1, "others": "Uno", "example": "Uno"}
    notices = [{"code": "data.note.sheets", "level": "info", "params": sheets}]
    notices += [{"code": "data.check.html", "level": "warning", "params": {"count": 1, "rows": "2", "example": "&nbsp;"}}]
    drawn = sheet.findings({"findings": notices, "source_kept": False}, lang)
    assert drawn.count("Uno") == 2 and "<q" not in drawn.partition("</li>")[2] and "&amp;nbsp;</q>" in drawn
    talk = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}]
    said = sheet.conversations([{"row": 1, "messages": talk}], lang)
    assert text.t(lang, "ui.data.not_learned") in said and text.t(lang, "ui.data.model") not in said


def test_the_switches_of_the_head_have_a_class_that_no_part_of_a_tab_has() -> None:
    """Once the chat's own row was laid over its window by the rule for the head."""
    drawn = set(re.findall(r'class="([\w -]+)"', view.masthead("en")))
    tabs = "".join(path.read_text(encoding="utf-8") for path in pathlib.Path(view.__file__).parent.glob("tabs/*.py"))
    assert drawn and not {name for names in drawn for name in names.split() if f'elem_classes="{name}"' in tabs}
