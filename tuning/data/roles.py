"""Names of speakers, and the role that each has in a conversation: in the turns of any file, and before the lines of a text.

Who speaks under a name that is not here, the form of the file tells, or a person.
"""

ROLES = {  # without spaces, hyphens and underscores; a "call" is an assistant's turn that holds nothing but calls of tools
    **dict.fromkeys(("system", "developer", "sistema", "système"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "utente", "umano", "customer", "client", "cliente"), "user"),
    **dict.fromkeys(("benutzer", "nutzer", "kunde", "mensch", "utilisateur", "humain", "usuario", "humano"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "ai", "chatbot", "assistente", "modello"), "assistant"),
    **dict.fromkeys(("assistent", "modell", "ki", "modèle", "asistente", "modelo"), "assistant"),
    **dict.fromkeys(("agent", "agente", "operator", "operatore"), "assistant"),
    **dict.fromkeys(("functioncall", "toolcall", "toolcalls", "chiamata"), "call"),
    **dict.fromkeys(("tool", "observation", "function", "functionresponse", "functionresult", "toolresponse", "toolresult"), "tool"),
    **dict.fromkeys(("ipython", "strumento", "funzione", "osservazione"), "tool"),
}
