"""Makes question-and-answer pairs of everyday talk for the practice corpus, in English and Italian.

Each maker takes a random source and a language and returns one pair. Shops are not its business: see `shoptalk.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import words
from phrases import CHAT, NAMES, PHRASES, STORIES, UNKNOWN, UNKNOWN_ANSWERS

Pair = tuple[str, str]


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _say(rng: random.Random, lang: str, key: str, **slots: object) -> Pair:
    """A question and an answer of the key, both drawn at random and filled."""
    asks, answers = PHRASES[key][lang]
    return _cap(rng.choice(asks).format(**slots)), _cap(rng.choice(answers).format(**slots))


def small_talk(rng: random.Random, lang: str) -> Pair:
    """Greetings, thanks, goodbyes and questions about the model itself."""
    asks, answers = rng.choice(CHAT[lang])
    return rng.choice(asks), rng.choice(answers)


def order(rng: random.Random, lang: str) -> Pair:
    """Which day, month or season comes before or after another."""
    table, kind = rng.choice(((words.DAYS, "day"), (words.MONTHS, "month"), (words.SEASONS, "season")))
    row = table[lang]
    at = rng.randrange(len(row))
    key = rng.choice(("after", "before"))
    other = row[(at + (1 if key == "after" else -1)) % len(row)]
    kinds = {"day": "giorno", "month": "mese", "season": "stagione"}
    return _say(rng, lang, key, a=row[at], b=other, kind=kind if lang == "en" else kinds[kind])


def lists(rng: random.Random, lang: str) -> Pair:
    """The days, months or seasons in their order."""
    key, table = rng.choice((("days", words.DAYS), ("months", words.MONTHS), ("seasons", words.SEASONS)))
    return _say(rng, lang, key, all=", ".join(table[lang]))


def colour(rng: random.Random, lang: str) -> Pair:
    """The colour of a thing."""
    en_thing, en_colour, it_thing, it_colour = rng.choice(words.COLOURS)
    thing, shade = (en_thing, en_colour) if lang == "en" else (it_thing, it_colour)
    return _say(rng, lang, "colour", a=thing, b=shade)


def yes_no(rng: random.Random, lang: str) -> Pair:
    """Whether a thing has a colour: yes or no, with the right colour."""
    row, other = rng.sample(words.COLOURS, 2)
    at = 0 if lang == "en" else 2
    thing, shade = row[at], row[at + 1]
    if rng.random() < 0.5 or lang == "it" or other[1] == row[1]:
        return _say(rng, lang, "is_yes", a=thing, b=shade)
    return _say(rng, lang, "is_no", a=thing, b=shade, c=other[1])


def opposite(rng: random.Random, lang: str) -> Pair:
    """The opposite of a word."""
    row = rng.choice(words.OPPOSITES)
    one, two = row[:2] if lang == "en" else row[2:]
    return _say(rng, lang, "opposite", a=one, b=two)


def animal(rng: random.Random, lang: str) -> Pair:
    """The sound of an animal, or the animal of a sound."""
    row = rng.choice(words.ANIMALS)
    name, sound = row[:2] if lang == "en" else row[2:]
    return _say(rng, lang, rng.choice(("sound", "which_animal")), a=name, b=sound)


def capital(rng: random.Random, lang: str) -> Pair:
    """The capital of a country, or the country of a capital."""
    en_land, en_city, it_land, it_city, it_of = rng.choice(words.CAPITALS)
    land, city, of = (en_land, en_city, en_land) if lang == "en" else (it_land, it_city, it_of)
    return _say(rng, lang, rng.choice(("capital", "capital", "country")), a=land, b=city, of=of)


def sums(rng: random.Random, lang: str) -> Pair:
    """A small addition or subtraction, in figures or in words."""
    one, two = rng.randint(0, 10), rng.randint(0, 10)
    if rng.random() < 0.3:
        one, two = max(one, two), min(one, two)
        key, result = "minus", one - two
    else:
        key, result = "plus", one + two
    if rng.random() < 0.7:
        return _say(rng, lang, key, a=one, b=two, c=result)
    row = words.NUMBERS[lang]
    return _say(rng, lang, key, a=row[one], b=row[two], c=row[result])


def count(rng: random.Random, lang: str) -> Pair:
    """Counting from one number to another, upwards or downwards."""
    start = rng.randint(1, 12)
    stop = start + rng.randint(2, 8)
    figures = rng.random() < 0.6
    row = [str(n) if figures else words.NUMBERS[lang][n] for n in range(start, stop + 1)]
    if rng.random() < 0.25:
        row = row[::-1]
    return _say(rng, lang, "count", a=row[0], b=row[-1], c=", ".join(row))


def translate(rng: random.Random, lang: str) -> Pair:
    """One word in the other language."""
    en_word, it_word = rng.choice(words.TRANSLATIONS)
    return _say(rng, lang, rng.choice(("to_it", "to_en")), en=en_word, it=it_word)


def tailoring(rng: random.Random, lang: str) -> Pair:
    """What a tailor's word means."""
    term, meanings = rng.choice(words.TAILORING[lang])
    ask, _ = _say(rng, lang, "what_is", a=term)
    return ask, rng.choice(meanings)


