"""Texts that hold a chat template already (ChatML, Llama, Gemma, Mistral, Phi, DeepSeek, Granite, ...), taken apart into turns.

Only where most of a sample do; a text of such a file without marks stays plain text.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from tuning.data.formats.notes import Notes
from tuning.data.formats.shapes import Targets, TextShape, system_of
from tuning.data.formats.turns import THOUGHT, RawMessage, ordered
from tuning.data.formats.vocabulary import SYSTEM, TEXT
from tuning.data.records import Values, blank, squeezed, value_at
from tuning.data.roles import ROLES

_SPOKEN = "system|user|assistant|model|tool|human"
_MARKED = {  # name -> what begins a turn; its first group is the speaker
    "ChatML": re.compile(rf"<\|im_start\|>({_SPOKEN})[ \t]*\n", re.IGNORECASE),
    "Llama 3": re.compile(rf"<\|start_header_id\|>({_SPOKEN})<\|end_header_id\|>\n*", re.IGNORECASE),
    "Gemma": re.compile(rf"<start_of_turn>({_SPOKEN})[ \t]*\n", re.IGNORECASE),
    "Zephyr": re.compile(r"(?m)(?:^|(?<=<\|end\|>))<\|(system|user|assistant)\|>[ \t]*\n?", re.IGNORECASE),
    "DeepSeek": re.compile(r"<｜(User|Assistant)｜>"),
    "Command R": re.compile(r"<\|START_OF_TURN_TOKEN\|><\|(SYSTEM|USER|CHATBOT)_TOKEN\|>(?:<\|START_RESPONSE\|>)?"),
    "Granite": re.compile(rf"<\|start_of_role\|>({_SPOKEN})<\|end_of_role\|>"),
    "Harmony": re.compile(r"<\|start\|>(system|developer|user|assistant)(?:<\|channel\|>(\w{1,20}))?<\|message\|>"),
    "OpenAssistant": re.compile(r"<\|(prompter|prompt|assistant|answer)\|>"),
    "OpenChat": re.compile(r"(?:\A|(?<=<\|end_of_turn\|>))\s*GPT4 Correct (User|Assistant): ?"),
    "Alpaca": re.compile(
        r"(?m)^#{2,3} (Instruction|Input|Question|Response|Answer|Istruzione|Risposta|Anweisung|Eingabe|Frage|Antwort|Réponse|Pregunta"
        r"|Instrucción|Respuesta) ?:?[ \t]*\n",
        re.IGNORECASE,
    ),
}
_SPEAKER = re.compile(
    r"(?:\A\s*(?:<s>)?|\n[ \t]*(?:</s>\s*)?(?:<s>)?|</s>\s*<s>[ \t]*|(?=### ))(?:### ?)?(\w+(?: [Rr](?:esponse|ESPONSE))?) ?:[ \t]*"
)
_IN_LINE = re.compile(r"(?:\A|(?<=\s)|(?<=</s>))(USER|ASSISTANT): ?")  # Vicuna's
_LABELLED = re.compile(r"\A\s*(?:SYSTEM|System): ?")
_ENDS = (
    "<|end_of_turn|>",
    *("<|end|>", "<|return|>", "<|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|>", "<｜end▁of▁sentence｜>", "<|eom_id|>", "<|call|>"),
    *("<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<eos>", "</s>", "<|endoftext|>", "<s>"),
)
_BEGINS = re.compile(r"\s*(?:<s>|<bos>|<BOS_TOKEN>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>)?\s*")
_INST = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=(?:</s>\s*)?(?:<s>\s*)?\[INST\]|\Z)", re.DOTALL)
_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>(.*)\Z", re.DOTALL)
_ALPACA = {
    **dict.fromkeys(("instruction", "istruzione", "input", "question", "anweisung", "eingabe", "frage", "pregunta", "instrucción"), "user"),
    **dict.fromkeys(("prompt", "prompter"), "user"),
    **dict.fromkeys(("response", "risposta", "answer", "antwort", "réponse", "respuesta"), "assistant"),
}


class Templated(TextShape):
    """Texts in which a known template marks who speaks."""

    name = "templated"
    example: ClassVar[Values] = {"text": "<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\nA tailor.<|im_end|>\n"}
    targets: ClassVar[Targets] = {"text": TEXT, "system": SYSTEM}
    required = frozenset({"text"})
    reason = "data.reason.templated"

    def convert(self, row: Values, mapping: Mapping[str, str], mend: bool = False, notes: Notes | None = None) -> dict[str, Any]:
        said = turns(value_at(row, mapping["text"]))
        plain = super().convert(row, mapping, mend, notes)
        system = system_of(row, mapping, notes)
        if said is None or (system and said[0]["role"] == "system"):
            (notes or Notes()).leave("column", [mapping["system"]] if system else [])
            system = []
        if said is None:
            return plain
        for message in system:
            message["content"] = _LABELLED.sub("", message["content"], count=1)
        return {"messages": ordered([*system, *said])}


def turns(text: Any) -> list[RawMessage] | None:
    """The turns of a text; None where no template that is known marks any answer."""
    if not isinstance(text, str):
        return None
    if not any(sign in text for sign in ("<|", "<｜", "[INST]", "<start_of_turn>", "## ")):
        return _spoken(text)
    if "[INST]" in text:
        return _instructed(text)
    for name, mark in _MARKED.items():
        found = list(mark.finditer(text))
        speakers = [_ALPACA.get(match[1].lower()) or ROLES.get(squeezed(match[1])) or "user" for match in found]
        if "assistant" not in speakers or "user" not in speakers or (name == "Alpaca" and speakers[-1] != "assistant"):
            continue
        ends = [*(match.start() for match in found[1:]), len(text)]
        parts = [_closed(text[match.end() : end]).strip("\n") for match, end in zip(found, ends, strict=True)]
        before = _BEGINS.sub("", text[: found[0].start()], count=1).strip("\n")
        said: list[RawMessage] = [] if blank(before) else [{"role": "system", "content": before}]
        for role, content in zip(speakers, parts, strict=True):
            if name == "Alpaca" and said and said[-1]["role"] == role:  # instruction and input
                said[-1]["content"] += f"\n\n{content}" if content else ""
            else:
                said.append({"role": role, "content": content})
        if name == "Harmony":
            said = _channelled(said, [match[2] for match in found])
        if said[-1] == {"role": "assistant", "content": ""} and len(said) > 2:  # where a model would go on
            said.pop()
        return said
    return _spoken(text)


def dialogue(text: str) -> list[RawMessage] | None:
    """The turns of a text in which a name stands before each: "Human: …", then "Assistant: …". An answer to come is none.

    None where it does not begin with what a user says, or nobody answers.
    """
    found = [
        (match, role)
        for match in _SPEAKER.finditer(text)
        if (role := ROLES.get(squeezed(match[1]))) in ("system", "user", "assistant", "tool")
    ]
    roles = [role for _, role in found]
    if "assistant" not in roles or roles[0] == "assistant" or "user" not in roles[:2] or not blank(text[: found[0][0].start()]):
        return None
    ends = [*(match.start() for match, _ in found[1:]), len(text)]
    said = [
        {"role": str(role), "content": _closed(text[match.end() : end]).strip()} for (match, role), end in zip(found, ends, strict=True)
    ]
    return said if said[-1]["content"] else said[:-1]


def _spoken(text: str) -> list[RawMessage] | None:
    """The turns of a text in which names stand before what is said: each in a line of its own, or all in one, as Vicuna has them."""
    said = _ended(dialogue(text))
    found = list(_IN_LINE.finditer(text)) if said is None and "ASSISTANT:" in text else []
    if [match[1] for match in found[:2]] != ["USER", "ASSISTANT"]:
        return said
    ends = [*(match.start() for match in found[1:]), len(text)]
    before = text[: found[0].start()].strip()
    parts = [(match[1], _closed(text[match.end() : end]).strip()) for match, end in zip(found, ends, strict=True)]
    talk = [{"role": "user" if speaker == "USER" else "assistant", "content": content} for speaker, content in parts]
    return _ended([*([{"role": "system", "content": before}] if before else []), *talk])


def _channelled(said: list[RawMessage], channels: list[str | None]) -> list[RawMessage]:
    """The turns of Harmony, what was said in the channel of analysis being the thought of the answer after it."""
    kept: list[RawMessage] = []
    thought = ""
    for turn, channel in zip(said, channels, strict=True):
        if channel == "analysis":
            thought = turn["content"]
        else:
            kept.append({**turn, THOUGHT: thought} if thought and turn["role"] == "assistant" else turn)
            thought = ""
    return kept


def _ended(said: list[RawMessage] | None) -> list[RawMessage] | None:
    return said if said and said[-1]["role"] == "assistant" else None


def _instructed(text: str) -> list[RawMessage] | None:
    said: list[RawMessage] = []
    for question, answer in _INST.findall(text):
        system = _SYSTEM.match(question) if not said else None
        if system:
            said.append({"role": "system", "content": system[1].strip()})
            question = system[2]
        said += [{"role": "user", "content": question.strip()}, {"role": "assistant", "content": _closed(answer).strip()}]
    return said or None


def _closed(said: str) -> str:
    """A turn without the signs of its end."""
    while (found := next((sign for sign in _ENDS if said.rstrip().endswith(sign)), None)) is not None:
        said = said.rstrip().removesuffix(found).rstrip()
    return said
