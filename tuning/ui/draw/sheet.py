"""Data as HTML: what was understood of them, what is wrong, the rows as conversations and as the model will see them.

Pure functions; whatever comes from a file is escaped. A press of a button in it is heard as (what, value).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuning.data.records import SYSTEM, system_text
from tuning.text import form, t, unused
from tuning.tokens.lengths import NEVER, LengthTotals, Looked, Shown, parts
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import number, sentence

SPEAKERS = {"user": "ui.data.you", "assistant": "ui.data.model", "system": "ui.data.system", "tool": "ui.data.tool"}
WIDTH, HEIGHT = 1000.0, 150.0


def report(found: Mapping[str, Any], title: str, lang: str) -> Html:
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
    why = html(' title="{why}"', why=t(lang, "ui.data.held_out.why"))
    stats = joined(
        html(
            '<div class="{kind}"{why}><dt>{says}</dt><dd>{value}</dd></div>',
            kind=kind,
            why=why if code == "ui.data.held_out" else "",
            says=t(lang, code),
            value=value,
        )
        for code, value, kind in counts
    )
    reason = sentence(lang, found["reason"]["code"], found["reason"]["params"]) if found["reason"] else ""
    if found["kind"]:
        kind = t(lang, f"ui.data.kind.{found['kind']}", encoding=(found["encoding"] or "").upper())
        reason = f"{kind} {reason}"
    if found.get("corrected"):
        corrected = t(lang, "ui.data.corrected", count=number(found["corrected"]["count"], lang), name=found["corrected"]["name"])
        reason = f"{corrected} {reason}"
    said = findings(found, lang) or html('<p class="fine">✓ {fine}</p>', fine=t(lang, "ui.data.fine"))
    return html(
        '<section class="report"><h2>{title}</h2><dl class="stats num">{stats}</dl>'
        '<p class="hint">{reason}</p>{said}{mended}{refused}</section>',
        title=t(lang, "ui.data.report.title", name=title),
        stats=stats,
        reason=reason,
        said=said,
        mended=_mended(found, lang),
        refused=_refused(found, lang),
    )


def findings(found: Mapping[str, Any], lang: str) -> Html:
    """What was found in the rows, the worst first, each with the button that mends it where that is safe."""
    lines = []
    for notice in sorted(found["findings"], key=lambda notice: ("error", "warning", "info").index(notice["level"])):
        params = notice["params"]
        told = sentence(lang, notice["code"], params)
        said = Html.escape(told)
        if params.get("example") and params["example"] not in told:
            said += html(' <q class="example">{example}</q>', example=params["example"])
        if params.get("sampled"):
            said += html(' <span class="soft">{sampled}</span>', sampled=t(lang, "ui.data.sampled", rows=number(params["sampled"], lang)))
        if params.get("repair") and found["source_kept"]:
            name = params["repair"]
            button = t(lang, f"ui.data.repair.{params['repair']}")
            said += html(
                ' <button type="button" class="mend" data-do="repair" data-value="{name}">{button}</button>', name=name, button=button
            )
        if notice["code"] == "data.note.sheets" and found["source_kept"]:
            said += html(
                ' <button type="button" class="mend" data-do="columns" data-value="">{sheets}</button>', sheets=t(lang, "ui.data.sheets")
            )
        lines.append(html('<li class="{level}"><span>{said}</span></li>', level=notice["level"], said=said))
    left = unused(lang, found.get("unused", ()))
    if left:
        lines.append(html('<li class="info" id="unused"><span>{left}</span></li>', left=left))
    return html('<ul class="findings">{lines}</ul>', lines=joined(lines)) if lines else Html()


def _mended(found: Mapping[str, Any], lang: str) -> Html:
    """What was mended on the way in, and the way back."""
    system = system_text(found["repairs"])
    done = [t(lang, f"ui.data.repair.{name}") for name in found["repairs"] if not name.startswith(SYSTEM)]
    names = ", ".join([*done, *([t(lang, "ui.data.repair.system", text=_short(system, 60))] if system else [])])
    if not names:
        return Html()
    undo = html(' <button type="button" class="mend" data-do="undo" data-value="">{undo}</button>', undo=t(lang, "ui.data.repair.undo"))
    return html('<p class="fine">✓ {repaired}{undo}</p>', repaired=t(lang, "ui.data.repaired", names=names), undo=undo)


def _refused(found: Mapping[str, Any], lang: str, most: int = 20) -> Html:
    refused = found["refused"]
    if not refused:
        return Html()
    lines = []
    for entry in refused[:most]:
        reason = sentence(lang, entry["code"], {key: value for key, value in entry.items() if key != "code"})
        said = t(lang, "ui.data.refused.row", row=entry.get("row", "?"), fault=reason)
        if entry.get("line") not in (None, entry.get("row")):
            said = t(lang, "ui.data.refused.line", row=entry["row"], line=entry["line"], fault=reason)
        lines.append(html("<li>{said}</li>", said=said))
    rest = found["rows_refused"] - len(lines)
    if rest > 0:
        more = t(lang, "ui.data.refused.more", count=number(rest, lang))
        lines.append(html("<li>{more}</li>", more=more))
    summary = t(lang, "ui.data.refused.list")
    return html(
        '<details class="refused" open><summary>{summary}</summary><ul>{lines}</ul></details>', summary=summary, lines=joined(lines)
    )


def pager(what: str, start: int, size: int, count: int, place: str, lang: str) -> Html:
    """Back and on, and where one is."""
    before, after = max(0, start - size), start + size
    drawn = []
    for code, value, there in (("ui.data.before", before, start > 0), ("ui.data.after", after, after < count)):
        off = "" if there else " disabled"
        drawn.append(
            html(
                '<button type="button" class="mend" data-do="{what}" data-value="{value}"{off}>{says}</button>',
                what=what,
                value=value,
                off=off,
                says=t(lang, code),
            )
        )
    return html('<p class="pager num">{back}<span>{place}</span>{on}</p>', back=drawn[0], place=place, on=drawn[1])


def conversations(
    rows: Sequence[Mapping[str, Any]], lang: str, longest: int = 600, ways: Callable[[Mapping[str, Any]], str] | None = None
) -> Html:
    """Rows as bubbles: who asks, who answers, with the row's number in the file, and below it the `ways` to change it."""
    shown = []
    for row in rows:
        label = html('<span class="row num">{row}</span>', row=t(lang, "ui.data.row", row=number(row["row"], lang)))
        turns = joined(_turn(turn, lang, longest) for turn in row.get("messages", ()))
        if "text" in row:
            turns = _bubble("assistant", t(lang, "ui.data.text"), row["text"], longest)
        if row.get("tools"):
            names = ", ".join(str(tool.get("function", {}).get("name", "?")) for tool in row["tools"])
            turns = html('<small class="soft">{tools}</small>{turns}', tools=t(lang, "ui.data.tools", names=names), turns=turns)
        shown.append(html('<li class="conversation">{label}{turns}{ways}</li>', label=label, turns=turns, ways=ways(row) if ways else ""))
    return html('<ol class="conversations">{shown}</ol>', shown=joined(shown))


