"""How answers compare with what was hoped for: facts, exactness, BLEU, chrF, ROUGE-L, length, repetition.

Pure functions over texts; no model, no file. What the figures mean together is said in `runs.evaluation.verdict`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Numbers with what stands inside them; single signs of scripts without spaces; letters between anything else.
WORD = re.compile(r"\d+(?:[.,:]\d+)*|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\d_]+")
RARE = 0.05  # of the distinct answers: a word that more of them have is the manner of all, not the content of one
RARE_NUMBER = 0.25  # numbers say more than words; only one that stands nearly everywhere says nothing
ASKED = 0.005  # of the questions: a word that so many of them have is what people ask about, not what they are told
SHORT = 8  # words; an answer of so many can be asked to be given exactly
FEW = 5  # facts; an answer of so many with one of them wrong is wrong, and its numbers, where it has any, are what counts
MOSTLY = 0.8  # of many facts; of few it takes all
GRAM = 4
MOST_WORDS = 256  # of an answer that ROUGE-L looks at: its time grows with the square


def words(text: str) -> list[str]:
    """The words and numbers of a text, without case, accents kept; a decimal comma is a point."""
    found = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return [re.sub("[,:]", ".", word) if word[0].isdigit() else word for word in found]


@dataclass(frozen=True)
class Wanted:
    """What a right answer has to say: all of `facts`, or where there are none exactly the words of `whole`; neither: anything."""

    facts: frozenset[str] = frozenset()
    whole: tuple[str, ...] = ()

    @property
    def checkable(self) -> bool:
        return bool(self.facts or self.whole)

    def share(self, said: Sequence[str]) -> float:
        """How much of it an answer of these words says, 0 to 1; an answer of few facts is right or wrong as a whole."""
        if not self.facts:
            return float(tuple(said) == self.whole)
        share = len(self.facts & set(said)) / len(self.facts)
        return share if len(self.facts) > FEW else float(share == 1)


@dataclass
class Facts:
    """Tells what is content in an answer from what is manner, by the questions and answers of a whole data set.

    A fact is a number, or a word that few distinct answers have, and that neither its own question has nor a notable share
    of all questions: what nobody could say who had learned only how the answers sound, or what they are about.
    """

    rows: int = 0
    answers: Counter[str] = field(default_factory=Counter)  # distinct answers by word
    questions: Counter[str] = field(default_factory=Counter)
    distinct: int = 0

    @classmethod
    def learn(cls, pairs: Iterable[tuple[str, str]]) -> "Facts":
        """From (question, answer) of all rows, those to learn from and those held out."""
        made, seen = cls(), set()
        for question, answer in pairs:
            made.rows += 1
            made.questions.update(set(words(question)))
            said = tuple(words(answer))
            if said not in seen:
                seen.add(said)
                made.answers.update(set(said))
        made.distinct = len(seen)
        return made

    def wanted(self, question: str, answer: str) -> Wanted:
        """What an answer to `question` has to say to be as right as `answer`."""
        said, own = words(answer), set(words(question))
        facts = frozenset(word for word in said if word not in own and self._telling(word))
        if len(facts) <= FEW:
            facts = frozenset(word for word in facts if word[0].isdigit()) or facts
        return Wanted(facts, tuple(said) if not facts and len(said) <= SHORT else ())

    def _telling(self, word: str) -> bool:
        if word[0].isdigit():
            return self.answers[word] <= max(1, RARE_NUMBER * self.distinct)
        if len(word) == 1 and word.isascii():
            return False
        often = self.questions[word] > 1 and self.questions[word] >= ASKED * self.rows
        return not often and self.answers[word] <= min(max(2.0, RARE * self.distinct), max(1.0, self.distinct / 2))


def right(wanted: Wanted, reference: str, answer: str) -> bool:
    """Whether an answer says what the reference does: in its words, or nearly all of what it has to say."""
    said = words(answer)
    return said == words(reference) or (wanted.checkable and wanted.share(said) >= MOSTLY)


def matches(wanted: Sequence[Wanted], answers: Sequence[str]) -> tuple[list[float], list[float]]:
    """How much each answer says of what its own row wants, and on average of what the other rows want.

    The second is what luck and manner bring: a model that says one likely answer to everything has as much of both.
    """
    said = [words(answer) for answer in answers]
    own = [one.share(spoken) for one, spoken in zip(wanted, said, strict=True)]
    sums = [sum(one.share(spoken) for one in wanted) for spoken in said]
    others = max(1, len(wanted) - 1)
    return own, [(total - mine) / others for total, mine in zip(sums, own, strict=True)]


def exact(references: Sequence[str], answers: Sequence[str]) -> float | None:
    """Share of answers that say what they should word for word, of those that are short; None where none is."""
    hits = [words(right) == words(given) for right, given in zip(references, answers, strict=True) if 0 < len(words(right)) <= SHORT]
    return sum(hits) / len(hits) if hits else None


def bleu(references: Sequence[str], answers: Sequence[str]) -> float:
    """Of the whole set, 0 to 100, by sacrebleu (tokenizer 13a, exponential smoothing)."""
    from sacrebleu.metrics.bleu import BLEU

    return float(BLEU().corpus_score(list(answers), [list(references)]).score)


def chrf(references: Sequence[str], answers: Sequence[str]) -> float:
    """Of the whole set, 0 to 100, by sacrebleu (character 6-grams, beta 2)."""
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(answers), [list(references)]).score)


def rouge_l(references: Sequence[str], answers: Sequence[str]) -> list[float]:
    """ROUGE-L is the F-measure of the longest common subsequence of words, per row, 0 to 1 (Lin, 2004).

    It is what rouge-score 0.1.2 gives, but for what a word is: that tokenizer cuts a word at every letter that English does
    not have ("perché" is "perch", as "perchè" is), and a number at its point (14.50 is 14 and 50). Here both are one word, by
    `words`, so texts with accents or decimals have other figures. Of longer texts the first MOST_WORDS words count.
    """
    return [_rouge_l(words(right)[:MOST_WORDS], words(given)[:MOST_WORDS]) for right, given in zip(references, answers, strict=True)]


def _rouge_l(right: Sequence[str], given: Sequence[str]) -> float:
    longest = [0] * (len(given) + 1)  # common subsequence of the words of `right` so far and the first words of `given`
    for word in right:
        before = 0
        for at, other in enumerate(given, start=1):
            before, longest[at] = longest[at], before + 1 if word == other else max(longest[at], longest[at - 1])
    return 2 * longest[-1] / (len(right) + len(given)) if longest[-1] else 0.0


def length(references: Sequence[str], answers: Sequence[str]) -> float:
    """Words of all answers by words of all references."""
    return sum(len(words(text)) for text in answers) / max(1, sum(len(words(text)) for text in references))


def repetition(answers: Sequence[str]) -> float:
    """Share of word 4-grams that stood before in the same answer, 0 to 1, over all answers that have any."""
    told, again = 0, 0
    for text in answers:
        said = words(text)
        grams = [tuple(said[at : at + GRAM]) for at in range(len(said) - GRAM + 1)]
        told += len(grams)
        again += len(grams) - len(set(grams))
    return again / told if told else 0.0
