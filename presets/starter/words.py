"""Small bilingual word tables for the everyday part of the practice corpus: colours, opposites, animals, capitals, translations.

Each row gives the English and the Italian form. The tables hold facts of common knowledge only.
"""

from __future__ import annotations

# fmt: off

DAYS = {"en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica")}
MONTHS = {"en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
          "it": ("gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre",
          "dicembre")}
SEASONS = {"en": ("spring", "summer", "autumn", "winter"), "it": ("primavera", "estate", "autunno", "inverno")}
NUMBERS = {"en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen",
                  "seventeen", "eighteen", "nineteen", "twenty"),
           "it": ("zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove", "dieci", "undici", "dodici", "tredici",
           "quattordici", "quindici", "sedici",
                  "diciassette", "diciotto", "diciannove", "venti")}

# thing and colour: (English thing, English colour, Italian thing with article, Italian colour in the right form, article-less colour name)
COLOURS = (
    ("the sky", "blue", "il cielo", "azzurro"), ("grass", "green", "l'erba", "verde"), ("snow", "white", "la neve", "bianca"), ("the sun",
    "yellow", "il sole", "giallo"),
    ("a lemon", "yellow", "il limone", "giallo"), ("blood", "red", "il sangue", "rosso"), ("coal", "black", "il carbone", "nero"), ("milk",
    "white", "il latte", "bianco"),
    ("a ripe tomato", "red", "il pomodoro maturo", "rosso"), ("chocolate", "brown", "il cioccolato", "marrone"), ("a carrot", "orange",
    "la carota", "arancione"),
    ("the sea", "blue", "il mare", "blu"), ("a strawberry", "red", "la fragola", "rossa"), ("an elephant", "grey", "l'elefante", "grigio"),
    ("a frog", "green", "la rana", "verde"),
    ("a banana", "yellow", "la banana", "gialla"), ("the night", "black", "la notte", "nera"), ("a violet", "purple", "la viola", "viola"),
    ("salt", "white", "il sale", "bianco"),
    ("a cucumber", "green", "il cetriolo", "verde"), ("coffee", "brown", "il caffè", "marrone"), ("a cherry", "red", "la ciliegia",
    "rossa"), ("a mouse", "grey", "il topo", "grigio"),
)

OPPOSITES = (
    ("big", "small", "grande", "piccolo"), ("hot", "cold", "caldo", "freddo"), ("high", "low", "alto", "basso"), ("long", "short", "lungo",
    "corto"),
    ("old", "young", "vecchio", "giovane"), ("open", "closed", "aperto", "chiuso"), ("full", "empty", "pieno", "vuoto"), ("light", "dark",
    "chiaro", "scuro"),
    ("fast", "slow", "veloce", "lento"), ("clean", "dirty", "pulito", "sporco"), ("happy", "sad", "felice", "triste"), ("wide", "narrow",
    "largo", "stretto"),
    ("easy", "difficult", "facile", "difficile"), ("rich", "poor", "ricco", "povero"), ("strong", "weak", "forte", "debole"), ("wet", "dry",
    "bagnato", "asciutto"),
    ("new", "old", "nuovo", "vecchio"), ("good", "bad", "buono", "cattivo"), ("near", "far", "vicino", "lontano"), ("first", "last",
    "primo", "ultimo"),
    ("thick", "thin", "spesso", "sottile"), ("sweet", "bitter", "dolce", "amaro"), ("right", "left", "destra", "sinistra"), ("day", "night",
    "giorno", "notte"),
    ("loud", "quiet", "rumoroso", "silenzioso"), ("early", "late", "presto", "tardi"), ("hard", "soft", "duro", "morbido"), ("cheap",
    "expensive", "economico", "caro"),
)

# animal, what it does; Italian with article, what it does
ANIMALS = (
    ("a dog", "barks", "il cane", "abbaia"), ("a cat", "meows", "il gatto", "miagola"), ("a cow", "moos", "la mucca", "muggisce"),
    ("a sheep", "bleats", "la pecora", "bela"),
    ("a horse", "neighs", "il cavallo", "nitrisce"), ("a donkey", "brays", "l'asino", "raglia"), ("a lion", "roars", "il leone",
    "ruggisce"), ("a wolf", "howls", "il lupo", "ulula"),
    ("a frog", "croaks", "la rana", "gracida"), ("a bee", "buzzes", "l'ape", "ronza"), ("a bird", "chirps", "l'uccello", "cinguetta"),
    ("a snake", "hisses", "il serpente", "sibila"),
    ("a pig", "grunts", "il maiale", "grugnisce"), ("an elephant", "trumpets", "l'elefante", "barrisce"), ("an owl", "hoots", "il gufo",
    "bubola"), ("a mouse", "squeaks", "il topo", "squittisce"),
)

