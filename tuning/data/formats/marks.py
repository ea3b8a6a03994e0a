"""Marks that say whether an answer is to be learned: weights, train flags and ratings, in columns of rows and in keys of turns.

A mark is told by its name and its value together; a scale from 1 to 5 is none. What follows from one is for `turns` and `convert`.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tuning.data.records import MISSING, Values, given, squeezed, value_at
from tuning.errors import InputError

LABELS = frozenset({"label", "labels", "etichetta"})  # of rows they may be a class as well as a rating
_TRAINS = (  # words for learning, in five languages
    r"(?:train(?:ed|ing|able)?|learn(?:ed|ing|able)?|loss|loss?weights?|weights?|supervis(?:e|ed|ion)|backprop(?:agate)?"
    r"|addestra(?:re|t[ao]|mento|bile)?|impara(?:re|t[ao])?|pes[oi]|lernen|gelernt|trainier(?:en|t|bar)|gewichte?|gewichtung"
    r"|apprendre|apprentissage|entra[iî]n(?:er|e|é|ée|ement)|poids|aprend(?:er|e|izaje)|entrena(?:r|miento|ble)?)"
)
_LEARN = re.compile(
    r"(?:is|do|does|should|to|use|used|include|included|compute|calculate|generate|da|zu|pour|para|usa)?(?:for|in|per|für|pour)?"
    rf"{_TRAINS}(?:on|it|this|turn|thisturn|onturn|onthis|message|answer|mask|masks|flag|detail|{_TRAINS})?"
)
_NOT_LEARN = re.compile(
    r"(?:(?:do|ne|da)?(?:no|not|n't|nt|non|nicht|pas)|skip|excluded?|escludi|exclure|excluir|ignored?|ignora|mask|without|senza|sin|sans|ohne)"
    rf"(?:from|in|for|da|di|du|de|von|zu)?{_TRAINS}(?:on|it|this|turn|message)?|dont{_TRAINS}(?:on|this)?"
)
WANTED = LABELS | {  # squeezed names that say yes
    *("kto", "ktotag", "rating", "ratings", "rated"),
    *("thumb", "thumbs", "thumbsup", "thumbup", "upvote", "upvoted", "like", "liked", "feedback", "userfeedback", "vote", "voto"),
    *("valutazione", "giudizio", "gradimento", "gradita", "gradito", "piaciuta", "piaciuto", "pollice", "pollicesu", "desirable"),
    *("isdesirable", "desiderabile", "desiderata", "wanted", "good", "isgood", "buona", "buono", "bewertung", "daumen", "gut"),
    *("evaluation", "évaluation", "avis", "valoración", "valoracion", "calificación", "megusta", "jaime", "gefällt", "gefälltmir"),
    *("bonne", "bon", "buena", "bueno", "erwünscht", "souhaitée", "deseada"),
}
UNWANTED = frozenset(  # and those that say no
    {
        *("thumbsdown", "thumbdown", "downvote", "downvoted", "dislike", "disliked", "pollicegiu", "pollicegiù", "undesirable"),
        *("isundesirable", "indesiderabile", "indesiderata", "unwanted", "bad", "isbad", "cattiva", "cattivo", "masked", "mask"),
        *("ignore", "ignored", "ignora", "skip", "salta", "exclude", "excluded", "escludi", "esclusa", "escluso"),
        *(
            "ignorieren",
            "überspringen",
            "ausschließen",
            "exclure",
            "ignorer",
            "ignorar",
            "excluir",
            "saltar",
            "schlecht",
            "mauvaise",
            "mala",
        ),
    }
)
_EXPLICIT = frozenset({"ignore", "skip", "exclude", "masked"})
DOUBTFUL = frozenset(  # names of columns that may mean it: one asks
    {
        *("score", "punteggio", "quality", "qualità", "approved", "isapproved", "approvata", "approvato", "accepted", "accettata", "valid"),
        *("isvalid", "valida", "valido", "verified", "verificata", "verificato", "correct", "iscorrect", "corretta", "corretto", "right"),
        *("giusta", "giusto", "esatta", "helpful", "utile", "useful", "ok", "isok", "keep", "tenere", "use", "usare", "include", "flag"),
        *("stars", "stelle", "status", "stato", "esito", "reward", "grade", "verdict", "verdetto", "preferred", "chosen", "selected"),
        *("richtig", "korrekt", "qualität", "gültig", "geprüft", "brauchbar", "hilfreich", "correcta", "correcto", "válida", "válido"),
        *("calidad", "estado", "juste", "qualité", "valide", "statut", "note", "nota", "outcome", "result", "passed"),
    }
)
_YES = frozenset(
    {
        *("true", "vero", "good", "buona", "buono", "desirable", "desiderabile", "wanted", "like", "liked", "chosen"),
        *("up", "thumbsup", "thumbup", "upvote", "pollicesu", "mipiace", "accept", "approve", "approved", "approvata", "approvato", "gut"),
        *("accepted", "accettata", "accettato", "wahr", "vrai", "vraie", "verdadero", "verdadera", "bon", "bonne", "bueno", "buena"),
        *("gefällt", "gefälltmir", "jaime", "megusta", "erwünscht", "akzeptiert", "angenommen", "acceptée", "aceptada"),
    }
)
_NO = frozenset(
    {
        *("false", "falso", "bad", "cattiva", "cattivo", "undesirable", "indesiderabile", "unwanted", "dislike"),
        *("disliked", "rejected", "down", "thumbsdown", "thumbdown", "downvote", "pollicegiù", "pollicegiu", "nonmipiace"),
        *("reject", "disapprove", "disapproved", "rifiutata", "rifiutato", "respinta", "respinto", "schlecht"),
        *("falsch", "faux", "fausse", "falsa", "mauvais", "mauvaise", "malo", "mala", "gefälltnicht", "gefälltmirnicht", "jenaimepas"),
        *("nomegusta", "unerwünscht", "abgelehnt", "refusée", "rechazada"),
    }
)
_DECISIONS = frozenset({"accept", "reject", "ignore"})  # of an annotator in Prodigy, under "answer"
_THUMBS = {"👍": True, "👎": False}
_SIGNS = {**_THUMBS, **dict.fromkeys("✅✔☑✓💚😀😃😊🙂", True), **dict.fromkeys("❌✖✗✘💔🙁☹😞😡", False)}
_HOLDERS = frozenset({"metadata", "meta", "feedback", "userfeedback", "annotation", "annotations", "extra", "info"})  # objects with marks
_LONGEST_SIGN = 4  # characters: a sign, its colour and its variant
_ZERO_OR_ONE = re.compile(r"[+-]?[01](?:[.,]0+)?")
_NUMBERS: dict[float, bool] = {1: True, 0: False, -1: False}
_WEAK = {  # words that a class may be called, too
    **dict.fromkeys(
        ("yes", "y", "sì", "sí", "si", "s", "ja", "j", "oui", "o", "positive", "positiva", "positivo", "positiv", "positif"), True
    ),
    **dict.fromkeys(("ok", "+", "correct", "corretta", "corretto", "correcta", "correcto", "richtig", "korrekt", "pass", "passed"), True),
    **dict.fromkeys(("no", "n", "nein", "non", "negative", "negativa", "negativo", "negativ", "négatif", "ko", "-", "wrong"), False),
    **dict.fromkeys(("incorrect", "errata", "errato", "sbagliata", "sbagliato", "fail", "failed"), False),
}


@functools.lru_cache(1000)
def means(name: str) -> bool | None:
    """What a yes under a name says: True to learn it, False not to, None where the name is that of no mark."""
    plain = squeezed(name.rpartition(".")[2])
    if plain in UNWANTED or _NOT_LEARN.fullmatch(plain):
        return False
    return True if plain in WANTED or _LEARN.fullmatch(plain) else None


def _explicit(plain: str) -> bool:
    """Whether a squeezed name can be nothing but a mark."""
    return plain in _EXPLICIT or bool(_LEARN.fullmatch(plain) or _NOT_LEARN.fullmatch(plain))


def verdict(value: Any, weak: bool = True) -> bool | None:
    """Yes or no, in any of their spellings; None for what is neither. `weak`: words such as yes and positive count, too."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return _NUMBERS.get(value) if isinstance(value, int | float) else None
    word = value.strip().casefold()
    if word == "ignore":
        return False
    if word[:1] in _SIGNS:
        return _SIGNS[word[0]]
    if _ZERO_OR_ONE.fullmatch(word):
        return _NUMBERS[int(float(word.replace(",", ".")))]
    plain = word if word[:1] in ("-", "+") else squeezed(word)
    return True if plain in _YES else False if plain in _NO else _WEAK.get(plain) if weak else None


