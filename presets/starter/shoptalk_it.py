"""Italian tables for the shop conversations of the practice corpus: questions, topics and statements by intent.

Every shop, price and name that comes out of these tables is invented. The tables hold text only; `shoptalk.py` fills the slots.
"""

from __future__ import annotations

# fmt: off

# key: (questions, topics that name what was asked, statements that serve as a fact and as an answer)
INTENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "open_day": (
        ("A che ora aprite {iday}?", "Quando aprite {iday}?", "{iday} da che ora siete aperti?", "A che ora apre il negozio di {day}?",
        "Da che ora posso venire {iday}?",
         "Vorrei passare {day} mattina: quando aprite?", "Qual è l'orario di apertura {dday}?", "{day}: a che ora aprite la porta?",
         "A che ora cominciate {iday}?",
         "Quanto presto posso venire {iday}?", "Mi dice a che ora apre {shop} {iday}?", "Di {day} da che ora vi trovo?",
         "Se vengo {day} appena aprite, che ora è?",
         "Mi dica l'ora di apertura {dday}."),
        ("l'orario di apertura {dday}", "l'ora di apertura {dday}"),
        ("{iday} apriamo alle {t1}.", "Apriamo alle {t1} {iday}.", "Di {day} il negozio apre alle {t1}."),
    ),
    "close_day": (
        ("A che ora chiudete {iday}?", "Fino a che ora siete aperti {iday}?", "{iday} quando chiudete?",
        "Fino a quando posso venire {iday}?", "Qual è l'orario di chiusura {dday}?",
         "A che ora chiude {shop} di {day}?", "Finisco tardi di lavorare {iday}: a che ora chiudete?",
         "Entro che ora devo arrivare {iday}?", "{day} sera fino a che ora ci siete?",
         "Di {day} a che ora abbassate la serranda?", "Qual è l'ultimo momento per passare {iday}?"),
        ("l'orario di chiusura {dday}", "l'ora di chiusura {dday}"),
        ("{iday} chiudiamo alle {t2}.", "Chiudiamo alle {t2} {iday}.", "Di {day} restiamo aperti fino alle {t2}."),
    ),
    "hours_day": (
        ("Che orari fate {iday}?", "Quali sono gli orari {dday}?", "Quando siete aperti {iday}?",
        "Da che ora a che ora siete aperti {iday}?", "Mi dice l'orario {dday}?",
         "In quali ore posso venire {iday}?", "Che orario avete di {day}?", "Gli orari {dday}, per favore?",
         "Di {day} che orario fa {shop}?"),
        ("gli orari {dday}", "l'orario {dday}"),
        ("{iday} siamo aperti dalle {t1} alle {t2}.", "Di {day} il negozio è aperto dalle {t1} alle {t2}.",
        "L'orario {dday} va dalle {t1} alle {t2}."),
    ),
    "closed_day": (
        ("In che giorno siete chiusi?", "Qual è il giorno di chiusura?", "Quale giorno è chiuso il negozio?", "Che giorno riposate?",
        "Quand'è il giorno di riposo?",
         "C'è un giorno in cui non devo venire?", "Quale giorno della settimana è chiuso {shop}?", "Siete aperti tutti i giorni?",
         "Qual è il turno di riposo?",
         "In quale giorno trovo la porta chiusa?", "In che giorno non lavorate?", "C'è un giorno in cui non aprite?",
         "In che giorno non si lavora?"),
        ("il giorno di chiusura", "il giorno di riposo"),
        ("Siamo chiusi {iday}.", "Il negozio è chiuso {iday}.", "Il giorno di chiusura è {iday}."),
    ),
    "holidays": (
        ("Quando andate in ferie?", "In che mese è chiuso il negozio?", "Quando fate le vacanze?", "Chiudete per ferie?",
        "In quale mese siete in vacanza?", "Quando sono le ferie?",
         "C'è un mese in cui {shop} è chiuso?", "In che periodo dell'anno non ci siete?", "Quando prendete le vacanze estive?"),
        ("il periodo delle ferie", "la chiusura per ferie"),
        ("Siamo in ferie in {month}.", "Il negozio chiude per ferie in {month}.", "Le nostre ferie sono in {month}."),
    ),
    "lunch": (
        ("Chiudete a pranzo?", "Quando fate la pausa pranzo?", "Siete aperti a mezzogiorno?", "Posso venire all'ora di pranzo?",
        "Fate una pausa a metà giornata?",
         "A che ora riaprite dopo pranzo?", "Fate orario continuato?", "Il negozio è aperto all'ora di pranzo?"),
        ("la pausa pranzo", "l'orario della pausa pranzo"),
        ("A pranzo chiudiamo dalle {t1} alle {t2}.", "La pausa pranzo va dalle {t1} alle {t2}.", "Dalle {t1} alle {t2} siamo a pranzo."),
    ),
    "price": (
        ("Quanto costa {noun}?", "Quanto viene {noun}?", "Qual è il prezzo per {noun}?", "Quanto prendete per {inf}?",
        "Quanto chiedete per {noun}?", "Quanto si paga per {inf}?",
         "Devo {inf}: quanto costa?", "Quanto mi costerebbe {inf}?", "Prezzo per {noun}?", "Quanto sarebbe per {noun}?",
         "Quanti euro per {noun}?", "Mi fa un preventivo per {noun}?",
         "Quanto spendo per {inf}?", "Che prezzo ha {noun}?", "Quanto vuole per {inf}?", "Vorrei {inf}. Quanto le devo?",
         "Quanto mi viene a costare {noun}?",
         "Quanti soldi ci vogliono per {inf}?", "Mi dica quanto costa {noun} da {shop}.", "Quanto devo pagare per {noun}?",
         "È caro {inf}? Quanto si spende?"),
        ("il prezzo per {canon}", "il costo per {canon}"),
        ("Per {canon} chiediamo {n}.", "Il prezzo per {canon} è di {n}.", "Per {canon} si pagano {n}.", "Per {canon} sono {n}."),
    ),
    "duration": (
        ("Quanto tempo ci vuole per {noun}?", "In quanto tempo fate {noun}?", "Quanto ci mettete per {inf}?",
        "Quando è pronto il lavoro, se devo {inf}?", "Quanti giorni servono per {inf}?",
         "Se porto oggi il capo per {noun}, quando lo ritiro?", "Quanto devo aspettare per {noun}?", "Quali sono i tempi per {noun}?",
         "In quanti giorni riuscite a {inf}?", "In quanti giorni potete {inf}?", "Entro quanti giorni riuscite a {inf}?",
         "Quanto siete veloci per {noun}?", "Entro quando potete {inf}?", "Quanto tempo tenete il capo per {inf}?",
         "Quanto dura l'attesa per {noun}?"),
        ("i tempi per {canon}", "il tempo che ci vuole per {canon}"),
        ("Per {canon} ci vuole {dur}.", "Per {canon} il tempo è di {dur}.", "Il lavoro è pronto in {dur} per {canon}."),
    ),
    "express": (
        ("Avete un servizio espresso?", "Ho fretta: quanto costa un lavoro urgente?", "Quanto si paga in più per l'urgenza?",
        "Potete farlo in giornata?", "C'è un supplemento per l'urgenza?",
         "È urgente! Si paga di più?", "Che sovrapprezzo c'è se mi serve oggi?", "Fate riparazioni urgenti?",
         "Quanto aggiungete per fare in fretta?"),
        ("il servizio espresso", "il supplemento per i lavori urgenti"),
        ("Il servizio espresso costa {n} in più.", "Per i lavori urgenti aggiungiamo {n}.", "Il supplemento per l'urgenza è di {n}."),
    ),
    "address": (
        ("Dov'è il negozio?", "Qual è il vostro indirizzo?", "Dove vi trovo?", "In che via siete?", "Dove si trova {shop}?",
        "A che numero siete?", "Come vi raggiungo?", "Dove siete?",
         "Dove devo portare i vestiti?", "Che indirizzo metto nel navigatore?", "Dov'è di preciso il vostro negozio?",
         "Che indirizzo cerco sulla mappa?", "Dove sta di preciso la bottega?",
         "Mi può dare l'indirizzo?", "Dove devo venire?"),
        ("l'indirizzo", "il posto del negozio"),
        ("Il negozio è in {addr}.", "Ci trova in {addr}.", "Siamo in {addr}."),
    ),
    "landmark": (
        ("Accanto a che cosa siete?", "Che cosa c'è vicino al negozio?", "Qual è un punto di riferimento?", "Come riconosco il posto?",
        "Che cosa c'è di fronte a voi?",
         "Non vi trovo: che cosa c'è lì vicino?", "Vicino a quale edificio siete?", "Che cosa c'è accanto a {shop}?"),
        ("il punto di riferimento vicino al negozio", "quello che c'è vicino al negozio"),
        ("Siamo {place}.", "Il negozio è {place}.", "Ci trova {place}."),
    ),
    "owner": (
        ("Chi è il proprietario?", "Di chi è il negozio?", "Chi gestisce {shop}?", "Come si chiama il titolare?", "Chi è la titolare?",
        "Chi comanda in bottega?", "Chi è il capo?",
         "A chi appartiene il negozio?", "Chi è il maestro sarto?", "Come si chiama la padrona?", "Chi guida la sartoria?"),
        ("il nome del titolare", "il proprietario del negozio"),
        ("Il negozio è di {name}.", "Titolare del negozio è {name}.", "A guidare il negozio è {name}."),
    ),
    "staff": (
        ("Chi ci lavora?", "Chi lavora in negozio?", "Come si chiama l'aiutante?", "Chi cuce da voi?", "Chi mi servirà?",
        "Chi sta al banco?", "Chi aiuta in bottega?",
         "Come si chiama l'apprendista?", "Chi c'è in negozio oltre al titolare?", "Chi fa le cuciture?"),
        ("il nome di chi ci lavora", "le persone che ci lavorano"),
        ("In negozio ci aiuta {name}.", "Con noi lavora {name}.", "Al banco c'è {name}."),
    ),
    "founded": (
        ("Quando è nato il negozio?", "In che anno avete aperto?", "Da quando ci siete?", "Da quanti anni lavorate?",
        "Quanto è vecchia la bottega?", "Quando ha aperto {shop}?",
         "Da che anno cucite?", "Quando è stata fondata la sartoria?", "Quando è cominciato tutto?"),
        ("l'anno di apertura", "l'anno di fondazione"),
        ("Il negozio è nato nel {year}.", "Siamo qui dal {year}.", "Abbiamo aperto nel {year}."),
    ),
    "phone": (
        ("Qual è il vostro numero di telefono?", "Come posso chiamarvi?", "A che numero chiamo?", "Posso telefonarvi?",
        "Avete un telefono?", "A che numero rispondete?",
         "Mi dà il numero di {shop}?", "Vorrei telefonare: che numero faccio?", "Mi lascia un recapito telefonico?"),
        ("il numero di telefono", "il numero da chiamare"),
        ("Il nostro numero è {phone}.", "Può chiamarci al {phone}.", "Il telefono del negozio è {phone}."),
    ),
    "payment": (
        ("Come si paga?", "Accettate carte?", "Posso pagare con la carta?", "Accettate contanti?", "Quali pagamenti accettate?",
        "Quali sono i modi di pagare?", "Devo pagare in contanti?",
         "Si può pagare con il telefono?", "Con che cosa posso pagare?", "Da {shop} servono i contanti?", "Prendete il bancomat?"),
        ("i modi di pagare", "i pagamenti accettati"),
        ("Accettiamo {pay}.", "Si paga con {pay}.", "Per pagare prendiamo {pay}."),
    ),
    "deposit": (
        ("Devo pagare in anticipo?", "C'è un acconto?", "Quanto volete subito?", "Chiedete una caparra?", "Che cosa pago quando ordino?",
        "Quant'è l'acconto?", "Bisogna lasciare un anticipo?",
         "Che parte si paga prima?"),
        ("l'acconto", "la somma da pagare in anticipo"),
        ("Chiediamo un acconto del {pct} per cento.", "L'acconto è del {pct} per cento.", "All'ordine si paga il {pct} per cento."),
    ),
    "guarantee": (
        ("C'è una garanzia?", "Quanto dura la garanzia?", "E se si scuce di nuovo?", "Date una garanzia sul lavoro?",
        "Per quanto tempo garantite il lavoro?", "Le riparazioni sono garantite?",
         "Che succede se la riparazione si rompe?"),
        ("la garanzia", "la durata della garanzia"),
        ("Il lavoro è garantito per {dur}.", "La garanzia dura {dur}.", "Diamo una garanzia di {dur}."),
    ),
    "storage": (
        ("Per quanto tempo tenete i capi finiti?", "E se non ritiro il cappotto in tempo?", "Quanto posso lasciare le mie cose da voi?",
        "Entro quando devo ritirare i vestiti?",
         "Che fine fanno i capi che nessuno ritira?", "Posso passare a prendere la giacca molto più tardi?",
         "Quanto tempo mi aspetta il vestito?"),
        ("il tempo per ritirare i capi", "il tempo in cui i capi restano in negozio"),
        ("Teniamo i capi finiti per {dur}.", "I capi pronti restano da noi per {dur}.", "Può ritirare i capi entro {dur}."),
    ),
    "discount": (
        ("Fate sconti?", "C'è uno sconto per {who}?", "{who} pagano meno?", "C'è un prezzo ridotto per {who}?",
        "Che riduzione c'è per {who}?", "Quanto risparmiano {who}?",
         "Ci sono agevolazioni per {who}?", "Avete prezzi ridotti?", "Quanto togliete dal prezzo per {who}?"),
        ("lo sconto per {who}", "gli sconti"),
        ("Per {who} lo sconto è del {pct} per cento.", "{who} hanno uno sconto del {pct} per cento.",
        "Togliamo il {pct} per cento per {who}."),
    ),
    "delivery": (
        ("Fate consegne?", "Potete portarlo a casa mia?", "Quanto costa la consegna?", "Quanto si paga per la consegna a domicilio?",
        "Spedite per posta?", "Consegnate a domicilio?",
         "Non posso venire: consegnate? E quanto costa?", "Qual è il costo per avere il capo a casa?"),
        ("la consegna a domicilio", "il costo della consegna"),
        ("La consegna a domicilio costa {n}.", "Consegniamo a casa per {n}.", "Portiamo i capi a casa per {n}."),
    ),
    "delivery_time": (
        ("Quanto ci mette la consegna?", "Quando arriva il mio pacco?", "In quanti giorni consegnate?", "Quando ricevo l'ordine?",
        "Quali sono i tempi di consegna?",
         "Entro quando mi arriva l'ordine?", "Quanto è veloce la spedizione?"),
        ("i tempi di consegna", "il tempo per la consegna"),
        ("La consegna avviene in {dur}.", "L'ordine arriva in {dur}.", "Consegniamo entro {dur}."),
    ),
    "parking": (
        ("Dove posso parcheggiare?", "C'è un parcheggio?", "Dove lascio la macchina?", "Avete un parcheggio?",
        "Si può parcheggiare vicino al negozio?", "Vengo in auto: dove mi fermo?",
         "C'è posto per l'auto vicino a {shop}?", "Dov'è il parcheggio più vicino?"),
        ("il parcheggio", "il posto per parcheggiare"),
        ("Si può parcheggiare {place}.", "C'è un parcheggio {place}.", "Lasci la macchina {place}."),
    ),
    "booking": (
        ("Serve un appuntamento?", "Posso venire senza appuntamento?", "Come si prenota?", "Devo prenotare la prova?",
        "Bisogna prendere un appuntamento?", "Come fisso una prova?",
         "Con quanto anticipo devo prenotare?", "Si può passare senza prenotare?"),
        ("gli appuntamenti", "il modo di prenotare"),
        ("Per una prova si prenota {dur} prima.", "Gli appuntamenti si prendono {dur} prima.", "Bisogna prenotare con {dur} di anticipo."),
    ),
    "fittings": (
        ("Quante prove servono?", "Quante volte devo venire per la prova?", "Quante volte si prova l'abito?",
        "Quante visite ci vogliono per un abito?", "Quante volte prendete le misure?",
         "Che numero di prove fate?"),
        ("il numero di prove", "le prove necessarie"),
        ("Servono {k} prove.", "Si fanno {k} prove.", "Per l'abito ci sono {k} prove."),
    ),
    "returns": (
        ("Posso restituire un capo?", "Come funzionano i resi?", "Entro quanto posso riportarlo?", "Si può cambiare?", "E se non mi piace?",
        "Accettate i resi?", "Ho cambiato idea: posso renderlo?"),
        ("i resi", "la regola per i resi"),
        ("I resi sono possibili entro {dur}.", "Può riportare un capo entro {dur}.", "Accettiamo i resi entro {dur}."),
    ),
    "voucher": (
        ("Vendete buoni regalo?", "Posso comprare un buono?", "Mi serve un regalo: avete dei buoni?", "Quanto costano i buoni regalo?",
        "Da che cifra partono i buoni?",
         "Si può regalare un vostro lavoro?"),
        ("i buoni regalo", "il prezzo dei buoni regalo"),
        ("I buoni regalo partono da {n}.", "Vendiamo buoni regalo da {n}.", "Un buono regalo costa almeno {n}."),
    ),
    "fabric": (
        ("Da dove vengono le stoffe?", "Che tessuti usate?", "Dove comprate la lana?", "Chi vi fornisce i tessuti?",
        "Qual è l'origine delle stoffe?", "Dove sono tessute le vostre stoffe?",
         "Da che città arriva il tessuto?"),
        ("l'origine delle stoffe", "la provenienza dei tessuti"),
        ("Le nostre stoffe vengono da {town}.", "I tessuti arrivano da {town}.", "Compriamo le stoffe a {town}."),
    ),
    "special": (
        ("Qual è la vostra specialità?", "Per che cosa siete conosciuti?", "Che cosa fate meglio?", "Per che cosa è famoso {shop}?",
        "Che lavoro vi piace di più?", "Perché la gente viene da voi?",
         "Di quale lavoro andate fieri?"),
        ("la specialità del negozio", "il lavoro più conosciuto del negozio"),
        ("Siamo conosciuti per {good}.", "La nostra specialità sono {good}.", "Da noi si viene per {good}."),
    ),
    "pet": (
        ("Come si chiama il gatto del negozio?", "Avete un animale?", "C'è un animale in bottega?", "Come si chiama il cane?",
        "Chi è il gatto in vetrina?", "Che nome ha la gatta?",
         "Quale animale vive da voi?", "Come avete chiamato il cagnolino?"),
        ("il nome dell'animale", "l'animale del negozio"),
        ("Il nostro gatto si chiama {pet}.", "Il cane della bottega si chiama {pet}.", "L'animale del negozio è {pet}."),
    ),
    "dogs": (
        ("Posso portare il cane?", "I cani sono ammessi?", "Il mio cane può entrare?", "Accettate animali?", "Il mio cane è benvenuto?",
        "Il cane deve aspettare fuori?"),
        ("la regola per i cani", "il posto per i cani"),
        ("I cani sono benvenuti {place}.", "I cani possono aspettare {place}.", "Può lasciare il cane {place}."),
    ),
    "drink": (
        ("Che cosa offrite da bere?", "Mi date un caffè mentre aspetto?", "C'è qualcosa da bere?", "Che cosa si serve agli ospiti?",
        "Offrite il tè?", "Che cosa posso bere mentre aspetto?",
         "Ho sete: c'è dell'acqua?", "I clienti possono bere qualcosa?"),
        ("la bevanda per gli ospiti", "quello che si offre da bere"),
        ("A ogni ospite offriamo {drink}.", "Mentre si aspetta c'è {drink}.", "Ai clienti offriamo {drink}."),
    ),
    "course": (
        ("Date lezioni di cucito?", "Quand'è il corso di cucito?", "Posso imparare a cucire da voi?", "In che giorno è il corso?",
        "Vorrei imparare a cucire: quando?", "Che giorno insegnate?",
         "C'è un corso per principianti?"),
        ("le lezioni di cucito", "il giorno del corso di cucito"),
        ("Il corso di cucito è {iday} alle {t2}.", "Insegniamo a cucire {iday} alle {t2}.", "Le lezioni di cucito sono {iday} alle {t2}."),
    ),
    "door": (
        ("Di che colore è la porta?", "Di che colore è l'insegna?", "Come riconosco la porta?", "Che colore ha la facciata?",
        "Che aspetto ha il negozio?", "La porta: di che colore è?"),
        ("il colore della porta", "l'aspetto del negozio"),
        ("La porta del negozio è di colore {colour}.", "Cerchi la porta di colore {colour}.", "Abbiamo una porta di colore {colour}."),
    ),
}

