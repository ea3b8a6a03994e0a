"""Data as HTML: what was understood of them, what is wrong, the rows as conversations and as the model will see them.

Pure functions; whatever comes from a file is escaped. A press of a button in it is heard as (what, value).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuning.text import form, t, unused
from tuning.tokens.lengths import NEVER, LengthTotals, Looked, Shown, parts
from tuning.ui.view import escape, number, sentence

SPEAKERS = {"user": "ui.data.you", "assistant": "ui.data.model", "system": "ui.data.system", "tool": "ui.data.tool"}
WIDTH, HEIGHT = 1000.0, 150.0


def report(found: Mapping[str, Any], title: str, lang: str) -> str:
    """What was understood of data: counts, why this form, refusals with reasons, findings with what mends them."""
    counts = [
        ("ui.data.read", number(found["rows_read"], lang), ""),
        ("ui.data.kept", number(found["rows_kept"], lang), "moss"),
        ("ui.data.refused", number(found["rows_refused"], lang), "red" if found["rows_refused"] else ""),
        ("ui.data.held_out", number(found["validation_rows"], lang), ""),
        ("ui.data.format", form(lang, found["format"]), "word"),
    ]
    if found["rows_dropped"]:
        counts.insert(3, ("ui.data.dropped", number(found["rows_dropped"], lang), ""))
    why = f' title="{escape(t(lang, "ui.data.held_out.why"))}"'
    stats = "".join(
        f'<div class="{kind}"{why if code == "ui.data.held_out" else ""}><dt>{escape(t(lang, code))}</dt><dd>{escape(value)}</dd></div>'
        for code, value, kind in counts
    )
    reason = sentence(lang, found["reason"]["code"], found["reason"]["params"]) if found["reason"] else ""
    if found["kind"]:
        kind = t(lang, f"ui.data.kind.{found['kind']}", encoding=(found["encoding"] or "").upper())
        reason = f"{kind} {reason}"
    if found.get("corrected"):
        corrected = t(lang, "ui.data.corrected", count=number(found["corrected"]["count"], lang), name=found["corrected"]["name"])
        reason = f"{corrected} {reason}"
    said = findings(found, lang) or f'<p class="fine">✓ {escape(t(lang, "ui.data.fine"))}</p>'
    return (
        f'<section class="report"><h2>{escape(t(lang, "ui.data.report.title", name=title))}</h2><dl class="stats num">{stats}</dl>'
        f'<p class="hint">{escape(reason)}</p>{said}{_mended(found, lang)}{_refused(found, lang)}</section>'
    )


def findings(found: Mapping[str, Any], lang: str) -> str:
    """What was found in the rows, the worst first, each with the button that mends it where that is safe."""
    lines = []
    for notice in sorted(found["findings"], key=lambda notice: ("error", "warning", "info").index(notice["level"])):
        params = notice["params"]
        told = sentence(lang, notice["code"], params)
        said = escape(told)
        if params.get("example") and params["example"] not in told:
            said += f' <q class="example">{escape(params["example"])}</q>'
        if params.get("sampled"):
            said += f' <span class="soft">{escape(t(lang, "ui.data.sampled", rows=number(params["sampled"], lang)))}</span>'
        if params.get("repair") and found["source_kept"]:
            name = escape(params["repair"])
            button = escape(t(lang, f"ui.data.repair.{params['repair']}"))
            said += f' <button type="button" class="mend" data-do="repair" data-value="{name}">{button}</button>'
        if notice["code"] == "data.note.sheets" and found["source_kept"]:
            said += f' <button type="button" class="mend" data-do="columns" data-value="">{escape(t(lang, "ui.data.sheets"))}</button>'
        lines.append(f'<li class="{notice["level"]}"><span>{said}</span></li>')
    left = unused(lang, found.get("unused", ()))
    if left:
        lines.append(f'<li class="info" id="unused"><span>{escape(left)}</span></li>')
    return f'<ul class="findings">{"".join(lines)}</ul>' if lines else ""


def _mended(found: Mapping[str, Any], lang: str) -> str:
    """What was mended on the way in, and the way back."""
    if found.get("rows_edited"):
        undo = f' <button type="button" class="mend" data-do="unedit" data-value="">{escape(t(lang, "ui.data.edit.undo"))}</button>'
        said = escape(t(lang, "ui.data.edited", count=number(found["rows_edited"], lang)))
        return f'<p class="fine">✎ {said}{undo}</p>' + _mended({**found, "rows_edited": 0}, lang)
    if not found["repairs"]:
        return ""
    names = ", ".join(t(lang, f"ui.data.repair.{name}") for name in found["repairs"])
    undo = f' <button type="button" class="mend" data-do="undo" data-value="">{escape(t(lang, "ui.data.repair.undo"))}</button>'
    return f'<p class="fine">✓ {escape(t(lang, "ui.data.repaired", names=names))}{undo}</p>'


def _refused(found: Mapping[str, Any], lang: str, most: int = 20) -> str:
    refused = found["refused"]
    if not refused:
        return ""
    lines = []
    for entry in refused[:most]:
        reason = sentence(lang, entry["code"], {key: value for key, value in entry.items() if key != "code"})
        said = t(lang, "ui.data.refused.row", row=entry.get("row", "?"), fault=reason)
        if entry.get("line") not in (None, entry.get("row")):
            said = t(lang, "ui.data.refused.line", row=entry["row"], line=entry["line"], fault=reason)
        lines.append(f"<li>{escape(said)}</li>")
    rest = found["rows_refused"] - len(lines)
    if rest > 0:
        more = t(lang, "ui.data.refused.more", count=number(rest, lang))
        lines.append(f"<li>{escape(more)}</li>")
    summary = escape(t(lang, "ui.data.refused.list"))
    return f'<details class="refused" open><summary>{summary}</summary><ul>{"".join(lines)}</ul></details>'


def pager(what: str, start: int, size: int, count: int, place: str, lang: str) -> str:
    """Back and on, and where one is."""
    before, after = max(0, start - size), start + size
    drawn = []
    for code, value, there in (("ui.data.before", before, start > 0), ("ui.data.after", after, after < count)):
        off = "" if there else " disabled"
        drawn.append(f'<button type="button" class="mend" data-do="{what}" data-value="{value}"{off}>{escape(t(lang, code))}</button>')
    return f'<p class="pager num">{drawn[0]}<span>{escape(place)}</span>{drawn[1]}</p>'


def conversations(
    rows: Sequence[Mapping[str, Any]], lang: str, longest: int = 600, ways: Callable[[Mapping[str, Any]], str] | None = None
) -> str:
    """Rows as bubbles: who asks, who answers, with the row's number in the file, and below it the `ways` to change it."""
    shown = []
    for row in rows:
        label = f'<span class="row num">{escape(t(lang, "ui.data.row", row=number(row["row"], lang)))}</span>'
        turns = "".join(_turn(turn, lang, longest) for turn in row.get("messages", ()))
        if "text" in row:
            turns = _bubble("assistant", t(lang, "ui.data.text"), row["text"], longest)
        if row.get("tools"):
            names = ", ".join(str(tool.get("function", {}).get("name", "?")) for tool in row["tools"])
            turns = f'<small class="soft">{escape(t(lang, "ui.data.tools", names=names))}</small>{turns}'
        shown.append(f'<li class="conversation">{label}{turns}{ways(row) if ways else ""}</li>')
    return f'<ol class="conversations">{"".join(shown)}</ol>'


