"""Makes conversations about invented shops in which the answer is unknown, or stands in the facts given in the chat.

It fills the tables of `shoptalk_en.py` and `shoptalk_it.py` at random. It knows nothing of the two shops of the data sets.
"""

from __future__ import annotations

import random
from types import ModuleType

import shoptalk_en
import shoptalk_it

TABLES: dict[str, ModuleType] = {"en": shoptalk_en, "it": shoptalk_it}
Messages = list[dict[str, str]]
Slots = dict[str, str]


def capital(text: str) -> str:
    """Makes the first letter of the text big."""
    return text[:1].upper() + text[1:]


def fill_shop(rng: random.Random, lang: str) -> str:
    """Invents the name of a shop."""
    table = TABLES[lang]
    last, last2 = rng.sample(table.LAST, 2)
    return rng.choice(table.SHOPS).format(last=last, last2=last2, first=rng.choice(table.FIRST), town=rng.choice(table.TOWNS))


def draw_slots(rng: random.Random, lang: str) -> Slots:
    """Draws one value for every slot that a question, a topic or a statement may have."""
    table = TABLES[lang]
    day = rng.choice(table.DAYS)
    canon, nouns, infinitives = rng.choice(table.ITEMS)
    street, number = rng.choice(table.STREETS), str(rng.randint(1, 199))
    article = "la" if day == "domenica" else "il"
    phone = "".join(str(rng.randint(0, 9)) for _ in range(rng.choice((6, 7, 8))))
    slots = {
        "day": day,
        "iday": f"{article} {day}",
        "dday": f"{'della' if article == 'la' else 'del'} {day}",
        "month": rng.choice(table.MONTHS),
        "t1": rng.choice(table.TIMES),
        "t2": rng.choice(table.LATE),
        "canon": canon,
        "noun": rng.choice((canon, *nouns)),
        "inf": rng.choice(infinitives),
        "n": rng.choice(table.MONEY).format(x=rng.choice((rng.randint(2, 60), rng.randint(10, 400)))),
        "dur": rng.choice(table.DURATIONS),
        "addr": f"{street} {number}" if lang == "it" else f"{number} {street}",
        "name": f"{rng.choice(table.FIRST)} {rng.choice(table.LAST)}",
        "year": str(rng.randint(1820, 2022)),
        "phone": f"0{phone[:3]} {phone[3:]}",
        "pct": str(rng.choice((5, 10, 15, 20, 25, 30, 35, 40, 50))),
        "pay": rng.choice(table.PAYS),
        "who": rng.choice(table.WHO),
        "place": rng.choice(table.PLACES),
        "town": rng.choice(table.TOWNS),
        "good": rng.choice(table.GOODS),
        "pet": rng.choice(table.PETS),
        "drink": rng.choice(table.DRINKS),
        "colour": rng.choice(table.COLOURS),
        "k": rng.choice(table.NUMBERS),
        "shop": fill_shop(rng, lang),
    }
    return slots


def roughen(rng: random.Random, text: str) -> str:
    """Writes a question as people type: now and then without capitals, without a question mark or with two."""
    roll = rng.random()
    if roll < 0.12:
        text = text.lower()
    elif roll < 0.15:
        text = text.upper()
    roll = rng.random()
    if text.endswith("?") and roll < 0.12:
        text = text[:-1]
    elif text.endswith("?") and roll < 0.16:
        text += "?"
    return text


def question(rng: random.Random, lang: str, key: str, slots: Slots) -> str:
    """One of many ways to ask for an intent, with or without a greeting and thanks."""
    table = TABLES[lang]
    text = capital(rng.choice(table.INTENTS[key][0]).format(**slots))
    if rng.random() < 0.3:
        greet = rng.choice(table.GREETS).format(**slots)
        joins = greet.rstrip()[-1] in ",:"
        text = greet + (text[:1].lower() + text[1:] if joins and not text.startswith(("I ", "I'", *table.DAYS)) else text)
    if rng.random() < 0.15:
        text += rng.choice(table.THANKS)
    return roughen(rng, text)


