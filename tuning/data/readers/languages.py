"""Which language a text is in, among the six that are told apart by their small words. Others are not guessed.

A counter of words, not a model: it needs no dependency and no memory, and says nothing where it is not sure.
"""

import re

LANGUAGES = ("it", "en", "fr", "de", "es", "pt")
FEWEST = 20  # characters below which a text says too little
_MOST = 1000  # characters looked at
_SURE = 2  # different small words that a text must have, at least
_SHARE = 0.1  # of its different words that must be small ones; prose has more than two in ten
_WORD = re.compile(r"[^\W\d_]+")

# Small words of each language; one that several have in common is in each of them and decides nothing between those.
_WORDS = {
    "it": """il lo la i gli le un una uno di del dello della dei degli delle dell da dal dalla dall in nel nella nell nei nelle con su sul
        sulla per tra fra e è ed o ma che chi non si ci mi ti vi ne se come cosa anche più sono sei siamo siete ha ho hai hanno abbiamo
        essere era questo questa questi quello quella suo sua suoi mio mia tuo tua nostro al alla allo ai alle all perché quando dove
        quanto può molto tutto tutti poi già qui quindi oppure senza dopo ogni solo sempre così se grazie buongiorno""",
    "en": """the a an of to and in is are was were be been it its that this these those for on with as by at from or not you your he she
        they we i his her their our my me him them have has had do does did will would can could should may might what which who when
        where how why there here if then than but so because about into over after before more most some any all no yes also just
        only very please thank let us own per off out up each every while yours such other""",
    "fr": """le la les l un une des du de d et est sont à au aux en dans sur pour par avec que qui ne pas plus ce cette ces il elle ils
        elles nous vous je tu on se son sa ses mon ma mes votre vos notre leur mais ou où comme être avoir été fait peut très tout
        tous aussi sans si bien donc merci""",
    "de": """der die das den dem des ein eine einen einem einer eines und oder ist sind war waren nicht kein keine mit von zu zum zur auf
        für in im an am bei nach aus über unter ich du er sie es wir ihr mich mir dich dir sich mein dein sein ihre haben hat habe wird
        werden kann können auch noch nur schon wenn als wie was wer wo warum dass aber sehr mehr bitte danke""",
    "es": """el la los las un una unos unas de del y e o en con por para que qué no se su sus lo le les al es son está están fue ser ha he
        han como cómo más pero muy también este esta estos ese esa yo tú él ella ellos nosotros usted mi tu si sí cuando donde porque
        hay todo todos sin sobre entre gracias""",
    "pt": """o a os as um uma uns umas de do da dos das e ou em no na nos nas com por para que não se seu sua seus lhe ao à aos é são está
        estão foi ser tem têm como mais mas muito também este esta isso esse essa eu você ele ela eles nós meu minha quando onde porque
        há todo todos sem sobre entre pelo pela até obrigado""",
}
_OF: dict[str, tuple[str, ...]] = {}
for _language, _list in _WORDS.items():
    for _word in set(_list.split()):
        _OF[_word] = (*_OF.get(_word, ()), _language)


def language(text: str) -> str | None:
    """One of `LANGUAGES`, or None: too short, another one, no prose, or two that are level."""
    if len(text) < FEWEST:
        return None
    score = dict.fromkeys(LANGUAGES, 0)
    words = set(_WORD.findall(text[:_MOST].casefold()))
    for word in words:
        for name in _OF.get(word, ()):
            score[name] += 1
    best, second = sorted(LANGUAGES, key=lambda name: -score[name])[:2]
    return best if score[best] >= max(_SURE, _SHARE * len(words)) and score[best] > score[second] else None