def _turn(turn: Mapping[str, Any], lang: str, longest: int) -> str:
    said = str(turn["content"])
    for call in turn.get("tool_calls") or ():
        function = call.get("function", {})
        said += f"\n→ {function.get('name', '?')}({function.get('arguments', '')})"
    if turn.get("reasoning_content"):
        thought = _short(str(turn["reasoning_content"]), longest // 2)
        said = t(lang, "ui.data.thought") + f": {thought}\n\n{said}"
    name, role = t(lang, SPEAKERS[turn["role"]]), turn["role"]
    if turn.get("weight") == 0:
        name, role = t(lang, "ui.data.not_learned"), f"{role} unlearned"
    return _bubble(role, name, said.strip("\n") if turn.get("tool_calls") else said, longest)


def _bubble(role: str, name: str, said: str, longest: int) -> str:
    return f'<div class="turn {escape(role)}"><small>{escape(name)}</small><p>{escape(_short(said, longest))}</p></div>'


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def totals(sums: LengthTotals, lang: str) -> str:
    """Tokens learned, context and cut, as figures."""
    counts = [
        ("ui.audit.learned", sums.learned, "moss"),
        ("ui.audit.context", sums.context, ""),
        *([("ui.audit.unlearned", sums.unlearned, "amber")] if sums.unlearned else []),
        ("ui.audit.cut", sums.cut, "red" if sums.cut else ""),
        ("ui.audit.rows_cut", len(sums.rows_cut), "red" if sums.rows_cut else ""),
    ]
    stats = "".join(
        f'<div class="{kind}"><dt>{escape(t(lang, code))}</dt><dd>{escape(number(value, lang))}</dd></div>' for code, value, kind in counts
    )
    return f'<dl class="stats num">{stats}</dl>'


def histogram(bars: Sequence[tuple[int, int, int]], ends: tuple[int, int], cut: int, beyond: int, lang: str) -> str:
    """How long the rows are, in tokens, with the line beyond which they are cut; and a sentence that says the same.

    `ends` are the shortest and the longest row, `beyond` is how many are cut.
    """
    if not bars:
        return ""
    highest, end = max(count for _, _, count in bars) or 1, max(bars[-1][1], 1)
    whole = max(end, round(cut * 1.05)) if cut < 3 * end else end
    drawn = ""
    for low, high, count in bars:
        tall = max(count / highest * HEIGHT, 2.0 if count else 0.0)
        x, wide = (low - 1) / whole * WIDTH, max((high - low + 1) / whole * WIDTH - 2, 1)
        kind = "over" if low > cut else "within"
        drawn += f'<rect class="{kind}" x="{x:.1f}" width="{wide:.1f}" y="{HEIGHT - tall:.1f}" height="{tall:.1f}"/>'
    line = f'<path class="cutline" d="M{cut / whole * WIDTH:.1f} 0V{HEIGHT:.0f}"/>' if cut <= whole else ""
    figures = {"shortest": ends[0], "longest": ends[1], "cut": cut} | ({"beyond": beyond} if line else {})
    said = {key: number(value, lang) for key, value in figures.items()}
    says = t(lang, "ui.audit.histogram" if line else "ui.audit.histogram.none", **said)
    marks = f'<span class="x" style="left:0">{number(0, lang)}</span><span class="x" style="left:100%">{number(whole, lang)}</span>'
    if line:
        marks += f'<span class="x cut" style="left:{cut / whole * 100:.1f}%">{number(cut, lang)}</span>'
    return (
        f'<figure class="curve lengths"><div class="plot" aria-hidden="true"><svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" '
        f'preserveAspectRatio="none" focusable="false">{drawn}{line}</svg>{marks}</div><figcaption>{escape(says)}</figcaption></figure>'
    )


def legend(lang: str, marked: bool) -> str:
    """What the marks of tokens mean, beside their names."""
    shown = ("learned", "context", *(("unlearned",) if marked else ()), "cut")
    kinds = "".join(f'<span class="tok {kind}">{escape(t(lang, f"ui.audit.kind.{kind}"))}</span>' for kind in shown)
    return f'<p class="legend tokens">{kinds}<span class="tok special">{escape(t(lang, "ui.audit.kind.special"))}</span></p>'


def tokens(row: Shown, looked: Looked, cut: int, lang: str) -> str:
    """One row as the model sees it: each token marked by what becomes of it, special ones boxed, ends of line visible."""
    drawn = []
    for text, kind, special in parts(row, NEVER if looked.text else cut):
        shown = escape(text).replace("\n", '<i class="newline">↵</i>\n')
        drawn.append(f'<span class="tok {kind}{" special" if special else ""}">{shown}</span>')
    more = escape(t(lang, "ui.audit.more", count=number(row.more, lang))) if row.more else ""
    ended = "ui.audit.ended" if 0 <= looked.stop < (NEVER if looked.text else cut) else "ui.audit.not_ended"
    notes = [
        t(lang, "ui.data.row", row=number(row.row, lang)),
        t(lang, "ui.audit.length", tokens=number(looked.length, lang)),
        t(lang, ended),
    ]
    return f'<div class="rendered"><p class="soft num">{escape(" · ".join(notes))}</p><pre tabindex="0">{"".join(drawn)}{more}</pre></div>'


def table(rows: Sequence[Mapping[str, Any]], longest: int = 160) -> str:
    """Rows by column, as the file has them; long cells are cut."""
    columns = list(dict.fromkeys(column for row in rows for column in row))[:12]
    head = "".join(f'<th scope="col">{escape(_short(column, 40))}</th>' for column in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(_short(str(row.get(column, '')), longest))}</td>" for column in columns) + "</tr>" for row in rows
    )
    return f'<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
