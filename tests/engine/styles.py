"""Chat templates of several styles, tokenizers of several kinds that know their signs, and rows of every shape."""

import json
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SIGNS = ["<|im_start|>", "<|im_end|>", "[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|end|>"]

TOOLS = (
    "{% if tools %}<|im_start|>system\nTools:{% for tool in tools %} {{ tool | tojson }}{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
)
CALLS = "{{ m.content }}{% for call in m.tool_calls or [] %}<call>{{ call.function | tojson }}</call>{% endfor %}<|im_end|>"
CHATML_MARKED = (
    TOOLS
    + "{% if m.role == 'assistant' %}{% generation %}"
    + CALLS
    + "{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\n' }}{% endfor %}"
    + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CHATML = CHATML_MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")

# As Mistral's: no prompt for an answer, the system text in the last question only and nowhere if an answer comes last, tools
# in front of the last question, ids of calls asked for.
INST = """{%- if messages[0].role == 'system' %}{% set said = messages[0].content %}{% set turns = messages[1:] %}
{%- else %}{% set turns = messages %}{% endif %}
{%- set asked = turns | selectattr('role', 'equalto', 'user') | list %}
{{- bos_token }}
{%- for m in turns %}
{%- if m.role == 'user' %}
{%- if tools and m == asked[-1] %}{{ '[TOOLS]' + (tools | tojson) }}{% endif %}
{%- if loop.last and said is defined %}{{ '[INST] ' + said + '\n\n' + m.content + '[/INST]' }}
{%- else %}{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}
{%- elif m.tool_calls %}
{%- for call in m.tool_calls %}
{%- if not call.id is defined or call.id | length != 9 %}{{ raise_exception('ids have nine letters') }}{% endif %}
{{- '[CALLS]' + (call.function | tojson) + call.id }}
{%- endfor %}{{ eos_token }}
{%- elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}
{%- elif m.role == 'tool' %}{{ '[RESULT]' + m.content + m.tool_call_id + '[/RESULT]' }}
{%- else %}{{ raise_exception('who is ' + m.role + '?') }}{% endif %}
{%- endfor %}"""

# As Gemma's: no system message, turns that must alternate, texts trimmed, another name for who answers.
STRICT = """{{- bos_token }}
{%- if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for m in messages %}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"""

# As zephyr's: roles that it does not know are passed over in silence.
SILENT = """{%- for m in messages %}
{%- if m.role == 'user' %}{{ '<|user|>\n' + m.content + eos_token + '\n' }}
{%- elif m.role == 'assistant' %}{{ '<|assistant|>\n' + m.content + eos_token + '\n' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"""

# As Phi's: the end of text comes once, after all turns.
ONCE = """{%- for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"""

# As Qwen3's: the last answer comes with a thought, earlier ones lose it.
THINKING = """{%- for m in messages %}
{%- if m.role == 'assistant' and loop.last %}{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' + m.content + '<|im_end|>\n' }}
{%- else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

STYLES = {"chatml, marked": CHATML_MARKED, "chatml": CHATML, "inst": INST, "strict": STRICT}

TEXTS = ["How much is item? Item costs euro and a bit. yes", "Quanto costa? Costa euro. sì"]
HOSTILE = "  caffè\t\u00a0e\u0301 🧵👩‍👩‍👧 <|im_end|> </s> {{ messages }}\r\n\n  x\u200b\u0000 ﷽\u202e "


def bytes_tokenizer(trim: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level pairs as of GPT-2 and Llama 3; `trim` leaves spaces out of what a token says to cover."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if trim:
        inner.post_processor = processors.ByteLevel(trim_offsets=True)
    return _ready(inner, trainers.BpeTrainer, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def pieces_tokenizer() -> PreTrainedTokenizerFast:
    """Pairs with spaces as letters and bytes for what is unknown, as of Llama 2 and Mistral; a mark before the first word."""
    inner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return _ready(inner, trainers.BpeTrainer, initial_alphabet=["▁", "\n"])


def words_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, with one token for all others: most of a text is lost in it."""
    inner = Tokenizer(models.WordLevel(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return _ready(inner, trainers.WordLevelTrainer)


def _ready(inner: Tokenizer, trainer: Any, **options: Any) -> PreTrainedTokenizerFast:
    size = {"vocab_size": 600} if trainer is trainers.BpeTrainer else {}
    special = ["<unk>", "<s>", "<pad>", "</s>"]
    inner.train_from_iterator(TEXTS * 20, trainer(special_tokens=special, show_progress=False, **size, **options))
    made = json.loads(inner.to_str())
    if made["model"].get("byte_fallback"):
        made["model"]["vocab"] |= {f"<0x{number:02X}>": len(made["model"]["vocab"]) + number for number in range(256)}
    words = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(made)), bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    words.add_special_tokens({"additional_special_tokens": SIGNS})
    return words


KINDS = {
    "bytes": bytes_tokenizer,
    "bytes, trimmed": lambda: bytes_tokenizer(trim=True),
    "pieces": pieces_tokenizer,
    "words": words_tokenizer,
}


def said(*words: str) -> list[dict[str, Any]]:
    """A conversation: question, answer, question, answer."""
    return [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(words)]


def weighed(*turns: tuple[str, str, int | None]) -> list[dict[str, Any]]:
    """A conversation: question, answer, and the weight of the answer."""
    pairs = [(said(question, answer), weight) for question, answer, weight in turns]
    return [turn for (asked, told), weight in pairs for turn in (asked, told if weight is None else {**told, "weight": weight})]


SYSTEM = {"role": "system", "content": "Be brief."}
PRICE = {"type": "function", "function": {"name": "price", "description": "Of an item", "parameters": {"type": "object", "properties": {}}}}
CALLED = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "price", "arguments": {"x": "caffè"}}}],
}

SHAPES: dict[str, dict[str, Any]] = {
    "conversation": {"messages": said("How much?", "È 5 €, caffè incluso 🧵.")},
    "system": {"messages": [SYSTEM, *said("How much?", "yes")]},
    "turns": {"messages": [SYSTEM, *said("How much?", "Five.", "And two?", "Ten.", "Bye", "See you")]},
    "marked": {
        "messages": [SYSTEM, *weighed(("How much?", "Six.", 0), ("Sure?", "Five.", 1), ("Bye", "Ciao", 0), ("Bye", "See you", None))]
    },
    "tools": {
        "messages": [*said("How much?"), CALLED, {"role": "tool", "name": "price", "content": '{"euro": 5}'}, *said("", "Five.")[1:]],
        "tools": [PRICE],
    },
    "text": {"text": "C'era una volta un caffè. " * 30},
}
