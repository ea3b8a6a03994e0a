"""The report after a run, as HTML and as plain sentences: did it learn, overfit or forget, and what to change.

Pure functions of evaluation.json (see `engine.judge.report`); what comes from data and models is escaped. Nothing is measured here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.runs.evaluation.scores import words
from tuning.runs.summary import perplexity
from tuning.schema import ALIVE
from tuning.text import t
from tuning.ui import view
from tuning.ui.markup import Html, html, joined
from tuning.ui.view import duration, loss, number

Evaluation = Mapping[str, Any]

FIRST = ("facts", "exact", "perplexity", "length", "repetition", "thinking")
MORE = ("loss", "bleu", "chrf", "rouge_l")
LOWER = frozenset({"perplexity", "repetition", "loss"})  # is better; of length and thinking neither is
SHARES = frozenset({"facts", "exact", "length", "repetition", "thinking"})  # written in percent
BROKEN_OFF = ("paused", "interrupted", "failed")  # a report that is there is from before
NOTABLE = 0.02  # of a share: less is chance
SIGNS = {"learned": "✓", "wrecked": "!", "overfitted": "!", "forgot": "!", "no_change": "=", "unclear": "?"}


def report(run: Mapping[str, Any], lang: str, pressed: bool = False) -> Html:
    """Of a run as `Runs.show` gives it; nothing where it has no report. `pressed`: what to change can be pressed there.

    A run that goes on has no verdict as long as it does.
    """
    found = run.get("evaluation")
    if not found:
        return Html()
    if run.get("status") in ALIVE:
        return html('<p class="hint">{to_come}</p>', to_come=t(lang, "ui.report.to_come"))
    head = html('<h3 class="visually-hidden">{title}</h3>', title=t(lang, "ui.report.title"))
    if run.get("status") in BROKEN_OFF:
        head += html('<p class="hint">{old}</p>', old=t(lang, "ui.report.old"))
    parts = joined(part(found, lang) for part in (table, more, rows, probe, _made))
    return html(
        '<section class="evaluation">{head}{headline}{parts}</section>', head=head, headline=headline(found, lang, pressed), parts=parts
    )


def headline(found: Evaluation, lang: str, pressed: bool = False) -> Html:
    """The verdict, what else is to say, and what to change."""
    verdict = found["verdict"]
    first, *others = sentences(found, lang)
    said = html('<p class="verdict-line"><i aria-hidden="true">{signs}</i> <b>{first}</b></p>', signs=SIGNS[verdict["code"]], first=first)
    said += joined(html("<p>{other}</p>", other=other) for other in others)
    tips = joined(html("<li>{tip}</li>", tip=tip) for tip in (_buttons(found, lang) if pressed else advice(found, lang)))
    if tips:
        said += html("<p>{change}</p><ul>{tips}</ul>", change=t(lang, "ui.report.change"), tips=tips)
    return html('<div class="judged {level}">{said}</div>', level=verdict["level"], said=said)


def sentences(found: Evaluation, lang: str) -> list[str]:
    """The verdict in words: the main one first, then what else applies; but where it has learned and forgotten, what it has learned: that
    was the question. Plain text."""
    verdict = found["verdict"]
    params = _spoken(verdict["params"], lang)
    codes = [] if verdict["code"] == "unclear" else [f"report.verdict.{verdict['code']}"]
    codes += [f"report.reason.{verdict['reason']}"] if verdict["reason"] else []
    codes += [f"report.also.{code}" for code in verdict["also"]]
    if codes[:1] == ["report.verdict.forgot"] and "learned" in verdict["also"]:
        codes = ["report.verdict.learned", "report.also.forgot", *(code for code in codes[1:] if code != "report.also.learned")]
    asked, askable = found["generated"], found.get("questions")
    some = {"asked": number(asked, lang), "questions": number(askable, lang)} if askable and 0 < asked < askable else {}
    said = [t(lang, code, **params) for code in codes]
    said[1:1] = corrected(found, lang)
    return said + ([t(lang, "report.asked", **some)] if some else [])


def corrected(found: Evaluation, lang: str) -> list[str]:
    """Of a run that learned corrected answers, whether they hold, and whether what was right before still is. Plain text."""
    counts = {key: number(value, lang) for key, value in (found.get("corrected") or {}).items() if value is not None}
    return [t(lang, "report.corrected" if "kept" in counts else "report.corrected.alone", **counts)] if counts else []


def advice(found: Evaluation, lang: str) -> list[str]:
    """What to change, the most likely first. Plain text."""
    return [t(lang, f"report.advice.{code}") for code in found["verdict"]["advice"]]


def _buttons(found: Evaluation, lang: str) -> list[Html]:
    """Each piece of advice as a button that leads to where it is followed, with what it would change already turned."""
    return [
        html('<button type="button" class="mend" data-do="advise" data-value="{code}">{label}</button>', code=code, label=label)
        for code, label in zip(found["verdict"]["advice"], advice(found, lang), strict=True)
    ]


def spoken(found: Evaluation, lang: str) -> dict[str, Any]:
    """The report for a terminal: sentences, advice, and each figure before and after."""
    figures = [key for key in (*FIRST, *MORE) if found["measures"].get(key)]
    shown = {t(lang, f"ui.report.{key}"): " → ".join(_figures(found, key, lang)) for key in figures}
    return {"verdict": " ".join(sentences(found, lang)), "advice": advice(found, lang), "figures": shown, "rows": _counted(found, lang)}


def _spoken(params: Mapping[str, Any], lang: str) -> dict[str, str]:
    """Parameters of the sentences as they are written."""
    made = {key: loss(value, lang) if key.endswith("_loss") else number(value, lang) for key, value in params.items() if key != "languages"}
    names = [t(lang, f"report.language.{code}") for code in params.get("languages", [])]
    together = t(lang, "report.and", first=", ".join(names[:-1]), second=names[-1]) if len(names) > 1 else "".join(names)
    return {**made, "languages": together}


def table(found: Evaluation, lang: str) -> Html:
    """The figures that anybody understands, before and after."""
    lines = [_line(found, key, lang) for key in FIRST if _tells(found, key)]
    return _table(t(lang, "ui.report.figures"), lines, lang) if lines else Html()


def more(found: Evaluation, lang: str) -> Html:
    """The figures of the field, and how sure the most important ones are; folded."""
    measures = found["measures"]
    lines = [_line(found, key, lang) for key in MORE if measures.get(key)]
    if lines and found.get("training_loss") is not None:
        studied = ("–", loss(found["training_loss"], lang))
        lines.insert(1, _row(t(lang, "ui.report.training"), t(lang, "ui.report.training.why"), studied, "", lang))
    sure = []
    if (of := measures.get("loss")) and of["low"] is not None:
        sure.append(t(lang, "ui.report.sure_loss", low=loss(of["low"], lang), high=loss(of["high"], lang)))
    if (of := measures.get("facts")) and of["low"] is not None:
        points = {key: number(100 * of[key], lang) for key in ("low", "high", "chance")}
        sure.append(t(lang, "ui.report.sure_facts", **points))
    said = html('<p class="hint num">{sure}</p>', sure=" ".join(sure)) if sure else ""
    return _fold("more", t(lang, "ui.report.more"), _table("", lines, lang) + said) if lines else Html()


def _tells(found: Evaluation, key: str) -> bool:
    """Whether a measure says anything: no answer word for word, before or after, says nothing of whether they are right."""
    of = found["measures"].get(key)
    return bool(of) and not (key == "exact" and of["base"] == of["tuned"] == 0)


def _line(found: Evaluation, key: str, lang: str) -> Html:
    of = found["measures"][key]
    figures, tendency = _figures(found, key, lang), ""
    if key not in ("length", "thinking") and None not in (of["base"], of["tuned"]):
        change = (of["tuned"] - of["base"]) * (-1 if key in LOWER else 1)
        small = figures[0] == figures[1] or (key in SHARES and abs(change) < NOTABLE)
        tendency = "" if small else "better" if change > 0 else "worse"
    return _row(t(lang, f"ui.report.{key}"), t(lang, f"ui.report.{key}.why"), figures, tendency, lang)


def _figures(found: Evaluation, key: str, lang: str) -> tuple[str, str]:
    """Base and tuned, written as this measure is."""
    of = found["measures"][key]
    return _written(key, of["base"], lang), _written(key, of["tuned"], lang)


def _written(key: str, value: float | None, lang: str) -> str:
    if value is None:
        return "∞"
    if key in SHARES:
        return f"{number(100 * value, lang)}%"
    if key == "loss":
        return loss(value, lang)
    if key == "perplexity":
        return view.perplexity(value, lang)
    return number(100 * value if key == "rouge_l" else value, lang)


def _row(name: str, why: str, values: Sequence[str], tendency: str, lang: str) -> Html:
    word = html(' <span class="visually-hidden">({report})</span>', report=t(lang, f"ui.report.{tendency}")) if tendency else ""
    note = html('<small class="soft">{why}</small>', why=why) if why else ""
    before, after = values
    return html(
        '<tr><th scope="row">{name}{note}</th><td class="num">{before}</td><td class="num {tendency}">{after}{word}</td></tr>',
        name=name,
        note=note,
        before=before,
        tendency=tendency,
        after=after,
        word=word,
    )


def _table(caption: str, lines: Sequence[Html], lang: str) -> Html:
    above = html("<caption>{caption}</caption>", caption=caption) if caption else ""
    what = html('<span class="visually-hidden">{what}</span>', what=t(lang, "ui.report.what"))
    columns = joined(html('<th scope="col">{says}</th>', says=t(lang, code)) for code in ("ui.report.before", "ui.report.after"))
    head = html('<thead><tr><th scope="col">{what}</th>{columns}</tr></thead>', what=what, columns=columns)
    return html(
        '<table class="settings before-after">{above}{head}<tbody>{lines}</tbody></table>', above=above, head=head, lines=joined(lines)
    )


def rows(found: Evaluation, lang: str) -> Html:
    """The rows that gained most and those that are least right: question, right answer, before and after; folded."""
    groups = Html()
    for key in ("best", "worst"):
        drawn = joined(_pair(row, lang) for row in found.get(key) or [] if key == "best" or not _right(row))
        groups += html("<h4>{report}</h4>{drawn}", report=t(lang, f"ui.report.{key}"), drawn=drawn) if drawn else ""
    return _fold("rows", t(lang, "ui.report.rows"), groups) if groups else Html()


def _right(row: Mapping[str, Any]) -> bool:
    """Whether the tuned model's answer says all that it should."""
    return row["tuned_facts"] == 1 or words(row["tuned"]) == words(row["reference"])