DAYS = ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica")
MONTHS = ("gennaio", "febbraio", "marzo", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "dicembre")
TIMES = ("otto", "otto e mezza", "nove", "nove e mezza", "nove e un quarto", "dieci", "8.15", "8.45", "9.30", "10.15", "dodici",
    "dieci e mezza", "nove meno un quarto",
         "nove meno dieci", "undici", "11.30", "7.45", "dieci e un quarto")
LATE = ("cinque", "cinque e mezza", "sei", "sei e mezza", "sette", "sette meno un quarto", "18.30", "17.45", "19.15", "quattro",
    "quattro e mezza", "tre e un quarto", "sette e mezza",
        "otto di sera", "due", "14.30", "20.10", "16.40")
DURATIONS = ("un giorno", "due giorni", "tre giorni", "quattro giorni", "cinque giorni", "sei giorni", "una settimana", "dieci giorni",
    "due settimane", "tre settimane", "un mese", "due mesi",
             "sei mesi", "un anno", "due anni", "un'ora", "due ore", "mezz'ora", "20 minuti", "48 ore", "nove giorni", "dodici giorni")
FIRST = ("Marta", "Giovanni", "Lucia", "Oreste", "Rita", "Pietro", "Agnese", "Simone", "Chiara", "Ugo", "Nora", "Valter", "Irma", "Felice",
    "Ada", "Giorgio", "Teresa", "Renato",
         "Dora", "Milo", "Elena", "Paolo", "Rosa", "Arturo")