def _turn(turn: Mapping[str, Any], lang: str, longest: int) -> Html:
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


def _bubble(role: str, name: str, said: str, longest: int) -> Html:
    return html('<div class="turn {role}"><small>{name}</small><p>{said}</p></div>', role=role, name=name, said=_short(said, longest))


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def totals(sums: LengthTotals, lang: str) -> Html:
    """Tokens learned, context and cut, as figures."""
    counts = [
        ("ui.audit.learned", sums.learned, "moss"),
        ("ui.audit.context", sums.context, ""),
        *([("ui.audit.unlearned", sums.unlearned, "amber")] if sums.unlearned else []),
        ("ui.audit.cut", sums.cut, "red" if sums.cut else ""),
        ("ui.audit.rows_cut", len(sums.rows_cut), "red" if sums.rows_cut else ""),
    ]
    stats = joined(
        html('<div class="{kind}"><dt>{says}</dt><dd>{value}</dd></div>', kind=kind, says=t(lang, code), value=number(value, lang))
        for code, value, kind in counts
    )
    return html('<dl class="stats num">{stats}</dl>', stats=stats)


def histogram(bars: Sequence[tuple[int, int, int]], ends: tuple[int, int], cut: int, beyond: int, lang: str) -> Html:
    """How long the rows are, in tokens, with the line beyond which they are cut; and a sentence that says the same.

    `ends` are the shortest and the longest row, `beyond` is how many are cut.
    """
    if not bars:
        return Html()
    highest, end = max(count for _, _, count in bars) or 1, max(bars[-1][1], 1)
    whole = max(end, round(cut * 1.05)) if cut < 3 * end else end
    drawn = Html()
    for low, high, count in bars:
        tall = max(count / highest * HEIGHT, 2.0 if count else 0.0)
        x, wide = (low - 1) / whole * WIDTH, max((high - low + 1) / whole * WIDTH - 2, 1)
        kind = "over" if low > cut else "within"
        drawn += html(
            '<rect class="{kind}" x="{x:.1f}" width="{wide:.1f}" y="{height:.1f}" height="{tall:.1f}"/>',
            kind=kind,
            x=x,
            wide=wide,
            height=HEIGHT - tall,
            tall=tall,
        )
    line = html('<path class="cutline" d="M{cut:.1f} 0V{height:.0f}"/>', cut=cut / whole * WIDTH, height=HEIGHT) if cut <= whole else ""
    figures = {"shortest": ends[0], "longest": ends[1], "cut": cut} | ({"beyond": beyond} if line else {})
    said = {key: number(value, lang) for key, value in figures.items()}
    says = t(lang, "ui.audit.histogram" if line else "ui.audit.histogram.none", **said)
    marks = html(
        '<span class="x" style="left:0">{value}</span><span class="x" style="left:100%">{whole}</span>',
        value=number(0, lang),
        whole=number(whole, lang),
    )
    if line:
        marks += html('<span class="x cut" style="left:{at:.1f}%">{cut}</span>', at=cut / whole * 100, cut=number(cut, lang))
    return html(
        '<figure class="curve lengths"><div class="plot" aria-hidden="true">'
        '<svg viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none" focusable="false">{drawn}{line}</svg>{marks}</div>'
        "<figcaption>{says}</figcaption></figure>",
        width=WIDTH,
        height=HEIGHT,
        drawn=drawn,
        line=line,
        marks=marks,
        says=says,
    )


