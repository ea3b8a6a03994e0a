"""A run on a rented machine, ordered on the page: its price, what would leave, and not before a second press; the Hub is played here."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.bench.server import free_port, running
from tests.browser.conftest import SIZES, Watched
from tests.browser.test_whole_path import tab
from tests.hub.jobs_server import TOKEN, Job, JobsServer
from tests.rent.conftest import letter as letter
from tests.rent.test_journeys import finishes
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t


@pytest.mark.drawn("boxes")
@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_machine_is_rented_on_the_slip(
    chromium: Browser, letter: JobsServer, tmp_path: pathlib.Path, lang: str, wait_until: Callable[..., Any]
) -> None:
    def play(job: Job, server: JobsServer) -> None:
        finishes(job, server)

    letter.play, home, port = play, tmp_path / "rented", free_port()
    with running(home, port=port, env=dict(os.environ)):
        watched = Watched(chromium.new_context(viewport=SIZES["desktop"]), f"http://127.0.0.1:{port}")
        page = watched.open("/" if lang == "en" else "/it")
        page.locator('#models [data-value="starter"]').first.click()
        tab(page, lang, "data")
        page.locator('#datasets [data-value="starter-en"]').click()
        page.get_by_role("button", name=t(lang, "ui.rent.look")).click()
        machine = page.locator('[data-do="rent-pick"][data-value="l4x1"]')
        expect(machine).to_contain_text("$")
        machine.click()
        go = page.locator('[data-do="rent-go"]')
        expect(go).to_be_visible()
        assert "{" not in page.locator(".rent").inner_text() and not letter.jobs and not letter.boxes
        watched.shot(f"rent-{lang}")
        go.click()
        studio = Studio(settings.read(home=str(home)), LOCAL)
        wait_until(lambda: studio.runs.ids() and studio.shared.store.all(LOCAL)[0].state().status == "finished")
        run = studio.shared.store.all(LOCAL)[0]
        assert run.adapter_fault() is None and len(letter.jobs) == 1 and not letter.boxes
        assert TOKEN not in page.content()
        watched.clean()