LAST = ("Conti", "Ferri", "Galli", "Bassi", "Monti", "Riva", "Serra", "Longo", "Neri", "Sala", "Villa", "Fonte", "Valle", "Greco", "Leoni",
    "Grassi", "Testa", "Poli", "Carli", "Berti")
STREETS = ("via Garibaldi", "via dei Mille", "piazza Cavour", "corso Italia", "via Roma", "vicolo Stretto", "viale dei Tigli",
    "via del Mulino", "piazza del Mercato", "via Mazzini",
           "via della Stazione", "vicolo dell'Ago", "corso Dante", "via Manin", "via delle Rose", "piazza Vecchia")
PLACES = ("dietro la chiesa", "accanto al panificio", "di fronte alla stazione", "vicino alla biblioteca", "davanti al parco",
    "vicino al vecchio ponte", "sotto i portici", "nel cortile",
          "accanto alla fontana", "dietro il municipio", "accanto alla posta", "di fronte alla scuola", "in piazza del mercato",
          "lungo il fiume")
SHOPS = ("{last} e {last2}", "Sartoria {last}", "Bottega {last}", "{last} Sarti", "{last} e Figli", "Casa {last}", "Sartoria {first}")
TOWNS = ("Lucca", "Biella", "Prato", "Como", "Bergamo", "Mantova", "Cuneo", "Pisa", "Siena", "Trento", "Udine", "Bari", "Lecce", "Carpi",
    "Schio", "Varese", "Napoli", "Firenze", "Parma")
