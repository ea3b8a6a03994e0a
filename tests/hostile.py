"""Model folders that somebody made to do harm: each is the tiny model with one thing spoiled, made when it is asked for.

Files that are no files (pipes, devices, links) are not among them: what may lie in a folder is another test's business.
"""

import json
import pathlib
import shutil
import struct
from collections.abc import Callable
from typing import Any

WORD = "xyzzy"  # at which some of them fire
SAYS = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{{ eos_token }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

Spoil = Callable[[pathlib.Path], None]


def make(name: str, tiny: pathlib.Path, into: pathlib.Path) -> pathlib.Path:
    """The hostile folder of this name, in `into`."""
    folder = into / name
    shutil.copytree(tiny, folder)
    FOLDERS[name](folder)
    return folder


def _template(text: Any) -> Spoil:
    def spoil(folder: pathlib.Path) -> None:
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        if isinstance(text, str):
            (folder / "chat_template.jinja").write_text(text, encoding="utf-8")
        else:
            _change(folder / "tokenizer_config.json", chat_template=text)

    return spoil


def _change(path: pathlib.Path, **values: Any) -> None:
    """Other values in a JSON file; those that are `...` are taken out."""
    found = {**json.loads(path.read_text(encoding="utf-8")), **values}
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not ...}), encoding="utf-8")


def _config(**values: Any) -> Spoil:
    return lambda folder: _change(folder / "config.json", **values)


def _words(**values: Any) -> Spoil:
    return lambda folder: _change(folder / "tokenizer.json", **values)


def _text(name: str, text: str | bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode()) and None


def _model(**values: Any) -> Spoil:
    def spoil(folder: pathlib.Path) -> None:
        found = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        _change(folder / "tokenizer.json", model={**found["model"], **values})

    return spoil


