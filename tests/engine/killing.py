"""Runs that something happens to: a process with the libraries loaded forks children that train, and are killed, stopped or
left without disk at a chosen moment. `python -m tests.engine.killing PLAN` does what a plan says; it is no test by itself.

A moment is a share of an uninterrupted run's time, or a change of the run's folder: every file that is opened to be written,
renamed or removed is seen through Python's audit events, those that C++ and Rust write through functions wrapped here.
"""

import collections
import gc
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from tuning.schema import LOCAL

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHANGES = {
    "report": False,
    "validation_share": 0.2,
    "lora_r": 4,
    "lora_dropout": 0.05,
    "learning_rate": 0.01,
    "max_length": 64,
    "max_steps": 12,  # a save and an evaluation every second step
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "early_stopping_patience": 9,
    "gradient_checkpointing": "none",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SEEN = ("open", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "tests.write", "tests.written")
TEMPORARY = r"^\.?(.+?)\.[a-z0-9_]{8}$"
CHILDREN = 2  # at a time

# Seen from inside a child


def watch(folder: pathlib.Path, seen: Callable[[str], None]) -> None:
    """Call `seen` with what happens to `folder`, such as `write checkpoint-4/optimizer.pt`, before it happens."""
    import re

    beginning = str(folder) + os.sep
    steps = re.compile(r"checkpoint-\d+")

    def named(path: Any) -> str:
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if not text.startswith(beginning):
            return ""
        parts = [re.sub(TEMPORARY, r"\1~", part) for part in text.removeprefix(beginning).split(os.sep)]
        return steps.sub("checkpoint-N", "/".join(parts))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        name = ""
        if event == "os.remove" and arguments[1] != -1:
            name = arguments[0]  # of a folder that is being removed
        elif event in SEEN and (event != "open" or (arguments[2] or 0) & WRITING):
            name = named(arguments[0])
        elif event == "os.rename":
            name = named(arguments[1])
        if name:
            seen(f"{event.split('.')[-1].replace('open', 'write')} {name}")

    _tell_of_writers()
    sys.addaudithook(hook)


def _tell_of_writers() -> None:
    """torch.save and safetensors write without Python's knowledge."""
    import peft.peft_model
    import safetensors.torch
    import torch
    import transformers.modeling_utils

    from tuning.engine import full_weights
    from tuning.engine.learn import early_stopping

    def telling(write: Callable[..., Any], place: int) -> Callable[..., Any]:
        def told(*values: Any, **named: Any) -> Any:
            path = values[place] if len(values) > place else named.get("filename", named.get("f"))
            sys.audit("tests.write", path)
            done = write(*values, **named)
            sys.audit("tests.written", path)
            return done

        return told

    torch.save = telling(torch.save, 1)  # type: ignore[assignment]
    told = telling(safetensors.torch.save_file, 1)
    for module in (safetensors.torch, peft.peft_model, transformers.modeling_utils, early_stopping, full_weights):
        for name in ("save_file", "safe_save_file"):
            if hasattr(module, name):
                setattr(module, name, told)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tear(size: int = 500) -> None:
    """From now on a file that grows beyond `size` bytes ends the process in the middle of the write."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def fill(size: int = 0) -> None:
    """From now on no file can grow beyond `size` bytes: the disk is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def interrupt() -> None:
    """What the second Ctrl-C does in a terminal."""
    raise KeyboardInterrupt


ACTIONS: dict[str, Callable[..., None]] = {"kill": kill, "tear": tear, "fill": fill, "interrupt": interrupt}


def arm(run: Any, way: dict[str, Any]) -> None:
    """Do what `way` says at its moment, {"at": [what, nth, and so many events later], "do": action}; or note all that
    happens in the file {"record": path}."""
    counted: collections.Counter[str] = collections.Counter()
    to_come = None

    def seen(what: str) -> None:
        nonlocal to_come
        counted[what] += 1
        if "record" in way:
            with open(way["record"], "a", encoding="utf-8") as file:
                file.write(f"{what}\n")
            return
        if to_come is not None:
            to_come -= 1
        elif what == way["at"][0] and counted[what] == way["at"][1]:
            to_come = way["at"][2]
        if to_come == 0:
            if way["do"] == "stop":
                for _ in range(way.get("times", 1)):
                    run.request_stop()
            else:
                ACTIONS[way["do"]](*way.get("with", []))

    if "record" in way or "at" in way:
        watch(run.folder, seen)


# Seen from outside


class Nursery:
    """One warm process with a model, data and a home. Its children inherit all of it."""

    def __init__(self, plan: dict[str, Any]) -> None:
        import torch

        from tuning import settings
        from tuning.engine.learn import train
        from tuning.engine.resident import Resident
        from tuning.studio import Studio

        torch.set_num_threads(1)
        self.plan, self.train = plan, train.train
        self.studio = Studio(settings.read(home=plan["home"]), LOCAL)
        self.resident = Resident()
        first = self.make()
        chosen = first.spec().settings  # in their precision: a child that was forked cannot load it in another
        self.resident.load(first.spec().model.path, "cpu", "fp32" if chosen.method == "full" else chosen.precision)
        self.studio.shared.store.delete(first)

    def make(self) -> Any:
        return self.studio.runs.create(self.plan["model"], self.plan["rows"], "facts", {**CHANGES, **self.plan.get("changes", {})})

    def child(self, run: Any, way: dict[str, Any]) -> tuple[int, float]:
        """Train `run` in a child as `way` says. The number of the signal that ended it (0: none), and how long it lived."""
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            try:
                arm(run, way)
                self.train(run, self.studio.shared.store, self.resident)
            except KeyboardInterrupt:
                os._exit(0)
            except BaseException:  # noqa: BLE001  a child tells why it died, and dies
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if "after" in way:
            metrics, deadline = run.folder / "metrics.jsonl", time.monotonic() + 60
            size = metrics.stat().st_size if metrics.exists() else 0
            while way["first"] and time.monotonic() < deadline and not (metrics.exists() and metrics.stat().st_size > size):
                time.sleep(0.002)
            time.sleep(way["after"])
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed: see above"
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, time.monotonic() - started

    def look(self, run: Any) -> dict[str, Any]:
        """What stands in the folder, for comparing."""
        from tuning.runs import checkpoints

        state, newest = run.state(), checkpoints.newest(run.checkpoints)
        metrics = run.metrics()
        made = (run.adapter / name for name in ("adapter_model.safetensors", "model.safetensors"))
        adapter = next((path for path in made if path.is_file()), None)
        return {
            "run": run.id,
            "status": state.status,
            "reason": state.reason,
            "error": state.error and state.error.code,
            "saved": checkpoints.step_of(newest) if newest else 0,
            "losses": {str(record["step"]): record["loss"] for record in metrics if "loss" in record},
            "evaluations": {str(record["step"]): record["eval_loss"] for record in metrics if "eval_loss" in record},
            "training_seconds": metrics[-1]["time"] - metrics[0]["time"] if metrics else 0.0,
            "best": state.best_step,
            "adapter": checkpoints.digest(adapter) if adapter else None,
            "usable": self.usable(run),
            "left": sorted(path.name for path in run.folder.iterdir()),
        }

    def usable(self, run: Any) -> bool:
        """Can the adapter, or the whole model, be talked to?"""
        if not run.adapter.is_dir():
            return False
        with self.resident.speaking(run.id, run.adapter) as model:
            learned = "" if run.spec().settings.method == "full" else "lora_B"
            found = any(bool(weight.abs().sum() > 0) for name, weight in model.named_parameters() if learned in name)
        self.resident.drop_adapter(run.id)
        return found

    def chain(self, ways: list[dict[str, Any]]) -> dict[str, Any]:
        """One new run: a child for each way, one after another, then a last one that nothing happens to."""
        run = self.make()
        passed = []
        for way in [*ways, {}]:
            number, seconds = self.child(run, way)
            passed.append({"way": way, "signal": number, "seconds": seconds, **self.look(run)})
            if passed[-1]["status"] == "finished":
                break
            (run.folder / "stop").unlink(missing_ok=True)
        return {"passed": passed, **self.look(run)}

    def scattered(self, seed: int, deaths: int, seconds: float) -> Iterator[dict[str, Any]]:
        """New runs, each killed up to six times at moments that a `seed` draws, until so many children have died.

        Four of five are killed so long after the first line of metrics, the others so long after their start.
        """
        dice, died = random.Random(seed), 0
        while died < deaths:
            ways = [{"after": dice.uniform(0, seconds / 2), "first": dice.random() < 0.8} for _ in range(min(6, deaths - died))]
            found = self.chain(ways)
            died += sum(one["signal"] == signal.SIGKILL for one in found["passed"])
            yield {"seed": seed, **found}

    def job(self, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What one entry of the plan asks for."""
        if "seed" in job:
            yield from self.scattered(job["seed"], job["deaths"], job["seconds"])
        else:
            yield {"name": job["name"], **self.chain(job["ways"])}


def main() -> None:
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    nursery = Nursery(plan)
    whole = nursery.chain([])
    print(json.dumps({"name": "whole", **whole}), flush=True)
    gc.collect()
    gc.freeze()  # what is here stays here: children need not look at it whenever memory is given back
    waiting, at_work = list(plan["jobs"]), 0
    while waiting or at_work:
        if waiting and at_work < CHILDREN:
            job = waiting.pop(0)
            if "seed" in job:
                job["seconds"] = whole["training_seconds"]
            if os.fork() == 0:
                try:
                    for found in nursery.job(job):
                        sys.stdout.write(json.dumps(found) + "\n")
                        sys.stdout.flush()
                except BaseException:  # noqa: BLE001
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            at_work += 1
            continue
        assert os.wait()[1] == 0, "a job failed: see above"
        at_work -= 1


def carry_out(
    folder: pathlib.Path, model: pathlib.Path, rows: pathlib.Path, jobs: list[dict[str, Any]], **more: Any
) -> list[dict[str, Any]]:
    """Run a plan in a process of its own and return what it found, the uninterrupted run first."""
    plan = folder / "plan.json"
    content = {"home": str(folder / "home"), "model": str(model), "rows": str(rows), "jobs": jobs, **more}
    plan.write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, "-m", "tests.engine.killing", str(plan)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with (folder / "killing.log").open("wb") as log:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, check=False)
    words = (folder / "killing.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, words[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    main()