def wanted(name: str, value: Any) -> bool | None:
    """Whether what stands under a name is to be learned, also within an object of feedback or metadata; None where it does not say."""
    if isinstance(value, Mapping):
        inner = {wanted(key, held) for key, held in value.items() if not isinstance(held, Mapping)} if holds(name) else set()
        return False if False in inner else True if True in inner else None
    said = means(name)
    if isinstance(value, list) and said is not None:  # stretches of the text, each with its own: it cannot be parted, so none is learned
        inner = {wanted(key, held) for one in value if isinstance(one, Mapping) for key, held in one.items()}
        return False if False in inner else True if True in inner else None
    answer = verdict(value) if said is not None else None
    return None if answer is None else answer == said


def by_turn(name: str, value: Any, said: Sequence[dict[str, Any]]) -> int | None:
    """How many answers a list of marks says not to learn, one for each turn or each answer; they get `weight` 0. None where it is none."""
    good = means(name)
    held = [verdict(one) for one in value] if good is not None and isinstance(value, list) else [None]
    spoken = [message for message in said if message["role"] != "system"]
    answers = [message for message in said if message["role"] == "assistant"]
    of = next((turns for turns in (said, spoken, answers) if len(turns) == len(held)), None)
    if of is None or None in held:
        return None
    left = [message for message, mark in zip(of, held, strict=True) if mark is not good and message["role"] == "assistant"]
    for message in left:
        message["weight"] = 0
    return len(left)


