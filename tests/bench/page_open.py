"""What an open page costs a training: tokens per second with a page on the Train tab that looks on, against none.

`python -m tests.bench.page_open ROWS.json [ROUNDS] [STEPS]`: rows in Alpaca's form; the app in a process of its own trains the
model of `speed` once, and a Chromium on the same machine opens the page for some steps and closes it for as many, in turn.
Once on the clock, with all that the browser takes, and once by the processor time of the app alone, which no neighbour disturbs.
"""

import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
from typing import Any

import psutil
from gradio_client import Client
from playwright.sync_api import Browser, sync_playwright

from tests.bench.measure import compare
from tests.bench.server import running
from tests.bench.speed import build
from tests.browser.conftest import CHROMIUM, FLAGS, SIZES
from tuning import settings
from tuning.runs.store import Run
from tuning.text import t
from tuning.verbs import Verbs

SETTINGS = {
    "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "max_length": 512, "lora_r": 16, "lora_alpha": 32,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"], "validation_share": 0.0, "report": False,
}  # fmt: skip
EDGE = 2  # steps that are not counted after the page was opened or closed


class Bench:
    """A run that is on, and how fast it is."""

    def __init__(self, browser: Browser, address: str, app: int, run: Run, steps: int) -> None:
        self.browser, self.address, self.run, self.steps = browser, address, run, steps
        self.app = psutil.Process(app)
        self.frugal: list[float] = []  # tokens per second of the app's processor time: of each measurement

    def logged(self) -> list[dict[str, Any]]:
        return [record for record in self.run.metrics() if "loss" in record]

    def after(self, count: int) -> list[dict[str, Any]]:
        """What is logged once that many steps more have been made."""
        wanted = len(self.logged()) + count
        while len(logged := self.logged()) < wanted:
            assert self.run.state().status in ("queued", "starting", "running"), self.run.state()
            time.sleep(0.1)
        return logged

    def closed(self) -> float:
        """Tokens per second on the clock from now on, whatever is done between the steps."""
        first, before = self.after(EDGE)[-1], sum(self.app.cpu_times()[:2])
        last, after = self.after(self.steps)[-1], sum(self.app.cpu_times()[:2])
        tokens = last["num_tokens"] - first["num_tokens"]
        self.frugal.append(tokens / (after - before))
        return float(tokens / (last["time"] - first["time"]))

    def opened(self) -> float:
        """The same with a page in view."""
        page = self.browser.new_context(locale="en-GB", viewport=SIZES["desktop"]).new_page()  # type: ignore[arg-type]
        looks = itertools.count()
        page.on("requestfinished", lambda request: next(looks) if request.method == "POST" else None)
        page.goto(self.address)
        page.get_by_role("tab", name=t("en", "ui.tab.train")).first.click()
        page.locator("#live-view svg polyline.training").first.wait_for(timeout=60_000)
        assert page.evaluate("document.visibilityState") == "visible"
        started, before = time.monotonic(), next(looks)
        found = self.closed()  # while this waits, the page goes on looking: it lives in processes of its own
        page.wait_for_timeout(1)  # here what it asked for in the meantime is heard of
        print(f"  {next(looks) - before} requests in {time.monotonic() - started:.0f} s", flush=True)
        page.context.close()
        return found


def main() -> None:
    source = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        model, rows = build(pathlib.Path(folder) / "model", source), pathlib.Path(folder) / "rows.json"
        rows.write_text(json.dumps(source), encoding="utf-8")
        home = pathlib.Path(folder) / "home"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with running(home) as (address, process):
            verbs = Verbs(settings.read(home=str(home)))
            changes = {**SETTINGS, "max_steps": 4 * (rounds + 1) * (steps + 4 * EDGE)}  # it is still on at the end
            data = verbs.dataset(str(rows)).id
            started = Client(address, verbose=False).predict(str(model), data, "facts", changes, "bench", api_name="/train")
            bench = Bench(browser, address, process.pid, verbs.store.find(started["run"]), steps)
            print(f"load before: {os.getloadavg()[0]:.1f}", flush=True)
            bench.after(3)
            compare(("with the page open", "without"), bench.opened, bench.closed, rounds, "tokens/s")
            ratios = [opened / closed for opened, closed in zip(bench.frugal[2::2], bench.frugal[3::2], strict=True)]
            listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"by the app's processor time: median {statistics.median(ratios):.3f} ({listed})")
        browser.close()


if __name__ == "__main__":
    main()
