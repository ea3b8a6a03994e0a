"""Tools and calls of them: from objects, lists or their JSON text to the form that chat templates take.

Which turn or column holds them is for `turns` and the formats to say.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from tuning.data.formats.notes import Notes
from tuning.data.readers.python_literals import as_json
from tuning.data.records import Number, blank, given, shown
from tuning.errors import InputError
from tuning.sandbox.limits import DEFAULT

TOOLS = (
    *(
        "tools",
        "functions",
        "strumenti",
        "funzioni",
        "toolconfig",
        "availabletools",
        "availablefunctions",
        "toolschemas",
        "tooldefinitions",
    ),
    *("werkzeuge", "funktionen", "outils", "fonctions", "herramientas", "funciones"),
)  # keys and columns that hold them, squeezed
_WITHIN = ("functionDeclarations", "function_declarations", "tools")
_SCHEMAS = ("input_schema", "inputSchema", "parametersJsonSchema")

_CALL = frozenset({"id", "type", "function", "name", "arguments", "parameters"})
_WHOLE = re.compile(r"-?[0-9]+")
_LARGEST = 2**63  # beyond it JSON writers and readers disagree


def tools(value: Any, column: str) -> list[dict[str, Any]]:
    """The tools of a row, from a list or its JSON text; bare schemas of functions are wrapped, those of other services made the same.

    Raises InputError `data.row.tools`.
    """
    try:
        return [_tool(tool) for one in _listed(value) for tool in _offered(_object_of(one))]
    except ValueError:
        raise InputError("data.row.tools", column=shown(column)) from None


def calls(value: Any, turn: int, names: dict[str, str] | None = None, notes: Notes | None = None) -> list[dict[str, Any]]:
    """Calls of tools in normal form, from an object, a list of them or their JSON text; `names` learns who is behind an id.

    Raises InputError `data.row.call` (turn).
    """
    try:
        found = [_call(call, {} if names is None else names, notes or Notes()) for call in _listed(value)]
    except ValueError:
        found = []
    if not found:
        raise InputError("data.row.call", turn=turn)
    return found


def parsed(source: str) -> Any:
    """What a JSON text says, or one by Python, numbers still spelled as there. Raises ValueError, for keys that stand twice too."""
    try:
        return _decoded(source)
    except ValueError:
        if "'" not in source:
            raise
        return _decoded(as_json(source))


def _decoded(source: str) -> Any:
    try:
        return json.loads(source, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _listed(value: Any) -> list[Any]:
    """A list of JSON values, from a list, one object or the JSON text of either; nothing is an empty one. Raises ValueError."""
    if isinstance(value, str):
        value = None if blank(value) else parsed(value)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _object_of(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = parsed(value)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _named(function: Mapping[str, Any]) -> str:
    name = function.get("name")
    if not isinstance(name, str) or blank(name):
        raise ValueError("no name")
    return str(plain(name))


def _offered(value: dict[str, Any]) -> list[Any]:
    """The tools that one object offers: itself, or those that Gemini and Bedrock have within it."""
    inner = next((value[key] for key in _WITHIN if isinstance(value.get(key), list)), None)
    return [value] if inner is None else [tool for one in inner for tool in _offered(_object_of(one))]


def _tool(value: Any) -> dict[str, Any]:
    tool = _object_of(value)
    tool = tool["toolSpec"] if isinstance(tool.get("toolSpec"), dict) else tool
    schema = next((key for key in _SCHEMAS if isinstance(tool.get(key), dict)), None)
    if schema is not None and "parameters" not in tool and "function" not in tool:
        held = tool[schema].get("json", tool[schema])
        tool = {**{key: said for key, said in tool.items() if key != schema}, "parameters": held}
    function = tool.get("function")
    if isinstance(function, dict):
        _named(function)
        return {"type": "function", **plain(tool)}
    _named(tool)
    return {"type": "function", "function": plain(tool)}


def _call(value: Any, names: dict[str, str], notes: Notes) -> dict[str, Any]:
    call = _object_of(value)
    function = call.get("function", call)
    function = function if isinstance(function, dict) else call  # {"function": null, "name": …} of files with one schema for all
    name = _named(function)
    arguments = function.get("arguments", function.get("parameters"))
    nothing = arguments is None or (isinstance(arguments, str) and blank(arguments))
    if isinstance(call.get("id"), str):
        names[call["id"]] = name
    if not _CALL.issuperset(call) or not _CALL.issuperset(function):
        notes.leave("key", (f"tool_calls.{key}" for key, held in {**call, **function}.items() if key not in _CALL and given(held)))
    return {"type": "function", "function": {"name": name, "arguments": {} if nothing else plain(_object_of(arguments))}}


def plain(value: Any, depth: int = 1) -> Any:
    """JSON values with numbers as numbers. Raises ValueError for what no JSON holds exactly, and where it is nested too deep."""
    if depth > DEFAULT.depth:
        raise ValueError("nested too deep")
    if isinstance(value, Number):
        value = int(value) if _WHOLE.fullmatch(value) else float(value)
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError is a ValueError
    elif isinstance(value, dict):
        return {plain(str(key)): plain(inner, depth + 1) for key, inner in value.items()}
    elif isinstance(value, list):
        return [plain(inner, depth + 1) for inner in value]
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and not -_LARGEST <= value < _LARGEST):
        raise ValueError("a number out of range")
    elif not isinstance(value, bool | int | float | None):
        raise ValueError("no JSON")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found
