"""The audit shows what the trainer learns, spells every row out to the letter, and outlives any template."""

import json
import pathlib
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine import styles
from tests.engine.styles import HOSTILE, SHAPES, STYLES, SYSTEM, said
from tests.tiny import MARKED, tokenizer
from tests.tokens.test_labels import outside
from tuning.data.library import Library
from tuning.engine.kernels import packing
from tuning.engine.learn import callbacks
from tuning.engine.learn.healing import Ladder
from tuning.engine.learn.train import load_rows
from tuning.engine.learn.trainer import lora_config, make_trainer
from tuning.engine.resident import Resident
from tuning.errors import EngineError, TuningError
from tuning.presets import models
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.sandbox.limits import Limits
from tuning.schema import LOCAL, DataRef, DataSpec, Forecast, ModelRef, Notice, RunSpec, RunState, TrainSettings
from tuning.settings import PRESETS
from tuning.text import LANGUAGES, say
from tuning.tokens import labels
from tuning.tokens import look as looking
from tuning.tokens.audit import audit
from tuning.tokens.lengths import Audit, Lengths, Piece, parts
from tuning.tokens.look import AuditOptions, look
from tuning.tokens.template import Template

STARTER = PRESETS / "starter" / "model"


def write(path: pathlib.Path, rows: list[dict[str, Any]]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def shapes(number: int = 3) -> dict[str, list[dict[str, Any]]]:
    """Rows of every shape, numbered through."""
    count = 0
    made: dict[str, list[dict[str, Any]]] = {}
    for shape, row in SHAPES.items():
        made[shape] = [{"row": count + at + 1, **row} for at in range(number)]
        count += number
    return made


@pytest.fixture
def looked_at(tmp_path: pathlib.Path) -> Callable[..., Audit]:
    """The audit of some rows in this process."""

    def go(words: Any, rows: list[dict[str, Any]], most: int = 20_000, chosen: list[int] | None = None) -> Audit:
        return look(words, AuditOptions(str(write(tmp_path / "some.jsonl", rows)), chosen, most, 60.0))

    return go


class Trained:
    """What the trainer's collator hands to the model, of a tiny model with another tokenizer."""

    def __init__(self, home: pathlib.Path, tiny_model: pathlib.Path, words: Any) -> None:
        self.store, self.resident, self.home = Store(home), Resident(), home
        self.folder = home / "model"
        shutil.copytree(tiny_model, self.folder)
        words.save_pretrained(self.folder)
        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        (self.folder / "config.json").write_text(json.dumps(config | {"vocab_size": len(words)}), encoding="utf-8")
        self.resident.load(str(tiny_model), "cpu", "fp32")
        self.resident.tokenizer = labels.load(str(self.folder))
        self.card = models(PRESETS)["starter"]

    def labels(self, name: str, rows: list[dict[str, Any]], max_length: int) -> tuple[int, int]:
        """Learned tokens and all tokens of one pass."""
        write(self.home / "data" / name / "rows.jsonl", rows)
        data = DataSpec(owner=LOCAL, id=name, name=name, format="x", sha256="", rows_read=len(rows), rows_kept=len(rows), created=0.0)
        (self.home / "data" / name / "spec.json").write_text(data.model_dump_json(by_alias=True), encoding="utf-8")
        assert len(list(Library(self.home).rows(name, "local"))) == len(rows)
        run = self._run(name, len(rows), max_length)
        made = load_rows(run.spec(), self.store, self.resident)
        self.resident.fresh_adapter(run.id, lora_config(self.card, run.spec().settings))
        callback = callbacks.FolderCallback(
            callbacks.StateWriter(run, RunState(status="running")), callbacks.Throughput(), lambda: None, lambda: None
        )
        trainer = make_trainer(run, run.spec(), self.resident, made.train, callback, Ladder(run.spec().settings))
        batches = [
            packing.packed([trainer.rows[number] for number in some], trainer.args.device)[0] for some in trainer.get_train_dataloader()
        ]
        return sum(int((batch["labels"] != -100).sum()) for batch in batches), sum(batch["input_ids"].numel() for batch in batches)

    def _run(self, name: str, rows: int, max_length: int) -> Run:
        settings = TrainSettings(
            max_length=max_length, validation_share=0, per_device_train_batch_size=2, gradient_accumulation_steps=1, device="cpu",
            precision="fp32", learning_rate=1e-3, lora_r=2, gradient_checkpointing="none", quantization="none", packing=False,
        )  # fmt: skip
        forecast = Forecast(
            peak_bytes=0, parts={}, available_bytes=0, seconds=0, steps=1, fits=True, raw_peak_bytes=0, operations_per_token=0
        )
        return self.store.create(
            RunSpec(
                owner=LOCAL, id=self.store.new_id("m", name), name=name, created=time.time(),
                recipe="facts", settings=settings, forecast=forecast,
                model=ModelRef(id="starter", path=str(self.folder), card=self.card),
                data=DataRef(id=name, name=name, sha256="", train_rows=rows, validation_rows=0),
            )
        )  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_learned_tokens_are_those_that_the_trainer_counts(
    style: str, home: pathlib.Path, tiny_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    words = tokenizer(STYLES[style])
    words.add_special_tokens({"additional_special_tokens": styles.SIGNS})
    trained = Trained(home, tiny_model, words)
    rows = shapes()
    found = audit("tiny", str(trained.folder), write(tmp_path / "rows.jsonl", [row for some in rows.values() for row in some]))
    refused = {one.row: one.code for one in found.refused}
    assert refused == ({row["row"]: "tokens.tools" for row in rows["tools"]} if style == "strict" else {})
    for shape, some in rows.items():
        if shape == "tools" and style == "strict":
            continue
        numbers = {row["row"] for row in some}
        lengths = Lengths(Audit(rows=len(some), looked=[one for one in found.looked if one.row in numbers]))
        for max_length in (48, 4096):
            totals = lengths.totals(max_length)
            if lengths.blocked(max_length) is None:
                assert (totals.learned, totals.tokens) == trained.labels(f"{shape}-{max_length}", some, max_length), (shape, max_length)
            assert totals.learned or max_length == 48


def test_the_starter_is_shown_as_it_learns(tmp_path: pathlib.Path) -> None:
    rows = [{"row": at, "messages": [SYSTEM, *said("How much?", f"È {at} €.", "And two?", HOSTILE)]} for at in range(1, 31)]
    found = audit("starter", str(STARTER), write(tmp_path / "rows.jsonl", rows))
    words = labels.load(str(STARTER))
    for max_length in (30, 64, 512):
        encoded, totals = labels.encode_rows(words, rows, max_length)
        shown = Lengths(found).totals(max_length)
        assert (shown.tokens, shown.learned, shown.context, shown.cut) == (totals.tokens, totals.learned, totals.context, totals.cut)
        assert (shown.answers_cut, shown.rows_nothing) == (totals.rows_cut, totals.rows_empty)
        assert shown.tokens == sum(len(row["input_ids"]) for row in encoded)


@pytest.mark.parametrize("name", styles.KINDS)
@pytest.mark.parametrize("style", STYLES)
def test_the_pieces_of_a_row_are_its_text(name: str, style: str, looked_at: Callable[..., Audit]) -> None:
    words = styles.KINDS[name]()
    words.chat_template = STYLES[style]
    rows = [
        {"row": 1, "messages": said(HOSTILE, HOSTILE)},
        {"row": 2, "messages": [SYSTEM, *said("x", HOSTILE, HOSTILE, "")]},
        {"row": 3, **SHAPES["turns"]},
        {"row": 4, "text": HOSTILE},
    ]
    found = looked_at(words, rows)
    for row, shown, one in zip(rows, found.shown, found.looked, strict=True):
        text = "".join(piece.text for piece in shown.pieces)
        rendered = Template(words).render(row)
        assert text.encode() == (rendered.text + "</s>" * rendered.plain).encode()
        assert sum(piece.tokens for piece in shown.pieces) == one.length and shown.more == 0
        learned = sum(piece.tokens for piece in shown.pieces if piece.kind == "learned")
        assert learned == sum(end - start for start, end in one.learned)
        assert {piece.text for piece in shown.pieces if piece.special} <= {*styles.SIGNS, "<s>", "</s>", "<unk>"} or name == "words"


def test_characters_of_several_tokens_stay_whole_and_signs_are_seen(looked_at: Callable[..., Audit]) -> None:
    words = tokenizer(MARKED)
    shown = looked_at(words, [{"row": 1, "messages": said("x", "a🧵b")}]).shown[0]
    assert Piece(text="🧵", kind="learned", tokens=4) in shown.pieces
    assert [piece.text for piece in shown.pieces if piece.special] == ["<s>", "<end>"]
    at = next(at for at, piece in enumerate(shown.pieces) if piece.tokens == 4)
    fates = [fate for _, fate, _ in parts(shown, at + 2)]  # the cut goes through the character
    assert fates[at] == "cut" and set(fates[at:]) == {"cut"} and "cut" not in fates[:at]


def test_the_rows_that_lose_most_are_shown(looked_at: Callable[..., Audit]) -> None:
    rows = [{"row": at, "messages": said("x", "y")} for at in range(1, 101)]
    rows[56] = {"row": 57, "messages": said("x", "y " * 200)}
    rows[70] = {"row": 71, "messages": said("x " * 100, "y")}
    rows[80] = {"row": 81, "messages": [{"role": "user", "content": "nobody answers"}]}
    shown = [one.row for one in looked_at(tokenizer(), rows).shown]
    assert shown[:12] == list(range(1, 13)) and {57, 71, 81} <= set(shown) and len(shown) <= 12 + 3 * 6


def test_a_very_long_row_is_shown_in_part(looked_at: Callable[..., Audit]) -> None:
    shown = looked_at(tokenizer(), [{"row": 1, "messages": said("x", "\u4e2d" * looking.MOST_TOKENS)}]).shown[0]
    assert sum(piece.tokens for piece in shown.pieces) == looking.MOST_TOKENS < shown.more


def test_of_many_rows_an_even_sample_is_looked_at(looked_at: Callable[..., Audit]) -> None:
    rows = [{"row": at, "messages": said("x", "y")} for at in range(1, 1001)]
    found = looked_at(tokenizer(), rows, most=100)
    assert [one.row for one in found.looked] == list(range(1, 1001, 10))
    assert found.sampled == 100 and found.rows == 1000 and found.notices()[0].code == "audit.sampled"
    chosen = looked_at(tokenizer(), rows, chosen=[3, 5, 999])
    assert [one.row for one in chosen.looked] == [4, 6, 1000] and chosen.sampled is None


def test_what_was_done_to_rows_is_said(looked_at: Callable[..., Audit]) -> None:
    words = styles.bytes_tokenizer()
    words.chat_template = styles.STRICT
    rows = [{"row": 1, **SHAPES["turns"]}, {"row": 2, **SHAPES["tools"]}, {"row": 3, **SHAPES["conversation"]}]
    assert [(one.code, one.params.get("count")) for one in looked_at(words, rows).notices()] == [("audit.refused", 1), ("audit.merged", 1)]
    words.chat_template = styles.THINKING
    assert [one.code for one in looked_at(words, rows[:1]).notices()] == ["audit.rewritten"]


def test_what_a_tokenizer_has_no_token_for_is_said(looked_at: Callable[..., Audit]) -> None:
    words, bytes_ = styles.words_tokenizer(), styles.bytes_tokenizer()
    words.chat_template = bytes_.chat_template = MARKED.replace("U: ", "").replace("A: ", "")
    known = [{"row": 1, "messages": said("How much is item ?", "Item costs euro .")}]
    assert not looked_at(words, known).notices()
    odd = [
        {"row": row, "messages": said("How much is item ?", f"Item costs {price} .")} for row, price in ((2, "東京 🙂 東京"), (5, "zwölf"))
    ]
    assert not looked_at(bytes_, [*known, *odd]).notices()
    (notice,) = looked_at(words, [*known, *odd]).notices()
    assert notice == Notice(code="audit.unknown", level="warning", params={"count": 2, "rows": "2, 5", "words": "東京 🙂"})
    (notice,) = looked_at(words, odd[1:]).notices()
    assert "«zwölf» (riga 5)" in say("it", notice.code, notice.params)


def test_what_teaches_nothing_blocks_and_so_does_an_end_outside(looked_at: Callable[..., Audit]) -> None:
    rows = [{"row": at, "messages": said("very " * 40, "yes")} for at in (1, 2)]
    lengths = Lengths(looked_at(tokenizer(), rows))
    blocked = lengths.blocked(32)
    assert blocked is not None and (blocked.code, blocked.level, blocked.params["rows"]) == ("audit.nothing", "error", 2)
    assert lengths.blocked(512) is None
    blocked = Lengths(looked_at(tokenizer(outside()), rows)).blocked(512)
    assert blocked is not None and blocked.code == "audit.no_end"
    nobody = Lengths(looked_at(tokenizer("{{ raise_exception('no') }}"), rows)).blocked(512)
    assert nobody is not None and (nobody.code, nobody.params["said"]) == ("tokens.template_says", "no")


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "audit.slow"),
        ("{{ 9 ** 9 ** 9 }}", "tokens.template"),
        ("{% set a = 'a' * 2000000000 %}{{ a }}", "audit.memory"),
        ("{% set a = 'a' * messages | length * 2000000000 %}{{ a | length }}", "audit.memory"),
        ("{% for m in messages %}{{ m.content * 3000000 }}{% endfor %}", "tokens.long"),
        ("{{ messages.__class__.__mro__ }}{{ ''.__class__.__base__.__subclasses__() }}", "tokens.template"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "tokens.template"),
    ],
    ids=["loops", "power", "memory while it is read", "memory", "long", "a walk", "recursion"],
)
def test_no_template_outlives_its_child(template: str, code: str, tmp_path: pathlib.Path) -> None:
    words = tokenizer(MARKED)
    words.chat_template = template
    words.save_pretrained(tmp_path / "model")
    rows = write(tmp_path / "rows.jsonl", [{"row": 1, "messages": said("x", "y")}])
    try:
        found = audit("tiny", str(tmp_path / "model"), rows)
    except EngineError as error:
        assert (error.code, error.params["model"]) == (code, "tiny")
    else:
        blocked = Lengths(found).blocked(512)
        assert blocked is not None and blocked.code == code
        assert all(say(language, code, blocked.params) for language in LANGUAGES)


