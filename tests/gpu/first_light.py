"""The first run on a real card, for whoever has one: `python -m tests.gpu.first_light`, under ten minutes, nothing downloaded.

What matters is tried in the order of risk, each thing in a process of its own, for a fault of a card spoils all that comes after it in
the same one. It never stops at a failure. One table is printed, and one file written that is worth sending back. Without a card
everything that a processor can do is done with tiny shapes. What is tried stands in `tests.gpu.lights`.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

ALL = 570.0  # seconds for everything
# What is tried, in the order of risk, and the seconds after which it hangs.
WHAT: dict[str, tuple[str, float]] = {
    "machine": ("what there is, by the driver, by PyTorch and by us", 90),
    "lora": ("LoRA in 16 bits, from start to report", 120),
    "nf4": ("QLoRA in 4 bits", 90),
    "full": ("all weights trained", 90),
    "kernels": ("each way to attend gives what the plain one gives", 90),
    "resume": ("stopped and resumed: the same losses", 90),
    "chat": ("talked to in mid-run: the same losses", 90),
    "memory": ("memory runs out: it heals", 120),
    "fault": ("the card's context is lost: told as such", 60),
    "int8": ("LoRA on a base in 8 bits", 90),
    "saved": ("a model of half a billion from disk, in 16 and in 4 bits", 120),
    "cards": ("two processes train one run", 120),
    "forecast": ("forecast of memory beside what was reserved", 180),
    "speed": ("speed and memory beside plain TRL", 240),
}
HOW = {True: "passed", False: "FAILED", None: "-"}
TAIL = 6000  # letters of what a failed one said that go into the file


@dataclass
class Row:
    """What came of one: `passed` is None where it could not be tried. `told` goes into the file only."""

    name: str
    passed: bool | None
    figure: str
    seconds: float = 0.0
    told: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        return f"{WHAT[self.name][0]:<58}{HOW[self.passed]:<8}{self.seconds:>6.0f} s  {self.figure}"


One = Callable[[str, str, float], Row]  # name, device and the seconds that it may take -> what came of it


def alone(name: str, device: str, seconds: float, command: Sequence[str] = ()) -> Row:
    """Try one in a process of its own, which may do whatever it likes: end, hang, fill the memory."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        answer = pathlib.Path(folder) / "answer.json"
        words = command or [sys.executable, "-m", "tests.gpu.first_light", "--one", name, "--device", device, "--folder", folder]
        with (pathlib.Path(folder) / "said.txt").open("w+", encoding="utf-8", errors="replace") as said:
            offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
            process = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT, env=offline)
            try:
                process.wait(seconds)
                end = f"its process ended with {process.returncode}"
            except subprocess.TimeoutExpired:
                _end(process)
                end = f"it was not done after {seconds:.0f} s"
            said.seek(0)
            tail = said.read()[-TAIL:]
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {"passed": False, "figure": end}
    row = Row(name, **found)
    if row.passed is False:
        row.told = {**row.told, "said": tail}
    return row


def _end(process: subprocess.Popen[Any]) -> None:
    """End a process and all that it has started."""
    for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        one.kill()
    process.wait()


def everything(one: One = alone, names: Sequence[str] = tuple(WHAT), tell: Callable[[str], None] = print) -> list[Row]:
    """Try all of them one after the other and tell of each as soon as it is done."""
    began, device, rows = time.monotonic(), "", list[Row]()
    tell(f"{'what':<58}{'':<8}{'seconds':>8}  figure")
    for name in names:
        started = time.monotonic()
        left = ALL - (started - began)
        row = one(name, device, min(left, WHAT[name][1])) if left > 5 else Row(name, None, "no time was left")
        row.seconds = time.monotonic() - started
        device = row.told.get("device", device)
        rows.append(row)
        tell(row.line())
    failed = sum(row.passed is False for row in rows)
    tell(f"{sum(row.passed is True for row in rows)} passed, {failed} failed, {sum(row.passed is None for row in rows)} not tried")
    return rows


def write(rows: Sequence[Row], path: pathlib.Path) -> None:
    """The one file to send back; where the home folder stands in it, its name does not."""
    text = json.dumps({"platform": platform.platform(), "python": sys.version, "rows": [asdict(row) for row in rows]}, indent=1)
    path.write_text(text.replace(json.dumps(str(pathlib.Path.home()))[1:-1], "~"), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("first-light.json"), help="the file to send back")
    parser.add_argument("--only", nargs="+", choices=[*WHAT], default=[*WHAT])
    parser.add_argument("--one", choices=[*WHAT], help=argparse.SUPPRESS)
    parser.add_argument("--device", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        from tests.gpu import lights

        row = asdict(lights.light(asked.one, asked.device, asked.folder))
        answer = {key: row[key] for key in ("passed", "figure", "told")}
        (asked.folder / "answer.json").write_text(json.dumps(answer, default=str), encoding="utf-8")
        return 0
    rows = everything(names=[name for name in WHAT if name in asked.only])
    write(rows, asked.out)
    print(f"\nSend back this one file: {asked.out.resolve()}")
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
