"""What an open page costs a training: tokens per second with a page on the Train tab that looks on, against none.

`python -m tests.bench.page_open ROWS.json [ROUNDS] [STEPS]`: rows in Alpaca's form; the app in a process of its own trains the
model of `speed` once, for longer than the minute after which a page looks less often. For some steps nobody looks; then the looks
of a page come as from another machine, the very requests that Chromium sent, as often; then, after some steps alone, Chromium
itself has the page open, on the processor that trains. And so on; each speed is held against the mean of those alone beside it.
"""

import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time
from typing import Any

import httpx
from gradio_client import Client
from playwright.sync_api import Browser, Request, sync_playwright

from tests.bench.server import running
from tests.bench.speed import build
from tests.browser.conftest import CHROMIUM, FLAGS, SIZES
from tuning import settings
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t
from tuning.ui.desk import SETTLED_SECONDS, SLOW

SETTINGS = {
    "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "max_length": 512, "lora_r": 16, "lora_alpha": 32,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"], "validation_share": 0.0, "report": False,
}  # fmt: skip
EDGE = 2  # steps that are not counted after the page was opened or closed


class Bench:
    """A run that is on, and how fast it is."""

    def __init__(self, browser: Browser, address: str, run: Run, steps: int) -> None:
        self.browser, self.address, self.run, self.steps = browser, address, run, steps
        self.look: Request | None = None  # the last one that the page sent
        self.looks = 0

    def logged(self) -> list[dict[str, Any]]:
        return [record for record in self.run.metrics() if "loss" in record]

    def after(self, count: int) -> list[dict[str, Any]]:
        """What is logged once that many steps more have been made."""
        wanted = len(self.logged()) + count
        while len(logged := self.logged()) < wanted:
            assert self.run.state().status in ("queued", "starting", "running"), self.run.state()
            time.sleep(0.5)
        return logged

    def alone(self) -> float:
        """Tokens per second of the steps from now on, by the clock; those at which the run saves or answers are left out."""
        first = len(self.after(EDGE)) - 1
        taken = [
            (later["num_tokens"] - earlier["num_tokens"], later["time"] - earlier["time"])
            for earlier, later in itertools.pairwise(self.after(self.steps)[first:])
        ]
        usual = statistics.median(seconds for _, seconds in taken)
        steps = [(tokens, seconds) for tokens, seconds in taken if seconds < 3 * usual]
        return float(sum(tokens for tokens, _ in steps) / sum(seconds for _, seconds in steps))

    def looked_at(self) -> float:
        """The same while looks come in that a page has sent, as often as it does."""
        assert self.look is not None
        url, body, headers = self.look.url, self.look.post_data, {"content-type": "application/json", "origin": self.address}
        over = threading.Event()

        def look() -> None:
            with httpx.Client(headers=headers, timeout=60) as client:
                while not over.wait(SLOW):
                    assert client.post(url, content=body).status_code == 200
                    self.looks += 1

        thread = threading.Thread(target=look)
        thread.start()
        try:
            return self.alone()
        finally:
            over.set()
            thread.join()

    def opened(self) -> float:
        """The same with a page in view, in a browser on this machine."""
        page = self.browser.new_context(locale="en-GB", viewport=SIZES["desktop"]).new_page()  # type: ignore[arg-type]
        page.goto(self.address)
        page.get_by_role("tab", name=t("en", "ui.tab.train")).first.click()
        page.locator("#live-view svg polyline.training").first.wait_for(timeout=60_000)
        assert page.evaluate("document.visibilityState") == "visible"
        with page.expect_request(lambda request: request.method == "POST" and "/run/" in request.url) as found:
            page.wait_for_timeout(1)
        self.look = found.value
        speed = self.alone()  # while this waits, the page goes on looking: it lives in processes of its own
        page.context.close()
        return speed


def main() -> None:
    source = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        model, rows = build(pathlib.Path(folder) / "model", source), pathlib.Path(folder) / "rows.json"
        rows.write_text(json.dumps(source), encoding="utf-8")
        home = pathlib.Path(folder) / "home"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with running(home) as (address, _):
            studio = Studio(settings.read(home=str(home)), LOCAL)
            changes = {**SETTINGS, "max_steps": 6 * (rounds + 1) * (steps + 4 * EDGE) + 1000}  # it is still on at the end
            data = studio.data.find(str(rows)).id
            started = Client(address, verbose=False).predict(str(model), data, "facts", changes, "bench", api_name="/train")
            bench = Bench(browser, address, studio.shared.store.find(started["run"], LOCAL), steps)
            print(f"load before: {os.getloadavg()[0]:.1f}", flush=True)
            while bench.run.state().seconds < SETTLED_SECONDS:
                bench.after(1)
            bench.opened()  # the first look at anything is slow
            ways = {"looks from elsewhere": bench.looked_at, "Chromium here": bench.opened}
            found: dict[str, list[float]] = {way: [] for way in ways}
            before = bench.alone()
            for _ in range(rounds):
                for way, measure in ways.items():
                    speed, after = measure(), bench.alone()
                    found[way].append(2 * speed / (before + after))
                    print(f"alone {before:.0f}, {way} {speed:.0f}, alone {after:.0f} tokens/s: {found[way][-1]:.3f}", flush=True)
                    before = after
        browser.close()
    for way, ratios in found.items():
        print(f"{way} / nobody: median {statistics.median(ratios):.3f} ({min(ratios):.2f}-{max(ratios):.2f})")
    print(f"{bench.looks} looks came from elsewhere")


if __name__ == "__main__":
    main()
