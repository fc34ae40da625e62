"""Names, words and colours that any business may use."""

FIRST_NAMES = (
    "Amara", "Bastian", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jonas",
    "Keiko", "Lars", "Maya", "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Sven", "Tamsin",
    "Umberto", "Vera", "Wei", "Ximena", "Yusuf", "Zoë",
)
LAST_NAMES = (
    "Abara", "Brandt", "Costa", "Duval", "Eriksen", "Fontaine", "Grewal", "Hoshino", "Ilic",
    "Jansen", "Kowalski", "Lindqvist", "Moreau", "Nakata", "Okafor", "Petrov", "Quiroga", "Rossi",
    "Sandoval", "Takeda", "Ueda", "Varga", "Whitlock", "Yilmaz", "Zeller",
)
ROLES = (
    "Product designer", "Head of care", "Store manager", "Engineer", "Curator", "Chief baker",
    "Travel guide", "Account lead", "Data analyst", "Founder", "Editor", "Support lead",
)
CITIES = ("Lisbon", "Oslo", "Ghent", "Porto", "Leeds", "Graz", "Tartu", "Malmö", "Turin", "Kyoto")
STATUSES = (("Paid", "success"), ("Pending", "warning"), ("Failed", "danger"), ("Draft", "neutral"),
            ("Sent", "info"))
FEATURES = (
    "Unlimited projects", "Priority support", "Monthly report", "Two locations", "Free delivery",
    "Shared calendar", "Custom domain", "Early access", "No setup fee", "Cancel any time",
    "Phone support", "Gift vouchers", "Export to CSV", "Single sign-on", "Named contact",
    "Extra storage", "Weekend hours", "Mobile app",
)
BUTTON_SETS = (
    ("Day", "Week", "Month"), ("List", "Grid", "Map"), ("Left", "Centre", "Right"),
    ("Save", "Cancel"), ("Edit", "Copy", "Delete"), ("Share", "Export", "Print", "Archive"),
    ("Back", "Next"), ("Preview", "Publish"), ("All", "Open", "Closed", "Draft"),
    ("1 W", "1 M", "6 M", "1 Y", "Max"), ("Upload", "Download"), ("Yes", "No", "Maybe"),
)
BUTTON_ICONS = {
    "Save": "check", "Edit": "edit", "Copy": "copy", "Delete": "trash", "Share": "share",
    "Export": "download", "Print": "print", "Archive": "folder", "List": "list", "Grid": "grid",
    "Map": "pin", "Day": "calendar", "Week": "calendar", "Month": "calendar", "Upload": "upload",
    "Download": "download", "Preview": "eye", "Publish": "check", "Back": "left", "Next": "right",
    "Cancel": "close",
}
CALLS = ("Get started", "Book now", "Learn more", "See prices", "Join today", "Order online",
         "Try it free", "Plan a visit", "Talk to us", "Choose plan")
SECOND_CALLS = ("Learn more", "See how", "Watch the film", "Compare", "Ask a question")
MODALS = (
    ("Delete this item?", "It will be gone for everyone. This cannot be undone.", "Delete",
     "Keep it", "danger", "trash"),
    ("Share with your team", "Anyone with the link can see it until Friday.", "Copy link",
     "Close", "primary", "share"),
    ("Your session is about to end", "You will be signed out in two minutes.", "Stay signed in",
     "Sign out", "primary", "clock"),
    ("Subscribe to our letter", "One message a month, written by people.", "Subscribe",
     "No, thanks", "primary", "mail"),
    ("Payment received", "We sent the receipt to your mail address.", "Done", "Print", "success",
     "check"),
    ("Invite a colleague", "They get access to this project only.", "Send invitation", "Cancel",
     "primary", "person"),
    ("Unsaved changes", "Leave this page without saving?", "Save and leave", "Discard", "primary",
     "warning"),
)
TABS = (
    ("Overview", "Details", "Reviews"), ("Profile", "Security", "Billing", "Team"),
    ("Description", "Delivery", "Returns"), ("Today", "This week", "This month"),
    ("Summary", "Activity", "Files", "Settings"), ("Home", "Messages", "Contacts"),
)
SIDEBARS = (
    ("Dashboard", "Orders", "Customers", "Products", "Reports", "Messages", "Settings"),
    ("Home", "Inbox", "Calendar", "Files", "People", "Favourites", "Archive", "Help"),
    ("Overview", "Bookings", "Payments", "Guests", "Reviews", "Team", "Settings", "Help"),
)
SIDEBAR_ICONS = {
    "Dashboard": "grid", "Orders": "cart", "Customers": "people", "Products": "box",
    "Reports": "chart", "Messages": "mail", "Settings": "settings", "Home": "home",
    "Inbox": "mail", "Calendar": "calendar", "Files": "folder", "People": "people",
    "Favourites": "star", "Archive": "box", "Help": "help", "Overview": "home",
    "Bookings": "calendar", "Payments": "card", "Guests": "people", "Reviews": "star",
    "Team": "people",
}
FOOTERS = (("Company", ("About", "Careers", "Press", "Contact")),
           ("Support", ("Help centre", "Delivery", "Returns", "Status")),
           ("Legal", ("Privacy", "Terms", "Cookies", "Imprint")),
           ("Follow", ("Journal", "Newsletter", "Podcast", "Events")))
CHART_TITLES = ("Revenue", "Visitors", "Orders per month", "Energy use", "Bookings", "Sign-ups",
                "Traffic by source", "Costs", "Temperature", "Sales by region")
SERIES = ("Direct", "Search", "Referral", "Social", "Mail")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TABLES = (
    ("Order", "Customer", "Date", "Total", "Status"), ("Name", "Role", "City", "Since"),
    ("Product", "Stock", "Price", "Status"), ("Invoice", "Client", "Due", "Amount", "Status"),
)
ACCENT_NAMES = {
    "#0b5cab": "blue", "#0f766e": "teal", "#1d4ed8": "blue", "#b45309": "brown", "#be123c": "red",
    "#a16207": "golden", "#0891b2": "cyan", "#7c3aed": "violet", "#ea580c": "orange",
    "#047857": "green", "#0284c7": "light blue", "#4f46e5": "indigo", "#6d28d9": "purple",
    "#2563eb": "blue", "#db2777": "pink", "#9f1239": "dark red", "#0e7490": "teal",
    "#3f6212": "olive green", "#15803d": "green", "#b91c1c": "red", "#1e40af": "dark blue",
    "#7f1d1d": "dark red", "#334155": "slate", "#a21caf": "magenta", "#ca8a04": "yellow",
    "#16a34a": "green", "#0369a1": "blue", "#166534": "dark green", "#9a3412": "rust",
    "#155e75": "teal", "#dc2626": "red", "#4338ca": "indigo", "#0d9488": "turquoise",
    "#1f2937": "black", "#be185d": "pink", "#c2410c": "orange", "#52525b": "grey",
    "#1e3a8a": "navy", "#92400e": "brown",
}