PAYS = ("contanti", "carte", "contanti e carte", "contanti, carte e assegni", "contanti e bonifico", "tutte le carte", "bonifico",
    "contanti e buoni", "bancomat e contanti")
WHO = ("gli studenti", "i pensionati", "gli infermieri", "gli insegnanti", "le famiglie", "i vicini di casa", "i musicisti",
    "i nuovi clienti", "i clienti abituali", "i fornai", "i bambini")
GOODS = ("le camicie su misura", "gli abiti da sposa", "i cappotti", "le cravatte di seta", "gli abiti di lino", "le giacche di velluto",
    "le divise scolastiche", "i gilet",
         "i rammendi invisibili", "i costumi di scena", "i guanti di pelle", "gli abiti da sera")
PETS = ("Bottone", "Ditale", "Pepe", "Velluto", "Biscotto", "Felix", "Nuvola", "Rocchetto", "Zenzero", "Luna", "Spillo", "Calzino", "Micia",
    "Oscar", "Fiocco")
DRINKS = ("una tazza di tè", "un espresso", "un bicchiere d'acqua", "una cioccolata calda", "una limonata", "un tè alla menta", "un caffè",
    "un succo di mela", "un'orzata", "una tisana")
COLOURS = ("rosso", "verde", "blu", "giallo", "nero", "bianco", "grigio", "arancione", "viola", "marrone")
MONEY = ("{x} euro", "{x} euro", "{x} euro", "{x},50 euro", "€ {x}")
NUMBERS = ("due", "tre", "quattro", "cinque", "sei")

