"""Mixes the practice corpus: everyday chats, chats about unknown shops and chats with the facts of an invented shop.

`conversations` is an endless, seeded stream of chats, half English and half Italian. It reads no file and no outside text, and it never
asks a held-out question of the two practice data sets.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import everyday
import shop_data
import shoptalk

Messages = list[dict[str, str]]

POLITE = {
    "en": (
        (
            "Be polite and brief.",
            "You are a friendly assistant.",
            "You are a helpful assistant.",
            "Answer in a kind way.",
            "You are Sartoria's practice model.",
            "Help the user.",
        ),
        (
            ("Answer in capital letters.", "upper"),
            ("Write everything in capitals.", "upper"),
            ('Begin each answer with "Dear guest:"', "Dear guest: "),
            ('Start with "Of course!"', "Of course! "),
            ('Begin every answer with "Well,"', "Well, "),
        ),
        ("Answer in Italian.", "Please answer in Italian."),
    ),
    "it": (
        (
            "Sii gentile e breve.",
            "Sei un assistente gentile.",
            "Sei un assistente utile.",
            "Rispondi con cortesia.",
            "Sei il modello di prova di Sartoria.",
            "Aiuta chi ti scrive.",
        ),
        (
            ("Rispondi in maiuscolo.", "upper"),
            ("Scrivi tutto in maiuscolo.", "upper"),
            ("Comincia ogni risposta con «Gentile ospite:»", "Gentile ospite: "),
            ("Comincia con «Certo!»", "Certo! "),
            ("Comincia ogni risposta con «Allora,»", "Allora, "),
        ),
        ("Rispondi in inglese.", "Per favore rispondi in inglese."),
    ),
}


def everyday_chat(rng: random.Random, lang: str) -> Messages:
    """One to four everyday pairs, at times with a system message that sets a tone or the language of the answers."""
    neutral, tones, switches = POLITE[lang]
    roll = rng.random()
    system, change = "", ""
    if roll < 0.12:
        system = rng.choice(neutral)
    elif roll < 0.24:
        system, change = rng.choice(tones)
        if rng.random() < 0.3:
            system = f"{rng.choice(neutral)} {system}"
    elif roll < 0.28:
        system, change = rng.choice(switches), "switch"
    messages: Messages = [{"role": "system", "content": system}] if system else []
    for _ in range(rng.choices((1, 2, 3, 4), (60, 25, 10, 5))[0]):
        if change == "switch":
            ask, reply = switched_pair(rng, lang)
        else:
            ask, reply = everyday.pair(rng, lang)
        if change == "upper":
            reply = reply.upper()
        elif change and change != "switch":
            reply = change + reply
        messages += [{"role": "user", "content": shoptalk.roughen(rng, ask)}, {"role": "assistant", "content": reply}]
    return messages


def switched_pair(rng: random.Random, lang: str) -> tuple[str, str]:
    """A question in one language and its answer in the other, drawn from the same row of the tables."""
    maker = rng.choice(everyday.FACTUAL)
    seed = rng.getrandbits(48)
    other = "it" if lang == "en" else "en"
    return maker(random.Random(seed), lang)[0], maker(random.Random(seed), other)[1]


def memory_chat(rng: random.Random, lang: str) -> Messages:
    """The user tells a name, chats, and asks for the name."""
    ask, reply = everyday.name_talk(rng, lang)
    name = next(name for name in everyday.NAMES[lang] if name in ask)
    messages = [{"role": "user", "content": ask}, {"role": "assistant", "content": reply}]
    if rng.random() < 0.4:
        ask, reply = everyday.pair(rng, lang)
        messages += [{"role": "user", "content": ask}, {"role": "assistant", "content": reply}]
    asks, answers = {
        "en": (("What is my name?", "Do you remember my name?", "Who am I?"), ("Your name is {a}.", "You are {a}.", "{a}!")),
        "it": (("Come mi chiamo?", "Ti ricordi il mio nome?", "Chi sono io?"), ("Ti chiami {a}.", "Sei {a}.", "{a}!")),
    }[lang]
    return [*messages, {"role": "user", "content": rng.choice(asks)}, {"role": "assistant", "content": rng.choice(answers).format(a=name)}]


def plain(text: str) -> str:
    """The words of a text alone, for a comparison that does not mind capitals and marks."""
    return " ".join(re.findall(r"\w+", text.lower()))


def conversations(seed: int) -> Iterator[Messages]:
    """An endless stream of chats; the same seed gives the same stream. Chats that ask a held-out question are left out."""
    held_out = {plain(row["instruction"]) for name, rows in shop_data.data_sets().items() if "heldout" in name for row in rows}
    pattern = re.compile("|".join(sorted(re.escape(text) for text in held_out)))
    for chat in all_conversations(seed):
        if not any(message["role"] == "user" and pattern.search(plain(message["content"])) for message in chat):
            yield chat


def all_conversations(seed: int) -> Iterator[Messages]:
    """The stream before anything is left out."""
    rng = random.Random(seed)
    while True:
        lang = rng.choice(("en", "it"))
        roll = rng.random()
        if roll < 0.34:
            yield everyday_chat(rng, lang)
        elif roll < 0.37:
            yield memory_chat(rng, lang)
        elif roll < 0.68:
            yield shoptalk.unknown_chat(rng, lang)
        else:
            yield shoptalk.reading_chat(rng, lang)
