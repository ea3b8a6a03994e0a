"""A large file: `python -m tests.bench.data [ROWS]` (default a million rows of JSON Lines, about 500 MB).

First in the terminal, `check` against a plain loop of `json.loads` over the same file, in turn and each in a fresh process. Then
in the browser: memory of the app, whether the bar moves, how another tab answers meanwhile, and whether Stop stops.
"""

import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import psutil
from playwright.sync_api import Page, sync_playwright

from tests.bench.server import ROOT, running
from tests.browser.conftest import CHROMIUM, FLAGS

JSON = {"content-type": "application/json"}
LOOP = "import json, sys\nfor line in open(sys.argv[1], encoding='utf-8'): json.loads(line)"
WORDS = (
    "il sarto",
    "taglia",
    "la stoffa",
    "e cuce",
    "un abito",
    "su misura",
    "perché",
    "dura",
    "più a lungo",
    "the",
    "quick",
    "tailor",
    "mends",
)


def write(path: pathlib.Path, rows: int) -> None:
    """Conversations of two turns, each row another one."""
    dice = random.Random(1)
    with path.open("w", encoding="utf-8") as stream:
        for row in range(rows):
            question, answer = (" ".join(dice.choices(WORDS, k=count)) for count in (12, 40))
            messages = [{"role": "user", "content": f"{row}: {question}?"}, {"role": "assistant", "content": f"{answer}."}]
            stream.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


def seconds(*words: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def terminal(path: pathlib.Path) -> None:
    """Ratios of pairs, interleaved."""
    ratios = []
    for _ in range(3):
        plain = seconds("-c", LOOP, str(path))
        with tempfile.TemporaryDirectory() as home:
            whole = seconds("-m", "tuning", "--home", home, "check", str(path), "--json")
        ratios.append(plain / whole)
        print(f"  json.loads loop {plain:.1f} s, check {whole:.1f} s: {plain / whole:.2f} of its speed")
    print(f"check reads at {statistics.median(ratios):.2f} of the speed of a plain json.loads loop (median of {len(ratios)} pairs)")


def answer(page: Page, address: str) -> float:
    """Seconds until another tab shows its content after a press and the server has answered an endpoint."""
    started = time.perf_counter()
    for number, seen in ((2, "#recipes .card"), (0, "#models .card")):
        page.get_by_role("tab").nth(number).click()
        page.locator(seen).first.wait_for()
    with urllib.request.urlopen(urllib.request.Request(f"{address}/gradio_api/call/hardware", b'{"data": []}', JSON), timeout=60) as asked:
        event = json.load(asked)["event_id"]
    with urllib.request.urlopen(f"{address}/gradio_api/call/hardware/{event}", timeout=60) as said:
        assert b"complete" in said.read()
    return time.perf_counter() - started


def browser(path: pathlib.Path) -> None:
    """One visitor reads the file while another looks around; then the first one stops a second reading."""
    with tempfile.TemporaryDirectory() as home, running(pathlib.Path(home)) as (address, process), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        first, second = (chromium.new_context().new_page() for _ in range(2))
        for page in (first, second):
            page.goto(address)
            page.locator("#next").wait_for()
        second.locator("#models .card").first.wait_for()
        app, highest, shares, answers = psutil.Process(process.pid), 0, [], []
        before = app.memory_info().rss
        first.get_by_role("tab").nth(1).click()
        started = time.perf_counter()
        first.set_input_files("#upload input[type=file]", path)
        while "1,000" not in (first.locator("#report").inner_text() if first.locator("#report .stats").count() else ""):
            highest = max(highest, app.memory_info().rss)
            bar = first.locator("#reading-file progress")
            if bar.count():
                shares.append(float(bar.first.get_attribute("value") or 0))
            answers.append(answer(second, address))
            time.sleep(0.2)
            assert time.perf_counter() - started < 600
        took = time.perf_counter() - started
        print(f"in the page: {took:.0f} s, app at most {highest / 2**20:.0f} MB ({before / 2**20:.0f} MB before)")
        print(f"  the bar had {len(set(shares))} values")
        print(f"  another tab answered in {statistics.median(answers):.2f} s, at most {max(answers):.2f} s")
        other = path.with_name("other.jsonl")
        other.write_bytes(b'{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n' + path.read_bytes())
        first.set_input_files("#upload input[type=file]", other)
        first.locator("#stop-file").wait_for(timeout=120_000)
        first.locator("#reading-file progress").wait_for()
        pressed = time.perf_counter()
        first.locator("#stop-file").click()
        first.locator(".fault").first.wait_for()
        print(f"  stopped {time.perf_counter() - pressed:.1f} s after the press: {first.locator('.fault').first.inner_text()!r}")
        kept = len(list(pathlib.Path(home).glob("data/*")))
        print(f"  children of the app afterwards: {len(app.children(recursive=True))}; data sets kept: {kept}")
        chromium.close()


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.jsonl"
        write(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size / 2**20:.0f} MB")
        terminal(path)
        browser(path)


if __name__ == "__main__":
    main()
