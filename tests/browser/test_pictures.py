"""What an answer would load from elsewhere, in what the chat renders: shown as text, and nothing is asked for. Links stay."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Shop, Watched
from tuning.text import t

PICTURES = {
    "markdown": "![cat](https://elsewhere.example/a.png)",
    "titled": '![cat](https://elsewhere.example/b.png "a cat")',
    "reference": "![dog][where]",
    "short reference": "![where]",
    "html": '<img alt="cat" src="https://elsewhere.example/c.png">',
    "without scheme": "<img src=//elsewhere.example/d.png>",
    "of this site": "![here](/gradio_api/file=picture.png)",
    "set": '<img srcset="https://elsewhere.example/e.png 2x">',
    "picture": '<picture><source srcset="https://elsewhere.example/f.png"><img></picture>',
    "svg": '<svg><image href="https://elsewhere.example/g.png"/></svg>',
    "svg of old": '<svg><image xlink:href="https://elsewhere.example/h.png"/></svg>',
    "filter": '<svg><rect fill="url(https://elsewhere.example/i.svg#a)"/></svg>',
    "style": '<b style="background:url(https://elsewhere.example/j.png)">bold</b>',
    "escaped style": "<b style='background:\\75rl(https://elsewhere.example/k.png)'>bold</b>",
    "image set": "<b style='background:image-set(\"https://elsewhere.example/l.png\" 1x)'>bold</b>",
    "table": "<table background='https://elsewhere.example/m.png'><tr><td>cell</td></tr></table>",
    "video": '<video poster="https://elsewhere.example/n.png" src="https://elsewhere.example/n.mp4"></video>',
    "audio": '<audio autoplay src="https://elsewhere.example/o.mp3"></audio>',
    "button": '<input type="image" src="https://elsewhere.example/p.png">',
    "diagram": '```mermaid\nflowchart TD\n A@{ img: "https://elsewhere.example/q.png", label: "a" }\n```',
}
KEPT = (
    "[shop](https://shop.example/x) <https://shop.example/y> **bold** <u>under</u>\n\n"
    '`![code](https://elsewhere.example/r.png)`\n\n```html\n<img src="https://elsewhere.example/s.png">\n```'
)
LOADS = """box => [...box.querySelectorAll("img, image, video, audio, source, input, [background], [style*=elsewhere], [fill*=url]")]
  .map(one => one.outerHTML).filter(one => /elsewhere|picture.png/.test(one))"""


def test_what_an_answer_would_load_is_shown_as_text(shop: Shop, visit: Callable[..., Watched]) -> None:
    visitor = visit(shop)
    page = visitor.open()
    page.get_by_role("tab", name=t("en", "ui.tab.chat")).first.click()
    page.locator("#message textarea").fill("\n\n".join([*PICTURES.values(), KEPT, "[where]: https://elsewhere.example/t.png"]))
    page.locator("#send").click()
    box = page.locator("#bot-tuned")
    expect(box.locator("a[href='https://shop.example/x']")).to_have_text("shop")
    expect(box.locator("a[href='https://shop.example/y']")).to_be_visible()
    expect(box.locator("strong")).to_have_text("bold")
    assert box.evaluate(LOADS) == []
    text = box.inner_text()
    assert not [name for name in "abcdefghijklmnopqrst" if f"elsewhere.example/{name}." not in text]
    assert "![dog](https://elsewhere.example/t.png)" in text and "![here](/gradio_api/file=picture.png)" in text
    expect(box.locator("code").first).to_have_text("![code](https://elsewhere.example/r.png)")
    expect(box.locator("pre code", has_text="s.png")).to_contain_text('<img src="https://elsewhere.example/s.png">')
    visitor.clean()