def refusal(rng: random.Random, lang: str, key: str, slots: Slots) -> str:
    """A polite answer that names what was asked and says that it is not known."""
    table = TABLES[lang]
    topic = rng.choice(table.INTENTS[key][1]).format(**slots)
    forms = table.CLAUSE_REFUSALS if topic.startswith(table.CLAUSE_STARTS) and table.CLAUSE_STARTS else table.REFUSALS
    text = rng.choice(forms).format(t=topic)
    sorry = rng.choice(table.SORRY)
    if sorry and not text.startswith(("I ", "I'")):
        text = text[:1].lower() + text[1:]
    tail = rng.choice(table.TAILS)
    return capital(sorry + text) + ("" if table.SHOP_WORD in text and table.SHOP_WORD in tail else tail)


def statement(rng: random.Random, lang: str, key: str, slots: Slots) -> str:
    """A sentence that states the fact of an intent."""
    return capital(rng.choice(TABLES[lang].INTENTS[key][2]).format(**slots))


def unknown_chat(rng: random.Random, lang: str) -> Messages:
    """One or two questions on a shop that nobody has described."""
    messages: Messages = []
    for _ in range(1 if rng.random() < 0.75 else 2):
        key = draw_key(rng, lang)
        slots = draw_slots(rng, lang)
        messages.append({"role": "user", "content": question(rng, lang, key, slots)})
        messages.append({"role": "assistant", "content": refusal(rng, lang, key, slots)})
    return messages


def draw_key(rng: random.Random, lang: str) -> str:
    """Draws an intent; opening times, prices and durations come up more often, since they have more to them."""
    roll = rng.random()
    if roll < 0.2:
        return "price"
    if roll < 0.32:
        return "duration"
    if roll < 0.46:
        return rng.choice(("open_day", "close_day", "hours_day", "closed_day"))
    return rng.choice(list(TABLES[lang].INTENTS))


def facts_for(rng: random.Random, lang: str, count: int, shop: str) -> list[tuple[str, Slots]]:
    """Invents a shop by its facts; two facts of one intent differ in the day or the item."""
    facts: list[tuple[str, Slots]] = []
    seen: set[tuple[str, ...]] = set()
    while len(facts) < count:
        key, slots = draw_key(rng, lang), draw_slots(rng, lang)
        mark = (
            (key, slots["day"])
            if key in ("open_day", "close_day", "hours_day")
            else (key, slots["canon"])
            if key in ("price", "duration")
            else (key,)
        )
        if mark not in seen:
            seen.add(mark)
            slots["shop"] = shop
            facts.append((key, slots))
    return facts


def reading_chat(rng: random.Random, lang: str) -> Messages:
    """Facts of an invented shop in the system or the user message, then questions that they answer, or do not."""
    table = TABLES[lang]
    shop = fill_shop(rng, lang)
    facts = facts_for(rng, lang, rng.choice((1, 1, 2, 2, 3, 4)), shop)
    text = " ".join(statement(rng, lang, key, slots) for key, slots in facts)
    in_system = rng.random() < 0.65
    messages: Messages = []
    closing = ""
    if in_system:
        system = capital(rng.choice(table.CONTEXTS).format(shop=shop, facts=text))
        if rng.random() < 0.2:
            closing = rng.choice(table.CLOSINGS)
            system += " " + rng.choice(table.CLOSING_RULES).format(phrase=closing)
            closing = " " + closing
        messages.append({"role": "system", "content": system})
    for turn in range(1 if rng.random() < 0.6 else 2):
        key, slots = rng.choice(facts)
        known = rng.random() < 0.88
        if not known:
            key, slots = facts_for(rng, lang, 1, shop)[0]
            known = any(key == other for other, _ in facts)
            if known:
                key, slots = next((k, s) for k, s in facts if k == key)
        slots = dict(slots)
        canon, nouns, infinitives = next(item for item in table.ITEMS if item[0] == slots["canon"])
        slots["noun"], slots["inf"] = rng.choice((canon, *nouns)), rng.choice(infinitives)
        ask = question(rng, lang, key, slots)
        if turn == 0 and not in_system:
            ask = rng.choice(table.USER_CONTEXTS).format(facts=text, q=ask, shop=shop)
        messages.append({"role": "user", "content": ask})
        reply = statement(rng, lang, key, slots) if known else refusal(rng, lang, key, slots)
        messages.append({"role": "assistant", "content": reply + closing})
    return messages
