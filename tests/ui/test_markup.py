"""HTML by autoescaping: what was made by a template stays as it is, and all else is escaped, wherever it is put."""

import pytest

from tuning.ui.markup import Html, html, joined

EVIL = "<img src=x onerror=\"alert('1')\"> & ${alert(1)} `{{x}}`"
SAFE = "&lt;img src=x onerror=&quot;alert(&#x27;1&#x27;)&quot;&gt; &amp; &#36;&#123;alert(1)&#125; &#96;&#123;&#123;x&#125;&#125;&#96;"


def test_a_text_is_escaped_in_a_template_beside_it_and_among_pieces() -> None:
    assert html('<b title="{text}">{text}</b>', text=EVIL) == f'<b title="{SAFE}">{SAFE}</b>'
    assert html("<i></i>") + EVIL == f"<i></i>{SAFE}" and EVIL + html("<i></i>") == f"{SAFE}<i></i>"
    assert joined([html("<i></i>"), EVIL]) == f"<i></i>{SAFE}"  # type: ignore[list-item]
    assert html("<i>_</i>").replace("_", EVIL) == f"<i>{SAFE}</i>"


def test_html_is_escaped_once_however_often_it_is_put_into_html() -> None:
    inner = html("<b>{text}</b>", text=EVIL)
    assert html("<p>{inner}</p>", inner=joined([inner, inner])) == f"<p><b>{SAFE}</b><b>{SAFE}</b></p>"
    assert Html.escape(inner) == inner and Html.escape(Html.escape(EVIL)) == SAFE


def test_a_field_of_the_template_in_a_text_is_none_and_one_without_a_value_is_a_fault() -> None:
    assert html("<b>{name}</b>", name="{name}") == "<b>&#123;name&#125;</b>"
    with pytest.raises(KeyError):
        html("<b>{name}</b>")


def test_numbers_take_a_format_and_what_is_no_text_is_written_as_one() -> None:
    assert html('<path d="M{x:.1f} 0"/><i>{count}{none}</i>', x=2.25, count=3, none=None) == '<path d="M2.2 0"/><i>3None</i>'
    assert html("<i>{list}</i>", list=["<b>"]) == "<i>[&#x27;&lt;b&gt;&#x27;]</i>"
