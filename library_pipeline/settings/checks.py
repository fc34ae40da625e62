"""What no type says about a value: URLs, schedules, networks, expressions.

Each raises ValueError with the way out.
"""

from __future__ import annotations

import re
from ipaddress import ip_interface, ip_network
from typing import Final
from urllib.parse import urlsplit

HEADER: Final = "header:"
"""What a total begins with that is in an answer's header."""
BRACES: Final = re.compile(r"\{([^{}]*)\}")
"""An expression in a template."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, a token
_MONTHS: Final = re.findall("...", "janfebmaraprmayjunjulaugsepoctnovdec")
_DAYS: Final = re.findall("...", "sunmontuewedthufrisat")
# Of each field: what it is, and its least and greatest number.
_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_NICKNAMES: Final = re.compile("@(hourly|daily|midnight|weekly|monthly|yearly|annually)")
_CRON_WORDS: Final = "it must be a cron expression of five fields like `0 3 * * 0` (Sundays, 3:00)"


def web_address(value: str) -> str:
    """Return an http(s) URL without what may come after its path."""
    try:
        parts = urlsplit(value.strip())
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        raise ValueError("it is not a valid URL; it is like https://cms.example.com/api") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(
            "it must begin with http:// or https:// and a host, like https://cms.example.com/api"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "it must not hold a user name or password; a token goes into cms.token, "
            "or into a source's auth"
        )
    if parts.query or parts.fragment:
        raise ValueError("it must not have a query or fragment (`?` or `#`)")
    return value.strip()


def web_origin(value: str) -> str:
    """Return scheme, host and port as browsers write them in `Origin`."""
    parts = urlsplit(web_address(value))
    if parts.path not in ("", "/"):
        raise ValueError("it must be an origin, without a path, like https://studio.example.com")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (
        f":{parts.port}" if parts.port not in (None, usual) else ""
    )


def host_name(value: str) -> str:
    """Return a name or an address, without scheme, port and path."""
    name = value.strip()
    if not name or re.search(r"[/@\\\s]", name) or name.count(":") == 1:
        raise ValueError(
            "it must be a name or an address alone, like search.example.com or *.example.com"
        )
    return name


def library_database(value: str) -> str:
    """Return what psycopg connects to: a URL, or words like `host=db dbname=library`."""
    if re.match(r"postgres(ql)?://|\s*\w+\s*=", value):
        return value
    if value.startswith("postgresql+"):
        raise ValueError(
            "it must begin with postgresql:// (only dagster_database_url names a driver after a +)"
        )
    raise ValueError("it must be like postgresql://user@host/library")


def dagster_database(value: str) -> str:
    """Return what SQLAlchemy connects to with psycopg2, which Dagster's storage needs."""
    if re.match(r"postgresql(\+psycopg2)?://", value):
        return value
    raise ValueError("it must be like postgresql+psycopg2://user@host/dagster")


def cron(value: str) -> str:
    """Return a schedule. Finds the usual slips; Dagster, too heavy to ask here, has the last word.

    `library-pipeline doctor` asks it.
    """
    fields = value.split()
    if _NICKNAMES.fullmatch(value.strip()):
        return value
    if len(fields) != len(_FIELDS):
        raise ValueError(_CRON_WORDS)
    for text, (name, least, most) in zip(fields, _FIELDS, strict=True):
        if not re.fullmatch(r"[\w*/,#?-]+", text, re.ASCII):
            raise ValueError(f"{_CRON_WORDS}; its {name} is not")
        for number in re.findall(r"(?<![/#\d])\d+", text):
            if not least <= int(number[:9]) <= most:
                raise ValueError(f"its {name} must be from {least} to {most}")
        words = {"month": _MONTHS, "day of the week": _DAYS}.get(name, [])
        if not set(re.findall(r"[a-z]+", text.lower())) <= {*words, "l"}:  # l: the last
            raise ValueError(f"{_CRON_WORDS}; its {name} is not")
    return value


def expression(value: str) -> str:
    """Return a JMESPath expression."""
    import jmespath.exceptions  # noqa: PLC0415 - only where there are sources

    try:
        jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"it is no JMESPath expression ({reason})") from None
    return value


def template(value: str) -> str:
    """Return a URL with JMESPath expressions in braces, like `/assets/{image.id}.png`."""
    if re.search("[{}]", BRACES.sub("", value)):
        raise ValueError("its braces do not pair; each expression is in one pair: {image.id}")
    for found in BRACES.findall(value):
        try:
            expression(found)
        except ValueError as error:
            raise ValueError(f"of what is in braces, {found[:100]!r}: {error}") from None
    return value


def total(value: str) -> str:
    """Return what finds a number of items: a JMESPath expression, or `header:` and a name."""
    if not value.startswith(HEADER):
        return expression(value)
    if not _HEADER_NAME.fullmatch(value.removeprefix(HEADER).strip()):
        raise ValueError("after `header:` comes a header's name, like header:X-Total-Count")
    return value


def network(value: str) -> str:
    """Return a network as it is usually written, 10.0.0.5/32 for 10.0.0.5."""
    try:
        return str(ip_network(value.strip()))
    except ValueError:
        pass
    try:
        hint = f"did you mean {ip_interface(value.strip()).network}?"
    except ValueError:
        hint = "a host's name goes into allowed_hosts"
    raise ValueError(f"it must be a network like 10.0.0.0/8 or fd00::/8; {hint}")
