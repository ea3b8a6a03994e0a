"""The look: Gradio's base theme in the colours of a tailor's workshop, and the one style sheet beside it.

System fonts only: the page asks no other host for anything.
"""

import pathlib

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

STYLE = pathlib.Path(__file__).with_name("style.css")

THREAD = colors.Color(
    name="thread", c50="#fbf1ee", c100="#f5ded6", c200="#eabdaf", c300="#dc9683", c400="#cb6b51", c500="#b5452c", c600="#a33c25",
    c700="#87311e", c800="#6d281a", c900="#562116", c950="#33120b",
)  # fmt: skip
CHALK = colors.Color(
    name="chalk", c50="#f0f5f9", c100="#dbe8f0", c200="#b9cfdd", c300="#8fb3ca", c400="#5b91b5", c500="#2f6f9f", c600="#285f88",
    c700="#214e70", c800="#1b3f5a", c900="#163347", c950="#0d1f2c",
)  # fmt: skip
LINEN = colors.Color(
    name="linen", c50="#fffdf8", c100="#f6f2ea", c200="#ece7db", c300="#ddd5c5", c400="#b3ab9d", c500="#5d6675", c600="#4a5362",
    c700="#343f50", c800="#1f2a3a", c900="#18212e", c950="#10171f",
)  # fmt: skip


COLOURS = {
    "body_background_fill": "#f6f2ea",
    "body_background_fill_dark": "#12181f",
    "body_text_color": "#1f2a3a",
    "body_text_color_dark": "#ece7db",
    "body_text_color_subdued": "#5d6675",
    "body_text_color_subdued_dark": "#aab2bd",
    "background_fill_primary": "#fffdf8",
    "background_fill_primary_dark": "#1b232d",
    "background_fill_secondary": "#f6f2ea",
    "background_fill_secondary_dark": "#151c24",
    "block_background_fill": "transparent",
    "block_background_fill_dark": "transparent",
    "block_border_width": "0px",
    "block_border_width_dark": "0px",
    "block_shadow": "none",
    "block_shadow_dark": "none",
    "block_label_text_color": "#5d6675",
    "block_label_text_color_dark": "#aab2bd",
    "block_title_text_color": "#1f2a3a",
    "block_title_text_color_dark": "#ece7db",
    "block_title_text_weight": "600",
    "block_info_text_color": "#5d6675",
    "block_info_text_color_dark": "#aab2bd",
    "border_color_primary": "#ddd5c5",
    "border_color_primary_dark": "#36424f",
    "border_color_accent": "#2f6f9f",
    "color_accent": "#b5452c",
    "color_accent_soft": "#dbe8f0",
    "color_accent_soft_dark": "#23384a",
    "input_background_fill": "#ffffff",
    "input_background_fill_dark": "#131a22",
    "input_border_color": "#a79e8d",
    "input_border_color_dark": "#5a6775",
    "input_border_color_focus": "#2f6f9f",
    "input_border_color_focus_dark": "#8fb3ca",
    "button_primary_background_fill": "#b5452c",
    "button_primary_background_fill_hover": "#a33c25",
    "button_primary_background_fill_dark": "#b5452c",
    "button_primary_background_fill_hover_dark": "#a33c25",
    "button_primary_text_color": "#ffffff",
    "button_primary_border_color": "#b5452c",
    "button_secondary_background_fill": "#fffdf8",
    "button_secondary_background_fill_hover": "#f6f2ea",
    "button_secondary_background_fill_dark": "#1b232d",
    "button_secondary_background_fill_hover_dark": "#25303c",
    "button_secondary_border_color": "#a79e8d",
    "button_secondary_border_color_dark": "#5a6775",
    "button_secondary_text_color": "#1f2a3a",
    "button_secondary_text_color_dark": "#ece7db",
    "button_border_width": "1px",
    "button_large_radius": "8px",
    "button_small_radius": "8px",
}


def theme() -> gr.themes.Base:
    """Linen ground, paper cards, ink, one red thread."""
    sans = [fonts.Font(name) for name in ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")]
    mono = [fonts.Font(name) for name in ("ui-monospace", "SFMono-Regular", "Consolas", "monospace")]
    return gr.themes.Base(
        primary_hue=THREAD,
        secondary_hue=CHALK,
        neutral_hue=LINEN,
        text_size=sizes.text_md,
        radius_size=sizes.radius_md,
        font=sans,
        font_mono=mono,
    ).set(**COLOURS)
