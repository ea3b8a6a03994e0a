"""Conversations that are kept, and how a run or a model answers when nobody says otherwise."""

import json
import pathlib
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from tuning.errors import TuningError
from tuning.runs import locks
from tuning.runs.contents import AnswerSettings, KeptProof, KeptTurn
from tuning.schema import LOCAL, Message, RunState
from tuning.studio import Studio, quotas

SAID = [Message(role="user", content="Are you *open*?\nOr not?"), Message(role="assistant", content="Yes, <b>always</b>.")]


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(TuningError) as caught:
        work()
    return caught.value.code


def test_a_conversation_is_found_again_renamed_taken_and_deleted(studio: Studio) -> None:
    first = studio.chats.save(None, "starter", SAID).id
    second = studio.chats.save(None, "starter", [*SAID, SAID[0]]).id
    assert studio.chats.save(first, "starter", [*SAID, *SAID], SAID).id == first
    again = Studio(studio.settings, LOCAL).chats
    assert [chat.id for chat in again.list()] == [first, second]
    assert again.get(first).name == "Are you *open*? Or not?"
    assert [turn.content for turn in again.get(first).beside] == [turn.content for turn in SAID]
    again.rename(first, " Opening\nhours ")
    assert refusal(lambda: again.rename(first, " ")) == "chat.no_name"
    name, row = again.export(second, "jsonl", "en")
    assert name.endswith(".jsonl") and json.loads(row)["messages"] == [turn.model_dump(exclude_none=True) for turn in SAID]
    name, text = again.export(first, "md", "it")
    assert name == "opening-hours.md" and text.startswith("# Opening hours\n\n## Tu\n\nAre you *open*?\nOr not?\n\n## Risposta\n\n")
    assert studio.data.check(str(_put(studio, row)))["rows_kept"] == 1, "it is a row to learn from"
    again.delete(first)
    assert [chat.id for chat in studio.chats.list()] == [second]
    for id in (first, "../../secret", "x" * 16):
        assert refusal(lambda id=id: again.get(id)) == "chat.unknown"  # type: ignore[misc]
    assert again.save(first, "starter", SAID).id != first, "it was deleted in another window"


def test_a_conversation_that_another_window_has_gone_on_with_is_kept_beside_it(studio: Studio) -> None:
    first = studio.chats.save(None, "starter", SAID)
    later = studio.chats.save(first.id, "starter", [*SAID, *SAID], seen=first.updated)
    studio.chats.rename(first.id, "Another name")
    aside = studio.chats.save(first.id, "starter", [*SAID, SAID[0]], seen=first.updated)
    assert later.id == first.id != aside.id and len(studio.chats.get(first.id).turns) == 4 and len(studio.chats.get(aside.id).turns) == 3
    again = studio.chats.save(first.id, "starter", [*SAID, *SAID, SAID[0]], seen=0.0)
    assert again.id == first.id, "nothing is lost where all that was said stands at its beginning"
    assert studio.chats.save(first.id, "starter", SAID, seen=again.updated).id == first.id, "a name is no turn"


def test_each_answer_keeps_its_proof_as_long_as_its_words(studio: Studio) -> None:
    sure, dead = KeptProof(kind="sure", name="Shop", distance=0.25), KeptProof(kind="dead", name="Shop", distance=0.0)
    id = studio.chats.save(None, "starter", [SAID[0], KeptTurn(**dict(SAID[1]), proof=sure)]).id
    studio.chats.save(id, "starter", [*SAID, SAID[0], KeptTurn(**dict(SAID[1]), proof=dead)], [*SAID[:1], KeptTurn(**dict(SAID[1]))])

    def proofs() -> list[KeptProof | None]:
        return [turn.proof for turn in studio.chats.get(id).turns]

    assert proofs() == [None, sure, None, dead] and studio.chats.get(id).beside[1].proof is None
    studio.chats.save(id, "starter", [*SAID, *SAID])
    assert proofs() == [None, sure, None, dead], "said again in its place"
    better = Message(role="assistant", content="Yes, always, but on Mondays.")
    studio.chats.save(id, "starter", [SAID[0], better, *SAID])
    assert proofs() == [None, None, None, dead], "these are somebody's own words"
    studio.chats.save(id, "starter", [*SAID, SAID[0], KeptTurn(**dict(SAID[1]))])
    assert proofs() == [None] * 4, "the same words, by whom is not known"
    assert "proof" not in studio.chats.export(id, "jsonl", "en")[1]


def _put(studio: Studio, row: str) -> pathlib.Path:
    path = studio.settings.home / "said.jsonl"
    path.write_text(row, encoding="utf-8")
    return path


