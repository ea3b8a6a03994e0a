"""Tiny random models for tests, built from their own config classes. Nothing is downloaded."""

import pathlib

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

MARKED = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}A: {% generation %}"
    "{{ message.content + eos_token }}{% endgeneration %}\n{% else %}U: {{ message.content }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}A: {% endif %}"
)
# The same conversation without markers, as most templates of the Hub are.
UNMARKED = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")


def tokenizer(template: str | None = MARKED) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of a few hundred entries that spells any text."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(["How much is item? Item costs euro and a bit.", "Quanto costa? Costa euro."] * 5, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", pad_token="<pad>", eos_token="<end>")
    made.chat_template = template
    return made


def build(folder: pathlib.Path) -> pathlib.Path:
    """Save a model and its tokenizer into `folder`."""
    set_seed(0)
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=words.bos_token_id,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
