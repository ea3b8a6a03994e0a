"""The page's program: options -> settings -> build -> launch, for `python app.py` in a checkout and `sartoria app` from a wheel.

Importing it does nothing: no environment is read, no thread started, no model library loaded.
"""

import argparse
import contextlib
import functools
import gc
import logging
import os
import signal
import sys
import threading
import time
import webbrowser
from typing import TYPE_CHECKING, Any, NoReturn

from tuning.cli.options import page_parser
from tuning.cli.starting import Refusal, free, look_at, only
from tuning.cli.usage import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tuning.engine.workshop import Workshop
    from tuning.runs.run_folder import Run
    from tuning.serve.entrance.doors import People
    from tuning.serve.entrance.names import Nicknames
    from tuning.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = {"0.0.0.0", "::"}

SESSIONS_WITH_ANSWERS = 500  # whose answers wait to be fetched

LAUNCH: dict[str, Any] = {
    "footer_links": [],
    "run_history": False,
    "enable_monitoring": False,
    "mcp_server": False,
    "ssr_mode": False,
    "pwa": False,
    "state_session_capacity": 100,  # each takes most of a megabyte; whoever was away longest goes
    "strict_cors": True,
    "show_error": False,
    "quiet": True,
    "prevent_thread_lock": True,
}


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line of `python app.py`."""
    chosen: argparse.Namespace = page_parser(spoken(sys.argv[1:] if arguments is None else arguments)).parse_args(arguments)
    return chosen


def doors(chosen: argparse.Namespace, settings: "Settings") -> "People | None":
    """The log-ins where others come in, None on a machine of one's own.

    Raises Refusal for a page that others could open without a log-in, for log-ins that are at fault, and for what is not there yet.
    """
    from tuning.errors import InputError
    from tuning.serve.entrance.doors import people

    mode, wide = settings.mode, chosen.host not in LOOPBACK
    if mode == "space":
        on_a_space(chosen, settings)
        return None
    try:
        found = people(chosen.auth, chosen.auth_file, chosen.open_class)
    except InputError as error:
        raise Refusal(error.code, error.params) from None
    opening = {"--share": chosen.share, f"--host {chosen.host}": wide, f"TUNING_MODE={mode}": mode != "local"}
    option = next((option for option, given in opening.items() if given), None)
    if chosen.allow_remote_code is not None and (option is not None or found.passwords):
        raise Refusal("code.mode", {"option": option or "--auth"})
    if option is not None and not found.passwords:
        raise Refusal("auth.needed", {"option": option, "given": f" {option}" if option.startswith("--") else ""})
    return found if found.passwords else None


def on_a_space(chosen: argparse.Namespace, settings: "Settings") -> None:
    """On a Space everybody comes in, and owns what they do (see `serve.owners`). Raises Refusal off a Space, and for other doors."""
    if settings.space is None:
        raise Refusal("app.no_space", {})
    other = {"--share": chosen.share, "--auth": chosen.auth, "--auth-file": chosen.auth_file, "--public-url": chosen.public_url}
    other |= {"--open-class": chosen.open_class, "--allow-remote-code": chosen.allow_remote_code}
    if option := next((option for option, given in other.items() if given), None):
        raise Refusal("app.on_space", {"option": option})
    if settings.space.lacks:
        from tuning.text import t

        print(t(language_of(chosen), "app.no_sign_in", packages=", ".join(settings.space.lacks)), file=sys.stderr, flush=True)


def names(chosen: argparse.Namespace) -> set[str] | None:
    """The names under which the page may be addressed; None for any: nobody knows all those of a machine that listens everywhere."""
    everywhere = chosen.host in EVERYWHERE and not chosen.public_url
    return None if everywhere or chosen.share else {*LOOPBACK, "[::1]", *({chosen.host} - EVERYWHERE)}


def serve(chosen: argparse.Namespace) -> NoReturn:
    """Build and launch, wait to be told to stop, and end the process with the exit code."""
    from tuning import settings as reading

    settings = reading.read(home=chosen.home)
    chosen.host = chosen.host or ("127.0.0.1" if settings.space is None else "0.0.0.0")
    look_at(settings.home)
    people = doors(chosen, settings)
    free(chosen)
    with only(settings.home) if settings.space is None else contextlib.nullcontext():  # nobody else is on a Space's machine
        go(chosen, settings, people)


def go(chosen: argparse.Namespace, settings: "Settings", people: "People | None") -> NoReturn:
    """Serve, with a home that is this page's alone."""
    from tuning import settings as reading

    settings = allowing(settings if people is None else reading.opened(settings, people.operators, people.common), chosen.allow_remote_code)

    from tuning.export import errands
    from tuning.mirror.keeper import begun
    from tuning.schema import LOCAL
    from tuning.studio import Studio
    from tuning.text import t

    language, ending = language_of(chosen), Ending()
    with uncollected():
        workshop, demo = opened(chosen, settings, people)
    house = Studio(settings, LOCAL, workshop)
    workshop.cards = lambda: len(house.shared.probe().gpus)
    workshop.start()
    house.rentals.pick_up()
    mirror = begun(settings, workshop.store, workshop.wake)
    open_to(chosen, people, demo.share_url)
    if not chosen.no_browser and sys.stdout.isatty() and settings.display:
        webbrowser.open(demo.local_url)
    code = ending.wait(workshop.spoiled)
    workshop.close()
    errands.end_all()
    keep_place(workshop, language)
    if mirror is not None:
        mirror.end()
    demo.close(verbose=False)
    if code is None:
        print(t(language, "app.restarting"), flush=True)
        anew()
    sys.stdout.flush()
    os._exit(code)  # the workshop may be in the middle of a step; what it wrote is whole at any moment


