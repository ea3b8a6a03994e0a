"""What runs on a rented machine (`python -m tuning.rent.inside BOX REPO SECONDS`): it trains the run that the box holds, and tells of it.

The training itself is the command line's `resume`, in a child process. This tells the log what the run's folder gains, keeps its
checkpoints in the repository, and asks it to stop where the owner does, or while there is still time to publish an adapter.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import yaml

from tuning import settings
from tuning.errors import caught
from tuning.hub.hub_jobs import HubJobs
from tuning.rent import lines, parcel
from tuning.runs import checkpoints, files
from tuning.runs.run_folder import Run

EVERY_SECONDS = 2.0  # between looks at the run's folder
ASK_SECONDS = 10.0  # between looks for the owner's word
RESERVE_SECONDS = 120.0  # that publishing and sending an adapter may take, before time is up
KEPT = ["*.json", "*.jsonl", "log.txt", "adapter/*"]  # of a run's folder, at its end


def main(box: pathlib.Path, repo: str, seconds: float) -> int:
    """Train, and leave in the repository what came of it; 0 where the run knows how it ended."""
    deadline, here = time.monotonic() + seconds, settings.read()
    hub = HubJobs(here.endpoint, here.token or "", here.offline)
    home = box / "home"
    run = unpack(box, home)
    folder_of_model(run, home, seconds)
    teller, keeper = Teller(run), Keeper(run, hub, repo)
    words = ["--home", str(home), "resume", run.id, "--json"]
    with subprocess.Popen([sys.executable, "-m", "tuning", *words], stdout=subprocess.DEVNULL) as child:
        asked = 0.0
        while child.poll() is None:
            teller.look()
            keeper.look()
            if time.monotonic() > deadline - min(RESERVE_SECONDS, seconds / 4):
                (run.folder / "stop").touch()
            elif time.monotonic() - asked > ASK_SECONDS:
                asked = time.monotonic()
                caught(lambda: _heed(hub, repo, run), "asking for the owner's word")
            time.sleep(EVERY_SECONDS)
    teller.look()
    keeper.end()
    return 0 if run.saved_state() is not None else 1


def _heed(hub: HubJobs, repo: str, run: Run) -> None:
    if lines.STOP in hub.names(repo):
        (run.folder / "stop").touch()


def unpack(box: pathlib.Path, home: pathlib.Path) -> Run:
    """The run that a box holds, in a home of its own with its data."""
    spec = yaml.safe_load((box / parcel.RUN / "spec.yaml").read_text(encoding="utf-8"))
    run = Run(home / "runs" / str(spec["id"]))
    shutil.copytree(box / parcel.RUN, run.folder)
    shutil.copytree(box / parcel.DATA, home / "data" / str(spec["data"]["id"]))
    return run


def folder_of_model(run: Run, home: pathlib.Path, seconds: float) -> None:
    """Fetch the model, and let the spec say where it is on this machine."""
    path = run.folder / "spec.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "tuning", "--home", str(home), "download", spec["model"]["id"], "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds, check=True)
    spec["model"]["path"] = json.loads(done.stdout)["path"]
    files.write(path, yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))


class Teller:
    """Says in the log what a run's folder has gained since it last looked."""

    def __init__(self, run: Run) -> None:
        self._run, self._state = run, ""
        there = {name: run.folder / name for name in lines.GROWING}
        self._at = {name: path.stat().st_size if path.exists() else 0 for name, path in there.items()}

    def look(self) -> None:
        """Whole lines only: a half one is left until it is whole."""
        for name, at in self._at.items():
            path = self._run.folder / name
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(at)
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            self._at[name] += len(whole)
            for one in whole.splitlines():
                caught(lambda name=name, one=one: _say(name, json.loads(one)), "telling")  # type: ignore[misc]
        state = self._run.saved_state()
        told = "" if state is None else state.model_copy(update={"heartbeat": 0.0}).model_dump_json(by_alias=True)
        if told != self._state:
            self._state = told
            _say(lines.STATE, json.loads(told))


def _say(name: str, content: object) -> None:
    sys.stdout.write(lines.line(name, content) + "\n")
    sys.stdout.flush()


class Keeper:
    """Sends each whole checkpoint to the repository, on a thread of its own, and at the end all that a run leaves."""

    def __init__(self, run: Run, hub: HubJobs, repo: str) -> None:
        self._run, self._hub, self._repo = run, hub, repo
        self._sent = {path.name for path in checkpoints.by_age(run.checkpoints)}  # those came with the box
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Send the newest checkpoint where it was not sent; one at a time."""
        newest = next(iter(checkpoints.by_age(self._run.checkpoints)), None)
        if newest is None or newest.name in self._sent or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=caught, args=(lambda: self._send(newest), "keeping a checkpoint"), daemon=True)
        self._thread.start()

    def _send(self, checkpoint: pathlib.Path) -> None:
        if checkpoints.verified(checkpoint):
            only = [f"checkpoints/{checkpoint.name}/*", "*.json", "*.jsonl"]
            self._hub.send(self._repo, self._run.folder, parcel.RUN, only)
            self._sent.add(checkpoint.name)

    def end(self) -> None:
        """Send what the run has come to; the adapter first, which is what it was rented for."""
        if self._thread is not None:
            self._thread.join(RESERVE_SECONDS)
        state = self._run.saved_state()
        only = [*KEPT]
        newest = checkpoints.newest(self._run.checkpoints)
        if newest is not None and (state is None or state.status != "finished"):
            only.append(f"checkpoints/{newest.name}/*")
        self._hub.send(self._repo, self._run.folder, parcel.RUN, only)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
