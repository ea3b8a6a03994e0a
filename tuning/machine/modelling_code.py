"""The text of transformers' modelling code that is installed here: whether it changed, found without importing it."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import re

IMPORTED = re.compile(r"^\s*from (?:\.\.|transformers\.models\.)(\w+)\.(modeling_\w+) import", re.MULTILINE)


def fingerprint(model_type: str) -> str:
    """The fingerprint changes where transformers' code of `model_type`, or of a family that it takes classes from, does.

    An architecture whose code is found nowhere has the version of transformers instead.
    """
    spec = importlib.util.find_spec("transformers")  # finds the folder and imports nothing
    folders = spec.submodule_search_locations if spec else None
    return _fingerprint(pathlib.Path(next(iter(folders or ()), "")) / "models", model_type)


@functools.cache
def _fingerprint(models: pathlib.Path, model_type: str) -> str:
    texts = _code(models, model_type)
    if not texts:
        return importlib.metadata.version("transformers")
    return hashlib.sha256("\0".join(texts[name] for name in sorted(texts)).encode()).hexdigest()


def _code(models: pathlib.Path, model_type: str) -> dict[str, str]:
    """The texts of the family's modelling files by folder and name, with those of other families that they import from."""
    family = model_type.replace("-", "_")
    while family and not (
        family.isidentifier() and (models / family).is_dir()
    ):  # the text part of a family lies in its folder: gemma3_text
        family = family.rpartition("_")[0]
    found: dict[str, str] = {}
    left = sorted((models / family).glob("modeling_*.py")) if family else []
    while left:
        path = left.pop()
        name = f"{path.parent.name}/{path.name}"
        if name not in found and path.is_file():
            found[name] = path.read_text(encoding="utf-8")
            left += [models / other / f"{module}.py" for other, module in IMPORTED.findall(found[name])]
    return found
