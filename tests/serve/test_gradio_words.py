"""What the server holds of Gradio's frontend, looked for in the frontend that is installed."""

import functools
import pathlib
import re

import gradio as gr
import pytest
from gradio.routes import App
from starlette.testclient import TestClient

from tuning.serve import gradio_words
from tuning.ui import page

FRONTEND = pathlib.Path(gr.__file__).parent / "templates" / "frontend"


@functools.cache
def sources() -> dict[str, str]:
    """The minified scripts by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in (FRONTEND / "assets").glob("*.js")}


def test_the_frontend_brings_the_language_that_italian_takes_and_no_italian() -> None:
    brought = {found for text in sources().values() for found in re.findall(r'"\./lang/([\w-]+)\.json"', text)}
    assert gradio_words.LOCALES["it"] in brought and gradio_words.LOCALES["en"] in brought and "it" not in brought
    chosen = [text for text in sources().values() if "navigator.language" in text]
    assert chosen, "the frontend asks something else for the visitor's language"


def test_the_words_that_we_give_are_words_that_the_frontend_asks_for() -> None:
    every = "\n".join(sources().values())
    for key in page.words().translations_dict[gradio_words.LOCALES["it"]]:
        name = key.split(".")[-1]
        ours = key.startswith("aria.")  # put in by our script
        assert ours or key in every or re.search(rf"\b{name}:[`\"']", every), f"{key} is asked for no more"


def test_the_frontend_asks_the_browser_by_these_words_whether_it_is_to_be_dark() -> None:
    asked = re.compile(r"window\?\.matchMedia(\?\.)?\(`\(prefers-color-scheme: dark\)`\)")
    deciding = [text for text in sources().values() if "__theme" in text and asked.search(text)]
    assert deciding and all("classList.add(`dark`)" in text and "document.body" in text for text in deciding)
    assert '"(prefers-color-scheme: dark)"' in gradio_words.THEME and gradio_words.THEME.encode() in gradio_words.inject(
        b"<head></head>", "en"
    )


def test_one_clock_of_the_frontend_is_the_one_that_is_held_back() -> None:
    pattern = re.compile(gradio_words.CLOCK)
    found = {
        name: [
            text[at.start() : at.start() + 200]
            for at in re.finditer(r"\(\) ?=> ?\{", text)
            if pattern.match(text[at.start() : at.start() + 200])
        ]
        for name, text in sources().items()
        if "performance.now()" in text
    }
    assert [(name.split("-")[0], len(clocks)) for name, clocks in found.items() if clocks] == [("statustracker", 1)]
    screens = [text for name, text in sources().items() if name.startswith("statustracker-")]
    assert [gradio_words.SCREEN.strip("[]") in text and "hide" in text for text in screens] == [True]


def test_what_is_shown_as_html_is_parsed_in_a_template_first() -> None:
    """By the renderer of Markdown, and by the cleaner that comes after it; `tests/browser/test_pictures.py` looks at what follows."""
    parsing = re.compile(r"createElement\(`template`\);\w+\.innerHTML=\w+")
    renderer = [text for name, text in sources().items() if name.startswith("markdown-code-")]
    assert len(renderer) == 1 and parsing.search(renderer[0]) and "data-processed" in renderer[0] and ".mermaid" in renderer[0]
    cleaner = re.search(r'from"\./(browser-[\w-]+\.js)"', renderer[0])
    assert cleaner and parsing.search(sources()[cleaner.group(1)])


@pytest.mark.parametrize("english", [*gradio_words.FIXED])
def test_what_screen_readers_are_told_in_english_is_what_we_have_our_words_for(english: str) -> None:
    spoken = "'s message: `" if english.endswith("message:") else english  # put together of the speaker and this
    lines = [text for text in sources().values() if spoken in text and "aria-label" in text]
    assert lines, f"nothing is called {english!r} any more"


def test_the_head_of_a_page_has_what_is_left_out_and_is_given_the_script() -> None:
    whole = (FRONTEND / "index.html").read_bytes()
    assert whole.count(b'property="og:') and whole.count(b'name="twitter:') and whole.count(b'rel="manifest"')
    made = gradio_words.inject(whole, "it")
    assert not re.search(rb'property="og:|name="twitter:|rel="manifest"', made)
    assert re.search(rb'<html\s[^>]*lang="it"', made) and re.search(rb"<head[^>]*><script>\(\(\) => \{", made)


def test_uploads_go_where_no_limit_of_ours_holds() -> None:
    with gr.Blocks() as demo:
        gr.File()
    demo.max_file_size = None  # as `launch` would
    with TestClient(App.create_app(demo)) as client:
        assert client.post(gradio_words.UPLOAD, files={"files": ("rows.csv", b"a,b")}).status_code == 200
