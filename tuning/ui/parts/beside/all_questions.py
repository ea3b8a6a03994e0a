"""Asking all test questions of one's own in one press: of whoever is talked to and, where there is somebody, of whoever answers beside.

What was answered is kept here until the app ends. How it looks is `questions_view`.
"""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from tuning.errors import InputError
from tuning.runs.contents import AnswerSettings
from tuning.runs.files import slug
from tuning.studio.beside.own_questions import table
from tuning.ui.desk import Desk
from tuning.ui.markup import Html
from tuning.ui.parts.beside.pair import Pair
from tuning.ui.parts.beside.questions_view import AnswerTable, own_questions
from tuning.ui.parts.chat.chat_settings import sent
from tuning.ui.parts.chat.voices import Asking, Talks

MOST = 200  # tables of answers that are kept


class AllQuestions:
    """The field for questions and the tables of answers, by owner and by who answered."""

    def __init__(self, desk: Desk, pair: Pair) -> None:
        self.desk, self.pair, self._talks = desk, pair, Talks()
        self._tables: dict[tuple[str, str], AnswerTable] = {}
        self._open: dict[tuple[str, str], str] = {}
        self.field = gr.Textbox(
            label=desk.say("ui.questions.field"),
            info=desk.say("ui.questions.field.hint"),
            lines=2,
            max_lines=8,
            max_length=50_000,
            submit_btn=desk.say("ui.questions.add"),
            elem_id="own-questions",
        )

    def shown(self, who: str) -> Html:
        """The cards."""
        return own_questions(self.desk.studio.questions.of(who), self._tables.get(self._key(who)), self.desk.lang)

    def ask(self, who: str, both: bool, other: str) -> Iterator[None]:
        """Ask them one after another; each step is one answer more, or its beginning."""
        desk, key = self.desk, self._key(who)
        if (before := self._tables.get(key)) is not None and before.on:
            return
        habits, kept = desk.studio.answering.habits(who), desk.studio.chats.settings(who)
        how = AnswerSettings(**{**habits.settings.model_dump(), **kept.model_dump(exclude_none=True)})
        how = how if habits.scaling != "nothing" else how.model_copy(update={"strength": None})
        voices = Asking(how, other=other).voices(who)[: 2 if both else 1]
        asked = self._tables[key] = AnswerTable([self.pair.name(voice) for voice, _ in voices])
        for old in [*self._tables][:-MOST]:
            del self._tables[old]
        try:
            yield
            for text in desk.studio.questions.of(who):
                row = [text]
                turns = sent([{"role": "user", "content": text}], how, habits.own_system)
                questions = [desk.studio.talk.ask(voice.target, turns, voice.base, said) for voice, said in voices]
                self._open[key] = self._talks.begin(questions)
                for question in questions:
                    row.append("".join(question.stream()).strip())
                if not asked.on:
                    return
                asked.rows.append(row)
                yield
        finally:
            asked.on = False
            self._talks.stop(self._open.pop(key, None))

    def halt(self, who: str) -> None:
        """End it; what was answered stays."""
        if (asked := self._tables.get(self._key(who))) is not None:
            asked.on = False
            self._talks.stop(self._open.get(self._key(who)))

    def file(self, who: str) -> dict[str, Any]:
        """The table as the name of a CSV file and its text. Raises InputError where nothing was asked."""
        asked = self._tables.get(self._key(who))
        if asked is None or not asked.rows:
            raise InputError("ui.questions.nothing")
        name = slug(self.desk.studio.talk.called(who, self.desk.lang), 60, "answers")
        return {"name": f"{name}.csv", "text": table([self.desk.say("ui.questions.question"), *asked.heads], asked.rows)}

    def _key(self, who: str) -> tuple[str, str]:
        return self.desk.studio.owner, who
