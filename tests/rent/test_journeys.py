"""A run on a rented machine from the command line to the adapter at home, and every way in which it may end: the Hub is played here."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.hub.jobs_server import ME, TOKEN, Job, JobsServer
from tests.lots import lot
from tuning.cli.main import main
from tuning.forecast.duration import START_SECONDS
from tuning.rent import follow, lines, parcel, rented
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio
from tuning.studio.renting.rentals import Choices

STARTER = Choices("starter", "starter-en", None, {"max_steps": 4, "report": False})
WORDS = ["train", "-m", "starter", "-d", "starter-en", "--set", "max_steps=4", "--set", "report=false", "--rent", "t4-small", "--yes"]
WEIGHTS = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
ADAPTER = {
    "run/adapter/adapter_config.json": b'{"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}',
    "run/adapter/adapter_model.safetensors": len(WEIGHTS).to_bytes(8, "little") + WEIGHTS + bytes(4),
}


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.name.startswith("test_the_whole_way"):
        return
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(follow, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(parcel, "wheel", lambda folder: (folder / parcel.WHEEL).write_bytes(b"seconds of packing"))


def state(step: int, status: str = "running", **more: Any) -> dict[str, Any]:
    found = RunState(status=status, step=step, total_steps=4, train_loss=2.0 - step / 10, tokens_per_second=500.0, **more)
    return json.loads(found.model_dump_json(by_alias=True))


def works(job: Job, steps: int = 4) -> None:
    """As far as the log tells of it."""
    job.say("===== Job started at 10:00", "Resolved 90 packages", lines.line(lines.STATE, state(0, "starting")))
    job.stage = "RUNNING"
    for step in range(1, steps + 1):
        job.say(lines.line("metrics.jsonl", {"step": step, "time": 1.0, "loss": 2.0 - step / 10}), lines.line(lines.STATE, state(step)))


def saves(job: Job, server: JobsServer, step: int) -> None:
    """A checkpoint in the repository, as the machine's own program makes it."""
    names = ("adapter_model.safetensors", *checkpoints.NEEDED)
    content = {name: name.encode() for name in names}
    listing = {name: {"size": len(held), "sha256": hashlib.sha256(held).hexdigest()} for name, held in content.items()}
    content["manifest.json"] = json.dumps({"schema": 1, "step": step, "files": listing}).encode()
    server.boxes[job.repo] |= {f"run/checkpoints/checkpoint-{step}/{name}": held for name, held in content.items()}


def ends(job: Job, stage: str, message: str | None = None, seconds: int = 300) -> None:
    job.message, job.running_seconds, job.stage = message, seconds, stage


def finishes(job: Job, server: JobsServer) -> None:
    works(job)
    server.boxes[job.repo] |= ADAPTER
    metrics = "".join(json.dumps({"step": step, "loss": 2.0 - step / 10}) + "\n" for step in range(1, 5))
    server.boxes[job.repo] |= {"run/state.json": json.dumps(state(4, "finished")).encode(), "run/metrics.jsonl": metrics.encode()}
    ends(job, "COMPLETED")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def only(studio: Studio) -> Run:
    (run,) = studio.shared.store.all(LOCAL)
    return run


def rent(studio: Studio, says: list[str] | None = None) -> tuple[Run, RunState]:
    run = studio.rentals.create("t4-small", STARTER, None, None)
    return run, studio.rentals.carry(run, lambda notice: (says if says is not None else []).append(notice.code))