CAPITALS = (
    ("Italy", "Rome", "l'Italia", "Roma", "dell'Italia"), ("France", "Paris", "la Francia", "Parigi", "della Francia"), ("Spain", "Madrid",
    "la Spagna", "Madrid", "della Spagna"),
    ("Germany", "Berlin", "la Germania", "Berlino", "della Germania"), ("Portugal", "Lisbon", "il Portogallo", "Lisbona", "del Portogallo"),
    ("Greece", "Athens", "la Grecia", "Atene", "della Grecia"), ("Austria", "Vienna", "l'Austria", "Vienna", "dell'Austria"), ("Poland",
    "Warsaw", "la Polonia", "Varsavia", "della Polonia"),
    ("Ireland", "Dublin", "l'Irlanda", "Dublino", "dell'Irlanda"), ("Norway", "Oslo", "la Norvegia", "Oslo", "della Norvegia"), ("Sweden",
    "Stockholm", "la Svezia", "Stoccolma", "della Svezia"),
    ("Japan", "Tokyo", "il Giappone", "Tokyo", "del Giappone"), ("Egypt", "Cairo", "l'Egitto", "Il Cairo", "dell'Egitto"), ("Hungary",
    "Budapest", "l'Ungheria", "Budapest", "dell'Ungheria"),
    ("Denmark", "Copenhagen", "la Danimarca", "Copenaghen", "della Danimarca"), ("Belgium", "Brussels", "il Belgio", "Bruxelles",
    "del Belgio"),
    ("Finland", "Helsinki", "la Finlandia", "Helsinki", "della Finlandia"), ("Cuba", "Havana", "Cuba", "L'Avana", "di Cuba"), ("England",
    "London", "l'Inghilterra", "Londra", "dell'Inghilterra"),
    ("Russia", "Moscow", "la Russia", "Mosca", "della Russia"), ("China", "Beijing", "la Cina", "Pechino", "della Cina"),
)

TRANSLATIONS = (
    ("thread", "filo"), ("needle", "ago"), ("button", "bottone"), ("sleeve", "manica"), ("collar", "colletto"), ("pocket", "tasca"),
    ("shirt", "camicia"), ("dress", "vestito"),
    ("jacket", "giacca"), ("skirt", "gonna"), ("trousers", "pantaloni"), ("shoe", "scarpa"), ("hat", "cappello"), ("wool", "lana"), ("silk",
    "seta"), ("cotton", "cotone"),
    ("linen", "lino"), ("scissors", "forbici"), ("house", "casa"), ("bread", "pane"), ("water", "acqua"), ("wine", "vino"), ("milk",
    "latte"), ("cheese", "formaggio"),
    ("apple", "mela"), ("tree", "albero"), ("flower", "fiore"), ("sun", "sole"), ("moon", "luna"), ("star", "stella"), ("sea", "mare"),
    ("mountain", "montagna"), ("river", "fiume"),
    ("road", "strada"), ("door", "porta"), ("window", "finestra"), ("table", "tavolo"), ("chair", "sedia"), ("book", "libro"), ("friend",
    "amico"), ("dog", "cane"), ("cat", "gatto"),
    ("bird", "uccello"), ("fish", "pesce"), ("hand", "mano"), ("heart", "cuore"), ("eye", "occhio"), ("red", "rosso"), ("green", "verde"),
    ("white", "bianco"), ("black", "nero"),
    ("yes", "sì"), ("thank you", "grazie"), ("good morning", "buongiorno"), ("good night", "buonanotte"), ("please", "per favore"),
    ("school", "scuola"), ("city", "città"), ("shop", "negozio"),
    ("day", "giorno"), ("night", "notte"), ("year", "anno"), ("time", "tempo"), ("work", "lavoro"), ("tailor", "sarto"), ("fabric",
    "tessuto"), ("seam", "cucitura"), ("hem", "orlo"),
    ("zip", "cerniera"), ("buttonhole", "asola"), ("thimble", "ditale"), ("mirror", "specchio"), ("price", "prezzo"), ("money", "denaro"),
    ("today", "oggi"), ("tomorrow", "domani"),
)

