"""A file read by several processes at once is read as by one, to the byte, whatever stands where it is divided."""

import json
import pathlib
import random
from collections.abc import Callable, Iterator

import pytest

from tuning.data import child, parallel
from tuning.data.formats.content import KnownQuestions
from tuning.data.ingest import ReadingOptions, ingest
from tuning.errors import InputError
from tuning.sandbox import run
from tuning.sandbox.limits import Limits
from tuning.schema import LOCAL, DataSpec

Write = Callable[..., pathlib.Path]  # the fixture


def lines(seed: int, count: int) -> str:
    """Rows good and bad, long and short, blank lines, repeats, and no end of line at the end."""
    dice = random.Random(seed)
    made = ['{"question": "?", "answer": "!"}']
    for number in range(count):
        answer = dice.choice(["sì", "no", "x" * dice.randrange(2000), "perché no?", "Ã¨ vero", "scrivi a anna@example.it", f"{number}"])
        good = json.dumps({"question": f"{dice.randrange(count)}?", "answer": answer}, ensure_ascii=dice.random() < 0.5)
        twice = '{"question": "a", "answer": "b", "answer": "c"}'
        made.append(dice.choice([good] * 12 + ["", '{"question": "", "answer": "x"}', "{", twice, '{"question": "1", "answer": 1.50}']))
    return "\n".join(made)


@pytest.fixture
def readings(tmp_path: pathlib.Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[object, ...]]]:
    """What one process makes of a content, and what several make of it."""

    def readings(content: str, processes: int, limits: Limits) -> list[tuple[object, ...]]:
        made = []
        for count in (1, processes):
            monkeypatch.setattr(parallel, "processes", lambda size, count=count: count)
            out, index = tmp_path / f"rows-{count}", tmp_path / f"index-{count}"
            reading, findings = child.read(child.Task([write(content)], out, index), limits, KnownQuestions([1, 2, 3]))
            made.append((out.read_bytes(), index.read_bytes(), vars(reading), findings.characters))
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            {"upload", "rows-1", "index-1", f"rows-{processes}", f"index-{processes}"}
        )
        return made

    return readings


@pytest.mark.parametrize("processes", [2, 3, 7])
@pytest.mark.parametrize("count", [3, 40, 3000])
def test_several_read_as_one(readings: Callable[..., list[tuple[object, ...]]], processes: int, count: int) -> None:
    alone, abreast_ = readings(
        lines(count * processes, count) + '\n{"question": "a", "answer": "b"}', processes, Limits(line=1500, refused=50)
    )
    assert alone == abreast_


def test_a_line_without_an_end_is_no_trouble(readings: Callable[..., list[tuple[object, ...]]]) -> None:
    good = '{"question": "a", "answer": "b"}\n'
    for content in (good * 3 + "x" * 50_000, good + '{"question": "' + "é" * 30_000 + '", "answer": "b"}\n' + good):
        alone, abreast_ = readings(content, 4, Limits(line=1000))
        assert alone == abreast_


@pytest.fixture
def large(write: Write) -> Iterator[pathlib.Path]:
    """As large as it takes for several processes, where there are several cores."""
    row = json.dumps({"question": "a" * 100, "answer": "b" * 900}) + "\n"
    yield write(row * (parallel.LARGE // len(row) + 1000))


def test_the_child_of_a_large_file_is_stopped_with_all_that_it_forked(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    import psutil

    seen: set[int] = set()

    def watch(share: float) -> None:
        seen.update(process.pid for process in psutil.Process().children(recursive=True))
        if share > 0.1:
            raise InputError("data.stopped")

    with pytest.raises(InputError, match=r"data\.stopped"):
        ingest(tmp_path / "home", LOCAL, [large], ReadingOptions(name="x"), watch=watch)
    assert seen
    gone, alive = psutil.wait_procs([psutil.Process(pid) for pid in seen if psutil.pid_exists(pid)], timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], gone
    assert list((tmp_path / "home" / "data").iterdir()) == []


def test_a_large_file_that_unfolds_to_too_much(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"data\.output"):
        sandbox_limits = Limits(output_bytes=2**20)
        child.read(child.Task([large], tmp_path / "rows"), sandbox_limits)


def test_a_large_file_becomes_data(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    shares: list[float] = []
    spec: DataSpec = ingest(tmp_path / "home", LOCAL, [large], ReadingOptions(name="x"), watch=shares.append)
    assert spec.rows_kept == spec.rows_read == large.read_bytes().count(b"\n")
    assert shares == sorted(shares) and run.progress(tmp_path) == 0.0
    assert sorted(path.name for path in (tmp_path / "home" / "data" / spec.id).iterdir()) == ["rows.index", "rows.jsonl", "spec.json"]
