"""Names and descriptions of each kind for training, from the vocabulary of interface design.

They teach; `paraphrases.py` examines. `phrases.far_from_the_exam` drops what comes too near to it.
"""

from __future__ import annotations

from typing import Final

_LISTS: Final[dict[str, str]] = {
    "accordion": """
        accordion | FAQ | frequently asked questions | collapsible list | collapsible panels |
        expandable sections | expandable rows | disclosure list | details and summary |
        expander | foldout | collapse | toggle list | show and hide answers | help topics |
        questions and answers | Q&A list | list of questions with arrows |
        headings that open when clicked | sections with plus and minus signs |
        rows with chevrons | one open answer and several closed ones | drop-down answers |
        content hidden behind headings | unfolding list | support questions |
        list of common questions | collapsed items""",
    "alert": """
        alert | notification | toast | snackbar | banner message | warning | error message |
        success message | info box | callout | notice | flash message | status message |
        inline message | system message | warning banner | announcement bar | feedback message |
        green confirmation strip | red error box | yellow warning box | blue information box |
        validation message | message with an icon and a close cross | something went wrong |
        saved successfully | attention box | hint box | admonition | important information""",
    "breadcrumb": """
        breadcrumb | breadcrumbs | breadcrumb trail | location trail | page hierarchy |
        you are here | navigation path | path navigation | hierarchy of parent pages |
        links divided by slashes | home > category > item | trail of ancestors |
        parent pages in a line | secondary navigation trail | site path | small row of arrows and
        links | position within the website | way back up to the home page | crumb trail |
        where am I | folder path | chain of categories""",
    "button-group": """
        button group | button bar | row of buttons | toolbar | segmented control |
        segmented buttons | toggle buttons | action buttons | joined buttons | button row |
        set of buttons | group of actions | split buttons | button strip | action bar |
        icon buttons | buttons next to each other | save and cancel buttons | choice of options in
        a button bar | connected buttons | control group | edit, copy and delete |
        day, week and month switch | primary and secondary button | call to action buttons |
        editing tools""",
    "card": """
        card | product card | content card | tile | product tile | teaser | item card |
        shop item | article preview | offer box | listing card | product with a buy button |
        thumbnail with a heading and text | media card | information card | panel with an image on
        top | blog post preview | event card | small box about one product | preview of an item |
        product summary | course card | recipe card | item for sale | promotion tile |
        single offer with image""",
    "chart": """
        chart | graph | plot | diagram | data visualization | visualisation | bar chart |
        line chart | line graph | pie chart | donut chart | area chart | column chart |
        histogram | trend line | curve | infographic | statistics drawn as bars |
        axes and grid lines | graph with a legend | sales over time | traffic curve |
        stacked columns | ring diagram | analytics graph | growth plot | x axis and y axis |
        horizontal bars | time series""",
    "data-table": """
        data table | table | grid | data grid | spreadsheet | list of records | tabular data |
        sortable table | table with a header row | invoice list | order list | matrix |
        columns with headings | striped rows | customer list | table with checkboxes |
        table of orders | inventory list | listing in cells | report table | cells and headers |
        admin list | stock list | rows of entries | table view | database records |
        transactions in a table | schedule in a table""",
    "footer": """
        footer | page footer | site footer | bottom bar | copyright line | imprint |
        end of the website | bottom navigation | site map links | legal links | fat footer |
        company links and copyright | privacy and terms links | lower part of a website |
        closing section | foot of the page | contact and social links at the end |
        footer with newsletter signup | link lists below the content | bottom area |
        link directory | colophon | social media icons and legal notes | last section of a site""",
    "gallery": """
        gallery | image gallery | photo gallery | photo grid | picture grid | images | photos |
        album | photo album | thumbnails | mosaic | collage | portfolio | slideshow of photos |
        image wall | grid of images | lightbox | collection of photographs | several photos in
        columns | masonry | exhibition pictures | image collection | snapshots |
        pictures with captions | photo collection | tiles of pictures | media grid""",
    "hero": """
        hero | hero banner | hero section | hero image | jumbotron | landing page header |
        page banner | masthead | splash section | big banner | welcome section |
        intro section | headline with a call to action | cover section | top banner with slogan |
        marketing headline | first screen of a landing page | above the fold | main banner |
        big title and a button | promotional header | slogan over a photo | showcase |
        introduction of the website | tagline and get started button | billboard""",
    "login-form": """
        login form | login | log in | sign in | sign-in form | sign up form | registration form |
        register | create an account | login page | user name and password |
        authentication form | credentials | account access | password field | member login |
        welcome back | form with two fields and a button | e-mail field and submit button |
        forgot password | remember me | input fields | access form | sign up | join now form |
        user login box | logon screen | enter your password""",
    "modal": """
        modal | modal dialog | dialog | dialog box | popup | pop-up | popup dialog |
        modal window | overlay | lightbox dialog | confirmation dialog | confirm deletion |
        prompt | message box | are you sure | box over a dimmed page | floating window |
        window with ok and cancel | delete confirmation | interstitial | sheet |
        dialogue window | small window in front of the page | permission request |
        dialog with a close button | ask before leaving | yes or no question | alert dialog""",
    "navbar": """
        navbar | navigation bar | nav bar | top navigation | top bar | site header | header |
        main menu | main navigation | menu bar | app bar | header with logo and links |
        horizontal menu | page header | primary navigation | website header |
        logo and menu items | header with a search field | global navigation | nav links |
        brand and links | horizontal navigation | sticky header | header menu | site navigation |
        bar with a logo on the left | masthead navigation""",
    "pagination": """
        pagination | pager | page numbers | paging | paginator | page navigation | page links |
        previous and next | page selector | numbered pages | one two three | page switcher |
        list of page numbers | next page button | previous page button | first and last page |
        page controls | browse the pages of a list | numbers with arrows | page 3 of 10 |
        page index | more pages | page counter | jump to a page | search result pages |
        numbers in small boxes | older and newer""",
    "pricing-table": """
        pricing table | pricing | pricing plans | price comparison | price list | plans |
        subscription plans | price table | packages | pricing tiers | membership options |
        plan comparison | monthly price | free, pro and enterprise | rates | tariffs |
        what it costs | price columns | subscription prices | choose a plan | fees |
        basic, standard and premium | upgrade options | feature comparison with prices |
        most popular plan | package offers | membership fees | price per month | cost overview""",
    "profile": """
        profile | profile card | user profile | user card | person | team member | avatar |
        contact card | author box | about the author | business card | member profile |
        staff card | user info | bio | avatar with a name and job title | employee card |
        account card | personal page | biography | follow and message buttons | user details |
        portrait photo and name | speaker | employee | contact person | who is who |
        social profile | face and job title""",
    "sidebar": """
        sidebar | side bar | side navigation | side menu | vertical menu | sidenav |
        navigation drawer | drawer | vertical navigation | left navigation | dashboard menu |
        side panel | admin menu | vertical list of links | navigation rail | app navigation |
        menu column | vertical tabs with icons | tall menu | app menu with icons |
        narrow navigation column | off-canvas menu | tree navigation | menu with a user at the
        bottom | stacked navigation links | settings menu""",
    "stats": """
        statistics | stats | stats cards | KPI tiles | KPIs | key figures | metrics |
        numbers | numbers overview | dashboard numbers | counters | stat cards | key numbers |
        performance indicators | facts and figures | metric tiles | score cards | totals |
        summary numbers | percent change | revenue and visitors in numbers | dashboard widgets |
        number tiles | growth figures | quick facts | big numbers | business figures |
        up and down percentages | analytics summary | progress figures""",
    "tabs": """
        tabs | tab bar | tabbed panel | tab panel | tabbed content | tab strip | tab navigation |
        tab control | tabbed interface | tab menu | tab headers | switchable panels |
        row of tabs above content | active tab underlined | tabbed view | overview, details and
        reviews | content in tabs | pill navigation | folder tabs | views to change between |
        selected tab | notebook tabs | tabset | tabs above a text | switcher | change the view""",
    "testimonial": """
        testimonial | testimonials | customer quote | review | reviews | customer reviews |
        quote | quotation | blockquote | feedback from customers | client quotes |
        recommendation | user review | star rating | praise | opinion of a client |
        rating with five stars | words from our clients | happy customers | quote with a name |
        success story | customer opinion | citation | appraisal | client feedback | social proof |
        people recommend it | reference customers""",
}

SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    kind: tuple(" ".join(phrase.split()) for phrase in text.split("|"))
    for kind, text in _LISTS.items()
}
