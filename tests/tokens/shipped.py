"""Every chat template that the installed trl and transformers ship, ours, those of the tests' styles; and tokenizers with their signs."""

import ast
import functools
import pathlib
import re
from typing import Any

import transformers
import trl
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.engine import styles
from tuning.settings import PRESETS

# What a template closes a turn or opens a part with: one token each, as in the tokenizers that it comes with.
SIGNS = re.compile(r"<[|｜][^<>'\"{}\s]*?[|｜]?>|<[a-z_]+[|｜]>|<(?:start|end)_of_turn>|</?s>|\[/?[A-Z_]{3,}\]|</?think>")
EOS = {
    "gemma": "<eos>",
    "diffusion": "<eos>",
    "glm": "<|endoftext|>",
    "phi": "<|endoftext|>",
    "llama": "<|eot_id|>",
    "gptoss": "<|return|>",
}


@functools.cache
def templates() -> dict[str, str | None]:
    """By name; None is a model without one."""
    found: dict[str, str | None] = {"ours": None}
    for path in sorted((pathlib.Path(trl.__file__).parent / "chat_templates").glob("*.jinja")):
        found[f"trl {path.stem}"] = path.read_text(encoding="utf-8")
    folder = pathlib.Path(transformers.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "messages" not in source or "{%" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            quoted = re.match(r"\n\s+[A-Z]", text)  # in a docstring
            if re.search(r"\{%-? ?for [a-z]+ in .*messages", text) and not quoted:
                found[f"transformers {path.stem}"] = text
    found["starter"] = (PRESETS / "starter" / "model" / "chat_template.jinja").read_text(encoding="utf-8")
    return (
        found
        | {f"style {name}": text for name, text in styles.STYLES.items()}
        | {"style thinking": styles.THINKING, "style once": styles.ONCE}
    )


def with_signs(words: PreTrainedTokenizerFast, name: str, template: str | None) -> PreTrainedTokenizerFast:
    """`words` with this template, its signs and its end of text."""
    eos = next((sign for start, sign in EOS.items() if name.startswith(f"trl {start}")), None)
    signs = sorted({*styles.SIGNS, *SIGNS.findall(template or ""), *([eos] if eos else [])})
    words.add_special_tokens({"additional_special_tokens": signs})
    if eos:
        words.eos_token = eos
    words.chat_template = template
    return words


def _split() -> Any:
    """As of GPT-4 and Llama 3: line breaks together, digits in threes, signs with the line breaks after them."""
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


TEXTS = [
    *styles.TEXTS,
    "User: How much?\nAssistant: Five.\n",
    "<think>\n\n</think>\n\nFive\n\n\n",
    "A: È caro\n\nB: 12 euro\n",
    ":  \n \n\n x",
]


def llama3_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level pairs that are made within the pieces of Llama 3's pattern."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer, inner.decoder = _split(), decoders.ByteLevel()
    return _trained(inner, trainers.BpeTrainer, vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def gemma_tokenizer() -> PreTrainedTokenizerFast:
    """Pairs that may go across words and line breaks, as of Gemma: spaces are letters, and nothing is split before."""
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.decoder = decoders.Replace("▁", " ")
    return _trained(inner, trainers.BpeTrainer, vocab_size=700, initial_alphabet=[*"▁\n:<>/abcdefghijklmnopqrstuvwxyz"])


def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """The likeliest pieces, with a mark before the first word, as of SentencePiece."""
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    inner.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
    return _trained(inner, trainers.UnigramTrainer, vocab_size=160, unk_token="<unk>")


def _trained(inner: Tokenizer, trainer: Any, **options: Any) -> PreTrainedTokenizerFast:
    made = trainer(special_tokens=["<unk>", "<s>", "<pad>", "</s>"], show_progress=False, **options)
    inner.train_from_iterator(TEXTS * 20, made)
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


KINDS = {**styles.KINDS, "llama 3": llama3_tokenizer, "gemma": gemma_tokenizer, "unigram": unigram_tokenizer}
