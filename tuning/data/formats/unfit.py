"""Data that serve another purpose than learning to answer: told by their columns and values, and refused by name.

Images, sounds and films, labels to sort texts by, trees of messages, tables of single turns, and answers that were marked as unwanted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.data.formats.marks import means, verdict
from tuning.data.formats.shapes import Format
from tuning.data.records import Values, listed, shown, squeezed, value_at
from tuning.errors import InputError

_MEDIA = (  # columns, squeezed
    *("image", "images", "img", "pixelvalues", "imagepath", "imageurl", "immagine", "immagini"),
    *("audio", "audios", "audiopath", "audiourl", "video", "videos", "videopath", "videourl"),
)
_PARTS = ("image", "audio", "video")  # in the type of a part
_LABELS = ("label", "labels", "coarselabel", "finelabel", "etichetta", "etichette", "sentiment")
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg")
_PLAYED = (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".opus", ".mp4", ".webm", ".mov", ".avi", ".mkv")
_NAMED = (  # languages, by their codes and by their names
    "en it de fr es pt nl ru pl zh ja ko ar tr sv da fi cs el ro hu uk ca hr sl sk bg fa vi th la eu gl sq sr eo mt"
    " eng ita deu ger fra fre spa por nld rus pol zho jpn kor ara tur swe dan fin ces ell ron hun ukr cat lat"
    " english italian german french spanish portuguese dutch russian polish chinese japanese latin arabic dialect"
    " inglese italiano tedesco francese spagnolo portoghese olandese russo polacco cinese giapponese latino arabo dialetto"
    " englisch italienisch deutsch französisch spanisch anglais italien allemand français espagnol inglés alemán francés español"
)
_WORDS = "hi id is no he to so as my ga cy et lt lv ms sw tl ur bn ta"  # codes that are words as well
_LONGEST = 60  # characters of a text that is a label


def refuse_unwanted(label: Any, column: str) -> None:
    """A row passes where its rating is good. Raises InputError `data.row.unwanted`; `data.row.type` (column) where it is none."""
    good = verdict(label)
    if good is None:
        raise InputError("data.row.type", column=shown(column), found="value")
    if good is (means(column) is False):
        raise InputError("data.row.unwanted")


def refuse_images(sample: Sequence[Values], columns: Sequence[str]) -> None:
    """Raises InputError `data.images` (column) where most rows bring a picture, a sound or a film."""
    for column in columns:
        if squeezed(column) in _MEDIA and 2 * sum(_picture(row.get(column)) for row in sample) > len(sample):
            raise InputError("data.images", column=shown(column))


def refuse_languages(sample: Sequence[Values], columns: Sequence[str]) -> None:
    """Raises InputError `data.languages` (columns, first, second) where rows hold a text in several languages: from which, nobody says."""
    inside = [f"{column}.{key}" for column in columns if isinstance(held := sample[0].get(column), dict) for key in held]
    for names in (columns, inside):
        found = [name for name in names if _language(name.rpartition(".")[2]) in _NAMED.split()]
        if len(found) == 1 and len(names) == 2:
            found = [name for name in names if name in found or _language(name.rpartition(".")[2]) in _WORDS.split()]
        if len(found) > 1 and all(isinstance(value_at(row, name), str) for row in sample[:1] for name in found):
            raise InputError("data.languages", columns=listed(found), first=found[0], second=found[1])


def _language(name: str) -> str:
    """A name without what may stand around a language ("text_en", "Italian sentence")."""
    plain = squeezed(name)
    for word in ("text", "sentence", "testo", "frase", "translation", "traduzione"):
        plain = plain.removeprefix(word).removesuffix(word)
    return plain


def refuse_image_parts(form: Format, mapping: Mapping[str, str], sample: Sequence[Values]) -> None:
    """Raises InputError `data.images` (column) where all that keeps the rows out is a picture, a sound or a film in a conversation."""
    for row in sample:
        try:
            form.convert(row, mapping)
        except InputError as fault:
            if fault.code == "data.row.part" and any(kind in fault.params["found"] for kind in _PARTS):
                continue
        return
    raise InputError("data.images", column=shown(next(iter(mapping.values()))))


def refuse(sample: Sequence[Values], columns: Sequence[str], text: str | None, answered: bool) -> None:
    """`text` is the column of plain text, where there is one; `answered` where its label is taken as the answer.

    Raises InputError: `data.tree`, `data.tokenized`, `data.formats.turns` (column), `data.labels` and `data.spans` (text, label).
    """
    names = {squeezed(column): column for column in columns}
    if {"messageid", "parentid"} <= names.keys() or any(_branches(held) for row in sample for held in row.values()):
        raise InputError("data.tree")
    if text is None and names.keys() & {"inputids", "tokenids"}:
        raise InputError("data.tokenized")
    if text is None:
        return
    speaker = next((names[key] for key in ("role", "from", "speaker", "ruolo") if key in names), None)
    if speaker is not None and all(isinstance(row.get(speaker), str) for row in sample):
        raise InputError("data.turns", column=shown(speaker))
    label = next((names[name] for name in _LABELS if name in names), None)
    if label is not None and 2 * sum(_stretches(row.get(label)) for row in sample) > len(sample):
        raise InputError("data.spans", text=shown(text), label=shown(label))
    if label is not None and not answered and 2 * sum(_sorts(row.get(label)) for row in sample) > len(sample):
        raise InputError("data.labels", text=shown(text), label=shown(label))


def _branches(value: Any) -> bool:
    """Whether a value is a message with those that answer it."""
    return isinstance(value, dict) and "text" in value and isinstance(value.get("replies"), list)


def _stretches(value: Any) -> bool:
    """Whether a value marks stretches of a text."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, list | dict) for one in value)


def _picture(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and _picture(value[0])
    if isinstance(value, str):
        small = value.strip().lower()
        return small.endswith((*_ENDINGS, *_PLAYED)) or small.startswith(("data:image/", "http://", "https://"))
    return isinstance(value, bytes) or (isinstance(value, dict) and not value.keys().isdisjoint(("bytes", "path", "src", "url")))


def _sorts(value: Any) -> bool:
    """Whether a value is one to sort texts by: a number, a truth or a short name, or a list of such."""
    if isinstance(value, list):
        return bool(value) and _sorts(value[0])
    return isinstance(value, bool | int | float) or (isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST)