@contextlib.contextmanager
def uncollected() -> "Iterator[None]":
    """Without Python's search for cycles: among the objects of an import there are none to be found, and it takes a fifth of a start.

    What is there afterwards stays as long as the process, and is not searched again either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def opened(chosen: argparse.Namespace, settings: "Settings", people: "People | None") -> "tuple[Workshop, Any]":
    """The workshop, and the page over it."""
    from tuning import settings as reading
    from tuning.engine.workshop import Workshop
    from tuning.hub.shelf import Shelf
    from tuning.runs.store import Store
    from tuning.serve import uploads

    store = Store(settings.home)
    workshop = Workshop(store, Shelf(settings, store))
    if chosen.webhook:
        workshop.over = told(chosen.webhook, language_of(chosen))
    reading.upload_to(uploads.prepare(settings.home))
    return workshop, launched(chosen, settings, people, workshop)


def language_of(chosen: argparse.Namespace) -> str:
    """In which language the terminal is spoken to."""
    return chosen.lang if chosen.lang != "auto" else "en"


def launched(chosen: argparse.Namespace, settings: "Settings", people: "People | None", workshop: "Workshop") -> Any:
    """The page, which answers by now: `gradio.Blocks` behind the edge, and where others come in behind the gate too."""
    from starlette.middleware import Middleware

    from tuning.sandbox.limits import DEFAULT, OWN_FILES
    from tuning.schema import LOCAL
    from tuning.serve import patience
    from tuning.serve.belongings import Belongings, Owned
    from tuning.serve.edge import Edge
    from tuning.serve.entrance.doors import Throttle
    from tuning.serve.entrance.gate import Gate
    from tuning.serve.entrance.names import Nicknames
    from tuning.serve.faults import Faults
    from tuning.serve.fetched import Fetched
    from tuning.serve.hosted import Hosted, key
    from tuning.serve.paced import PacedUploads
    from tuning.serve.programs.completions import Completions
    from tuning.serve.routes import Door
    from tuning.serve.watch import Onlookers
    from tuning.studio import Studio
    from tuning.ui import gradio_ways, page, theme
    from tuning.ui.draw import watching

    space = settings.space
    door = Door(launched=False, log_in=people is not None, oauth=space is not None and space.oauth)
    studio = Studio(settings, LOCAL, workshop)
    demo = page.build(studio)
    idle = functools.partial(gradio_ways.idle_seconds, demo)
    edge = Middleware(
        Edge, lang=chosen.lang, hosts=names(chosen), alive=lambda: workshop.alive, public=chosen.public_url, door=door, idle=idle
    )
    links = studio.links
    watch = Middleware(Onlookers, page=functools.partial(watching.answer, links.follow), known=links.holds, script=watching.FOLLOWS)
    fetched = Middleware(Fetched, find=studio.exports.file)
    named = Nicknames(settings.home, people.passwords if people else ())
    programs = Middleware(Completions, studio=studio, admits=functools.partial(admitted, settings, people, named))
    gates = [] if people is None else [Middleware(Gate, throttle=Throttle(), common=people.common, names=named)]
    outside = [] if space is None else [Middleware(Hosted, hosts=space.hosts, key=key(settings.home, settings.mirror))]
    visitors = []
    if settings.mode != "local":
        demo.belongings = Belongings(gradio_ways.upload_folder())
        visitors = [Middleware(PacedUploads, take=studio.pace.take, most=DEFAULT.file_bytes), Middleware(Owned, belongings=demo.belongings)]
    patience.take_over()
    gradio_ways.take_over()
    gradio_ways.rest(demo.queue(default_concurrency_limit=8, max_size=100))
    gradio_ways.keep_answers(demo, SESSIONS_WITH_ANSWERS)
    demo.launch(
        server_name=chosen.host,
        server_port=chosen.port,
        app_kwargs={"middleware": [*outside, edge, watch, programs, *gates, fetched, *visitors, Middleware(Faults)]},
        auth=None if people is None else people.admits,
        share=chosen.share,
        theme=theme.theme(),
        css_paths=theme.STYLE,
        i18n=page.words(),
        **LAUNCH,
        max_file_size=OWN_FILES if settings.mode == "local" else DEFAULT.file_bytes,
    )
    door.launched = True
    return demo


def admitted(settings: "Settings", people: "People | None", named: "Nicknames", owner: str) -> bool:
    """Whether programs may come in for this owner by a key: whoever can come in by the page too, and the terminal."""
    from tuning.schema import LOCAL, SIGNED_IN

    if settings.mode == "space":  # nobody who is known by a cookie alone
        return owner.startswith(SIGNED_IN) and settings.space is not None and settings.space.oauth
    logged_in = people is not None and owner in people.passwords and owner != people.common
    return owner == LOCAL or logged_in or (settings.common is not None and named.taken(owner))


def open_to(chosen: argparse.Namespace, people: "People | None", link: str | None) -> None:
    """Say where the page is, and for whom it is open there."""
    from tuning.serve.entrance.doors import AUTO_NAME
    from tuning.text import t

    language = language_of(chosen)
    address = f"http://{'localhost' if chosen.host in ('127.0.0.1', *EVERYWHERE) else chosen.host}:{chosen.port}"
    print(t(language, "app.address", address=chosen.public_url or address), flush=True)
    if chosen.allow_remote_code:
        print(t(language, "code.on", pinned=chosen.allow_remote_code), flush=True)
    if chosen.share:
        print(t(language, "app.shared", address=link) if link else t(language, "app.unshared"), flush=True)
    if people is not None and people.made:
        print(t(language, "auth.made", name=AUTO_NAME, password=people.passwords[AUTO_NAME]), flush=True)


def allowing(settings: "Settings", pinned: str | None) -> "Settings":
    """The settings with the one model that may run its code, where one is given. Raises Refusal for what is no full commit hash, and for
    a mode or a mirror that could not be one.
    """
    from tuning import settings as reading
    from tuning.errors import InputError

    try:
        reading.require_mode(settings)
        reading.require_mirror(settings)
        return reading.allowing(settings, pinned) if pinned is not None else settings
    except InputError as error:
        raise Refusal(error.code, error.params) from None


def told(address: str, language: str) -> "Callable[[Run], object]":
    """What tells the owner's webhook of a run. Raises Refusal for what is no address."""
    from tuning.errors import InputError
    from tuning.serve.webhook import Webhook

    try:
        return Webhook(address, language).tell
    except InputError as error:
        raise Refusal(error.code, error.params) from None