# term: (name in a question, explanations)
TAILORING: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "en": (
        ("a hem", ("A hem is the folded and sewn edge of a piece of clothing.",
        "It is the edge of cloth, folded over and sewn so that it does not fray.")),
        ("a buttonhole", ("A buttonhole is a small slit through which a button passes.",
        "It is the little opening for a button, with stitched edges.")),
        ("a seam", ("A seam is the line where two pieces of cloth are sewn together.",
        "It is where two pieces of fabric meet and are sewn.")),
        ("a thimble", ("A thimble is a small cap that protects the finger when you sew.",
        "It is a little cap for the finger, so that the needle does not hurt.")),
        ("a lining", ("A lining is the inner layer of a jacket or a coat.", "It is the cloth on the inside of a garment.")),
        ("a pattern", ("A pattern is a paper shape that shows how to cut the cloth.",
        "It is a drawing of the pieces that you cut from cloth.")),
        ("a fitting", ("A fitting is when you try on a garment while it is being made.",
        "It is a visit at which the tailor checks how a garment sits.")),
        ("basting", ("Basting is sewing with long, loose stitches that are taken out later.",
        "It means holding cloth together with quick stitches.")),
        ("a dart", ("A dart is a small sewn fold that gives cloth a shape.", "It is a fold that makes a garment follow the body.")),
        ("a cuff", ("A cuff is the end of a sleeve.", "It is the band at the end of a sleeve.")),
        ("tweed", ("Tweed is a rough and warm cloth of wool.", "It is a thick woollen cloth.")),
        ("a lapel", ("A lapel is the folded front part of a jacket.", "It is the part of a jacket that is folded back below the collar.")),
    ),
    "it": (
        ("un orlo", ("L'orlo è il bordo ripiegato e cucito di un capo.",
        "È il bordo della stoffa, piegato e cucito perché non si sfilacci.")),
        ("un'asola", ("L'asola è il taglietto in cui passa il bottone.", "È la piccola apertura per il bottone, con i bordi cuciti.")),
        ("una cucitura", ("La cucitura è la linea che unisce due pezzi di stoffa.", "È il punto in cui due stoffe sono cucite insieme.")),
        ("un ditale", ("Il ditale è un cappuccio che protegge il dito quando si cuce.",
        "È un piccolo cappuccio per il dito, così l'ago non fa male.")),
        ("una fodera", ("La fodera è lo strato interno di una giacca o di un cappotto.", "È la stoffa all'interno di un capo.")),
        ("un cartamodello", ("Il cartamodello è una sagoma di carta per tagliare la stoffa.",
        "È il disegno dei pezzi da tagliare nella stoffa.")),
        ("una prova", ("La prova è quando si indossa un capo mentre lo si fa.",
        "È una visita in cui il sarto controlla come sta il capo.")),
        ("l'imbastitura", ("L'imbastitura è una cucitura a punti lunghi che poi si toglie.",
        "Vuol dire tenere insieme la stoffa con punti veloci.")),
        ("una pince", ("La pince è una piccola piega cucita che dà forma alla stoffa.",
        "È una piega che fa seguire al capo la forma del corpo.")),
        ("un polsino", ("Il polsino è la parte finale della manica.", "È la fascia in fondo alla manica.")),
        ("il tweed", ("Il tweed è una stoffa di lana ruvida e calda.", "È una stoffa di lana spessa.")),
        ("un risvolto", ("Il risvolto è una parte della stoffa piegata verso l'esterno.",
        "È la parte piegata di una giacca o di un pantalone.")),
    ),
}

HOWTO: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("sew on a button", "Thread the needle, go through the holes four times, wind the thread around and make a knot."),
        ("hem trousers", "Fold the edge, pin it, press it with the iron and sew it with small stitches."),
        ("thread a needle", "Cut the thread at an angle, wet the end and push it through the eye."),
        ("take measurements", "Use a soft tape, stand straight and write down chest, waist and hips."),
        ("iron a shirt", "Begin with the collar, then the cuffs, the sleeves and at last the back and front."),
        ("mend a small hole", "Choose thread of the same colour, sew around the hole and draw it closed."),
        ("wash wool", "Use cold water and little soap, do not rub, and dry it flat."),
        ("cut cloth", "Lay the cloth flat, pin the pattern on it and cut with long, calm strokes."),
    ),
    "it": (
        ("attaccare un bottone", "Infili l'ago, passi quattro volte nei fori, giri il filo intorno e faccia un nodo."),
        ("fare un orlo ai pantaloni", "Pieghi il bordo, lo fermi con gli spilli, lo stiri e lo cucia a punti piccoli."),
        ("infilare un ago", "Tagli il filo in obliquo, bagni la punta e la spinga nella cruna."),
        ("prendere le misure", "Usi un metro morbido, stia dritto e scriva torace, vita e fianchi."),
        ("stirare una camicia", "Cominci dal colletto, poi i polsini, le maniche e alla fine il dietro e il davanti."),
        ("rammendare un piccolo buco", "Scelga un filo dello stesso colore, cucia intorno al buco e lo chiuda."),
        ("lavare la lana", "Usi acqua fredda e poco sapone, non strofini e faccia asciugare in piano."),
        ("tagliare la stoffa", "Stenda la stoffa, fermi il cartamodello con gli spilli e tagli con calma."),
    ),
}
