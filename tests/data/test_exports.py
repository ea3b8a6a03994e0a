"""Files as people have them: texts that begin with a bracket, questions in prose, exports of chats, texts in a template."""

import pytest

from tests.data.conftest import Take
from tuning.errors import InputError

BRACKETS = [
    "[1] Prima nota.\n\n[2] Seconda nota.\n",
    "[ ] comprare filo\n[x] orlo signora Bianchi\n",
    "[Nota] Si chiude alle 19.\n\nSi apre alle 9.\n",
    "[12/05/2023] Arrivo della lana\n\n[13/05/2023] Taglio\n",
    '["Ciao"] disse il sarto.\n\nE poi tacque.\n',
    "{Fuori scena} Entra il sarto.\n\n{Buio} Esce.\n",
    "[] no date yet\n\n[-] void\n",
]


@pytest.mark.parametrize("content", BRACKETS)
def test_a_text_that_begins_with_a_bracket_is_text(take: Take, content: str) -> None:
    taken = take(content)
    assert (taken.reading.kind, len(taken.rows)) == ("text", 2)


@pytest.mark.parametrize("content", ['[{"question": "q", "answer" "a"}]', '[{"question": "q",', '{"question": "q", "answer": }\n', "[1, 2"])
def test_broken_json_is_still_json(take: Take, content: str) -> None:
    with pytest.raises(InputError, match=r"data\.(json|nothing|row)"):
        take(content)