def _pair(row: Mapping[str, Any], lang: str) -> Html:
    """One question with its right answer, and what each model said."""
    said = joined(
        html("<div><dt>{says}</dt><dd>{row}</dd></div>", says=t(lang, code), row=row[key] or t(lang, "ui.report.silent"))
        for key, code in (("reference", "ui.report.reference"), ("base", "ui.report.before"), ("tuned", "ui.report.after"))
    )
    return html('<article class="pair"><p><q>{question}</q></p><dl>{said}</dl></article>', question=row["question"], said=said)


def probe(found: Evaluation, lang: str) -> Html:
    """What it may have forgotten, by language; folded."""
    lines = []
    for code, of in found["probe"].items():
        name = t(lang, f"report.language.{code}").capitalize()
        if of["right"]:
            right = of["right"]
            values = [t(lang, "ui.report.of", right=number(right[who], lang), of=number(right["of"], lang)) for who in ("base", "tuned")]
            tendency = "" if right["base"] == right["tuned"] else "better" if right["tuned"] > right["base"] else "worse"
            lines.append(_row(t(lang, "ui.report.right", language=name), "", values, tendency, lang))
        values = [_written("perplexity", perplexity(of["loss"][who]), lang) for who in ("base", "tuned")]
        tendency = "" if values[0] == values[1] else "worse" if of["loss"]["tuned"] > of["loss"]["base"] else "better"
        lines.append(_row(t(lang, "ui.report.plain", language=name), "", values, tendency, lang))
    hint = html('<p class="hint">{hint}</p>', hint=t(lang, "ui.report.probe.hint"))
    return _fold("probe", t(lang, "ui.report.probe"), hint + _table("", lines, lang)) if lines else Html()


def _fold(name: str, label: str, inside: Html) -> Html:
    return html(
        '<details class="folded" data-fold="{name}"><summary>{label}</summary>{inside}</details>', name=name, label=label, inside=inside
    )


def _made(found: Evaluation, lang: str) -> Html:
    return html('<p class="hint num">{counted}</p>', counted=_counted(found, lang))


def _counted(found: Evaluation, lang: str) -> str:
    counts = {key: number(found[key], lang) for key in ("of", "generated")}
    made = t(lang, "ui.report.made", **counts, duration=duration(found["seconds"], lang))
    general = found.get("general")
    return f"{made} {t(lang, 'ui.report.general', count=number(general, lang))}" if general else made
