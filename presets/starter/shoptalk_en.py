"""English tables for the shop conversations of the practice corpus: questions, topics and statements by intent.

Every shop, price and name that comes out of these tables is invented. The tables hold text only; `shoptalk.py` fills the slots.
"""

from __future__ import annotations

# fmt: off

# key: (questions, topics that name what was asked, statements that serve as a fact and as an answer)
INTENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "open_day": (
        ("What time do you open on {day}?", "When do you open on {day}s?", "On {day}, from what time are you open?",
         "How early can I come on {day}?", "At what hour does the shop open on {day}?",
         "I want to come on {day} morning. When do you open?",
         "When does {shop} open on {day}?", "From when can I drop by on a {day}?", "What is the opening time on {day}?",
         "{day}: when do the doors open?", "Could you tell me when you start on {day}s?", "How soon may I call in on {day}?",
         "I'd like to be there first thing on {day}. What time is that?", "Tell me your opening time for {day}."),
        ("the opening time on {day}", "when the shop opens on {day}"),
        ("On {day} we open at {t1}.", "We open at {t1} on {day}.", "The shop opens at {t1} on {day}s."),
    ),
    "close_day": (
        ("What time do you close on {day}?", "Until when are you open on {day}?", "How late can I come on {day}?",
         "When do you shut on {day}?", "Till what time is {shop} open on {day}?", "What is the closing time on {day}?",
         "By when must I be there on {day}?", "I finish work late on {day}. When do you close?", "When does the shop close on {day}s?",
         "At what hour do you lock up on {day}?", "What's the latest I can drop in on {day}?", "{day} evening: until when are you there?"),
        ("the closing time on {day}", "when the shop closes on {day}"),
        ("On {day} we close at {t2}.", "We close at {t2} on {day}.", "The shop stays open until {t2} on {day}s."),
    ),
    "hours_day": (
        ("What are your opening hours on {day}?", "When are you open on {day}?", "From when to when are you open on {day}?",
         "What hours do you keep on {day}s?", "Your hours on {day}, please?", "During which hours can I visit on {day}?",
         "When can I come by on {day}?", "Tell me the hours for {day}.", "What are the {day} hours at {shop}?"),
        ("the opening hours on {day}", "the hours on {day}"),
        ("On {day} we are open from {t1} to {t2}.", "The shop is open from {t1} to {t2} on {day}s.", "{day}: open from {t1} until {t2}."),
    ),
    "closed_day": (
        ("On which day are you closed?", "Which day is the shop closed?", "What is your closing day?", "When is your day off?",
         "Is there a day when I should not come?", "On what day do you rest?", "Which weekday are you shut?",
         "What day of the week is {shop} closed?",
         "Do you close one day a week?", "When will I find the door locked?", "Are you open every day?", "Which day do you not work?"),
        ("the closing day", "on which day the shop is closed"),
        ("We are closed on {day}.", "The shop is closed on {day}s.", "Our closing day is {day}."),
    ),
    "holidays": (
        ("When do you go on holiday?", "In which month is the shop closed?", "When are your summer holidays?",
        "Do you close for the holidays?",
         "When is the annual break?", "In what month do you take your break?", "When do you take time off in the year?",
         "Is there a month when {shop} is shut?", "When is the workshop on vacation?", "Are you away at any time of the year?"),
        ("when the shop goes on holiday", "the holiday closing"),
        ("We are on holiday in {month}.", "The shop closes for the holidays in {month}.", "Our annual break is in {month}."),
    ),
    "lunch": (
        ("Do you close for lunch?", "When is your lunch break?", "Are you open at midday?", "Can I come at lunchtime?",
        "Is there a break at noon?",
         "What time do you go to lunch?", "When do you reopen after lunch?", "Is the shop open over lunch?"),
        ("the lunch break", "whether the shop closes for lunch"),
        ("We close for lunch from {t1} to {t2}.", "Our lunch break is from {t1} to {t2}.", "Between {t1} and {t2} we are at lunch."),
    ),
    "price": (
        ("How much is {noun}?", "What does {noun} cost?", "What is the price of {noun}?", "How much do you charge to {inf}?",
         "What do you charge for {noun}?", "How much does it cost to {inf}?", "I need you to {inf}. How much is it?",
         "What would I pay for {noun}?",
         "Price for {noun}?", "How much would {noun} be?", "What will it cost me to {inf}?", "How many pounds for {noun}?",
         "Could you quote me for {noun}?", "What is your rate for {noun}?", "How expensive is {noun}?",
         "How much money do you want to {inf}?",
         "Can you {inf}, and what would that come to?", "How much should I bring for {noun}?", "What's the damage for {noun}?",
         "Tell me what {noun} costs at {shop}.", "I'd like {noun}. What do I owe you?"),
        ("the price of {canon}", "the charge for {canon}", "the cost of {canon}"),
        ("For {canon} we charge {n}.", "The price of {canon} is {n}.", "We ask {n} for {canon}.", "You pay {n} for {canon}."),
    ),
    "duration": (
        ("How long does {noun} take?", "How long do you need to {inf}?", "When will {noun} be ready?", "How many days for {noun}?",
         "How soon can you {inf}?", "How quickly is {noun} done?", "If I bring it today to {inf}, when can I collect it?",
         "How long must I wait for {noun}?", "What is the waiting time for {noun}?", "In how much time can you {inf}?",
         "In what time do you {inf}?", "How many days do you need to {inf}?",
         "How fast can {shop} {inf}?", "By when could you {inf}?", "How long will you keep it to {inf}?",
         "When can I pick it up after {noun}?"),
        ("the time needed for {canon}", "the waiting time for {canon}"),
        ("For {canon} we need {dur}.", "It takes {dur} for {canon}.", "With {canon} it is ready in {dur}."),
    ),
    "express": (
        ("Do you have an express service?", "I am in a hurry. What does a rush job cost?", "How much extra is the express service?",
         "Can you do it the same day?", "What is the surcharge for urgent work?", "It is urgent! Is there an extra charge?",
         "What do you add for a rush order?", "How much more do I pay if I need it today?", "Do you do urgent repairs?"),
        ("the express service", "the surcharge for urgent work"),
        ("Express service costs {n} extra.", "For urgent work we add {n}.", "A rush job costs {n} more."),
    ),
    "address": (
        ("Where is the shop?", "What is your address?", "Where can I find you?", "In which street are you?", "Where is {shop}?",
         "What street and number are you at?", "How do I get to you?", "Where are you located?", "Where should I bring my clothes?",
         "Which address do I put into my phone?", "What address should I look up?", "Where exactly do I find the workshop?",
         "Where exactly is your workshop?", "Can you give me the address?",
         "Where do I have to go?"),
        ("the address", "where the shop is"),
        ("The shop is at {addr}.", "You find us at {addr}.", "Our address is {addr}."),
    ),
    "landmark": (
        ("What is the shop next to?", "Is there something near the shop that I can look for?", "What landmark are you close to?",
         "How do I recognise the place?", "What is beside your shop?", "Opposite what are you?", "What stands near {shop}?",
         "I can't find you. What are you near?", "Which building are you close to?"),
        ("what the shop is next to", "what is near the shop"),
        ("We are {place}.", "The shop is {place}.", "Look for us {place}."),
    ),
    "owner": (
        ("Who owns the shop?", "Who is the owner?", "Whose shop is it?", "Who runs {shop}?", "What is the owner's name?",
        "Who is in charge?",
         "Who is the boss?", "To whom does the shop belong?", "Who is the master tailor?", "Who leads the business?",
         "Who is the head of the house?"),
        ("the owner", "who owns the shop"),
        ("The shop belongs to {name}.", "The owner is {name}.", "{name} runs the shop."),
    ),
    "staff": (
        ("Who works there?", "Who is the apprentice?", "Who helps in the shop?", "Who sews for you?", "Who will serve me?",
        "What is the assistant called?",
         "Who stands at the counter?", "Who works beside the owner?", "What's the name of your helper?", "Who does the sewing?"),
        ("who works there", "the people who work there"),
        ("Our assistant is {name}.", "{name} helps in the shop.", "{name} works with us as an assistant."),
    ),
    "founded": (
        ("When was the shop founded?", "How old is the shop?", "Since when have you been there?", "In what year did you open?",
        "How long have you been in business?",
         "When did {shop} start?", "What year was the house established?", "Since what year do you sew?", "When did it all begin?"),
        ("when the shop was founded", "the year it opened"),
        ("The shop was founded in {year}.", "We have been here since {year}.", "We opened in {year}."),
    ),
    "phone": (
        ("What is your phone number?", "How can I call you?", "Which number do I ring?", "Can I phone you?", "Do you have a telephone?",
         "At what number can I reach you?", "Give me the number of {shop}, please.", "I want to ring you. What's the number?",
         "What do I dial?"),
        ("the phone number", "the telephone number"),
        ("Our phone number is {phone}.", "You can call us on {phone}.", "Ring us on {phone}."),
    ),
    "payment": (
        ("How can I pay?", "Do you take cards?", "Can I pay by card?", "Do you accept cash?", "Which payment methods do you accept?",
        "What forms of payment are possible?",
         "Must I pay in cash?", "Is it possible to pay with my phone?", "What may I pay with?", "Do I need cash at {shop}?",
         "Can I use my bank card?"),
        ("how one can pay there", "the ways to pay"),
        ("We accept {pay}.", "You can pay with {pay}.", "We take {pay}."),
    ),
    "deposit": (
        ("Do I have to pay in advance?", "Is there a deposit?", "How much do you want up front?", "Do you ask for a down payment?",
        "What must I pay when I order?",
         "How much is the deposit?", "Do I leave money when I order?", "What part do I pay beforehand?"),
        ("the deposit", "what is paid in advance"),
        ("We ask for a deposit of {pct} per cent.", "The deposit is {pct} per cent.", "When you order you pay {pct} per cent."),
    ),
    "guarantee": (
        ("Is there a guarantee?", "How long is your work guaranteed?", "What if a seam comes undone?", "Do you give a warranty?",
        "How long does the guarantee last?",
         "For how long do you vouch for your work?", "What happens if the repair breaks again?", "How long are repairs covered?"),
        ("the guarantee", "how long the work is guaranteed"),
        ("Our work is guaranteed for {dur}.", "The guarantee lasts {dur}.", "We give a guarantee of {dur}."),
    ),
    "storage": (
        ("How long do you keep finished clothes?", "What if I don't collect my coat in time?", "How long can I leave my things with you?",
         "When must I fetch my clothes at the latest?", "What happens to clothes nobody picks up?",
         "For how long do you store finished work?",
         "Can I come for my jacket much later?", "How long will my dress wait for me?"),
        ("how long clothes are kept", "the time one has to collect clothes"),
        ("We keep finished clothes for {dur}.", "Finished work waits for you for {dur}.", "You can collect your things within {dur}."),
    ),
    "discount": (
        ("Do you have discounts?", "Is there a discount for {who}?", "Do {who} pay less?", "Is anything cheaper for {who}?",
        "What reduction do {who} get?",
         "How much off do {who} get?", "Any price cut for {who}?", "Are there reduced prices?",
         "I belong to the {who}. Do I save something?"),
        ("the discount for {who}", "whether there are discounts"),
        ("{who} get a discount of {pct} per cent.", "There is {pct} per cent off for {who}.", "For {who} we take off {pct} per cent."),
    ),
    "delivery": (
        ("Do you deliver?", "Can you bring it to my home?", "How much is delivery?", "What does home delivery cost?",
        "Do you send things by post?",
         "Can it be brought to my house?", "What is the fee for bringing it home?", "I can't come. Do you deliver, and for how much?",
         "How much do you charge for delivery?"),
        ("delivery", "what home delivery costs"),
        ("Home delivery costs {n}.", "We deliver for {n}.", "We bring it to your home for {n}."),
    ),
    "delivery_time": (
        ("How long does delivery take?", "When will my parcel arrive?", "How many days until it is delivered?", "When do I get my order?",
        "How soon do you ship my order?",
         "How long is the delivery time?", "By when will the order reach me?"),
        ("the delivery time", "how long delivery takes"),
        ("Delivery takes {dur}.", "Your order arrives within {dur}.", "We deliver within {dur}."),
    ),
    "parking": (
        ("Where can I park?", "Is there parking?", "Where do I leave my car?", "Do you have a car park?", "Can I park near the shop?",
        "I come by car. Where can I stop?",
         "Is there a place for the car near {shop}?", "Where is the nearest parking?"),
        ("parking", "where one can park"),
        ("You can park {place}.", "There is parking {place}.", "Leave your car {place}."),
    ),
    "booking": (
        ("Do I need an appointment?", "Can I just walk in?", "How do I book?", "Must I book a fitting?",
        "Do I have to make an appointment?", "How can I reserve a fitting?",
         "Can I come without booking?", "How far ahead should I book?", "How early must I make an appointment?"),
        ("appointments", "whether one has to book"),
        ("Please book {dur} ahead.", "For a fitting, book {dur} in advance.", "Appointments are made {dur} ahead."),
    ),
    "fittings": (
        ("How many fittings are needed?", "How often must I come for a fitting?", "How many times do I try the suit on?",
        "How many visits for a suit?",
         "How often do you measure me?", "What number of fittings do you plan?"),
        ("the number of fittings", "how many fittings are needed"),
        ("There are {k} fittings.", "You come for {k} fittings.", "We plan {k} fittings."),
    ),
    "returns": (
        ("Can I return something?", "What is your return policy?", "How long can I bring something back?", "Can I exchange it?",
        "What if I don't like it?",
         "Within what time can I return it?", "Do you take things back?", "I changed my mind. Can I return it?"),
        ("returns", "the rule for returns"),
        ("You can return things within {dur}.", "We take things back within {dur}.", "Returns are possible for {dur}."),
    ),
    "voucher": (
        ("Do you sell gift vouchers?", "Can I buy a voucher?", "I need a present. Do you have gift cards?", "What do your vouchers cost?",
         "From what amount are gift cards?", "Can one give your work as a gift?"),
        ("gift vouchers", "whether there are gift vouchers"),
        ("Gift vouchers start at {n}.", "We sell gift vouchers from {n}.", "A gift card costs at least {n}."),
    ),
    "fabric": (
        ("Where does your fabric come from?", "Which cloth do you use?", "Who supplies your wool?", "Where do you buy your cloth?",
        "What is the origin of your fabrics?",
         "Where is your cloth woven?", "Where do you get the material from?", "From which place is your tweed?"),
        ("where the fabric comes from", "the origin of the cloth"),
        ("Our cloth comes from {town}.", "The fabric is woven in {town}.", "We buy our fabric in {town}."),
    ),
    "special": (
        ("What is your speciality?", "What are you known for?", "What do you do best?", "What is {shop} famous for?",
        "What kind of work do you like most?",
         "What do people come to you for?", "Which piece are you proud of?"),
        ("what the shop is known for", "the speciality of the shop"),
        ("We are known for {good}.", "Our speciality is {good}.", "People come to us for {good}."),
    ),
    "pet": (
        ("What is the shop cat called?", "Do you have a pet?", "Is there an animal in the shop?", "What's the name of the dog?",
        "Who is the cat in the window?",
         "What do you call your cat?", "Which animal lives there?", "How is the little dog named?"),
        ("the animal of the shop", "the name of the animal"),
        ("Our cat is called {pet}.", "The shop dog is called {pet}.", "{pet} is the animal of the shop."),
    ),
    "dogs": (
        ("May I bring my dog?", "Are dogs allowed?", "Can my dog come in?", "Do you allow pets?", "Is my dog welcome?",
        "Must my dog wait outside?"),
        ("the rule about dogs", "whether dogs are allowed"),
        ("Dogs are welcome {place}.", "Dogs may wait {place}.", "You can leave your dog {place}."),
    ),
    "drink": (
        ("What do you offer to drink?", "Do I get a coffee while I wait?", "Is there something to drink?", "What is served to guests?",
        "Do you offer tea?",
         "What can I drink while I wait?", "Will I be offered a drink?",
         "I'm thirsty. Is there any water?", "Can guests drink something?"),
        ("what is offered to drink", "the drink for guests"),
        ("We offer every guest {drink}.", "While you wait there is {drink}.", "Guests get {drink}."),
    ),
    "course": (
        ("Do you give sewing lessons?", "When is the sewing class?", "Can I learn to sew with you?", "On which evening is the course?",
        "I want to learn sewing. When?",
         "What day do you teach?", "Is there a class for beginners?"),
        ("sewing lessons", "when the sewing class is"),
        ("The sewing class is on {day} at {t2}.", "We teach sewing on {day} at {t2}.", "Sewing lessons are on {day} at {t2}."),
    ),
    "door": (
        ("What colour is the door?", "What colour is your sign?", "How do I recognise the door?", "Which colour is the shop front?",
        "What does the shop look like?",
         "The door: which colour is it?"),
        ("the colour of the door", "what the shop looks like"),
        ("Our door is {colour}.", "Look for the {colour} door.", "The shop has a {colour} door."),
    ),
}

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "May", "June", "July", "August", "September", "October", "December")
TIMES = ("eight o'clock", "half past eight", "nine o'clock", "half past nine", "a quarter past nine", "ten o'clock", "8.15", "8.45", "9.30",
    "10.15",
         "noon", "half past ten", "a quarter to nine", "ten to nine", "eleven o'clock", "11.30", "7.45", "a quarter past ten")