def anew() -> NoReturn:
    """The same program with the same words in the place of this process; the page that is open finds it again."""
    from tuning.engine import shutdown

    words = sys.orig_argv[1:]
    shutdown.anew(*words, *([] if "--no-browser" in words else ["--no-browser"]))


def keep_place(workshop: "Workshop", language: str) -> None:
    """Ask the run that is on for a save, so that it goes on from this very step, and wait for it as long as one may."""
    from tuning.engine import shutdown
    from tuning.text import t

    deadline = time.monotonic() + shutdown.PATIENCE_SECONDS
    if workshop.current is not None:
        print(t(language, "app.saving"), flush=True)
    asked = None
    while (run := workshop.current) is not None and time.monotonic() < deadline:
        shutdown.ask(run)
        asked = run
        time.sleep(0.05)
    if asked is not None and run is None:  # it may have been asked once more after it had left
        shutdown.forget(asked)


class Ending:
    """Ctrl-C and SIGTERM, from the moment this is made. A second one ends all at once."""

    def __init__(self) -> None:
        self.code, self._came = 0, threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        if self._came.is_set():
            os._exit(self.code)
        self.code = 130 if number == signal.SIGINT else 0
        self._came.set()

    def wait(self, spoiled: threading.Event) -> int | None:
        """The exit code, 130 or 0; None where the process is `spoiled` and has to be replaced."""
        while not self._came.wait(0.5):  # without a limit Windows would not deliver Ctrl-C
            if spoiled.is_set():
                return None
        return self.code


def main(arguments: list[str] | None = None) -> int:
    """The program of a checkout."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return run(options(arguments))


def run(chosen: argparse.Namespace) -> int:
    """Serve the page till the process ends. It returns only where it does not start: one sentence, and its exit code."""
    try:
        with contextlib.redirect_stdout(sys.__stdout__):  # as a verb it stands among those whose stdout is kept for a document
            serve(chosen)
    except Refusal as refusal:
        from tuning.text import t

        words = {**refusal.params, "program": chosen.program}
        print(t("it" if chosen.lang == "it" else "en", refusal.code, **words), file=sys.stderr)
        return refusal.status