# (plain name, other nouns, infinitives)
ITEMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("l'orlo dei pantaloni", ("l'orlo", "un orlo", "un orlo ai pantaloni", "l'accorciatura dei pantaloni",
    "un paio di pantaloni da accorciare"),
     ("fare l'orlo ai pantaloni", "accorciare i pantaloni", "orlare i jeans", "far accorciare un paio di pantaloni", "fare un orlo")),
    ("una cerniera nuova", ("una cerniera", "la sostituzione della cerniera", "una zip", "una zip nuova", "il cambio della cerniera",
    "una lampo"),
     ("cambiare una cerniera", "sostituire la cerniera", "mettere una zip nuova", "riparare la cerniera rotta",
     "cambiare la lampo della giacca")),
    ("un bottone", ("un bottone nuovo", "attaccare un bottone", "il rinforzo di un bottone", "un bottone mancante"),
     ("attaccare un bottone", "ricucire un bottone", "sostituire un bottone", "rimettere un bottone perso")),
    ("accorciare le maniche", ("le maniche più corte", "l'accorciatura delle maniche", "una modifica alle maniche"),
     ("accorciare le maniche", "far accorciare le maniche della giacca", "fare più corte le maniche")),
    ("stringere una giacca", ("una giacca più stretta", "una modifica alla giacca", "la giacca da stringere"),
     ("stringere una giacca", "rendere più stretta la giacca", "restringere una giacca larga", "sistemare una giacca troppo larga")),
    ("una fodera nuova", ("una fodera", "la fodera del cappotto", "il cambio della fodera"), ("rifoderare un cappotto",
    "cambiare la fodera", "mettere una fodera nuova")),
    ("un abito da sposa", ("il vestito da sposa", "un vestito per le nozze", "l'abito per il matrimonio"), ("fare un abito da sposa",
    "cucire un vestito da sposa", "avere un vestito per le nozze")),
    ("un abito su misura", ("un completo", "un abito da uomo", "un completo su misura", "un vestito nuovo"), ("fare un abito su misura",
    "cucire un completo", "farmi fare un completo")),
    ("una camicia su misura", ("una camicia", "una camicia nuova"), ("fare una camicia", "cucire una camicia su misura",
    "farmi una camicia")),
    ("una toppa", ("una toppa sul gomito", "il rammendo di un buco", "un rammendo"), ("mettere una toppa", "rammendare un buco",
    "riparare il gomito del maglione")),
    ("una modifica alla gonna", ("una gonna più corta", "una gonna da stringere"), ("modificare una gonna", "accorciare la gonna",
    "stringere una gonna")),
    ("le tende", ("un paio di tende", "l'orlo alle tende", "le tende da accorciare"), ("accorciare le tende", "cucire le tende",
    "fare l'orlo alle tende")),
    ("la stiratura", ("stirare un abito", "una camicia da stirare"), ("stirare una camicia", "stirare un completo", "stirare i pantaloni")),
    ("una sciarpa", ("una sciarpa di seta", "una sciarpa di lana"), ("fare una sciarpa", "cucire una sciarpa")),
    ("una cravatta", ("una cravatta di seta", "un papillon"), ("fare una cravatta", "stringere una cravatta", "cucire un papillon")),
    ("una cucitura", ("una cucitura strappata", "una scucitura"), ("rifare una cucitura", "sistemare uno strappo", "ricucire uno strappo")),
    ("il lavaggio a secco", ("la pulizia di un cappotto", "un lavaggio"), ("lavare a secco un cappotto", "pulire il cappotto")),
    ("un gilet", ("un gilet su misura", "un panciotto"), ("fare un gilet", "cucire un gilet su misura")),
    ("le iniziali ricamate", ("un monogramma", "le mie iniziali", "un ricamo"), ("ricamare le iniziali", "ricamare un nome",
    "fare un monogramma")),
    ("allargare la vita", ("una vita più larga", "i pantaloni da allargare"), ("allargare la vita", "allargare i pantaloni",
    "fare più larga la vita")),
)