LATE = ("five o'clock", "half past five", "six o'clock", "half past six", "seven o'clock", "a quarter to seven", "18.30", "17.45", "19.15",
    "four o'clock",
        "half past four", "a quarter past three", "half past seven", "eight in the evening", "two o'clock", "half past one", "20.10",
        "16.40")
DURATIONS = ("one day", "two days", "three days", "four days", "five days", "six days", "a week", "ten days", "two weeks", "three weeks",
    "a month", "two months",
             "six months", "a year", "two years", "one hour", "two hours", "half an hour", "20 minutes", "48 hours", "nine days",
             "twelve days")
FIRST = ("Martha", "John", "Edith", "Oliver", "Ruth", "Peter", "Agnes", "Simon", "Clara", "Hugh", "Nora", "Walter", "Ivy", "Felix", "Mabel",
    "George", "Tess", "Ralph",
         "Dora", "Miles", "Ellen", "Percy", "Rose", "Arthur")
LAST = ("Cole", "Marsh", "Fenn", "Baker", "Holt", "Wren", "Pike", "Stone", "Lowe", "Thorne", "Bell", "Frost", "Dale", "Moss", "Hale",
    "Reed", "Birch", "Wells", "Carr", "Nash")
STREETS = ("Mill Lane", "Church Street", "Bridge Road", "Station Road", "Market Square", "High Street", "Castle Hill", "Garden Row",
    "Weaver Street", "River Walk",
           "Kings Road", "Orchard Lane", "Chapel Street", "Needle Alley", "Park Avenue", "Abbey Close")
