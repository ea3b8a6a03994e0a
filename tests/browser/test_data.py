"""The Data tab in a real browser, in both languages: a file with faults, what mends it, and every token that will be learned."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import speaks, tab
from tests.data.books import workbook
from tests.data.test_sources import parquet, rows
from tests.hub.hub_server import Data
from tuning import settings
from tuning.text import number, t
from tuning.tokens import labels

Visit = Callable[..., Watched]
STARTER = settings.PRESETS / "starter" / "model"


def press(page: Page, lang: str, code: str) -> None:
    page.get_by_role("button", name=t(lang, code), exact=True).click()


def says(page: Page, lang: str, column: str, role: str) -> None:
    """Choose what a column holds; another that held it does no longer."""
    page.get_by_label(t(lang, "ui.data.ask.column", column=column), exact=True).select_option(role)


@pytest.fixture
def odd(tmp_path: pathlib.Path) -> pathlib.Path:
    """As Italian Excel saves it: semicolons, Windows letters; with a repeated row, an empty answer and a damaged letter."""
    lines = [f"Quanto costa l'abito {n}?;L'abito n° {n} costa {n * 10} €." for n in range(1, 31)]
    lines += [lines[0], "Chi è il sarto?;", "Che ora è?;Ã¨ tardi"]
    path = tmp_path / "listino più bello.xyz"
    path.write_bytes("\r\n".join(["prima;seconda", *lines]).encode("cp1252"))
    return path


@pytest.mark.drawn("asked")
@pytest.mark.parametrize("lang", ["en", pytest.param("it", marks=pytest.mark.nightly)])
def test_a_file_with_faults_is_understood_mended_and_shown_token_by_token(shop: Shop, visit: Visit, odd: pathlib.Path, lang: str) -> None:
    visitor = visit(shop, lang)
    page = visitor.open()
    page.locator("#next").click()  # take the starter; the Data tab comes
    page.locator("#upload input[type=file]").set_input_files(odd)
    expect(page.locator("#columns table")).to_contain_text("seconda")  # no column that is known for an answer: it is asked
    expect(page.locator("#reading-file progress")).to_have_count(0)
    expect(page.locator("#next")).to_have_text(t(lang, "ui.next.say_data"))  # and no other data are offered meanwhile
    page.evaluate("window.scrollTo({top: 0})")
    page.locator("#next").click()
    expect(page.locator("#columns .ask")).to_be_in_viewport()
    expect(page.locator("#next")).to_have_text(t(lang, "ui.next.say_data"))
    odd.write_bytes(odd.read_bytes().replace(b"prima;seconda", b"quesito;risposta"))
    page.locator("#upload input[type=file]").set_input_files(odd)
    report = page.locator("#report")
    expect(report).to_contain_text("CP1252")
    expect(report).to_contain_text(t(lang, "data.row.empty_answer"))
    expect(report.locator('[data-value="duplicates"]')).to_be_visible()
    report.locator('[data-value="duplicates"]').click()
    expect(report.locator('[data-value="duplicates"]')).to_have_count(0)
    expect(report.locator('[data-do="undo"]')).to_be_visible()
    report.locator('[data-value="encoding"]').click()
    expect(report.locator('[data-value="encoding"]')).to_have_count(0)
    expect(report).to_contain_text("31")
    press_on(page, "rows", 3)
    expect(page.locator("#rows")).to_contain_text("L'abito n° 13 costa 130 €.")
    audit = page.locator("#audit")
    expect(audit.locator("pre .tok.learned").first).to_be_visible(timeout=60_000)
    expect(audit.locator("pre .tok.special").first).to_be_visible()
    speaks(visitor, lang)
    visitor.shot(f"data-{lang}")
    report.locator('[data-do="undo"]').click()
    expect(report.locator('[data-value="duplicates"]')).to_be_visible()


def press_on(page: Page, what: str, times: int) -> None:
    """Press the way on, and wait until it leads further each time."""
    for _ in range(times):
        further = page.locator(f'[data-do="{what}"]').last
        before = further.get_attribute("data-value")
        further.click()
        expect(further).not_to_have_attribute("data-value", str(before))


@pytest.mark.drawn("asked")
def test_the_cut_moves_and_too_short_a_length_blocks_the_start(shop: Shop, visit: Visit, odd: pathlib.Path) -> None:
    visitor = visit(shop, "en")
    page = visitor.open()
    page.locator("#next").click()
    page.locator("#datasets .card").first.click()
    audit = page.locator("#audit")
    expect(audit.locator("pre .tok.learned").first).to_be_visible(timeout=60_000)
    studio = shop.studio
    runs = studio.runs.list()
    data = studio.data.find("starter-en").id
    tokenizer, raw = labels.load(str(STARTER)), list(studio.shared.library.rows(data, "local"))
    for length in (64, 32):
        learned = labels.encode_rows(tokenizer, raw, length)[1].learned
        page.locator("#audit-cut input").fill(str(length))
        page.locator("#audit-cut input").press("Enter")
        expect(audit.locator(".stats .moss dd")).to_have_text(number(learned, "en"))
        expect(audit.locator("figcaption")).to_contain_text(f"The line stands at {length};")
    page.locator("#audit-cut input").fill("16")
    page.locator("#audit-cut input").press("Enter")
    expect(audit.locator("figcaption")).to_contain_text("The line stands at 16;")
    expect(audit.locator(".tok.cut").first).to_be_visible()
    long = "\n".join(["question;answer", *[f"{'word ' * 40}{n};yes" for n in range(12)]])
    page.locator("#paste textarea").fill(long)
    press(page, "en", "ui.data.paste.use")
    expect(audit.locator(".fault")).to_contain_text("There is nothing to learn", timeout=60_000)
    tab(page, "en", "train")
    page.locator("#start").click()
    expect(page.locator("#work .fault").first).to_contain_text("There is nothing to learn")
    assert studio.runs.list() == runs
    visitor.clean()


@pytest.mark.drawn("asked")
@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_columns_chosen_by_hand_and_a_reading_that_is_stopped(shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str) -> None:
    visitor = visit(shop, lang)
    page = visitor.open()
    tab(page, lang, "data")
    page.locator("#paste textarea").fill("text,question,answer\nuno,due,tre\nquattro,cinque,sei\n")
    press(page, lang, "ui.data.paste.use")
    expect(page.locator("#rows .turn.user").first).to_contain_text("due")
    press(page, lang, "ui.data.columns")
    for role, column in (("question", "answer"), ("answer", "text")):
        says(page, lang, column, role)
    expect(page.locator("#columns .turn.user").first).to_contain_text("tre")
    press(page, lang, "ui.data.columns.use")
    expect(page.locator("#rows .turn.user").first).to_contain_text("tre")
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("uno")
    kept = sorted((shop.home / "data").glob("*"))
    large, filler = tmp_path / "large.jsonl", "x" * 200
    with large.open("w", encoding="utf-8") as stream:
        stream.writelines(f'{{"question": "{n} {filler}", "answer": "{n}"}}\n' for n in range(400_000))
    page.locator("#upload input[type=file]").set_input_files(large)
    page.locator("#stop-file").click(timeout=60_000)
    expect(page.locator("#work .fault").first).to_contain_text(t(lang, "data.stopped"))
    expect(page.locator("#stop-file")).to_be_hidden()
    assert sorted((shop.home / "data").glob("*")) == kept
    speaks(visitor, lang)


GUESTS = (
    "Quanto costa una camera doppia?;Ottanta euro a notte, colazione compresa.;12",
    "Si può portare il cane?;Sì, i cani piccoli sono benvenuti in camera.;13",
)
CHAT = """05/03/2024, 09:12 - Anna: Ciao, a che ora aprite?
05/03/2024, 09:15 - Sartoria: Alle nove.
05/03/2024, 10:01 - Anna: E la domenica?
05/03/2024, 10:02 - Sartoria: Chiuso.
"""


@pytest.mark.drawn("asked")
@pytest.mark.parametrize(
    ("lang", "size"), [("it", "desktop"), *(pytest.param(*one, marks=pytest.mark.nightly) for one in (("en", "phone"), ("it", "phone")))]
)
def test_what_was_not_understood_is_asked(shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str, size: str) -> None:
    """Columns that say nothing, no names at all, a chat: each is kept, asked and read; and each can be deleted."""
    visitor = visit(shop, lang, size)
    page = visitor.open()
    tab(page, lang, "data")
    name = f"agriturismo {lang} {size}"
    path = tmp_path / f"{name}.csv"
    path.write_text("\n".join(["a;b;c", *GUESTS]), encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(path)
    question = page.locator("#columns .ask")
    expect(question.locator(".turn.user").first).to_contain_text("Quanto costa")  # guessed
    says(page, lang, "c", "answer")
    expect(question.locator(".turn.assistant").first).to_contain_text("12")
    says(page, lang, "b", "answer")
    expect(question.locator(".turn.assistant").first).to_contain_text("Ottanta")
    visitor.shot(f"columns-{lang}-{size}")
    press(page, lang, "ui.data.columns.use")
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("Ottanta")
    expect(question).to_have_count(0)
    page.locator("#paste textarea").fill("\n".join(GUESTS).replace(";", "\t"))
    press(page, lang, "ui.data.paste.use")
    expect(question).to_contain_text(t(lang, "ui.data.ask.bare"))
    expect(question.locator("input")).to_be_checked()
    page = visitor.open()  # what waits is there still
    tab(page, lang, "data")
    waiting = page.locator("#datasets .card", has_text=t(lang, "ui.data.waiting"))
    waiting.filter(has_text=t(lang, "ui.data.pasted")).click()
    press(page, lang, "ui.data.columns.use")
    expect(page.locator("#rows .turn.user").first).to_contain_text("Quanto costa")  # the first line is no heading
    path.write_text(CHAT + f"05/03/2024, 10:03 - Anna: Grazie, {size}\n", encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(path)
    question.get_by_role("button", name="Sartoria", exact=True).click()
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("Alle nove.")
    page.locator("#report [data-do=sure]").click()
    page.locator("#report [data-do=delete]").click()
    expect(page.locator("#report")).to_contain_text(t(lang, "ui.data.empty"))
    assert not any(kept["format"] == "messages" and kept["name"] == path.name for kept in shop.studio.data.list() if not kept["offered"])
    speaks(visitor, lang)


@pytest.mark.nightly
@pytest.mark.parametrize(("lang", "size"), [("it", "desktop"), ("en", "phone")])
def test_rows_are_found_edited_added_and_removed(shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str, size: str) -> None:
    visitor = visit(shop, lang, size)
    page = visitor.open()
    tab(page, lang, "data")
    path = tmp_path / f"edits {lang} {size}.csv"
    path.write_text(
        "Domanda;Risposta\n" + "".join(f"Quanto costa l'abito {n}?;Costa {n * 10} euro.\n" for n in range(1, 31)), encoding="utf-8"
    )
    page.locator("#upload input[type=file]").set_input_files(path)
    rows = page.locator("#rows")
    expect(rows.locator(".conversation")).to_have_count(4)
    rows.locator("input[type=search]").fill("17")
    press(page, lang, "ui.data.find.go")
    expect(rows.locator(".conversation").first).to_contain_text("abito 16?")
    rows.locator("input[type=search]").fill("ABITO 3")
    press(page, lang, "ui.data.find.go")
    expect(rows.locator(".pager")).to_contain_text(t(lang, "ui.data.found", first="1", last="2", count="2", words="ABITO 3"))
    rows.locator("[data-do=edit][data-value='4']").click()
    answer = rows.locator("form.edits textarea").nth(1)
    expect(answer).to_have_value("Costa 30 euro.")
    answer.fill("")
    press(page, lang, "ui.data.edit.keep")
    expect(page.locator("#work .fault").first).to_contain_text(t(lang, "data.edit.empty"))
    answer.fill("Costa 33 euro.")
    visitor.shot(f"edit-{lang}-{size}")
    press(page, lang, "ui.data.edit.keep")
    expect(rows.locator(".turn.assistant").first).to_contain_text("Costa 33 euro.")
    rows.locator("[data-do=remove][data-value='31']").click()
    expect(rows.locator(".conversation")).to_have_count(1)
    press(page, lang, "ui.data.edit.add")
    for place, said in enumerate(("Fate orli?", "Sì, in giornata.")):
        rows.locator("form.edits textarea").nth(place).fill(said)
    press(page, lang, "ui.data.edit.keep")
    expect(rows).to_contain_text(t(lang, "ui.data.edited", count="3"))
    press(page, lang, "ui.data.find.all")
    rows.locator("input[type=search]").fill("32")
    press(page, lang, "ui.data.find.go")
    expect(rows.locator(".turn.assistant").first).to_contain_text("Sì, in giornata.")
    visitor.shot(f"edited-{lang}-{size}")
    press(page, lang, "ui.data.edit.undo")
    expect(rows).not_to_contain_text("✎")
    page.get_by_text(t(lang, "ui.data.told"), exact=True).click()
    rows.locator(".told textarea").fill("Sei la voce <b>di una sartoria</b>.")
    press(page, lang, "ui.data.told.go")
    expect(rows.locator(".turn.system")).to_have_count(4)
    expect(rows.locator(".turn.system").first).to_contain_text("Sei la voce <b>di una sartoria</b>.")
    expect(rows.locator(".told textarea")).to_be_visible()
    visitor.shot(f"told-{lang}-{size}")
    rows.locator(".conversation [data-do=edit]").first.click()
    expect(rows.locator("form.edits textarea").first).to_have_attribute("readonly", "")
    speaks(visitor, lang)


@pytest.mark.nightly
@pytest.mark.parametrize(("lang", "size"), [("it", "desktop"), ("en", "phone")])
def test_another_sheet_is_chosen(shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str, size: str) -> None:
    """Of a workbook that is understood, and of one that is not."""
    visitor = visit(shop, lang, size)
    page = visitor.open()
    tab(page, lang, "data")
    summer = [["Domanda", "Risposta"], ["Aprite in agosto?", "Sì, ogni giorno."]]
    price = [["a", "b"], ["Quanto costa una camera?", "Ottanta euro."]]
    path = workbook(tmp_path / f"{lang} {size}.xlsx", Estate=summer, Listino=price)
    page.locator("#upload input[type=file]").set_input_files(path)
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("ogni giorno")
    press(page, lang, "ui.data.sheets")
    question = page.locator("#columns .ask")
    for name, said in (("Listino", "Ottanta"), ("Estate", "ogni giorno"), ("Listino", "Ottanta")):
        page.get_by_label(t(lang, "ui.data.ask.sheet")).select_option(name)
        expect(question.locator(".turn.assistant").first).to_contain_text(said)
    visitor.shot(f"sheet-{lang}-{size}")
    press(page, lang, "ui.data.columns.use")
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("Ottanta")
    path = workbook(tmp_path / f"{lang} {size} 2.xlsx", Uno=[["a", "b"], ["x", "1"]], Due=price)
    page.locator("#upload input[type=file]").set_input_files(path)
    page.get_by_label(t(lang, "ui.data.ask.sheet")).select_option("Due")
    expect(question.locator(".turn.assistant").first).to_contain_text("Ottanta")
    press(page, lang, "ui.data.columns.use")
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("Ottanta")
    speaks(visitor, lang)


@pytest.mark.parametrize("lang", ["en", pytest.param("it", marks=pytest.mark.nightly)])
def test_a_data_set_of_the_hub(shop: Shop, visit: Visit, lang: str) -> None:
    converted = {"default/train/0000.parquet": parquet(rows(50)), "default/test/0000.parquet": parquet(rows(5, 50))}
    about: dict[str, Any] = {"tags": ("license:cc-by-nc-4.0",), "card": {"license": "cc-by-nc-4.0", "language": ["it"]}}
    shop.hub.data["sarti/listino"] = Data({"README.md": b"---"}, converted=converted, **about)
    visitor = visit(shop, lang)
    page = visitor.open()
    tab(page, lang, "data")
    page.locator("#hub-sets button").first.click()
    page.locator("#hub-id input, #hub-id textarea").fill("sarti/nessuno")
    press(page, lang, "ui.hub.look")
    expect(page.locator("#hub-sets .fault")).to_contain_text("sarti/nessuno")
    page.locator("#hub-id input, #hub-id textarea").fill("https://huggingface.co/datasets/sarti/listino")
    press(page, lang, "ui.hub.look")
    expect(page.locator("#hub-set")).to_contain_text(t(lang, "ui.hub.license.bound", license="cc-by-nc-4.0"))
    page.locator("#hub-rows input, #hub-rows textarea").fill("20")
    page.locator("#hub-aside input").click()
    page.get_by_role("option", name=re.compile("^test")).click()
    visitor.shot(f"hub-data-{lang}")
    press(page, lang, "ui.hub.use")
    expect(page.locator("#report")).to_contain_text("dolly")
    expect(page.locator("#report .stats .moss dd")).to_have_text("20")
    expect(page.locator("#report .stats")).to_contain_text(re.compile(t(lang, "ui.data.held_out") + r"\s*5"))
    expect(page.locator("#rows")).to_contain_text("Item 3 costs 3 €.")
    if lang == "it":
        assert not re.findall(r"\bThe Hub\b", page.locator("#hub-sets").inner_text())
    visitor.clean()
