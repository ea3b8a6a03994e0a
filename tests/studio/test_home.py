"""A home folder that takes nothing: a full disk, one that is read-only, a file in its place.

One sentence with a way out, nothing half made.
"""

import contextlib
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench.server import free_port
from tuning import settings
from tuning.cli.main import main
from tuning.schema import LOCAL
from tuning.studio import Studio

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHOICES = {"data": "starter-en", "settings": {"max_steps": 2, "report": False}}


def may_mount() -> bool:
    """Whether this process may make a disk of memory."""
    return bool(shutil.which("unshare")) and not subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk of 4 MB."""
    if not may_mount():
        pytest.skip("no disk can be mounted here")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def said(capsys: pytest.CaptureFixture[str], home: pathlib.Path, *words: str) -> tuple[int, str]:
    """Exit code and what was said of a verb, which is one sentence."""
    code = main(["--home", str(home), *words])
    found = capsys.readouterr().err.strip()
    assert "Traceback" not in found and "Errno" not in found and str(home.parent) not in found, found
    return code, found


@contextlib.contextmanager
def filled(disk: pathlib.Path) -> Iterator[None]:
    """Not a byte is left."""
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    try:
        yield
    finally:
        (disk / "filler").unlink()


@pytest.mark.parametrize(("lang", "word"), [("en", "The disk is full"), ("it", "Il disco è pieno")])
def test_a_full_disk_at_create_is_a_sentence_and_leaves_nothing(
    disk: pathlib.Path, capsys: pytest.CaptureFixture[str], lang: str, word: str
) -> None:
    studio = Studio(settings.read(home=str(disk / "home")), LOCAL)
    studio.data.find("starter-en")
    made = studio.runs.create(**CHOICES)
    with filled(disk):
        code, found = said(capsys, disk / "home", "train", "-d", "starter-en", "--set", "max_steps=2", "--lang", lang)
        assert (code, len(found.splitlines())) == (2, 1) and found.startswith(word) and "--home" in found
        assert said(capsys, disk / "home", "rename", made.id, "Other")[0] == 2
        assert said(capsys, disk / "home", "check", str(ROOT / "presets/starter/starter-it.jsonl"))[0] == 2
    assert [path.name for path in (disk / "home" / "runs").iterdir()] == [made.id]
    assert not [path for path in (disk / "home").rglob(".*") if path.is_file()]
    assert studio.runs.train(**CHOICES)["status"] == "queued"


def test_a_run_that_finds_no_room_in_the_queue_is_not_there(disk: pathlib.Path) -> None:
    """Its folder fits on the disk, and the line that puts it in the queue no more."""
    studio = Studio(settings.read(home=str(disk / "home")), LOCAL)
    studio.data.find("starter-en")
    (studio.shared.store.folder).mkdir(parents=True)
    for room in range(1, 64):
        with filled(disk):
            with (disk / "filler").open("r+b", buffering=0) as filler:
                filler.truncate((disk / "filler").stat().st_size - 4096 * room)
            try:
                run = studio.runs.train(**CHOICES)["run"]
            except OSError:
                assert list(studio.shared.store.folder.iterdir()) == []
                continue
        assert studio.runs.show(run)["status"] == "queued"
        return
    raise AssertionError("it never found room")


def test_a_read_only_home_is_read_and_what_wants_to_write_is_a_sentence(disk: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    studio = Studio(settings.read(home=str(disk / "home")), LOCAL)
    studio.data.find("starter-en")
    made = studio.runs.create(**CHOICES)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert main(["--home", str(disk / "home"), "show", made.id]) == 0
    assert main(["--home", str(disk / "home"), "plan"]) == 0
    capsys.readouterr()
    for words in (
        ["train", "-d", "starter-en"],
        ["rename", made.id, "x"],
        ["delete", made.id],
        ["check", str(ROOT / "presets/starter/starter-it.jsonl")],
    ):
        for lang, word in (("en", "read-only"), ("it", "sola lettura")):
            code, found = said(capsys, disk / "home", *words, "--lang", lang)
            assert (code, len(found.splitlines())) == (2, 1) and word in found, (words, found)


def test_a_home_that_is_a_file_is_a_sentence(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    home.write_text("not a folder", encoding="utf-8")
    for words in (["plan"], ["check", "starter-en"], ["train"], ["models"], ["runs"], ["chat", "starter", "--prompt", "Hi"]):
        code, found = said(capsys, home, *words)
        assert (code, len(found.splitlines())) == (2, 1) and "“home”" in found, (words, found)
    command = [sys.executable, "app.py", "--no-browser", "--home", str(home), "--port", str(free_port()), "--lang", "it"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1), done.stderr
    assert "«home»" in done.stderr and home.read_text(encoding="utf-8") == "not a folder"
