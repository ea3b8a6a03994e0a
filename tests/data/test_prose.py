"""Questions and answers, dialogues and quizzes that stand in a text: what belongs to which, and that no letter of it is lost."""

import pytest

from tests.data.conftest import Take

WHOLE = {  # each is a question, and comes through to the letter
    **dict.fromkeys(("Nel capitolo 3. Che cosa succede?", "A pagina 12) Chi parla?", "Posso accorciare (orlo 5) la giacca?"), "lines"),
    **dict.fromkeys(("Chi era Enrico 8. Tudor?", "Il 25. Aprile che festa è?"), "lines"),
    **dict.fromkeys(("__name__ che cos'è?", "Cosa fa __init__?", "*args e **kwargs che cosa sono?"), "headings"),
    **dict.fromkeys(("Che cos'è C#?", "_a o b_?"), "headings"),
}


@pytest.mark.parametrize("question", WHOLE)
def test_no_letter_of_a_question_is_lost(take: Take, question: str) -> None:
    begin, after = ("", "\n") if WHOLE[question] == "lines" else ("## ", "\n\n")
    content = "".join(f"{begin}{asked}{after}{said}\n\n" for asked, said in ((question, "Uno."), ("E poi?", "Due.")))
    assert take(content).texts == [(question, "Uno."), ("E poi?", "Due.")]


@pytest.mark.parametrize(
    "written", ["## **Chi siete?**", "## *Chi siete?*", "## __Chi siete?__", "**Chi siete?**", "## Chi siete? ##", "## ***Chi siete?***"]
)
def test_emphasis_around_a_question_goes(take: Take, written: str) -> None:
    assert take(f"{written}\n\nSarti.\n\n## E poi?\n\nBasta.\n").texts == [("Chi siete?", "Sarti."), ("E poi?", "Basta.")]
