"""The rules for single values: URLs, schedules, networks, expressions.

Each check returns the value to keep and raises ValueError with words that say what is allowed.
The types at the end bind a check to the description that error messages show.
"""

from __future__ import annotations

import re
from ipaddress import ip_interface, ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

HEADER: Final = "header:"
"""The prefix of a total that stands in a response header."""
BRACES: Final = re.compile(r"\{([^{}]*)\}")
"""Matches one expression in a URL template."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, a token
_CRON_FIELDS: Final = ("minute", "hour", "day of the month", "month", "day of the week")
_CRON_WORDS: Final = "a cron expression of five fields like `0 3 * * 0` (Sundays, 3:00)"


def web_address(value: str) -> str:
    """Return an http(s) URL; refuses credentials, a query and a fragment."""
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
    """Return scheme, host and port in the form that browsers send in `Origin`."""
    parts = urlsplit(web_address(value))
    if parts.path not in ("", "/"):
        raise ValueError("it must be an origin, without a path, like https://studio.example.com")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default_port = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, default_port) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def host_name(value: str) -> str:
    """Return a host name or an address; refuses a scheme, a port and a path."""
    name = value.strip()
    if not name or re.search(r"[/@\\\s]", name) or name.count(":") == 1:
        raise ValueError(
            "it must be a name or an address alone, like search.example.com or *.example.com"
        )
    return name


def library_database(value: str) -> str:
    """Return a psycopg connection string: a URL, or pairs like `host=db dbname=library`."""
    if re.match(r"postgres(ql)?://|\s*\w+\s*=", value):
        return value
    if value.startswith("postgresql+"):
        raise ValueError(
            "it must begin with postgresql:// (only dagster_database_url names a driver after a +)"
        )
    raise ValueError("it must be like postgresql://user@host/library")


def dagster_database(value: str) -> str:
    """Return a SQLAlchemy URL for psycopg2, the driver of Dagster's storage."""
    if re.match(r"postgresql(\+psycopg2)?://", value):
        return value
    raise ValueError("it must be like postgresql+psycopg2://user@host/dagster")


def cron(value: str) -> str:
    """Return a cron expression of five fields, or a nickname like `@daily`."""
    from croniter import croniter  # noqa: PLC0415 - only needed where a schedule is set

    words = f"it must be {_CRON_WORDS}"
    try:
        if len(croniter.expand(value)[0]) == len(_CRON_FIELDS):
            return value
    except ValueError:
        texts = value.split()
        if len(texts) == len(_CRON_FIELDS):
            for number, (text, name) in enumerate(zip(texts, _CRON_FIELDS, strict=True)):
                alone = ["*"] * len(_CRON_FIELDS)
                alone[number] = text
                if not croniter.is_valid(" ".join(alone)):
                    low, high = croniter.RANGES[number]
                    words = f"its {name} must be from {low} to {high}"
                    break
    raise ValueError(words)


def expression(value: str) -> str:
    """Return a JMESPath expression."""
    import jmespath.exceptions  # noqa: PLC0415 - only needed where there are sources

    try:
        jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"it is not a JMESPath expression ({reason})") from None
    return value


def template(value: str) -> str:
    """Return a URL with JMESPath expressions in braces, like `/assets/{image.id}.png`."""
    if re.search("[{}]", BRACES.sub("", value)):
        raise ValueError("its braces do not pair; write each expression in one pair: {image.id}")
    for found in BRACES.findall(value):
        try:
            expression(found)
        except ValueError as error:
            raise ValueError(f"the expression {found[:100]!r} in braces: {error}") from None
    return value


def total(value: str) -> str:
    """Return where the number of items stands: a JMESPath expression, or `header:` and a name."""
    if not value.startswith(HEADER):
        return expression(value)
    if not _HEADER_NAME.fullmatch(value.removeprefix(HEADER).strip()):
        raise ValueError("after `header:` comes a header's name, like header:X-Total-Count")
    return value


def network(value: str) -> str:
    """Return a network in its usual form: 10.0.0.5/32 for 10.0.0.5."""
    try:
        return str(ip_network(value.strip()))
    except ValueError:
        pass
    try:
        hint = f"did you mean {ip_interface(value.strip()).network}?"
    except ValueError:
        hint = "a host's name goes into allowed_hosts"
    raise ValueError(f"it must be a network like 10.0.0.0/8 or fd00::/8; {hint}")


Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,39}$",
        description="a lower-case letter, then at most 39 letters, digits, _ or -",
    ),
]
Url = Annotated[str, AfterValidator(web_address)]
Schedule = Annotated[str, AfterValidator(cron), Field(description=_CRON_WORDS)]
Network = Annotated[
    str, AfterValidator(network), Field(description="a network like 10.0.0.0/8 or fd00::/8")
]
Expression = Annotated[
    str,
    AfterValidator(expression),
    Field(description="a JMESPath expression like `meta.updated_at` (https://jmespath.org)"),
]
Template = Annotated[
    str,
    AfterValidator(template),
    Field(description="a URL with expressions in braces, like `/assets/{image.id}.png`"),
]
Total = Annotated[
    str,
    AfterValidator(total),
    Field(description="a JMESPath expression, or `header:X-Total` for a header"),
]