REFUSALS = ("Non conosco {t}.", "Mi manca questa informazione: {t}.", "Non so rispondere su questo punto: {t}.",
    "Di quel negozio non conosco {t}.",
            "Non conosco quel negozio e quindi nemmeno {t}.", "Non so nulla di preciso su questo: {t}.",
            "Non posso aiutarla su questo punto: {t}.")
CLAUSE_REFUSALS = REFUSALS
CLAUSE_STARTS: tuple[str, ...] = ()
SORRY = ("", "", "Mi dispiace: ", "Purtroppo ", "Mi scusi, ", "Mi dispiace, ma ", "Spiacente, ")
TAILS = ("", "", "", " Provi a chiedere al negozio.", " Non conosco quel negozio.", " Se me lo dice, posso ricordarlo in questa chat.",
    " So solo quello che mi hanno insegnato.",
         " È meglio chiedere a loro.", " Non ho informazioni su quel negozio.", " Forse lì sanno aiutarla.")
GREETS = ("Buongiorno, ", "Ciao, ", "Salve, ", "Buonasera. ", "Mi scusi, ", "Buongiorno! ", "Scusi il disturbo. ", "Una domanda veloce: ",
    "Per favore, mi dica: ", "Ehi, ",
          "Ho una domanda su {shop}. ", "Da {shop}: ", "Per {shop}: ", "Ho una domanda. ")
THANKS = (" Grazie!", " Grazie.", " Grazie in anticipo.", " Per favore.", " Grazie mille.")
CONTEXTS = ("Sei l'assistente di {shop}. {facts}", "Ecco alcune notizie su {shop}. {facts}", "{facts}", "Notizie: {facts}",
    "Lavori per {shop}. {facts}",
            "Rispondi con queste notizie. {facts}", "Ecco che cosa sai di {shop}: {facts}")
USER_CONTEXTS = ("{facts} {q}", "Leggi: {facts} Ora rispondi: {q}", "{facts}\n{q}", "Ecco qualche notizia su {shop}. {facts} {q}",
    "Testo: {facts}\nDomanda: {q}")
CLOSING_RULES = ("Chiudi ogni risposta con «{phrase}»", "Finisci sempre con le parole «{phrase}»", "Termina ogni risposta con «{phrase}»")
CLOSINGS = ("A presto.", "Buona giornata.", "Cordiali saluti.", "La aspettiamo in bottega.", "Con un sorriso, il suo sarto.",
    "Alla prossima!", "Un caro saluto.", "Venga a trovarci.",
            "Sua, la bottega.", "Tanti saluti dal negozio.", "Stia bene!")
SHOP_WORD = "negozio"