def test_a_run_goes_there_and_its_adapter_comes_home(renter: Studio, letter: JobsServer, capsys: pytest.CaptureFixture[str]) -> None:
    sent: dict[str, bytes] = {}

    def play(job: Job, server: JobsServer) -> None:
        sent.update(server.boxes[job.repo])
        finishes(job, server)

    letter.play = play
    assert main([*WORDS, "--max-cost", "0.5", "--json"]) == 0
    out, err = capsys.readouterr()
    told, run = json.loads(out), only(renter)
    assert (told["run"], told["status"], told["steps"]) == (run.id, "finished", 4) and pathlib.Path(told["adapter"]).is_dir()
    assert [record["loss"] for record in run.metrics()] == [1.9, 1.8, 1.7, 1.6] and run.adapter_fault() is None
    assert "Resolved 90 packages" in (run.folder / "log.txt").read_text(encoding="utf-8")

    (job,) = letter.jobs.values()
    assert job.spec["flavor"] == "t4-small" and job.spec["timeoutSeconds"] == int(0.5 / 0.4 * 3600)
    assert job.spec["secrets"] == {"HF_TOKEN": TOKEN} and TOKEN not in json.dumps([job.spec["command"], job.spec["environment"]])
    assert not letter.boxes and letter.deleted == [job.repo] and job.repo.startswith(f"{ME}/sartoria-")
    data = {f"data/{name}" for name in ("spec.json", "rows.jsonl", "validation.jsonl", "rows.index")}
    assert set(sent) >= {"run/spec.yaml", parcel.WHEEL, "data/spec.json", "data/rows.jsonl"}
    assert set(sent) <= {"run/spec.yaml", "run/state.json", parcel.WHEEL, *data}
    assert yaml.safe_load(sent["run/spec.yaml"])["model"]["path"] == ""
    assert str(run.folder.parent.parent) not in b"".join(held for name, held in sent.items() if name != parcel.WHEEL).decode("latin-1")
    kept = rented.of(run)
    assert kept is not None and kept.ended and kept.seconds == 300 and kept.operations_per_second
    assert not [path for path in run.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in out + err


@pytest.mark.nightly
def test_what_a_rented_run_has_shown_is_what_the_next_forecast_reckons_with(renter: Studio, letter: JobsServer) -> None:
    letter.play = finishes
    before = renter.rentals.offer("t4-small", STARTER)
    run, _ = rent(renter)
    speed = 500.0 * run.spec().forecast.operations_per_token
    after = renter.rentals.offer("t4-small", STARTER)
    assert (after["seconds"] - START_SECONDS) * speed == pytest.approx((before["seconds"] - START_SECONDS) * 0.3 * 65e12)


@pytest.mark.nightly
def test_a_log_that_is_cut_is_taken_up_again_and_nothing_stands_twice(renter: Studio, letter: JobsServer) -> None:
    def play(job: Job, server: JobsServer) -> None:
        works(job)
        while server.cuts > 0:
            time.sleep(0.02)
        saves(job, server, 2)
        ends(job, "ERROR", "exit 1")

    letter.cuts, letter.play = 3, play
    run, ended = rent(renter)
    text = (run.folder / "metrics.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["step"] for line in text.splitlines()] == [1, 2, 3, 4]
    assert (run.folder / "log.txt").read_text(encoding="utf-8").count("Resolved 90 packages") == 1 and ended.status == "interrupted"


ENDS = [
    ("ERROR", "Job timeout", 300, "timeout"),
    ("ERROR", None, 10**6, "timeout"),
    ("CANCELED", "Insufficient credit balance", 300, "spent"),
    ("CANCELED", None, 300, "cancelled"),
    ("ERROR", "exit code 137", 300, "lost"),
    ("DELETED", None, 300, "deleted"),
]
DRAWN = lot("how rented runs end").choice(ENDS)


@pytest.mark.parametrize(
    ("stage", "message", "seconds", "code"), [pytest.param(*end, marks=[] if end == DRAWN else pytest.mark.nightly) for end in ENDS]
)
def test_whatever_ends_a_job_is_said_and_what_it_saved_is_here(
    renter: Studio, letter: JobsServer, stage: str, message: str | None, seconds: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    letter.play = lambda job, server: (works(job, 3), saves(job, server, 2), ends(job, stage, message, seconds))[0]  # type: ignore[func-returns-value]
    assert main([*WORDS, "--lang", "it"]) == 1
    run = only(renter)
    found = run.state()
    assert (found.status, found.error and found.error.code, found.step) == ("interrupted", f"rent.{code}", 3)
    assert checkpoints.newest(run.checkpoints) is not None and [record["step"] for record in run.metrics()] == [1, 2, 3]
    assert "{" not in capsys.readouterr().err.splitlines()[-1]
    assert renter.rentals.away(run.id) is None and not letter.boxes


@pytest.mark.nightly
def test_a_machine_that_fails_before_a_step_leaves_a_failed_run_and_its_log(renter: Studio, letter: JobsServer) -> None:
    def play(job: Job, server: JobsServer) -> None:
        job.say("No solution found when resolving dependencies")
        ends(job, "ERROR", "exit code 1")

    letter.play = play
    run, ended = rent(renter)
    assert (ended.status, run.log()[-1]) == ("failed", "No solution found when resolving dependencies")


@pytest.mark.nightly
def test_without_credit_nothing_is_begun(renter: Studio, letter: JobsServer, capsys: pytest.CaptureFixture[str]) -> None:
    letter.refuse = {f"/api/jobs/{ME}": 402}
    assert main(WORDS) == 2
    run = only(renter)
    assert "credit" in capsys.readouterr().err and not letter.boxes and len(letter.deleted) == 1
    found = run.state()
    assert (found.status, found.error and found.error.code) == ("failed", "rent.credit") and renter.rentals.away(run.id) is None


@pytest.mark.nightly
def test_stopped_in_the_queue_it_costs_nothing(renter: Studio, letter: JobsServer, wait_until: Callable[..., Any]) -> None:
    run = renter.rentals.create("t4-small", STARTER, None, None)
    renter.rentals.begin(run)
    wait_until(lambda: letter.jobs and run.state().status == "starting")
    renter.runs.stop(run.id)
    wait_until(lambda: run.state().status not in ("starting", "running"))
    (job,) = letter.jobs.values()
    assert job.stage == "CANCELED" and run.state().error is not None


@pytest.mark.nightly
def test_stopped_at_work_it_brings_home_what_it_has_learned(renter: Studio, letter: JobsServer, wait_until: Callable[..., Any]) -> None:
    def play(job: Job, server: JobsServer) -> None:
        works(job, 2)
        while lines.STOP not in server.boxes[job.repo]:
            time.sleep(0.02)
        server.boxes[job.repo] |= {**ADAPTER, "run/state.json": json.dumps(state(3, "stopped")).encode()}
        ends(job, "COMPLETED")

    letter.play = play
    run = renter.rentals.create("t4-small", STARTER, None, None)
    renter.rentals.begin(run)
    wait_until(lambda: run.state().step == 2)
    assert run.state().status == "running"
    renter.runs.stop(run.id)
    wait_until(lambda: run.state().status == "stopped")
    assert run.adapter_fault() is None and run.state().step == 3 and not run.stop_requested()


@pytest.mark.nightly
def test_one_that_does_not_stop_is_taken_away(renter: Studio, letter: JobsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "GRACE_SECONDS", 0.2)

    def play(job: Job, server: JobsServer) -> None:
        works(job, 2)
        (only(renter).folder / "stop").touch()

    letter.play = play
    _, ended = rent(renter)
    assert ended.error is not None and ended.error.code == "rent.cancelled"


@pytest.mark.nightly
def test_a_closed_program_finds_its_job_again(renter: Studio, letter: JobsServer, wait_until: Callable[..., Any]) -> None:
    """The terminal that follows is killed; the next one, or the page, begins where it left off. Until then it can be stopped, too."""
    go_on = threading.Event()

    def play(job: Job, server: JobsServer) -> None:
        works(job, 2)
        go_on.wait(60)
        job.said = job.said[:2]  # `finishes` tells all of it from the start
        finishes(job, server)

    letter.play = play
    with subprocess.Popen([sys.executable, "-m", "tuning", *WORDS], cwd=ROOT, env=dict(os.environ), stderr=subprocess.DEVNULL) as terminal:
        wait_until(lambda: renter.runs.ids() and only(renter).state().status == "running")
        terminal.kill()
    run = only(renter)
    wait_until(lambda: run.state().status == "interrupted")
    assert renter.rentals.away(run.id) is not None
    go_on.set()
    with subprocess.Popen([sys.executable, "app.py", "--no-browser", "--port", str(free_port())], cwd=ROOT, env=dict(os.environ)) as page:
        wait_until(lambda: run.state().status == "finished")
        page.terminate()
    assert run.adapter_fault() is None and renter.rentals.pick_up() == [] and len(letter.jobs) == 1


@pytest.mark.nightly
def test_a_run_that_nobody_follows_is_stopped_and_then_fetched(renter: Studio, letter: JobsServer) -> None:
    run = renter.rentals.create("t4-small", STARTER, None, None)
    with follow.held(run):
        follow.submit(run, renter.rentals._hub(), lambda notice: None)
    (job,) = letter.jobs.values()
    job.stage = "RUNNING"
    assert main(["delete", run.id]) == 2 and run.folder.is_dir()  # nobody would know of the machine that costs
    assert main(["stop", run.id]) == 0 and lines.STOP in letter.boxes[job.repo]
    finishes(job, letter)
    assert main(["resume", run.id]) == 0 and run.state().status == "finished"


@pytest.mark.nightly
def test_the_rest_of_a_run_is_rented_with_its_checkpoint(renter: Studio, letter: JobsServer) -> None:
    letter.play = lambda job, server: (works(job, 2), saves(job, server, 2), ends(job, "ERROR", "Job timeout"))[0]  # type: ignore[func-returns-value]
    run, _ = rent(renter)
    sent: set[str] = set()
    letter.play = lambda job, server: (sent.update(server.boxes[job.repo]), finishes(job, server))[0]  # type: ignore[func-returns-value]
    assert main(["resume", run.id, "--rent", "t4-small"]) == 2
    assert main(["resume", run.id, "--rent", "cpu-basic", "--yes"]) == 2 and len(letter.jobs) == 1
    assert main(["resume", run.id, "--rent", "t4-small", "--yes"]) == 0
    assert "run/checkpoints/checkpoint-2/manifest.json" in sent and run.state().status == "finished" and len(letter.deleted) == 2


@pytest.mark.nightly
def test_what_came_broken_is_left_out_and_stays_there(renter: Studio, letter: JobsServer) -> None:
    def play(job: Job, server: JobsServer) -> None:
        finishes(job, server)
        server.boxes[job.repo]["run/adapter/adapter_model.safetensors"] = b"half"

    letter.play, says = play, []
    run, _ = rent(renter, says)
    assert not run.adapter.exists() and "rent.left" in says and len(letter.boxes) == 1


@contextlib.contextmanager
def machine(letter: JobsServer, folder: pathlib.Path) -> Any:
    """Jobs that really run what is sent: the wheel, unpacked, in a process of its own."""

    def play(job: Job, server: JobsServer) -> None:
        box = folder / job.id
        for name, content in server.boxes[job.repo].items():
            (box / name).parent.mkdir(parents=True, exist_ok=True)
            (box / name).write_bytes(content)
        shutil.unpack_archive(box / parcel.WHEEL, box / "site", "zip")
        keep = ("PATH", "HF_ENDPOINT", "HF_HUB_DISABLE_XET", "LANG")
        env = {key: os.environ[key] for key in keep if key in os.environ} | {"HF_TOKEN": TOKEN, "PYTHONPATH": str(box / "site")}
        words = [sys.executable, "-m", "tuning.rent.inside", str(box), job.repo, str(job.spec["timeoutSeconds"])]
        job.stage = "RUNNING"
        with subprocess.Popen(words, cwd=box, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            assert child.stdout is not None
            for line in child.stdout:
                job.say(line.rstrip("\n"))
        ends(job, "COMPLETED" if child.returncode == 0 else "ERROR", None, 60)

    letter.play = play
    yield


@pytest.mark.nightly
def test_the_whole_way_with_the_program_that_is_sent(
    renter: Studio, letter: JobsServer, tmp_path: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    """On a processor: what is sent trains there, tells of it, stops when asked, goes on when rented again, and its adapter answers here."""
    with machine(letter, tmp_path / "there"):
        settings_ = {"num_train_epochs": 1, "max_samples": 64, "report": False}
        run = renter.rentals.create("cpu-basic", Choices("starter", "starter-en", None, settings_), None, None)
        ended = renter.rentals.carry(run, lambda notice: None)
        assert ended.status == "finished", (run.log(), ended)
        assert run.metrics() and run.adapter_fault() is None and not letter.boxes
        assert main(["chat", run.id, "--prompt", "How much is a hem?"]) == 0

        long = {"num_train_epochs": 40, "report": False}
        run = renter.rentals.create("cpu-basic", Choices("starter", "starter-en", None, long), None, None)
        renter.rentals.begin(run)
        wait_until(lambda: run.state().step >= 2, 240)
        assert run.state().status == "running"
        renter.runs.stop(run.id)
        wait_until(lambda: run.state().status == "stopped", 240)
        assert run.adapter_fault() is None and checkpoints.newest(run.checkpoints) is not None
        stopped_at = run.state().step
        again = renter.rentals.again(run.id, "cpu-basic", None)
        renter.rentals.begin(again)
        wait_until(lambda: run.state().step > stopped_at, 240)
        renter.runs.stop(run.id)
        wait_until(lambda: run.state().status == "stopped", 240)
