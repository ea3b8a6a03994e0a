"""The certificate of an export: what was compared with the live model and what came out, as JSON and in both languages.

It judges nothing and blocks nothing: pure arithmetic over what `maker` and `witness` have noted. What was not done is said to be so.
"""

import json
import pathlib
import re
import zipfile
from typing import Any

from tuning.text import LANGUAGES, number, t

JSON, WORDS = "certificate.json", "certificate.md"
PRECISIONS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
MOST_NAMED = 8  # of tensors that are not as they should be


def unchecked(form: str, why: str, said: str = "") -> dict[str, Any]:
    """A certificate that says that nothing was compared: `why` is asked, memory, model, unreadable or failed; `said` by a library."""
    return {"schema": 1, "form": form, "verdict": "not_checked", "why": why, "said": said}


def compare(form: str, live: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """The certificate of what `maker` has told and `witness` has seen. `verdict`: same, differs or not_checked."""
    answers = [_answer(live, seen, number) for number in range(len(live["answers"]))]
    tokens = sum(one["of"] for one in answers)
    tensors = {name: live["tensors"].get(name) for name in seen["tensors"]}
    of_adapter = all(name.startswith("base_model.") for name in tensors)  # what stands by itself has a precision of its own
    found: dict[str, Any] = {
        "schema": 1,
        "form": form,
        "questions": live["source"],
        "most_tokens": live["most"],
        "live": {key: live[key] for key in ("precision", "quantization")},
        "export": {"precision": seen["dtype"], "versions": seen["versions"]},
        "precision_equal": not of_adapter or seen["dtype"] == PRECISIONS.get(live["precision"]),
        "merged": live["merged"],
        "answers": answers,
        "token_agreement": sum(one["agreeing"] for one in answers) / tokens if tokens else None,
        "prompts": {"equal": sum(one["prompt_equal"] for one in answers), "of": len(answers)},
        "conversation_equal": None if live["conversation"] is None else live["conversation"] == seen["conversation"],
        "stop_tokens": {"live": live["stops"], "export": seen["stops"], "equal": set(live["stops"]) == set(seen["stops"])},
        "tensors": {
            "equal": sum(seen["tensors"][name] == digest for name, digest in tensors.items()),
            "of": len(tensors),
            "not_compared": sum(digest is None for digest in tensors.values()),
        },
    }
    found["verdict"] = _verdict(found)
    return found


def of_gguf(live: dict[str, Any], seen: dict[str, Any], type: str) -> dict[str, Any]:
    """The certificate of a GGUF file that `to_gguf` has read back: its tensors, template and stop tokens.

    `verdict`: file (all that is in it is as trained; no answer was asked of it) or differs.
    """
    digests = seen["digests"]
    of = seen["equal"] + len(seen["unlike"]) + len(seen["missing"])
    found: dict[str, Any] = {
        "schema": 1,
        "form": "gguf",
        "type": type,
        "answers": [],
        "tensors": {"equal": seen["equal"], "of": of, "unlike": seen["unlike"], "missing": seen["missing"], "more": seen["more"]},
        "stored": seen["kinds"],
        "merged": {"equal": sum(live["tensors"].get(name) == digest for name, digest in digests.items()), "of": len(digests)},
        "template_equal": bool(live["template"]) and seen["template"] == live["template"],
        "stop_tokens": {"live": live["stops"], "export": seen["stops"], "equal": set(live["stops"]) == set(seen["stops"])},
        "pre_tokenizer": seen["pre"],
    }
    counted = all(found[key]["equal"] == found[key]["of"] > 0 for key in ("tensors", "merged"))
    found["verdict"] = "file" if counted and found["template_equal"] and found["stop_tokens"]["equal"] else "differs"
    return found


def answered(file: dict[str, Any], live: dict[str, Any], told: list[dict[str, Any]], runtime: str, version: str) -> dict[str, Any]:
    """The certificate of a GGUF file with its answers in a `runtime`, llama_cpp or transformers, to prompts in tokens.

    llama.cpp also tells the `prompt` that it makes of each conversation by the file's template, None where it makes none.
    """
    answers = [_answer(live, {"answers": told}, number) for number in range(len(told))]
    tokens, prompts = sum(one["of"] for one in answers), [one["prompt_equal"] for one in answers]
    right = file["verdict"] == "file" and all(one["same"] for one in answers) and False not in prompts
    return {
        **file,
        "runtime": {"name": runtime, "version": version},
        "questions": live["source"],
        "most_tokens": live["most"],
        "live": {key: live[key] for key in ("precision", "quantization")},
        "answers": answers,
        "token_agreement": sum(one["agreeing"] for one in answers) / tokens if tokens else None,
        "prompts": {"equal": prompts.count(True), "of": len(prompts) - prompts.count(None), "not_compared": prompts.count(None)},
        "verdict": "same" if right else "differs",
    }


def unanswered(file: dict[str, Any], code: str, params: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a GGUF file of which a runtime gave no answer, with what there is to say of that."""
    return {**file, "unanswered": [*file.get("unanswered", []), {"code": code, "params": params}]}


def of_ollama(file: dict[str, Any], live: dict[str, Any], heard: dict[str, Any]) -> dict[str, Any]:
    """The certificate of a model in Ollama: that of the file it was made of, and what it answers, compared word by word.

    `heard`: `model`, `quantize`, Ollama's `version`, `answers` by the number of their prompt, and what it `said` in the place of more.
    `verdict`: same, differs, or file where it gave no answer.
    """
    answers = [_spoken(live, one, number) for number, one in heard["answers"].items()]
    words = sum(one["of"] for one in answers)
    found: dict[str, Any] = {
        **file,
        "form": "ollama",
        **{key: heard[key] for key in ("model", "quantize", "version", "said")},
        "questions": live["source"],
        "most_tokens": live["most"],
        "live": {key: live[key] for key in ("precision", "quantization")},
        "answers": answers,
        "not_asked": len(live["answers"]) - len(answers),
        "word_agreement": sum(one["agreeing"] for one in answers) / words if words else None,
        "prompts": {"equal": sum(one["prompt_equal"] for one in answers), "of": len(answers)},
    }
    if answers and file["verdict"] != "differs":
        found["verdict"] = "same" if all(one["same"] and one["prompt_equal"] for one in answers) else "differs"
    return found


def _spoken(live: dict[str, Any], said: dict[str, Any], number: int) -> dict[str, Any]:
    """One prompt of an engine that gives words and no tokens; of a prompt it says how long it is."""
    ours, theirs = _words(live["answers"][number]["text"]), _words(said["text"])
    agreeing = next((at for at, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    return {
        "question": str(live["asked"][number][0][-1].get("content") or ""),
        "live": live["answers"][number]["text"],
        "export": said["text"],
        "same": ours == theirs,
        "agreeing": agreeing,
        "of": max(len(ours), len(theirs)),
        "prompt_equal": said["prompt"] == len(live["prompts"][number]),
    }


def _words(text: str) -> list[str]:
    """Of an answer, without the marks around what was thought, which Ollama tells apart, and half a letter at its end."""
    return re.sub(r"</?think>|�+$", " ", text.strip()).split()


def _counts(found: dict[str, Any], agreement: str, lang: str) -> dict[str, Any]:
    """Of the answers: how many, to which questions, how many are the same, and the share before the first difference."""
    return {
        "source": t(lang, f"export.certificate.source.{found['questions']}"),
        "share": number(100 * (found[agreement] or 0.0), lang, 1),
        "same": sum(one["same"] for one in found["answers"]),
        "count": len(found["answers"]),
        "most": found["most_tokens"],
    }


def _answer_lines(found: dict[str, Any], lang: str) -> list[str]:
    """What a model in Ollama answered, in words."""
    params = _counts(found, "word_agreement", lang)
    lines = [t(lang, "export.certificate.ollama.made", **{key: found[key] for key in ("model", "quantize", "version")})]
    if found["answers"]:
        lines += [t(lang, f"export.certificate.ollama.{key}", **params, **found["prompts"]) for key in ("answers", "prompts")]
    if found["said"]:
        lines.append(t(lang, "export.certificate.ollama.said", said=" ".join(found["said"].split())))
    if found["not_asked"]:
        lines.append(t(lang, "export.certificate.ollama.not_asked", count=found["not_asked"]))
    return lines


def _read_lines(found: dict[str, Any], lang: str) -> list[str]:
    """What a GGUF file answered, in words: in which runtime, in which it was not asked, and what is not checked."""
    lines = [t(lang, one["code"], **one["params"]) for one in found.get("unanswered", [])]
    runtime = found["runtime"]["name"] if found["answers"] else "none"
    if found["answers"]:
        params = {**_counts(found, "token_agreement", lang), "version": found["runtime"]["version"]}
        lines.append(t(lang, f"export.certificate.gguf.read.{runtime}", **params))
    if runtime == "llama_cpp":
        lines.append(t(lang, "export.certificate.gguf.prompts", **found["prompts"]))
    return [*lines, t(lang, f"export.certificate.gguf.open.{runtime}")]


def _file_lines(found: dict[str, Any], lang: str) -> list[str]:
    """What was read back of a GGUF file, in words."""
    tensors = found["tensors"]
    lines = [
        t(lang, "export.certificate.gguf.tensors", equal=tensors["equal"], of=tensors["of"], type=found["type"]),
        t(lang, "export.certificate.gguf.merged", **found["merged"]),
        t(lang, f"export.certificate.gguf.template.{found['template_equal']}".lower()),
        t(lang, "export.certificate.stops", **{key: str(found["stop_tokens"][key]) for key in ("live", "export")}),
        *(_answer_lines(found, lang) if found["form"] == "ollama" else _read_lines(found, lang)),
    ]
    odd = [*tensors["unlike"], *tensors["missing"]]
    return [*lines, t(lang, "export.certificate.gguf.odd", names=", ".join(odd[:MOST_NAMED]))] if odd else lines


def _answer(live: dict[str, Any], seen: dict[str, Any], number: int) -> dict[str, Any]:
    """One prompt: both answers, and how many tokens they have in common at their beginning, of those of the longer one."""
    ours, theirs = live["answers"][number], seen["answers"][number]
    pairs = list(zip(ours["tokens"], theirs["tokens"], strict=False))
    agreeing = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
    return {
        "question": str(live["asked"][number][0][-1].get("content") or ""),
        "live": ours["text"],
        "export": theirs["text"],
        "same": ours["tokens"] == theirs["tokens"],
        "agreeing": agreeing,
        "of": max(len(ours["tokens"]), len(theirs["tokens"])),
        "prompt_equal": None if theirs["prompt"] is None else live["prompts"][number] == theirs["prompt"],
    }


def _verdict(found: dict[str, Any]) -> str:
    if not found["answers"]:
        return "not_checked"
    tensors = found["tensors"]
    sound = (
        all(one["same"] and one["prompt_equal"] for one in found["answers"]),
        found["conversation_equal"] is not False,
        found["stop_tokens"]["equal"],
        found["precision_equal"],
        tensors["equal"] + tensors["not_compared"] == tensors["of"],
    )
    return "same" if all(sound) else "differs"


def read(export: pathlib.Path) -> dict[str, Any]:
    """The certificate in a finished export, a folder or a zip. Raises OSError."""
    if export.is_dir():
        return dict(json.loads((export / JSON).read_text(encoding="utf-8")))
    with zipfile.ZipFile(export) as file:
        return dict(json.loads(file.read(JSON)))


def write(folder: pathlib.Path, found: dict[str, Any]) -> None:
    """Put certificate.json and certificate.md into an export's folder."""
    (folder / JSON).write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")
    (folder / WORDS).write_text("\n---\n\n".join(spoken(found, lang) for lang in LANGUAGES), encoding="utf-8")


def spoken(found: dict[str, Any], lang: str) -> str:
    """The certificate in words, as Markdown."""
    verdict = t(lang, f"export.certificate.{found['verdict']}")
    title = f"# {t(lang, 'export.certificate.title')}\n\n{verdict}\n"
    if "why" in found:
        why = t(lang, f"export.certificate.why.{found['why']}")
        return f"{title}\n{why}\n{_quoted(found['said']) if found['said'] else ''}"
    if "stored" in found:  # it is of a GGUF file
        read = "".join(f"- {line}\n" for line in _file_lines(found, lang))
        return f"{title}\n{read}{''.join(_both(one, lang) for one in found['answers'])}"
    params = _counts(found, "token_agreement", lang)
    lines = [
        t(lang, "export.certificate.how", **params, versions=", ".join(" ".join(pair) for pair in found["export"]["versions"].items())),
        t(lang, "export.certificate.precision", live=_precision(found["live"]), export=found["export"]["precision"]),
        t(lang, "export.certificate.answers", **params),
        t(lang, "export.certificate.prompts", **found["prompts"]),
        t(lang, f"export.certificate.conversation.{found['conversation_equal']}".lower()),
        t(lang, "export.certificate.stops", **{key: str(found["stop_tokens"][key]) for key in ("live", "export")}),
        t(lang, "export.certificate.tensors", **found["tensors"]),
    ]
    if found["merged"] is not None:
        lines.append(t(lang, f"export.certificate.into.{found['merged']['into']}"))
    shown = "".join(f"- {line}\n" for line in lines)
    return f"{title}\n{shown}{''.join(_both(one, lang) for one in found['answers'])}"


def _precision(live: dict[str, Any]) -> str:
    return live["precision"] if live["quantization"] == "none" else f"{live['quantization']}, {live['precision']}"


def _both(one: dict[str, Any], lang: str) -> str:
    """A question with its answer, or with both where they differ."""
    said = _quoted(one["live"]) if one["same"] else ""
    if not one["same"]:
        for key in ("live", "export"):
            who = t(lang, f"export.certificate.said.{key}")
            said += f"\n{who}\n{_quoted(one[key])}"
    return f"\n**{' '.join(one['question'].split())}**\n{said}"


def _quoted(text: str) -> str:
    """What somebody else wrote, as Markdown that is shown and not obeyed."""
    return f"\n{''.join(f'    {line}{chr(10)}' for line in text.splitlines())}" if text.strip() else "\n    —\n"