@pytest.mark.parametrize(
    ("written", "told"),
    [("{{ raise_exception('never ' ~ m.content) }}", "“never x”"), ("{{ 'x' * 3000000 }}", "more than 2,000,000 characters")],
)
def test_a_row_that_is_left_out_says_what_its_template_said(looked_at: Callable[..., Audit], written: str, told: str) -> None:
    words = tokenizer("{% for m in messages %}{% if m.content == 'x' %}" + written + "{% endif %}{% endfor %}" + MARKED)
    rows = [{"row": 1, "messages": said("fine", "yes")}, {"row": 2, "messages": said("x", "no")}]
    (notice,) = [one for one in looked_at(words, rows).notices() if one.code == "audit.refused"]
    for language in LANGUAGES:
        sentence = say(language, notice.code, notice.params)
        assert "(2)" in sentence and (language != "en" or told in sentence)


def test_a_slow_audit_ends_with_its_clock(tmp_path: pathlib.Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [{"row": 1, "messages": said("x", "y")}])
    with pytest.raises(EngineError) as caught:
        audit("starter", str(STARTER), rows, limits=Limits(seconds=0.05))
    assert caught.value.code == "audit.slow"


def test_broken_files_are_named(tmp_path: pathlib.Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [{"row": 1, "messages": said("x", "y")}])
    for name, text in (("a", None), ("b", "{"), ("c", '{"model": 3}')):
        folder = tmp_path / name
        folder.mkdir()
        if text is not None:
            shutil.copy(STARTER / "tokenizer_config.json", folder)
            (folder / "tokenizer.json").write_text(text, encoding="utf-8")
        with pytest.raises(TuningError) as caught:
            audit("broken", str(folder), rows)
        assert caught.value.code in ("model.cannot_load", "audit.crashed") and caught.value.params["model"] == "broken"


def test_it_tells_how_far_it_is_and_can_be_given_up(tmp_path: pathlib.Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [{"row": at, "messages": said("x " * 50, "y")} for at in range(1, 4001)])
    heard: list[float] = []
    found = audit("starter", str(STARTER), rows, watch=heard.append)
    assert len(found.looked) == 4000 and all(0 <= share <= 1 for share in heard) and heard == sorted(heard)

    def enough(share: float) -> None:
        raise EngineError("model.cannot_load", model="given up")

    with pytest.raises(EngineError, match="given up"):
        audit("starter", str(STARTER), rows, watch=enough)


def test_nothing_is_written_into_the_folder_where_somebody_stands(
    tmp_path: pathlib.Path, looked_at: Callable[..., Audit], monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = tmp_path / "standing"
    standing.mkdir()
    monkeypatch.chdir(standing)
    rows = [{"row": at, "messages": said("x", "y")} for at in range(1, 2 * labels.BATCH)]
    assert looked_at(labels.load(str(STARTER)), rows).rows == len(rows)
    assert not list(standing.iterdir())