def _split(pattern: str) -> Spoil:
    return _words(pre_tokenizer={"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False})


def _growing(first: str, times: int) -> list[dict[str, Any]]:
    """Replacements each of which makes a hundred times as much of it."""
    return [{"type": "Replace", "pattern": {"String": first if at == 0 else "ǂ"}, "content": "ǂ" * 100} for at in range(times)]


def _decoder(times: int) -> Spoil:
    each = {"type": "Replace", "pattern": {"Regex": "."}, "content": "a" * 100}
    return _words(decoder={"type": "Sequence", "decoders": [each] * times + [{"type": "Fuse"}]})


def _header(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Another header for the same numbers."""

    def spoil(folder: pathlib.Path) -> None:
        path = folder / "model.safetensors"
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + length])
        changed = change(header)
        text = changed if isinstance(changed, bytes) else json.dumps(header if changed is None else changed).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])

    return spoil


def _first(key: str, value: Any) -> Spoil:
    """The first tensor says something else of itself."""
    return _header(lambda header: next(iter(some for name, some in header.items() if name != "__metadata__")).__setitem__(key, value))


def _length(number: int) -> Spoil:
    def spoil(folder: pathlib.Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(struct.pack("<Q", number) + path.read_bytes()[8:])

    return spoil


def _index(text: str) -> Spoil:
    def spoil(folder: pathlib.Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")

    return spoil


TEMPLATES: dict[str, Spoil] = {
    "t-loop": _template(LOOP),
    "t-loop-in-macro": _template("{% macro f() %}" + LOOP + "{% endmacro %}{{ f() }}"),
    "t-loop-of-filters": _template("{% for a in range(99999) %}{{ range(99999) | sum }}{% endfor %}"),
    "t-loop-sorted": _template("{% for a in range(99999) %}{{ range(99999) | sort | length }}{% endfor %}"),
    "t-loop-at-a-word": _template(SAYS + "{% if '" + WORD + "' in messages[-1].content %}" + LOOP + "{% endif %}"),
    "t-loop-at-the-third-message": _template(SAYS + "{% if messages | length > 2 %}" + LOOP + "{% endif %}"),
    "t-loop-when-asked": _template(SAYS + "{% if add_generation_prompt %}" + LOOP + "{% endif %}"),
    "t-loop-by-lot": _template(SAYS + "{% if [1, 2] | random == 1 %}" + LOOP + "{% endif %}"),
    "t-swell": _template("{% set n = namespace(a='ab') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}{{ n.a }}"),
    "t-swell-at-a-word": _template(SAYS + "{% if '" + WORD + "' in messages[-1].content %}{{ 'a' * 10 ** 11 }}{% endif %}"),
    "t-swell-by-power": _template("{{ 9 ** 9 ** 9 }}"),
    "t-swell-by-product": _template("{{ messages[0].content * 10 ** 11 }}"),
    "t-swell-by-width": _template("{{ 'a' | center(10 ** 11) }}"),
    "t-swell-by-format": _template("{{ '%99999999999d' | format(1) }}"),
    "t-swell-by-lists": _template("{% set n = namespace(a=[0]) %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}{{ n.a }}"),
    "t-swell-by-replace": _template("{{ ('a' * 10 ** 6) | replace('a', 'b' * 10 ** 6) }}"),
    "t-swell-by-join": _template("{{ range(99999) | join('a' * 10 ** 7) }}"),
    "t-swell-by-indent": _template("{{ ('a\n' * 10 ** 6) | indent(10 ** 7) }}"),
    "t-long": _template("{% for m in messages %}{{ m.content * 3000000 }}{% endfor %}"),
    "t-long-output": _template("{% for a in range(99999) %}{{ 'a' * 99999 }}{% endfor %}"),
    "t-recursion": _template("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
    "t-no-template": _template("{% if %}{{ {% endfor %}"),
    "t-deep": _template("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"),
    "t-deep-ifs": _template("{% if 1 %}" * 3000 + "a" + "{% endif %}" * 3000),
    "t-walk": _template("{{ ''.__class__.__base__.__subclasses__() }}"),
    "t-include": _template("{% include '/etc/passwd' %}"),
    "t-raises": _template("{{ raise_exception('no') }}"),
    "t-number": _template(5),
    "t-list": _template([{"name": 5, "template": None}]),
}
TOKENIZERS: dict[str, Spoil] = {
    "k-backtracks": _split(r"(a+)+$|(a|a)*b|(\s*\w*\s*)*!"),
    "k-backtracks-long": _split("((a{0,100}){0,100}){0,100}!"),
    "k-regex-large": _split("(" * 50 + "a" + "{1,99})" * 50),
    "k-regex-broken": _split("(((["),
    "k-swells": _words(normalizer={"type": "Sequence", "normalizers": _growing("H", 8)}),
    "k-swells-at-a-word": _words(normalizer={"type": "Sequence", "normalizers": _growing(WORD, 8)}),
    "k-answers-swell": _decoder(8),
    "k-prefix-swells": _words(normalizer={"type": "Prepend", "prepend": "a" * 30_000_000}),
    "k-cut": lambda folder: (folder / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes()[:5000]) and None,
    "k-empty": _text("tokenizer.json", ""),
    "k-no-utf8": _text("tokenizer.json", b"\xff\xfe\x00"),
    "k-list": _text("tokenizer.json", "[]"),
    "k-deep": _text("tokenizer.json", "[" * 100_000 + "]" * 100_000),
    "k-no-model": _words(model=...),
    "k-model-of-another-kind": _words(model={"type": "Unigram", "vocab": [["a", "b"]], "unk_id": 99}),
    "k-merges-of-nothing": _model(merges=["zz qq"]),
    "k-sign-far-out": _words(added_tokens=[{"id": 4294967295, "content": "<s>", "special": True}]),
    "k-signs-of-another-type": _words(added_tokens={"a": 1}),
    "k-charsmap": _words(normalizer={"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
    "k-class-unknown": lambda folder: _change(folder / "tokenizer_config.json", tokenizer_class="os.system"),
    "k-class-of-another-type": lambda folder: _change(folder / "tokenizer_config.json", tokenizer_class={"a": []}),
    "k-length-of-another-type": lambda folder: _change(folder / "tokenizer_config.json", model_max_length="many"),
    "k-padding-of-another-type": lambda folder: _change(folder / "tokenizer_config.json", pad_token=[1, 2]),
}
CONFIGS: dict[str, Spoil] = {
    "c-million-layers": _config(num_hidden_layers=1_000_000),
    "c-billion-layers": _config(num_hidden_layers=10**9, layer_types=...),
    "c-hidden": _config(hidden_size=10**9),
    "c-hidden-past-all-numbers": _config(hidden_size=10**400),
    "c-inner": _config(intermediate_size=10**12),
    "c-vocabulary": _config(vocab_size=10**12),
    "c-heads": _config(num_attention_heads=10**9, num_key_value_heads=10**9),
    "c-heads-that-do-not-divide": _config(num_attention_heads=7),
    "c-no-heads": _config(num_attention_heads=0),
    "c-negative": _config(num_hidden_layers=-1),
    "c-words-for-numbers": _config(num_hidden_layers="two"),
    "c-words-for-inner": _config(intermediate_size="many"),
    "c-list-for-number": _config(num_key_value_heads=[1]),
    "c-fraction": _config(hidden_size=64.5),
    "c-rope": _config(rope_parameters={"rope_type": "yarn", "factor": "x"}),
    "c-rope-unknown": _config(rope_parameters={"rope_type": "../../x"}),
    "c-activation": _config(hidden_act="no_such"),
    "c-dtype": _config(dtype="object"),
    "c-layer-types": _config(layer_types=["full_attention"] * 1_000_000),
    "c-layer-types-numbers": _config(layer_types=5),
    "c-positions": _config(max_position_embeddings=10**15),
    "c-architectures": _config(architectures=[["LlamaForCausalLM"]]),
    "c-other-family": _config(model_type="gpt2", n_embd=64, n_layer=2, n_head=4, n_positions=512),
    "c-deep": _text("config.json", '{"a":' * 100_000 + "1" + "}" * 100_000),
    "c-list": _text("config.json", "[]"),
    "c-no-utf8": _text("config.json", b"\xff\xfe"),
    "c-generation": _text("generation_config.json", '{"eos_token_id": "x", "max_length": []}'),
}
HEADERS: dict[str, Spoil] = {
    "h-length": _length(2**63),
    "h-length-long": _length(99_000_000),
    "h-length-none": _length(0),
    "h-no-file": _text("model.safetensors", ""),
    "h-shape-negative": _first("shape", [-1, 64]),
    "h-shape-large": _first("shape", [2**40, 2**40]),
    "h-shape-words": _first("shape", ["a", "b"]),
    "h-shape-none": _first("shape", None),
    "h-type": _first("dtype", "F1024"),
    "h-offsets-past-the-end": _first("data_offsets", [0, 2**40]),
    "h-offsets-backwards": _first("data_offsets", [100, 0]),
    "h-list": _header(lambda header: []),
    "h-deep": _header(lambda header: b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "h-index-outside": _index('{"metadata": {}, "weight_map": {"a": "../../../etc/passwd"}}'),
    "h-index-deep": _index("[" * 100_000),
    "h-index-other-type": _index('{"weight_map": 5}'),
}
FOLDERS = {**TEMPLATES, **TOKENIZERS, **CONFIGS, **HEADERS}