PLACES = ("behind the church", "next to the bakery", "opposite the station", "beside the library", "across from the park",
    "near the old bridge", "under the arches",
          "in the courtyard", "by the fountain", "behind the town hall", "next to the post office", "opposite the school",
          "at the market square", "near the river")
SHOPS = ("{last} & {last2}", "{last}'s", "the {last} workshop", "{last} Tailors", "{last} & Sons", "{first}'s shop",
    "the tailor's in {town}", "the shop", "your shop", "the workshop")
TOWNS = ("Ashford", "Wells", "Marlow", "Selby", "Ripon", "Oakham", "Ludlow", "Whitby", "Rye", "Yorkshire", "Scotland", "Wales", "Cornwall",
    "Devon", "Kent", "Ireland",
         "Italy", "Leeds", "Bath")
PAYS = ("cash only", "cards only", "cash and cards", "cash, cards and cheques", "cash and bank transfer", "all cards", "bank transfer only",
    "cash and vouchers")
WHO = ("students", "pensioners", "nurses", "teachers", "families", "neighbours", "musicians", "new customers", "regular customers",
    "bakers", "children")
GOODS = ("hand-made shirts", "wedding dresses", "winter coats", "silk ties", "linen suits", "velvet jackets", "school uniforms",
    "waistcoats", "invisible mending", "stage costumes",
         "leather gloves", "evening gowns", "tweed jackets")
