"""Trees of messages (OpenAssistant's, and others of that form) to one conversation each: from the first message along the best answers.

A message has a row of its own and names its parent, or holds its replies. What branches off is left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.data.formats.marks import verdict
from tuning.data.formats.notes import Unused
from tuning.data.formats.turns import mended, merged
from tuning.data.records import FileRecord, Values, blank, given, shown, squeezed
from tuning.data.roles import ROLES
from tuning.schema import Notice

_NAMES = {
    "id": ("messageid", "id", "nodeid", "postid", "idmessaggio"),
    "parent": ("parentid", "parentmessageid", "parent", "parentnode", "replyto", "inreplyto", "idpadre", "idgenitore", "genitore", "padre"),
    "role": ("role", "from", "speaker", "ruolo"),
    "text": ("text", "content", "message", "body", "value", "testo", "contenuto", "messaggio"),
}
_RANKS = ("rank", "rango", "posizione")  # the least is the best
_DELETED = ("deleted", "isdeleted", "removed", "eliminato", "cancellato")
_REPLIES = ("replies", "children", "risposte")


@dataclass
class _Node:
    """One message, and those that answer it."""

    role: str
    text: str
    rank: float
    line: int
    parent: str = ""
    replies: list["_Node"] = field(default_factory=list)
    answered: bool = False  # whether the assistant speaks here or below


class Trees:
    """The messages of a file, and what became of them."""

    speaks = False

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self.unused: Unused = Counter()
        self._talks = 0

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record of messages for each tree in which somebody answers; all rows are held until the last is read."""
        row = 0
        nodes: dict[str, _Node] = {}
        for record in whole:
            if record.values is None:
                row += 1
                yield FileRecord(row, record.line, fault=record.fault)
                continue
            node = self._node(record.values, record.line)
            if node is None:
                continue
            if nodes.setdefault(str(record.values.get(self._columns["id"], "")), node) is not node:
                self._leave("twice under one name", 1)
        roots: list[_Node] = []
        for node in nodes.values():
            (nodes[node.parent].replies if node.parent in nodes else roots).append(node)
        circling = set(map(id, nodes.values()))
        for root in roots:
            circling.difference_update(map(id, _below(root)))
        self._leave("answers in a circle", len(circling))
        for root in roots:
            for values in self._conversation(root):
                row += 1
                yield FileRecord(row, root.line, values=values, size=sum(len(turn["content"]) for turn in values["messages"]))

    def notices(self) -> Sequence[Notice]:
        """How many conversations there are; what is left out is named as not used."""
        return (Notice(code="data.note.tree", params={"talks": self._talks}),)

    def _node(self, values: Values, line: int) -> _Node | None:
        role = ROLES.get(squeezed(str(values.get(self._columns["role"]) or "")))
        text = values.get(self._columns["text"])
        gone = any(squeezed(key) in _DELETED and verdict(held) for key, held in values.items())
        if gone or role not in ("system", "user", "assistant") or not isinstance(text, str) or blank(text):
            self._leave("deleted, empty or of nobody known", 1)
            return None
        for key, held in values.items():
            if key not in self._columns.values() and given(held) and squeezed(key) not in (*_RANKS, *_DELETED, *_REPLIES):
                self.unused["key", shown(key, 80)] += 1
        return _Node(role, text, _rank(values), line, str(values.get(self._columns["parent"]) or ""))

    def _conversation(self, root: _Node) -> Iterator[dict[str, Any]]:
        """The conversation along the best answers, if there is one."""
        order = _below(root)
        for node in reversed(order):
            node.answered = node.role == "assistant" or any(reply.answered for reply in node.replies)
        path = [root]
        while path[-1].replies:
            path.append(min(path[-1].replies, key=lambda node: (not node.answered, node.rank)))
        said = merged([{"role": node.role, "content": node.text} for node in path])
        kept = mended(said) or []
        self._leave("other branches", len(order) - len(path))
        self._leave("without a question or an answer", len(said) - len(kept))
        if kept:
            self._talks += 1
            yield {"messages": kept}

    def _leave(self, reason: str, count: int) -> None:
        if count:
            self.unused["part", f"{self._columns['text']}: {reason}"] += count


def _below(root: _Node) -> list[_Node]:
    """A message and all that answer it, whatever branch."""
    order = [root]
    for node in order:  # grows while it is walked
        order += node.replies
    return order


class NestedTrees(Trees):
    """Trees whose messages hold their replies, one tree in a row."""

    def records(self, whole: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """A record of messages for each row in which somebody answers."""
        for row, record in enumerate(whole, start=1):
            if record.values is None:
                yield FileRecord(row, record.line, fault=record.fault)
                continue
            name, tree = _tree(record.values)
            beside = {key: held for key, held in record.values.items() if tree is not record.values and key != name}
            root = self._grown(tree, record.line) if tree is not None else None
            said = next(self._conversation(root), None) if root is not None else None
            yield FileRecord(row, record.line, values={**beside, "messages": said["messages"] if said else []}, size=record.size)

    def _grown(self, tree: Values, line: int) -> _Node | None:
        root = self._node(tree, line)
        waiting = [(tree, root)] if root is not None else []
        for values, node in waiting:  # grows while it is walked
            for reply in _replies(values):
                answer = self._node(reply, line)
                if node is not None and answer is not None:
                    node.replies.append(answer)
                    waiting.append((reply, answer))
        return root


def found(sample: Sequence[Values], asked: Mapping[str, str]) -> Trees | None:
    """The trees that a sample is the beginning of; None where its rows are something else, or a mapping by hand says what they are."""
    if not sample or asked:
        return None
    trees = [tree for row in sample if (tree := _tree(row)[1]) is not None]
    if 2 * len(trees) > len(sample):
        columns = _columns(trees[0])
        return NestedTrees({"id": "", "parent": "", **columns}) if {"role", "text"} <= columns.keys() else None
    columns = _columns({name: None for row in sample for name in row})
    if columns.keys() != _NAMES.keys():
        return None
    roles = {ROLES.get(squeezed(str(row.get(columns["role"])))) for row in sample}
    ids = {str(row.get(columns["id"])) for row in sample}
    linked = any(str(row.get(columns["parent"])) in ids for row in sample)
    return Trees(columns) if roles <= {"system", "user", "assistant"} and linked else None


def _columns(row: Values) -> dict[str, str]:
    names = {squeezed(name): name for name in reversed(list(row))}
    return {part: names[name] for part, known in _NAMES.items() if (name := next((one for one in known if one in names), None))}


def _tree(row: Values) -> tuple[str, Values | None]:
    """The message of a row that holds replies, and under which name: the row itself, or one of its objects."""
    if _branches(row):
        return "", row
    return next(((name, held) for name, held in row.items() if isinstance(held, dict) and _branches(held)), ("", None))


def _branches(value: Values) -> bool:
    return (
        any(
            squeezed(key) in _REPLIES and isinstance(held, list) and all(isinstance(one, dict) for one in held)
            for key, held in value.items()
        )
        and {
            "role",
            "text",
        }
        <= _columns(value).keys()
    )


def _replies(value: Values) -> list[Values]:
    return [
        one for key, held in value.items() if squeezed(key) in _REPLIES and isinstance(held, list) for one in held if isinstance(one, dict)
    ]


def _rank(values: Values) -> float:
    held = next((held for key, held in values.items() if squeezed(key) in _RANKS), None)
    try:
        return float(str(held))
    except ValueError:
        return float("inf")