def holds(name: str) -> bool:
    """Whether an object of this name may hold marks."""
    return squeezed(name) in _HOLDERS


def beside(sample: Sequence[Values], taken: Collection[str], alone: bool) -> tuple[list[str], list[str]]:
    """As `columns`, of those that are not `taken` by a format, and of what stands in the same objects as they."""
    holders = {name for row in sample for name, held in row.items() if isinstance(held, Mapping) and holds(name)}
    folders = {"", *holders, *(column.rpartition(".")[0] for column in taken if "." in column and not any(column in row for row in sample))}
    names: list[str] = []
    for folder in sorted(folders):
        held = [row if not folder else value_at(row, folder) for row in sample]
        inner = dict.fromkeys(name for row in held if isinstance(row, Mapping) for name in row)
        names += [f"{folder}.{name}" if folder else name for name in inner]
    return columns(sample, [name for name in names if name not in taken], alone)


def columns(sample: Sequence[Values], names: Iterable[str], alone: bool = False) -> tuple[list[str], list[str]]:
    """The columns that mark rows, by what all rows of a sample hold there; and those that may, of which one asks.

    Beside a text `alone` a rating may be a class: only what can be nothing else is a mark.
    """
    sure: list[str] = []
    doubtful: list[str] = []
    for name in names:
        plain = squeezed(name.rpartition(".")[2])
        said = means(name)
        held = [value for row in sample if (value := value_at(row, name)) is not MISSING and given(value)]
        if plain == "answer" and held and all(isinstance(value, str) and value in _DECISIONS for value in held):
            sure.append(name)
            continue
        if alone and not _explicit(plain):
            continue
        signs = said is None and plain not in DOUBTFUL and {_sign(value) for value in held}
        if signs and signs <= _SIGNS.keys():
            (sure if signs <= _THUMBS.keys() else doubtful).append(name)
            continue
        if said is None and plain not in DOUBTFUL:
            continue
        if not held or any(verdict(value) is None for value in held) or _scale(held):
            continue
        if said is None or (plain in LABELS and any(verdict(value, weak=False) is None for value in held)):
            doubtful.append(name)
        else:
            sure.append(name)
    return sure, doubtful


def _sign(value: Any) -> str:
    """The first sign of a text that may be a verdict by itself."""
    return value.strip()[:1] if isinstance(value, str) and len(value.strip()) < _LONGEST_SIGN else ""


def _scale(held: Sequence[Any]) -> bool:
    """Whether 0 stands between -1 and 1: then it is no verdict."""
    words = {str(value).strip().removesuffix(".0") for value in held}
    return {"-1", "0"} <= words


def unwanted(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The first of the columns that says not to learn from a row."""
    for name in names:
        good = verdict(value_at(row, name))
        if good is not None and good is (means(name) is False):
            return name
    return None


def refuse_unwanted(row: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raises InputError `data.row.unwanted` where a column says not to learn from a row."""
    if unwanted(row, names) is not None:
        raise InputError("data.row.unwanted")