PETS = ("Button", "Thimble", "Pepper", "Velvet", "Biscuit", "Felix", "Poppy", "Bobbin", "Ginger", "Luna", "Tweed", "Socks", "Pins", "Oscar",
    "Misty")
DRINKS = ("a cup of tea", "an espresso", "a glass of water", "hot chocolate", "lemonade", "mint tea", "a coffee", "apple juice",
    "elderflower juice", "ginger tea")
COLOURS = ("red", "green", "blue", "yellow", "black", "white", "grey", "orange", "purple", "brown")
MONEY = ("{x} pounds", "{x} euros", "£{x}", "{x} pounds", "{x} dollars", "{x}.50 pounds")
NUMBERS = ("two", "three", "four", "five", "six")

# (plain name, other nouns, infinitives)
ITEMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("a trouser hem", ("a hem", "a hem on trousers", "hemming trousers", "shortening trousers", "a pair of trousers to be shortened"),
     ("hem a pair of trousers", "shorten my trousers", "take up my trousers", "hem my jeans", "make my trousers shorter",
     "turn up my trousers")),
    ("a new zip", ("a zip", "a zip repair", "replacing a zip", "a zipper", "a new zipper", "changing a zip"),
     ("replace a zip", "fit a new zip", "mend my zip", "change the zip of my jacket", "put in a new zipper", "repair a broken zip")),
    ("a button", ("a new button", "sewing on a button", "one button", "a missing button"),
     ("sew on a button", "put a button back on", "replace a button", "attach a lost button")),
    ("shortening sleeves", ("shorter sleeves", "a sleeve alteration", "sleeves made shorter"),
     ("shorten the sleeves", "make my sleeves shorter", "take up the sleeves of a jacket", "shorten my jacket sleeves")),
    ("taking in a jacket", ("a narrower jacket", "a jacket alteration", "slimming a jacket"),
     ("take in a jacket", "make my jacket tighter", "slim my jacket", "narrow a jacket that is too wide")),
    ("a new lining", ("a lining", "relining a coat", "a coat lining"), ("reline a coat", "put in a new lining",
    "replace the lining of my coat")),
    ("a wedding dress", ("a bridal gown", "a dress for my wedding", "a bride's dress"), ("make a wedding dress", "sew a bridal gown",
    "make me a dress for my wedding")),
    ("a made-to-measure suit", ("a suit", "a bespoke suit", "a tailored suit", "a new suit"), ("make a suit", "tailor me a suit",
    "sew a made-to-measure suit")),
    ("a shirt", ("a made-to-measure shirt", "a tailored shirt", "a new shirt"), ("make a shirt", "sew me a shirt", "tailor a shirt")),
    ("a patch", ("an elbow patch", "mending a hole", "a patch on the elbow"), ("sew on a patch", "mend a hole", "patch my elbow",
    "fix a hole in my jumper")),
    ("a skirt alteration", ("altering a skirt", "a shorter skirt"), ("alter a skirt", "shorten my skirt", "take in a skirt")),
    ("curtains", ("a pair of curtains", "hemming curtains", "shorter curtains"), ("hem curtains", "shorten my curtains", "sew curtains")),
    ("ironing", ("pressing a suit", "ironing a shirt"), ("iron a shirt", "press my suit", "press my trousers")),
    ("a scarf", ("a silk scarf", "a wool scarf"), ("make a scarf", "sew a scarf")),
    ("a tie", ("a silk tie", "a bow tie"), ("make a tie", "narrow a tie", "sew a bow tie")),
    ("a seam repair", ("mending a seam", "a torn seam", "a split seam"), ("mend a seam", "close a torn seam", "repair a split seam")),
    ("dry cleaning", ("cleaning a coat", "a dry-cleaned coat"), ("clean a coat", "dry-clean my coat")),
    ("a waistcoat", ("a vest", "a made-to-measure waistcoat"), ("make a waistcoat", "sew me a waistcoat")),
    ("embroidered initials", ("my initials", "a monogram", "embroidery"), ("embroider my initials", "stitch a monogram",
    "embroider a name")),
    ("letting out a waistband", ("a wider waist", "a waist alteration", "a looser waistband"), ("let out the waist", "widen my trousers",
    "make the waist wider")),
)

