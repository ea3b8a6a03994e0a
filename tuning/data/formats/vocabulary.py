"""What columns are called, in English and Italian, squeezed: names for each part of a row, the best first.

Which of them a format takes, and for what, is for the formats to say. Below them the words of headers that no format knows.
"""

import re

RESPONSES = ".responses"  # end of a column of Argilla's that holds answers by annotator

SYSTEM = ("system", "systemprompt", "systemmessage", "systeminstruction", "sistema", "preamble", "système", "systemtext", "systemanweisung")
QUESTION = (
    *("question", "domanda", "instruction", "istruzione", "prompt", "query", "quesito", "richiesta", "user", "utente", "q", "input"),
    *("frage", "anfrage", "eingabe", "pregunta", "entrada", "pergunta", "demande", "entrée"),
)
ANSWER = (
    *("answer", "risposta", "response", "output", "completion", "reply", "assistant", "assistente", "a", "ideal", "groundtruth"),
    *("antwort", "ausgabe", "respuesta", "salida", "resposta", "réponse", "sortie", "idealresponse", "expectedresponse", "expectedanswer"),
    *(f"{name}{RESPONSES}" for name in ("answer", "risposta", "response", "output", "completion", "reply")),
)
THOUGHTS = (  # of a column, and of a key of turns; what a model thinks before it answers
    *("reasoningcontent", "reasoning", "thinking", "thought", "thoughts", "think", "chainofthought", "cot", "complexcot", "reasoningtrace"),
    *("reasoningsteps", "thinkingprocess", "thoughtprocess", "innermonologue", "ragionamento", "pensiero", "pensieri", "catenadipensiero"),
    *(
        "reasoningtext",
        "thinkingtrajectories",
        "thinkingtrajectory",
        "deepseekreasoning",
        "scratchpad",
        "gedanke",
        "gedanken",
        "gedankengang",
    ),
    *("überlegung", "überlegungen", "denkprozess", "raisonnement", "pensée", "pensées", "réflexion", "razonamiento", "pensamiento"),
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
    *("contexte", "contexto", "contextos", "texto", "texte", "passagetext", "grounding", "snippet", "support"),
)
TEXT = ("text", "testo", "texte", "texto", "content", "contenuto", "document", "documento", "body", "utterance")
LABEL = ("label", "labels", "etichetta", "etichette", "étiquette", "étiquettes", "etiqueta", "etiquetas", "intent", "intento")

# Words of headers, the surest first, by the part that they mean; those that mean a speaker or a direction need prose to bear them out.

MEANINGS: tuple[dict[str, re.Pattern[str]], ...] = (
    {
        "question": re.compile(
            r"domand\w*|quesit\w*|richiest\w*|chied\w*|question\w*|quer(?:y|ies)|ask(?:s|ed)?|prompts?|istruzion\w*|instructions?|\w*fragen?|anfragen?|pregunt\w*|pergunt\w*|consultas?"
            r"|demandes?|demander|anweisung(?:en)?|aufforderung(?:en)?|instrucci(?:ón|ones)|consignes?|peticion(?:es)?|petición|fragt"
            r"|вопрос\w*|запрос\w*|質問|问题|問題|pytani[ea]|soru(?:lar)?|fråg(?:a|or)|vra(?:ag|gen)|spørgsmål|spørsmål"
        ),
        "answer": re.compile(
            r"rispost\w*|rispond\w*|answer\w*|repl(?:y|ies|ica|iche)|respon(?:se|ses|d|ds)|soluzion\w*|solutions?|completions?|\w*antwort\w*|respuest\w*|respost\w*|réponses?|repons\w*"
            r"|répon(?:d|dre|dons)|responde(?:r|mos)?|lösung(?:en)?|rückmeldung(?:en)?|soluci(?:ón|ones)|vervollständigung(?:en)?"
            r"|ответ\w*|回答|答案|odpowied\w*|cevap(?:lar)?|svar|antwoord(?:en)?"
        ),
    },
    {
        "question": re.compile(
            r"client[ei]|customers?|utent[ei]|users?|human|umano|visitors?|visitator[ei]|ospit[ei]|guests?|student[ei]?|alliev[oi]|pupils?|pazient[ei]|patients?"
            r"|ricevut[oaie]|received|incoming|inbound|problem[ai]?|problems|issues?|original[ei]?|partenza|sources?|src|sorgente|inputs?|bozz[ae]|drafts?|d|q"
            r"|kund(?:e|in|en)|clients?|benutzer|nutzer|utilisateurs?|usuari[oa]s?|patient(?:in)?|schüler(?:in)?|élèves?|alumn[oa]s?|gast|gäste"
            r"|problèmes?|problemas?|quelle|quelltext|origen|eingaben?|entrées?|entradas?|f"
        ),
        "answer": re.compile(
            r"operator[ei]?|agent[ei]?|assistant|assistente|bot|chatbot|ai|ia|staff|support|reception|segreteria|insegnante|teacher|tutor|medico|doctor"
            r"|inviat[oaie]|sent|outgoing|outbound|resolutions?|risoluzion[ei]|résolutions?|resoluci(?:ón|ones)|fix|traduzion[ei]|tradott[oaie]|translations?|translated|targets?|tgt|outputs?|risultat[oi]|results?"
            r"|riassunt[oi]|sintesi|summar(?:y|ies)|corrett[oaie]|corrected|correction|correzion[ei]|say|r|a"
            r"|sql|gold|highlights|abstract|paraphras\w*|parafras\w*|rewritten|riscritt[oaie]|explanations?|spiegazion[ei]"
            r"|mitarbeiter(?:in)?|conseill(?:er|ère)|assistent(?:in)?|asistente|berater(?:in)?|arzt|ärztin|médecin|médico|lehrer(?:in)?|professeur"
            r"|übersetzung(?:en)?|traductions?|traducci(?:ón|ones)|zusammenfassung(?:en)?|résumés?|resum(?:en|ido)|ausgaben?|sorties?|salidas?|say"
        ),
    },
    {
        "question": re.compile(
            r"test[oi]|texts?|messaggi?o?|messages?|e?mails?|tickets?|articol[oi]|articles?|fras[ei]|sentences?|descrizion[ei]|descriptions?"
            r"|nachricht(?:en)?|betreff|anliegen|mensajes?|asunto|textes?|textos?"
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
    r"|sistema|system|datum|fecha|absender|remitente|expéditeur|titel|titre|título|zeitstempel|horodateur|nombre|adresse|dirección"
)
