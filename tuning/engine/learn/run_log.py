"""What the libraries say of a run while it is trained, into its log.txt. What the run itself tells stands in its state, not here."""

import contextlib
import logging
import pathlib
import threading
from collections.abc import Callable, Iterator

import transformers


@contextlib.contextmanager
def log_to(path: pathlib.Path) -> "Iterator[RunLog]":
    """What the libraries say of this run while it is on, into its log."""
    handler = RunLog(path, encoding="utf-8", delay=True)
    handler.thread = threading.get_ident()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root, words = logging.getLogger(), transformers.utils.logging
    root.addHandler(handler)
    words.add_handler(handler)
    words.disable_default_handler()
    words.set_verbosity_info()
    try:
        yield handler
    finally:
        words.set_verbosity_warning()
        words.enable_default_handler()
        words.remove_handler(handler)
        root.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


class RunLog(logging.FileHandler):
    """A log of the thread that trains, without what others have it do at a yield point.

    A full disk cuts it off: what trains notices the disk by itself, and nobody wants a traceback for every line.
    """

    own, thread = True, 0

    def without(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work`, of which nothing is logged here."""

        def others() -> None:
            self.own = False
            try:
                work()
            finally:
                self.own = True

        return others

    def filter(self, record: logging.LogRecord) -> bool:
        return self.own and record.thread == self.thread and bool(super().filter(record))

    def handleError(self, record: logging.LogRecord) -> None:
        pass