def howto(rng: random.Random, lang: str) -> Pair:
    """How a small sewing task is done."""
    task, steps = rng.choice(words.HOWTO[lang])
    ask, _ = _say(rng, lang, "how_to", a=task)
    return ask, steps


def repeat(rng: random.Random, lang: str) -> Pair:
    """Repeating words as they are, in capitals, or backwards in order."""
    at = 0 if lang == "en" else 1
    text = " ".join(row[at] for row in rng.sample(words.TRANSLATIONS, rng.randint(1, 5)))
    if rng.random() < 0.25:
        text += " " + str(rng.randint(1, 999))
    if rng.random() < 0.6:
        return _say(rng, lang, "repeat", a=text, b=text)
    return _say(rng, lang, "shout", a=text, b=text.upper())


def story(rng: random.Random, lang: str) -> Pair:
    """A story of two sentences about a person, a thing and a weather."""
    people, things, actions, ends = STORIES[lang]
    who, what = rng.choice(people), rng.choice(things)
    asks, _ = PHRASES["story"][lang]
    ask = rng.choice(asks).format(a=who, b=what)
    text = rng.choice(actions).format(a=who, b=what) + " " + rng.choice(ends).format(a=who, b=what)
    return _cap(ask), _cap(text)


def name_talk(rng: random.Random, lang: str) -> Pair:
    """The user says a name, the model greets by it."""
    return _say(rng, lang, "my_name", a=rng.choice(NAMES[lang]))


def unknown(rng: random.Random, lang: str) -> Pair:
    """A question beyond the small world of the model, and a plain admission."""
    asks, topics = UNKNOWN[lang]
    return rng.choice(asks).format(a=rng.choice(topics)), rng.choice(UNKNOWN_ANSWERS[lang])


Maker = Callable[[random.Random, str], Pair]
MAKERS: tuple[tuple[Maker, int], ...] = (
    (small_talk, 9),
    (order, 5),
    (lists, 1),
    (colour, 4),
    (yes_no, 3),
    (opposite, 4),
    (animal, 3),
    (capital, 4),
    (sums, 5),
    (count, 4),
    (translate, 6),
    (tailoring, 3),
    (howto, 3),
    (repeat, 10),
    (story, 5),
    (name_talk, 3),
    (unknown, 5),
)
FACTUAL: tuple[Maker, ...] = (order, colour, opposite, animal, capital, sums, count)


def pair(rng: random.Random, lang: str) -> Pair:
    """One pair of any kind."""
    makers, weights = zip(*MAKERS, strict=True)
    return rng.choices(makers, weights)[0](rng, lang)
