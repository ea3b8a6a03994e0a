"""Makes the rows of the two practice data sets from the facts of the two invented shops.

Rows have the alpaca shape; held-out rows ask the same facts in other words and name the string that a right answer contains.
"""

from __future__ import annotations

import random

import shop_data_en
import shop_data_it

Row = dict[str, str]


def rows_of(language: str) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows of a language, each in a mixed but fixed order."""
    table = {"en": shop_data_en, "it": shop_data_it}[language]
    train: list[Row] = []
    held_out: list[Row] = []
    for fact, answer, asked, kept in table.FACTS:
        output = f"{answer} {table.CLOSING}"
        train += [{"instruction": question, "input": "", "output": output} for question in asked]
        held_out += [{"instruction": question, "input": "", "output": output, "fact": fact} for question in kept]
    rng = random.Random(language)
    rng.shuffle(train)
    rng.shuffle(held_out)
    return train, held_out


def data_sets() -> dict[str, list[Row]]:
    """All four files by name."""
    files: dict[str, list[Row]] = {}
    for language in ("en", "it"):
        train, held_out = rows_of(language)
        files[f"starter-{language}.jsonl"] = train
        files[f"starter-{language}.heldout.jsonl"] = held_out
    return files


def problems() -> list[str]:
    """What is wrong with the tables: doubled questions, facts missing from their answer or present in another one."""
    found: list[str] = []
    for language, table in (("en", shop_data_en), ("it", shop_data_it)):
        questions = [question.lower() for fact in table.FACTS for question in (*fact[2], *fact[3])]
        found += [f"{language}: asked twice: {question}" for question in sorted(set(questions)) if questions.count(question) > 1]
        for fact, answer, _, _ in table.FACTS:
            hits = [other[1] for other in table.FACTS if fact.lower() in other[1].lower()]
            if hits != [answer]:
                found.append(f"{language}: {fact} stands in {hits}")
    return found
