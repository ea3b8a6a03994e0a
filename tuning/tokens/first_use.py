"""Inside the trial's child process: configuration, tokenizer and template of a model's folder are opened and used as the app would.

What is no such file is told with its name; what does not come to an end, or takes all memory, ends this process, and `trial` tells it.
"""

import importlib
import json
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerBase

from tuning.errors import EngineError, InputError, TuningError, caught, innermost
from tuning.models import model_folder
from tuning.tokens import labels, look
from tuning.tokens.template import Rendered, Template

GROWTH = 1000  # times that a text may grow on its way through a tokenizer's replacements
LITERALS = 50  # words of the tokenizer's own rules that are tried
SOURCES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt")
BESIDE = ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja")
PLACES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
FOREST = "The quick brown fox, 12:45! Perché no? 東京 🙂\n\t"
TEXTS = (
    "",
    FOREST * 400,
    "H" + "a" * 400 + "!",
    " " * 400 + "\n" * 400,
    "aB" * 400 + "0123456789" * 40 + "!?" * 200,
    "".join(map(chr, range(1, 0x3000))),
)
ASK, TELL = {"role": "user", "content": "How much is item 3?"}, {"role": "assistant", "content": "Item 3 costs 5 euro."}
RULE = {"role": "system", "content": "You are a tailor."}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {"item": "3"}}}]}
FOUND = {"role": "tool", "name": "look", "content": "5 euro"}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}}
TALKS: tuple[dict[str, Any], ...] = (
    {"messages": [ASK, TELL]},
    {"messages": [RULE, ASK, TELL]},
    {"messages": [RULE, *[ASK, TELL] * 5]},
    {"messages": [ASK, CALL, FOUND, TELL], "tools": [TOOL]},
    {"messages": [{**ASK, "content": FOREST * 400}, TELL]},
)


def tried(folder: pathlib.Path, title: str, stage: pathlib.Path, seconds_for: Callable[[str], int]) -> dict[str, Any]:
    """What is wrong with a model's folder, as a code and its parameters; nothing where all is well.

    The file `stage` has the name of the file in hand; each may take so many seconds of the processor. Raises MemoryError.
    """

    def begin(file: str) -> None:
        stage.write_text(file, encoding="utf-8")
        look.alarm(seconds_for(file))

    def work() -> None:
        _configuration(folder, begin)
        _template(folder, _words(folder, title, begin), begin)

    error = caught(work, "the trial")
    look.alarm(0)
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, TuningError):
        return {"code": error.code, "params": {"model": title, **error.params}}
    file = stage.read_text(encoding="utf-8")
    if error is not None and file == "config.json":
        return {"code": "model.config", "params": {"model": title, "about": innermost(error)}}
    if error is not None:  # the panic of a library in Rust, too
        code = "model.cannot_load" if isinstance(error, ImportError) else "model.broken"
        return {"code": code, "params": {"model": title, "file": file}}
    return {}


def _configuration(folder: pathlib.Path, begin: Callable[[str], None]) -> None:
    begin("config.json")
    AutoConfig.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    if (folder / "generation_config.json").exists():
        begin("generation_config.json")
        ends = GenerationConfig.from_pretrained(str(folder), local_files_only=True).eos_token_id
        if not all(type(end) is int for end in (ends if isinstance(ends, list) else [] if ends is None else [ends])):
            raise TypeError(ends)


def _words(folder: pathlib.Path, title: str, begin: Callable[[str], None]) -> PreTrainedTokenizerBase:
    """The tokenizer, after it has been used on all kinds of text."""
    begin("tokenizer_config.json")
    model_folder.text(folder, "tokenizer_config.json", title)
    whole = folder / "tokenizer.json"
    source = next((name for name in SOURCES if (folder / name).exists()), "")
    begin(source or "tokenizer_config.json")
    if source.endswith(".model"):
        try:
            for reader in ("sentencepiece", "google.protobuf"):
                importlib.import_module(reader)
        except ImportError as error:
            raise InputError("model.pieces", file=source) from error
    rules = model_folder.text(folder, whole.name, title) if whole.exists() else {}
    parts = [rule for place in PLACES for rule in _parts(rules.get(place))]
    if math.prod(_growth(rule) for rule in parts) > GROWTH:
        raise ValueError("a text grows")
    try:
        tokenizer = labels.load(str(folder))
    except Exception as error:  # it goes on, whatever it is: asked is only in which file it lies
        if not source:
            raise InputError("model.missing_file", file=whole.name) from error
        if whole.exists():
            _told_of_rules(whole, begin)
        raise
    own = [str(rule["String"]) for rule in parts if isinstance(rule.get("String"), str)][:LITERALS]
    for text in (*TEXTS, *own, " ".join(own), *map(str, tokenizer.all_special_tokens)):
        ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        tokenizer.decode(ids)
        tokenizer.decode(ids, skip_special_tokens=True)
    tokenizer.decode(list(range(min(tokenizer.vocab_size, 2000))))
    return tokenizer


def _told_of_rules(whole: pathlib.Path, begin: Callable[[str], None]) -> None:
    """The fault is in another file where tokenizer.json can be opened by itself."""
    from tokenizers import Tokenizer

    Tokenizer.from_file(str(whole))
    for name in BESIDE:
        begin(name)
        if (whole.parent / name).exists():
            text = (whole.parent / name).read_text(encoding="utf-8")
            json.loads(text if name.endswith(".json") else "{}")
    begin("tokenizer_config.json")


def _parts(rule: Any, depth: int = 20) -> Iterator[dict[str, Any]]:
    """A rule of the tokenizer and all rules inside it."""
    if isinstance(rule, dict):
        yield rule
    if depth and isinstance(rule, dict | list):
        for part in rule.values() if isinstance(rule, dict) else rule:
            yield from _parts(part, depth - 1)


def _growth(rule: dict[str, Any]) -> float:
    """How many times as long a text can become by one replacement."""
    if rule.get("type") != "Replace":
        return 1.0
    given = rule.get("pattern")
    word = given.get("String") if isinstance(given, dict) else None
    return max(1.0, len(str(rule.get("content"))) / max(1, len(word) if isinstance(word, str) else 1))


def _template(folder: pathlib.Path, tokenizer: PreTrainedTokenizerBase, begin: Callable[[str], None]) -> None:
    """Conversations of all kinds, rendered and labelled as a run's; a template may say no to them."""
    begin("chat_template.jinja" if (folder / "chat_template.jinja").exists() else "tokenizer_config.json (chat_template)")
    template, made = Template(tokenizer), list[Rendered]()
    labeller = labels.Labeller(tokenizer)
    for number, talk in enumerate(TALKS):
        try:
            made.append(template.render({"row": number, **talk}))
            made.append(template.prompt(talk["messages"][:-1], talk.get("tools")))
        except EngineError as error:
            if not error.code.startswith(("tokens.template", "tokens.tools", "tokens.unembedded")):
                raise
    template.taught()
    for labelled in labeller.label([*made, template.render({"row": 0, "text": FOREST})]):
        json.dumps(labelled.ids)
