"""What columns are called, in English and Italian, squeezed: names for each part of a row, the best first.

Which of them a format takes, and for what, is for the formats to say.
"""

RESPONSES = ".responses"  # end of a column of Argilla's that holds answers by annotator

SYSTEM = ("system", "systemprompt", "systemmessage", "systeminstruction", "sistema")
QUESTION = ("question", "domanda", "instruction", "istruzione", "prompt", "query", "quesito", "richiesta", "user", "utente", "q", "input")
ANSWER = (
    *("answer", "risposta", "response", "output", "completion", "reply", "assistant", "assistente", "a"),
    *(f"{name}{RESPONSES}" for name in ("answer", "risposta", "response", "output", "completion", "reply")),
)
RATING = ("label", "ktotag", "etichetta")
CONVERSATIONS = ("conversations", "conversation", "conversazioni", "conversazione")
CONTEXT = (
    *("context", "contesto", "input", "contexts", "passage", "passages", "passaggio", "paragraph", "paragrafo", "document", "documents"),
    *("documento", "documenti", "brano", "background", "story", "article", "articolo", "excerpt", "estratto", "knowledge", "conoscenza"),
    *(
        "evidence",
        "supportingtext",
        "sourcetext",
        "referencetext",
        "testodiriferimento",
        "retrievedcontext",
        "retrieveddocuments",
        "kontext",
    ),
    *("contexte", "contextos", "texto", "passagetext", "grounding", "snippet"),
)
TEXT = ("text", "testo", "content", "contenuto", "document", "documento", "body")
LABEL = ("label", "labels", "etichetta", "etichette")
