"""Which of two an owner has preferred without knowing which was which, kept in the home folder. Nothing is asked of a model here."""

from tuning.errors import InputError
from tuning.runs import disk, files
from tuning.runs.contents import KeptScores
from tuning.studio.chats import folder_of
from tuning.studio.shared import Shared

FILE = "blind.json"
PAIRS = 200  # that are kept, those judged last
SIDES = ("first", "second", "equal")


class BlindScore:
    """The judgements of one owner, by the pair that was judged."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.owner, self._path = owner, folder_of(shared.settings.home, owner) / FILE

    @property
    def on(self) -> bool:
        """Whether two who answer beside each other are not told apart."""
        return self._kept().on

    def switch(self) -> None:
        """The other way."""
        kept = self._kept()
        self._write(kept.model_copy(update={"on": not kept.on}))

    def add(self, first: str, second: str, better: str) -> None:
        """Count one judgement of a pair, `better` one of SIDES. Raises InputError for any other."""
        if better not in SIDES:
            raise InputError("chat.messages")
        kept, (key, turned) = self._kept(), _key(first, second)
        pairs = dict(kept.pairs)
        at = SIDES.index(better)
        score = [*pairs.pop(key, [0, 0, 0])]
        score[1 - at if turned and at < 2 else at] += 1
        newest = dict([*pairs.items(), (key, score)][-PAIRS:])
        self._write(kept.model_copy(update={"pairs": newest}))

    def of(self, first: str, second: str) -> dict[str, int]:
        """How often which of a pair was better, by SIDES."""
        key, turned = _key(first, second)
        score = self._kept().pairs.get(key, [0, 0, 0])
        one, two = score[:2][::-1] if turned else score[:2]
        return dict(zip(SIDES, (one, two, score[2]), strict=True))

    def _kept(self) -> KeptScores:
        found = disk.kept(lambda: disk.record(self._path, KeptScores), None) if self._path.exists() else None
        return found if found is not None and found.owner == self.owner else KeptScores(owner=self.owner)

    def _write(self, kept: KeptScores) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        files.write(self._path, kept.model_dump_json(by_alias=True))


def _key(first: str, second: str) -> tuple[str, bool]:
    """The name of a pair in either order, and whether it was given in the other one."""
    return "\t".join(sorted((first, second))), second < first