def legend(lang: str, marked: bool) -> Html:
    """What the marks of tokens mean, beside their names."""
    shown = ("learned", "context", *(("unlearned",) if marked else ()), "cut")
    kinds = joined(html('<span class="tok {kind}">{name}</span>', kind=kind, name=t(lang, f"ui.audit.kind.{kind}")) for kind in shown)
    return html(
        '<p class="legend tokens">{kinds}<span class="tok special">{special}</span></p>',
        kinds=kinds,
        special=t(lang, "ui.audit.kind.special"),
    )


def tokens(row: Shown, looked: Looked, cut: int, lang: str) -> Html:
    """One row as the model sees it: each token marked by what becomes of it, special ones boxed, ends of line visible."""
    drawn = []
    for text, kind, special in parts(row, NEVER if looked.text else cut):
        shown = Html.escape(text).replace("\n", html('<i class="newline">↵</i>\n'))
        drawn.append(
            html('<span class="tok {kind}{special}">{shown}</span>', kind=kind, special=" special" if special else "", shown=shown)
        )
    more = t(lang, "ui.audit.more", count=number(row.more, lang)) if row.more else ""
    ended = "ui.audit.ended" if 0 <= looked.stop < (NEVER if looked.text else cut) else "ui.audit.not_ended"
    notes = [
        t(lang, "ui.data.row", row=number(row.row, lang)),
        t(lang, "ui.audit.length", tokens=number(looked.length, lang)),
        t(lang, ended),
    ]
    return html(
        '<div class="rendered"><p class="soft num">{notes}</p><pre tabindex="0">{drawn}{more}</pre></div>',
        notes=" · ".join(notes),
        drawn=joined(drawn),
        more=more,
    )


def table(rows: Sequence[Mapping[str, Any]], longest: int = 160) -> Html:
    """Rows by column, as the file has them; long cells are cut."""
    columns = list(dict.fromkeys(column for row in rows for column in row))[:12]
    head = joined(html('<th scope="col">{column}</th>', column=_short(column, 40)) for column in columns)
    cells = [[_short(str(row.get(column, "")), longest) for column in columns] for row in rows]
    lines = joined(html("<tr>{cells}</tr>", cells=joined(html("<td>{cell}</td>", cell=cell) for cell in row)) for row in cells)
    return html(
        '<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>',
        head=head,
        lines=lines,
    )
