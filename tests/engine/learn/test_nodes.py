"""One training on two machines by the two lines that are printed: here both are this one, each with one process."""

import os
import pathlib
import shlex
import subprocess

import pytest

from tests.conftest import ROOT
from tests.engine import several_cards
from tests.engine.conftest import FAST, Undisturbed, losses
from tests.engine.learn.test_ranks import EXACT, settings_of
from tuning.cli.main import main
from tuning.schema import LOCAL
from tuning.studio import Studio


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    """The lines, each as words."""
    assert main([*words, "--nodes", "2", "--lang", "en"]) == 0
    return [shlex.split(line) for line in capsys.readouterr().out.splitlines()]


def both(lines: list[list[str]], env: dict[str, str]) -> list[tuple[int, str]]:
    """Exit code and words of each."""
    begun = [subprocess.Popen(line, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for line in lines]
    said = [one.communicate(timeout=600)[0] for one in begun]
    return [(one.returncode, words) for one, words in zip(begun, said, strict=True)]


def test_a_line_for_each_machine_says_what_was_asked_and_where_the_first_one_is(
    capsys: pytest.CaptureFixture[str], home: pathlib.Path
) -> None:
    first, second = printed(capsys, "train", "-m", "starter", "--name", "two words", "--set", "lora_r=4")
    assert first[: first.index("--node_rank")] == second[: second.index("--node_rank")] and len(first) == len(second)
    assert [line[line.index("--node_rank") + 1] for line in (first, second)] == ["0", "1"]
    asked = ["-m", "starter", "--name", "two words", "--set", "lora_r=4", "--lang", "en"]
    assert first[first.index("-m", 3) :] == ["-m", "tuning", "--home", str(home), "train", *asked]
    for wrong in (["--nodes", "1"], ["--nodes=2", "--rent", "l4x1"]):
        assert main(["train", *wrong, "--lang", "en"]) == 2 and "--nodes" in capsys.readouterr().err


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["processor", "card"])
def test_two_launchers_train_one_run_by_the_two_lines(
    undisturbed: Undisturbed,
    studio: Studio,
    tiny_model: pathlib.Path,
    rows_file: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    changes = EXACT if kind == "processor" else {**FAST, "per_device_train_batch_size": 2}
    asked = settings_of({**changes, "max_steps": 5, "gradient_accumulation_steps": 2, "early_stopping_patience": 0})
    lines = printed(capsys, "train", "-m", str(tiny_model), "-d", str(rows_file), *asked)
    ended = both(lines, several_cards.environment(tmp_path, 1) if kind == "card" else dict(os.environ))
    assert [code for code, _ in ended] == [0, 0], "\n\n".join(words[-3000:] for _, words in ended)
    (run,) = studio.shared.store.all(LOCAL)
    assert run.spec().processes == 2 and run.state().status == "finished" and run.adapter_fault() is None
    assert run.spec().settings.on_card is (kind == "card") and len(losses(run)) == 5
    if kind == "processor":
        whole = undisturbed(**{**changes, "max_steps": 5, "early_stopping_patience": 0}, gradient_accumulation_steps=4)
        assert losses(run) == pytest.approx(losses(whole), abs=1e-4)