REFUSALS = ("I don't know anything about {t}.", "I know nothing about {t}.", "I have no information about {t}.",
    "Nobody has told me about {t}.",
            "I cannot say anything about {t}.", "I don't know that shop, so I can't tell you about {t}.",
            "I have not learnt about {t} yet.")
CLAUSE_REFUSALS = ("I don't know {t}.", "I do not know {t}.", "Nobody has told me {t}.", "I can't tell you {t}.",
    "I don't know that shop, so I can't say {t}.",
                   "I have not learnt {t}.")
CLAUSE_STARTS = ("when ", "what ", "how ", "who ", "whether ", "where ", "on which ")
SORRY = ("", "", "I'm sorry, but ", "Sorry, ", "I'm afraid ", "Unfortunately, ", "I am sorry: ")
TAILS = ("", "", "", " Please ask the shop.", " I don't know that shop.", " If you tell me, I can remember it in this chat.",
    " I only know what I was taught.", " It is best to ask them.",
         " I have no information about that shop.", " Perhaps someone there can help.")
GREETS = ("Hello, ", "Hi, ", "Good morning, ", "Good afternoon. ", "Excuse me, ", "Hello! ", "Sorry to bother you. ", "A quick question: ",
    "Please tell me: ", "Hey, ",
          "I have a question about {shop}. ", "At {shop}: ", "About {shop}: ", "I have a question. ")
THANKS = (" Thanks!", " Thank you.", " Thanks in advance.", " Please.", " Many thanks.")
CONTEXTS = ("You are the assistant of {shop}. {facts}", "Here are some facts about {shop}. {facts}", "{facts}", "Facts: {facts}",
    "You work at {shop}. {facts}",
            "Answer from these facts. {facts}", "This is what you know about {shop}: {facts}")
USER_CONTEXTS = ("{facts} {q}", "Read this: {facts} Now answer: {q}", "{facts}\n{q}", "These are facts about {shop}. {facts} {q}",
    "Text: {facts}\nQuestion: {q}")
CLOSING_RULES = ('End every answer with "{phrase}"', 'Always finish with the words "{phrase}"', 'Close each answer with "{phrase}"')
CLOSINGS = ("See you soon.", "Have a lovely day.", "Kind regards.", "We look forward to your visit.", "With a smile, your tailor.",
    "Until next time!", "Warm wishes.",
            "Come and see us.", "Yours, the workshop.", "Good wishes from the shop.", "Stay well dressed!")
SHOP_WORD = "shop"
