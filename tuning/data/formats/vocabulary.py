"""What columns are called, in English and Italian, squeezed: names for each part of a row, the best first.

Which of them a format takes, and for what, is for the formats to say. Below them the words of headers that no format knows.
"""

import re

RESPONSES = ".responses"  # end of a column of Argilla's that holds answers by annotator

SYSTEM = ("system", "systemprompt", "systemmessage", "systeminstruction", "sistema")
QUESTION = ("question", "domanda", "instruction", "istruzione", "prompt", "query", "quesito", "richiesta", "user", "utente", "q", "input")
ANSWER = (
    *("answer", "risposta", "response", "output", "completion", "reply", "assistant", "assistente", "a", "ideal", "groundtruth"),
    *(f"{name}{RESPONSES}" for name in ("answer", "risposta", "response", "output", "completion", "reply")),
)
THOUGHTS = (  # of a column, and of a key of turns; what a model thinks before it answers
    *("reasoningcontent", "reasoning", "thinking", "thought", "thoughts", "think", "chainofthought", "cot", "complexcot", "reasoningtrace"),
    *("reasoningsteps", "thinkingprocess", "thoughtprocess", "innermonologue", "ragionamento", "pensiero", "pensieri", "catenadipensiero"),
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

# Words of headers, the surest first, by the part that they mean; those that mean a speaker or a direction need prose to bear them out.

MEANINGS: tuple[dict[str, re.Pattern[str]], ...] = (
    {
        "question": re.compile(
            r"domand\w*|quesit\w*|richiest\w*|chied\w*|question\w*|quer(?:y|ies)|ask(?:s|ed)?|prompts?|istruzion\w*|instructions?|fragen?|pregunt\w*|pergunt\w*|consultas?"
        ),
        "answer": re.compile(
            r"rispost\w*|rispond\w*|answer\w*|repl(?:y|ies|ica|iche)|respon(?:se|ses|d|ds)|soluzion\w*|solutions?|completions?|antwort\w*|respuest\w*|respost\w*|réponses?|repons\w*"
        ),
    },
    {
        "question": re.compile(
            r"client[ei]|customers?|utent[ei]|users?|human|umano|visitors?|visitator[ei]|ospit[ei]|guests?|student[ei]?|alliev[oi]|pupils?|pazient[ei]|patients?"
            r"|ricevut[oaie]|received|incoming|inbound|problem[ai]?|problems|issues?|original[ei]?|partenza|sources?|src|sorgente|inputs?|bozz[ae]|drafts?|d|q"
        ),
        "answer": re.compile(
            r"operator[ei]?|agent[ei]?|assistant|assistente|bot|chatbot|ai|ia|staff|support|reception|segreteria|insegnante|teacher|tutor|medico|doctor"
            r"|inviat[oaie]|sent|outgoing|outbound|resolution|fix|traduzion[ei]|tradott[oaie]|translations?|translated|targets?|tgt|outputs?|risultat[oi]|results?"
            r"|riassunt[oi]|sintesi|summar(?:y|ies)|corrett[oaie]|corrected|correction|correzion[ei]|say|r|a"
            r"|sql|gold|highlights|abstract|paraphras\w*|parafras\w*|rewritten|riscritt[oaie]|explanations?|spiegazion[ei]"
        ),
    },
    {
        "question": re.compile(
            r"test[oi]|texts?|messaggi?o?|messages?|e?mails?|tickets?|articol[oi]|articles?|fras[ei]|sentences?|descrizion[ei]|descriptions?"
            r"|contents?|contenut[oi]|document[oi]?|documents|body|corpo|dialog(?:ue|ues|o|hi)"
        )
    },
)
HEAD_ENDS = re.compile(
    r"di|del|dell[oae]?|dei|degli|da|dal|dall[oae]?|a|al|all[oae]?|ai|agli|per|su|sul|sulla|con|in|nell?[oa]?|of|from|to|for|by|about|on|with|von|an|zu"
)
NO_PROSE = re.compile(  # what stands under such a header is about a question or an answer, or for the whole of the data
    r"ids?|dat[ae]|dates?|times?|timestamp|ora|orario|numer[oi]|numbers?|tip[oi]|types?|categori[ae]|categor(?:y|ies)|autor[ei]|authors?|nom[ei]|names?"
    r"|indirizz[oi]|address(?:es)?|links?|urls?|lingu[ae]|lang(?:uage)?|stat[oi]|status|vot[oi]|ratings?|scores?|punteggi?o?|lunghezza|length|count"
    r"|sistema|system"
)