def test_a_conversation_is_its_owner_s(house: Studio) -> None:
    anna, bruno = house.for_owner("anna"), house.for_owner("bruno")
    mine = anna.chats.save(None, "starter", SAID).id
    anna.chats.set("starter", AnswerSettings(temperature=1.0))
    assert not bruno.chats.list() and not house.chats.list() and bruno.chats.settings("starter") == AnswerSettings()
    for verb in (
        bruno.chats.get,
        bruno.chats.delete,
        lambda id: bruno.chats.export(id, "md", "en"),
        lambda id: bruno.chats.rename(id, "x"),
    ):
        assert refusal(lambda verb=verb: verb(mine)) == "chat.unknown"  # type: ignore[misc]
    theirs = bruno.chats.save(mine, "starter", SAID).id
    assert theirs != mine and len(anna.chats.list()) == len(bruno.chats.list()) == 1
    copy = next((house.settings.home / "chats").glob(f"*/{mine}.json"))
    (house.settings.home / "chats" / next((house.settings.home / "chats").glob(f"*/{theirs}.json")).parent.name / copy.name).write_bytes(
        copy.read_bytes()
    )
    assert refusal(lambda: bruno.chats.get(mine)) == "chat.unknown", "whose it is stands in it, too"


def test_conversations_count_where_room_is_bounded(house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = house.for_owner("anna")
    monkeypatch.setattr(quotas, "VISITORS", replace(quotas.VISITORS, storage_bytes=5000))
    anna.chats.save(None, "starter", [Message(role="user", content="x" * 6000)])
    assert refusal(lambda: anna.chats.save(None, "starter", SAID)) == "quota.storage"
    house.chats.save(None, "starter", SAID)


def test_a_spoiled_file_hides_no_other(studio: Studio) -> None:
    kept = studio.chats.save(None, "starter", SAID).id
    studio.chats.set("starter", AnswerSettings(temperature=1.0))
    folder = next((studio.settings.home / "chats").iterdir())
    (folder / f"{'0' * 16}.json").write_text("{", encoding="utf-8")
    (folder / f"{'1' * 16}.json").mkdir()
    assert [chat.id for chat in studio.chats.list()] == [kept]
    (folder / "settings.json").write_text('{"owner": 1}', encoding="utf-8")
    assert studio.chats.settings("starter") == AnswerSettings()
    studio.chats.set("starter", AnswerSettings(seed=3))
    assert studio.chats.settings("starter").seed == 3


ONE, TWO, THREE = (
    {"role": "user", "content": "How much?"},
    {"role": "assistant", "content": "Three."},
    {"role": "system", "content": "Bake."},
)


@pytest.mark.parametrize(
    ("rows", "single", "system"),
    [
        ([[ONE, TWO]] * 9, True, ""),
        ([[THREE, ONE, TWO]] * 9, True, "Bake."),
        ([[ONE, TWO]] * 8 + [[ONE, TWO, ONE, TWO]], False, ""),
    ],
    ids=["single questions", "with a system text", "conversations"],
)
def test_the_rows_of_a_run_say_how_it_is_asked(
    studio: Studio, tiny_model: pathlib.Path, tmp_path: pathlib.Path, rows: list[list[dict[str, str]]], single: bool, system: str
) -> None:
    path = tmp_path / "rows.json"
    told = [{"messages": [*turns[:-1], {**turns[-1], "content": f"{number}."}]} for number, turns in enumerate(rows)]
    path.write_text(json.dumps(told), encoding="utf-8")
    run = studio.runs.create(str(tiny_model), str(path), "facts")
    lock = locks.Lock(run.lock_path)
    assert lock.acquire()
    run.write_state(RunState(status="running"))
    habits = studio.answering.habits(run.id)
    lock.release()
    assert (habits.single, habits.taught, habits.settings.remember, habits.settings.system) == (single, True, not single, system)


OWN = (
    "{% if messages[0].role != 'system' %}<s>system: You are Tiny.\n</s>{% endif %}"
    "{% for m in messages %}{{ '<s>' + m.role + ': ' + m.content + '\n</s>' }}{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


@pytest.mark.parametrize(
    ("template", "said"),
    [(OWN, "You are Tiny."), (OWN.replace("{% if messages[0].role != 'system' %}", "{% if false %}"), ""), ("{{ raise('no') }}", "")],
    ids=["its own", "none", "broken"],
)
def test_what_a_template_puts_in_by_itself_is_told(
    studio: Studio, tiny_model: pathlib.Path, tmp_path: pathlib.Path, template: str, said: str
) -> None:
    folder = pathlib.Path(shutil.copytree(tiny_model, tmp_path / "spoken"))
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    (folder / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "temperature": 0.6, "top_p": 7, "max_new_tokens": "many"}), encoding="utf-8"
    )
    habits = studio.answering.habits(str(folder))
    assert habits.own_system == habits.settings.system == said
    assert (habits.settings.temperature, habits.settings.top_p, habits.settings.max_new_tokens) == (0.6, 1.0, 512)


def test_a_model_of_which_nothing_is_known_takes_the_likeliest_words(studio: Studio) -> None:
    habits = studio.answering.habits("starter")
    assert (habits.settings.temperature, habits.settings.remember, habits.taught) == (0.0, True, False)
