"""The recipes that an owner has saved, below home/recipes/: kept, taken from a file, written as one, deleted.

A file of one says what those in presets/recipes say, in the names of TRL and PEFT. Another owner's recipe is as unknown as one that
never was.
"""

import contextlib
import functools
import pathlib
import time
from typing import Any

from tuning import presets
from tuning.errors import InputError
from tuning.presets import legacy
from tuning.runs import disk, files
from tuning.runs.contents import KeptRecipe
from tuning.schema import Recipe, TrainSettings
from tuning.studio.chats import folder_of
from tuning.studio.ordering.order_files import document, dumped
from tuning.studio.quotas import Quotas
from tuning.studio.shared import Shared
from tuning.text import LANGUAGES, t

OWN = "own-"  # how the ids of saved recipes begin: none of presets/ does
MOST = 50  # of one owner


@functools.lru_cache(maxsize=1000)
def _read(path: pathlib.Path, changed: int) -> KeptRecipe | None:
    """A saved recipe, read again only when its file has changed: the page asks for all of them whenever it draws."""
    return disk.kept(lambda: disk.record(path, KeptRecipe), None)


def _saved() -> dict[str, str]:
    """What stands as the purpose of a recipe of which nothing else was said."""
    return {lang: t(lang, "recipe.own") for lang in LANGUAGES}


class OwnRecipes:
    """The recipes of one owner."""

    def __init__(self, shared: Shared, owner: str, quotas: Quotas) -> None:
        self.shared, self.owner, self._quotas = shared, owner, quotas
        self._folder = folder_of(shared.settings.home, owner, "recipes")

    def all(self) -> dict[str, Recipe]:
        """All of them by id, the newest first. A file that cannot be read is left out, and the log says why."""
        mine = list[KeptRecipe]()
        for path in self._folder.glob(f"{OWN}*.json"):
            with contextlib.suppress(FileNotFoundError):  # deleted at this moment
                kept = _read(path, path.stat().st_mtime_ns)
                mine += [kept] if kept is not None and (kept.owner, kept.recipe.id) == (self.owner, path.stem) else []
        return {kept.recipe.id: kept.recipe for kept in sorted(mine, key=lambda kept: -kept.created)}

    def save(self, name: str, settings: TrainSettings) -> Recipe:
        """Keep settings under a name. Raises InputError for no name, one that is taken, too many, and `quota.storage`."""
        return self._keep({"title": name, "settings": settings.model_dump()}, name)

    def take(self, text: str, file: str) -> Recipe:
        """Keep the recipe of a file. Raises InputError as `save` does, and for what the file names and is not taken or not allowed."""
        return self._keep(document(text, file), files.clean_name(file))

    def write(self, id: str) -> str:
        """A recipe as a file: what is not as the schema has it anyway. Raises InputError `recipe.unknown`."""
        recipe = self._get(id)
        title, why = recipe.title.model_dump(), recipe.why.model_dump()
        words = {"title": recipe.title.en if recipe.title.en == recipe.title.it else title} | ({} if why == _saved() else {"why": why})
        beside = recipe.model_dump(include={"model", "dataset", "max_samples"}, exclude_none=True)
        return dumped({**words, **beside, "settings": recipe.settings.model_dump(exclude_defaults=True)})

    def delete(self, id: str) -> None:
        """Remove a recipe for good; runs that were made by it keep their settings. Raises InputError `recipe.unknown`."""
        self._quotas.pace("change")
        self._get(id)
        files.remove(self._path(id))

    def _keep(self, content: dict[str, Any], where: str) -> Recipe:
        self._quotas.pace("change")
        self._quotas.room()
        title = content.get("title")
        names = title if isinstance(title, dict) else dict.fromkeys(LANGUAGES, title)
        words = {lang: files.clean_name(said) if isinstance(said, str) else said for lang, said in names.items()}
        if not words.get("en"):
            raise InputError("recipe.no_name")
        why = content.get("why", _saved())
        id = OWN + files.slug(str(words["en"]), 40, "recipe")
        recipe, _ = presets.recipe({**content, "id": id, "title": words, "why": why}, where)
        self._quotas.over_the_web(legacy.modern(recipe.settings.model_dump())[0])
        if len(self.all()) >= MOST:
            raise InputError("recipe.many", most=MOST)
        if self._path(id).exists():
            raise InputError("recipe.taken", name=recipe.title.en)
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = KeptRecipe(owner=self.owner, created=time.time(), recipe=recipe)
        files.write(self._path(id), kept.model_dump_json(by_alias=True))
        return recipe

    def _get(self, id: str) -> Recipe:
        mine = self.all()
        if id not in mine:
            raise InputError("recipe.unknown", recipe=files.clean_name(id), known=", ".join(mine) or "–")
        return mine[id]

    def _path(self, id: str) -> pathlib.Path:
        return self._folder / f"{id}.json"
