"""The invented businesses whose names, products, people and copy fill the components."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Business:
    """One invented client: everything a component needs to say something in its voice."""

    name: str
    sector: str
    colours: tuple[str, ...]
    nav: tuple[str, ...]
    products: tuple[tuple[str, int], ...]
    plans: tuple[str, ...]
    headlines: tuple[str, ...]
    leads: tuple[str, ...]
    quotes: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]
    alerts: tuple[str, ...]
    stats: tuple[tuple[str, str], ...]
    scene: str
    currency: str = "$"


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|"))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in _split(text):
        left, right = part.split("=", 1)
        found.append((left.strip(), right.strip()))
    return tuple(found)


def _priced(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, int(price)) for name, price in _pairs(text))


def _business(name: str, sector: str, colours: str, *, scene: str, currency: str = "$",
              **copy: str) -> Business:
    """A business from compact `a | b | c` and `a = b | c = d` strings."""
    return Business(
        name=name, sector=sector, colours=_split(colours), scene=scene, currency=currency,
        nav=_split(copy["nav"]), products=_priced(copy["products"]), plans=_split(copy["plans"]),
        headlines=_split(copy["headlines"]), leads=_split(copy["leads"]),
        quotes=_split(copy["quotes"]), questions=_pairs(copy["questions"]),
        alerts=_split(copy["alerts"]), stats=_pairs(copy["stats"]),
    )


# The committed library belongs to these six; training renders use every business below.
LIBRARY_CLIENTS: tuple[Business, ...] = (
    _business(
        "Harbor Bank", "bank", "#0b5cab | #0f766e | #1d4ed8", scene="city",
        nav="Accounts | Cards | Loans | Invest | Help | Branches",
        products="Everyday account = 0 | Travel card = 9 | Home loan = 310 | Saver plus = 5"
                 " | Business account = 18 | Junior saver = 2",
        plans="Basic | Plus | Premium | Business",
        headlines="Banking that keeps its word | A mortgage without the maze | Money moves today",
        leads="Open an account in eight minutes. No branch visit, no paper."
              " | Fixed rates, a named adviser and an answer within a day."
              " | Send, save and plan from one calm screen.",
        quotes="They called me back before I had finished my tea. | The rate they quoted is the"
               " rate I got. | Switching took one form and one weekend.",
        questions="How long does a transfer take? = Inside the country, seconds. Abroad, one"
                  " working day. | Is my money protected? = Deposits are insured up to the legal"
                  " limit. | Can I freeze a card? = Yes, in the app, at any hour. | What are the"
                  " fees? = None on everyday accounts; the rest are on one page. | How do I close"
                  " an account? = Write to us and we do the rest.",
        alerts="Your statement for May is ready. | We noticed a sign-in from a new device."
               " | Transfer of 240.00 was sent. | Card payment declined: limit reached.",
        stats="Balance = 12,480 | Saved this year = 3,210 | Open loans = 2 | Credit score = 781"
              " | Cards = 4 | Transfers = 128",
    ),
    _business(
        "Golden Crumb", "bakery", "#b45309 | #be123c | #a16207", scene="product",
        nav="Breads | Pastries | Cakes | Orders | Our ovens | Visit",
        products="Rye sourdough = 7 | Almond croissant = 4 | Lemon tart = 6 | Seeded loaf = 6"
                 " | Cinnamon knot = 3 | Birthday cake = 38",
        plans="Weekend box | Daily box | Café supply",
        headlines="Baked before the birds are up | Bread worth queueing for | Your cake, Saturday",
        leads="Slow dough, good butter, and an oven older than any of us."
              " | Order by four and collect from seven in the morning."
              " | Three loaves a week, left on your step while warm.",
        quotes="The rye lasts all week, if you let it. | My daughter asks for their cake in"
               " March. Her birthday is in June. | Best croissant this side of the river.",
        questions="Do you bake gluten free? = Every Wednesday, in a separate kitchen. | How do I"
                  " order a cake? = Three days ahead, by phone or here. | Do you deliver? = Within"
                  " five miles, before eight. | Can I freeze the bread? = Sliced, for a month."
                  " | What is in the starter? = Rye, water and eleven years.",
        alerts="Your order will be ready at 7:30. | Only four lemon tarts left today."
               " | Thank you, the box is paid for. | The oven is down: no baguettes today.",
        stats="Loaves today = 412 | Orders = 86 | Flour, kg = 240 | Rating = 4.9 | Staff = 11"
              " | Sold out = 6",
    ),
    _business(
        "Northwind Travel", "travel", "#0891b2 | #7c3aed | #ea580c", scene="landscape",
        nav="Trips | Rail | Islands | Deals | Journal | Contact",
        products="Fjord loop = 890 | Lisbon weekend = 240 | Night train north = 310"
                 " | Volcano walk = 460 | Ten islands = 1290 | Desert camp = 720",
        plans="Explorer | Voyager | Nomad",
        headlines="Leave the map at home | See the north by rail | Islands for slow people",
        leads="Small groups, local guides and one bag each."
              " | Seven nights, four countries and no airports."
              " | Pick a month; we find the quiet weeks.",
        quotes="We saw whales before breakfast. | The guide knew every baker on the coast."
               " | I have never planned so little and seen so much.",
        questions="What is included? = Rooms, breakfast, rail and the guide. | Can I cancel? ="
                  " Free of charge until thirty days before. | How fit must I be? = Two hours on"
                  " foot is plenty. | Do you book flights? = We would rather find you a train."
                  " | Are children welcome? = From eight years on most trips.",
        alerts="Your seats are reserved until noon. | Strike notice: allow extra time."
               " | Booking confirmed for 12 June. | Payment failed, please try again.",
        stats="Trips = 64 | Travellers = 8,214 | Countries = 19 | Repeat guests = 47% | Trains"
              " = 312 | Guides = 38",
    ),
    _business(
        "Fernhill Clinic", "clinic", "#047857 | #0284c7 | #4f46e5", scene="abstract",
        nav="Doctors | Services | Bookings | Results | Prices | Advice",
        products="Check-up = 80 | Eye test = 35 | Physio hour = 60 | Flu jab = 18"
                 " | Blood panel = 95 | Skin scan = 120",
        plans="Individual | Couple | Family",
        headlines="Care without the waiting room | See a doctor today | Small clinic, long talks",
        leads="Thirty-minute visits and a doctor who knows your name."
              " | Book online, come by bike, be home for lunch."
              " | Results the same evening, explained in plain words.",
        quotes="She drew me a picture of my knee. | Nobody looked at a clock. | My son now asks"
               " when he can go back.",
        questions="Do I need a referral? = No, book directly. | Is parking free? = For two hours,"
                  " behind the building. | Can I see my results? = In the patient area, within a"
                  " day. | Do you treat children? = From birth. | What if I am late? = Call us, we"
                  " keep the slot for ten minutes.",
        alerts="Your appointment is tomorrow at 9:40. | Please bring your vaccination card."
               " | Results are in: all clear. | We could not reach your insurer.",
        stats="Visits today = 58 | Waiting, min = 6 | Doctors = 9 | Satisfaction = 98% | New"
              " patients = 23 | Tests = 141",
    ),
    _business(
        "Loopline", "software", "#6d28d9 | #2563eb | #db2777", scene="abstract",
        nav="Product | Docs | Pricing | Changelog | Customers | Status",
        products="Builds = 29 | Previews = 12 | Edge cache = 49 | Secrets = 9 | Audit log = 19"
                 " | Runners = 79",
        plans="Hobby | Team | Scale | Enterprise",
        headlines="Ship on Friday afternoon | Builds that finish first | Every branch, live",
        leads="Push a branch, get a link. Merge it, and it is in production."
              " | Caches that know what changed, runners that start in a second."
              " | One pipeline for ten services and the people behind them.",
        quotes="Our builds went from forty minutes to three. | Rollback is a button. We have"
               " pressed it twice. | It is the only tool nobody complains about.",
        questions="Can I host it myself? = Yes, with one container. | How is usage counted? = By"
                  " the build minute. | Do you support monorepos? = From the first day. | Where is"
                  " data kept? = In the region you choose. | Is there a free plan? = For ever, for"
                  " small teams.",
        alerts="Version 4.2 is available. | Build 1,284 is using an old runner."
               " | Deployed to production in 41 s. | Tests failed on branch fix/login.",
        stats="Builds = 1,284 | Uptime = 99.98% | Deploys = 312 | Median, s = 41 | Failed = 17"
              " | Members = 26",
    ),
    _business(
        "Museum of Tides", "museum", "#9f1239 | #0e7490 | #3f6212", scene="shapes", currency="€",
        nav="Exhibitions | Collection | Tickets | Learn | Shop | Visit",
        products="Day ticket = 14 | Evening ticket = 9 | Print, framed = 65 | Tide calendar = 22"
                 " | Guided hour = 18 | School visit = 4",
        plans="Friend | Patron | Benefactor",
        headlines="The sea, room by room | A thousand years of salt | Open late on Thursdays",
        leads="Nine galleries, two ships and a very patient octopus."
              " | New this spring: charts drawn by people who got lost."
              " | Stay after hours, with a glass and a guide.",
        quotes="I came for an hour and missed my train. | The octopus remembered me. | Quiet,"
               " clever and full of brass.",
        questions="When is it free? = On the first Sunday of each month. | May I take pictures? ="
                  " Yes, without flash. | Is there a café? = On the roof, with a view. | Is it"
                  " step free? = Everywhere except the lighthouse. | Can we rent the hall? = On"
                  " Mondays and after six.",
        alerts="Late opening this Thursday. | Gallery 4 closes at three today."
               " | Your tickets were sent by mail. | This tour is sold out.",
        stats="Visitors = 48,210 | Objects = 9,312 | Members = 1,874 | On view = 640 | Loans = 57"
              " | School groups = 219",
    ),
)
