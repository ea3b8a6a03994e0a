"""What a run's folder keeps of the machine that it is rented: `rented.json`, enough to find the job again. No token is ever in it."""

import os

from pydantic import ConfigDict, Field

from tuning.runs import disk, files
from tuning.runs.run_folder import Run
from tuning.schema import SCHEMA, Notice, Record

NAME = "rented.json"


class Rented(Record):
    """One rented machine of a run. Times in seconds since 1970, prices in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    schema_version: int = Field(default=SCHEMA, alias="schema")
    account: str
    repo: str  # private, of this run alone
    job: str = ""  # none before it was submitted
    flavour: str
    title: str
    usd_per_minute: float
    most_usd: float
    timeout_seconds: int
    begun: float
    seen: int = 0  # lines of the job's log that are in the folder
    asked: float | None = None  # when it was asked to stop
    ended: float | None = None  # when all of it was at home
    seconds: float | None = None  # that were paid for
    told: Notice | None = None  # how it ended, where not as it should
    operations_per_second: float | None = None  # that it has shown


def of(run: Run) -> Rented | None:
    """The machine that a run has, or had last; None for a run of this machine."""
    return disk.kept(lambda: disk.record(run.folder / NAME, Rented), None) if os.path.exists(run.folder / NAME) else None


def away(run: Run) -> Rented | None:
    """As `of`, while the job or what it made is not at home."""
    found = of(run)
    return found if found is not None and found.job and found.ended is None else None


def keep(run: Run, rented: Rented) -> None:
    """For whoever holds the run's lock."""
    files.write(run.folder / NAME, rented.model_dump_json(by_alias=True, indent=1))
