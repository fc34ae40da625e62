"""More invented businesses, seen only in training renders, never in the committed library."""

from tools.sample_library.businesses import Business, _business

TRAINING_BUSINESSES: tuple[Business, ...] = (
    _business(
        "Oakfield School", "school", "#15803d | #b91c1c | #1e40af", scene="shapes",
        nav="Courses | Admissions | Calendar | Library | Sports | Parents",
        products="Piano lesson = 25 | Summer camp = 340 | Lunch card = 60 | Uniform = 85"
                 " | Robotics club = 40 | Language term = 210",
        plans="Day | Weekly | Boarding",
        headlines="Curious by design | Small classes, big windows | Enrol for autumn",
        leads="Twelve pupils to a class and a garden to every corridor. | Languages from five,"
              " robots from seven. | Come and spend a morning with us.",
        quotes="He reads at breakfast now. | The teachers write back the same day. | She built a"
               " boat. It floats.",
        questions="When do terms start? = In September, January and April. | Is lunch included? ="
                  " Yes, cooked here. | Do you offer bursaries? = One place in eight. | How big"
                  " are classes? = Twelve, never more.",
        alerts="Parents' evening is on Tuesday. | Term fees are due on Friday. | Enrolment"
               " received, thank you. | The bus is cancelled today.",
        stats="Pupils = 384 | Teachers = 41 | Clubs = 27 | Books = 12,900 | Attendance = 96%",
    ),
    _business(
        "Pine & Wool", "clothing shop", "#7f1d1d | #334155 | #a21caf", scene="product",
        nav="New in | Women | Men | Kids | Sale | Journal",
        products="Merino jumper = 89 | Rain jacket = 145 | Linen shirt = 59 | Wool socks = 14"
                 " | Canvas bag = 42 | Felt hat = 48",
        plans="Member | Insider | Studio",
        headlines="Knitted for weather | The autumn coat, again | Fewer, better jumpers",
        leads="Wool from two farms, knitted by nine people. | Free repairs for as long as you"
              " wear it. | The linen you will still own in ten years.",
        quotes="Washed forty times, still my favourite. | The sleeves are finally long enough."
               " | They mended it and sent sweets.",
        questions="How do sizes run? = True, with room for a shirt. | Can I return it? = Within"
                  " sixty days. | Where is it made? = In two small mills. | Do you repair? = For"
                  " free, always.",
        alerts="Free delivery until Sunday. | Only two left in your size. | Order 4471 has"
               " shipped. | Your voucher has expired.",
        stats="Orders = 1,942 | Returns = 3.1% | Basket = 86 | Stock = 7,310 | Reviews = 4.8",
    ),
    _business(
        "Voltaic", "energy", "#ca8a04 | #16a34a | #0369a1", scene="landscape",
        nav="Solar | Tariffs | Batteries | Usage | Support | About",
        products="Home battery = 4200 | Roof kit = 6900 | Wall charger = 790 | Smart meter = 0"
                 " | Heat pump = 8200 | Night tariff = 12",
        plans="Day | Night | Solar | Fixed",
        headlines="Power from your own roof | The quiet tariff | Charge while you sleep",
        leads="Panels, battery and paperwork in one week. | Prices that follow the wind. | See"
              " every kilowatt, hour by hour.",
        quotes="Our bill has a minus sign. | Installed before lunch. | The app is oddly soothing.",
        questions="How long do panels last? = Thirty years, guaranteed for twenty. | What about"
                  " winter? = The grid steps in by itself. | Can I add a battery later? = Yes."
                  " | Is there a subsidy? = We file it for you.",
        alerts="Your meter reading is due. | Storm warning: battery set to reserve. | You sold"
               " 14 kWh today. | Charger offline since 8:02.",
        stats="Today, kWh = 21.4 | Exported = 8.2 | Battery = 76% | Saved = 412 | Peak, kW = 5.9",
    ),
    _business(
        "Casa Verde", "real estate", "#166534 | #9a3412 | #155e75", scene="city",
        nav="Buy | Rent | Sell | New homes | Agents | Guides",
        products="Loft, 2 rooms = 1450 | Garden flat = 1820 | Terrace house = 2600 | Studio = 890"
                 " | Farmhouse = 3100 | Townhouse = 2240",
        plans="List | Promote | Full service",
        headlines="Homes with a story | Rent without surprises | Sold in nineteen days",
        leads="Honest photographs and the price at the top. | Every flat seen by us first."
              " | Value your home in two minutes.",
        quotes="We moved in before the lilac bloomed. | She told us what was wrong with it."
               " | Eleven viewings, one afternoon.",
        questions="What are the fees? = One and a half percent, when sold. | Can I view at night?"
                  " = Ask, we have the keys. | Are pets allowed? = It says so on every listing."
                  " | How is rent set? = By the local index.",
        alerts="Three new homes match your search. | Viewing moved to 5 pm. | Your offer was"
               " accepted. | This listing is no longer available.",
        stats="Listings = 284 | Viewings = 61 | Sold = 37 | Days on market = 19 | Agents = 14",
    ),
    _business(
        "Ridge Fitness", "gym", "#dc2626 | #4338ca | #0d9488", scene="abstract",
        nav="Classes | Coaches | Timetable | Plans | Stories | Join",
        products="Drop-in = 12 | Ten classes = 95 | Personal hour = 55 | Towel = 9 | Protein"
                 " bar = 3 | Climbing day = 18",
        plans="Off-peak | Anytime | Duo",
        headlines="Stronger by spring | Lift, climb, breathe | Your first week is free",
        leads="Forty classes a week and no mirrors. | A coach who writes your plan by hand."
              " | Open from five until midnight.",
        quotes="I did a pull-up at fifty-one. | No music wars. | The coaches learn your name.",
        questions="Can I pause? = For up to three months. | Is there a pool? = No, but a sauna."
                  " | Do I need shoes? = Clean ones. | May I bring a friend? = On Fridays.",
        alerts="Yoga moved to studio 2. | Your plan renews in three days. | Class booked, see you"
               " at six. | The climbing wall is closed.",
        stats="Members = 1,120 | Classes = 43 | Check-ins = 318 | Coaches = 12 | Streak = 21",
    ),
    _business(
        "Paper Moon", "publisher", "#1f2937 | #be185d | #b45309", scene="shapes", currency="£",
        nav="Books | Authors | Events | Magazine | Shop | Submit",
        products="The Salt Road = 12 | Nine Winters = 14 | Small Engines = 10 | Atlas of Fog = 28"
                 " | Tin Orchard = 11 | Letters, boxed = 45",
        plans="Reader | Collector | Library",
        headlines="Books for the last train | New voices, old paper | Read the autumn list",
        leads="Twelve books a year, each one argued over. | Signed copies until they run out."
              " | A chapter in your post, every Sunday.",
        quotes="I read it twice in one night. | The cover alone. | They answer letters.",
        questions="Do you read manuscripts? = In March and October. | Do you ship abroad? = Every"
                  " Friday. | Are there e-books? = For all but the atlas. | Can shops order? ="
                  " Through any wholesaler.",
        alerts="Signed copies are back. | Reading on Friday is nearly full. | Your order is on"
               " its way. | The code is not valid.",
        stats="Titles = 146 | Copies = 38,400 | Prizes = 9 | Authors = 72 | Languages = 17",
    ),
    _business(
        "Swiftcart", "logistics", "#c2410c | #1d4ed8 | #52525b", scene="city",
        nav="Track | Send | Rates | Depots | Business | Help",
        products="Small parcel = 4 | Large parcel = 11 | Pallet = 68 | Same day = 19"
                 " | Cold chain = 34 | Returns label = 3",
        plans="Starter | Growth | Fleet",
        headlines="There by noon | One label, any road | Parcels with manners",
        leads="Depots in ninety towns and a van near you. | Print once; we pick the route."
              " | Live positions, honest delays.",
        quotes="Nothing broken since March. | The driver rang the right bell. | Claims took a day.",
        questions="How big can it be? = Up to thirty kilos. | Can I change the address? = Until it"
                  " is in the van. | Is it insured? = To five hundred. | When do you collect? ="
                  " Between two and six.",
        alerts="Parcel 88213 is out for delivery. | Delays on the coast road. | Delivered at"
               " 11:42. | Address not found.",
        stats="Parcels = 18,204 | On time = 97.4% | Vans = 312 | Depots = 90 | Claims = 14",
    ),
    _business(
        "Blue Hour Hotel", "hotel", "#1e3a8a | #0f766e | #92400e", scene="landscape",
        nav="Rooms | Dining | Spa | Offers | Events | Book",
        products="Double room = 140 | Sea view = 190 | Attic suite = 260 | Breakfast = 18"
                 " | Sauna evening = 25 | Family room = 210",
        plans="Room only | Half board | All in",
        headlines="Wake up to water | Late checkout, always | Forty rooms, one lake",
        leads="Breakfast until noon and boats until dark. | Winter rates with a fire in the room."
              " | The spa is yours after nine.",
        quotes="The best sleep of the year. | They remembered the dog. | Eggs, lake, silence.",
        questions="When is check-in? = From two. | Are dogs welcome? = Yes, with a basket. | Is"
                  " there parking? = Free, in the orchard. | Do rooms have kettles? = And "
                  "biscuits.",
        alerts="Your room is ready. | Only one sea view left. | Booking changed to three nights."
               " | Card could not be charged.",
        stats="Rooms = 40 | Occupied = 87% | Arrivals = 12 | Rate = 168 | Reviews = 4.7",
    ),
)
