"""HTML by autoescaping: whatever is put into a template is escaped, unless it came out of one.

Nobody else in the page writes tags, as `tests/test_architecture.py` sees, so no escaping can be forgotten. It draws nothing by itself.
"""

from collections.abc import Iterable
from html import escape

from markupsafe import Markup

GRADIO = "${}`"  # its HTML component is a template too, and data must never be one


class Html(Markup):
    """HTML that is safe, by the type in which Jinja marks it: text that is added to it, or stands in it, is escaped first."""

    @classmethod
    def escape(cls, value: object, /) -> "Html":
        """A text for HTML, Gradio's signs included; what is HTML already stays as it is."""
        if isinstance(value, Markup):
            return cls(value)
        safe = escape(str(value), quote=True)
        for sign in GRADIO:
            safe = safe.replace(sign, f"&#{ord(sign)};")
        return cls(safe)


def html(template: str, /, **fields: object) -> Html:
    """HTML of a template, a literal, with each `{field}` escaped unless it is Html. Numbers take a format, as in `{x:.1f}`."""
    return Html(template.format_map({name: one if isinstance(one, int | float) else Html.escape(one) for name, one in fields.items()}))


def joined(parts: Iterable[Html]) -> Html:
    """Pieces of HTML one after the other; what is none is escaped."""
    return Html().join(parts)
