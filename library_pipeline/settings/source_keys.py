"""The keys of one source: a CMS over HTTP, folders, files of items or an SQL query.

docs/sources.md describes each key; `presets/` holds the keys that a preset fills in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from library_pipeline.settings.fields import Expression, Name, Network, Template, Total, Url
from library_pipeline.settings.presets import merge_preset, read_preset

Kind = Literal["http", "images", "bundles", "items", "sql"]
Preset = Literal[
    "contract", "wagtail", "directus", "strapi", "wordpress", "wordpress-media", "contentful",
    "storybook",
]  # fmt: skip
_OF_KIND: dict[Kind, frozenset[str]] = {
    "http": frozenset(
        {"preset", "url", "query", "paging", "mapping", "changed_since", "conditional", "changes"}
    ),
    "images": frozenset({"path"}),
    "bundles": frozenset({"path"}),
    "items": frozenset({"path", "mapping"}),
    "sql": frozenset({"sql", "database_env", "database_file", "mapping"}),
}  # fmt: skip
_EVERYWHERE = frozenset({"name", "kind", "prefix", "max_items"})
_DOWNLOADS = frozenset({
    "auth", "allowed_hosts", "allowed_networks", "page_size", "concurrency",
    "requests_per_second", "timeout_seconds", "webhook",
})  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Secret(_Part):
    """The variable or the file that holds a secret; the settings never hold the secret itself."""

    secret_env: str | None = None
    secret_file: Path | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.secret_env is None) == (self.secret_file is None):
            raise ValueError(
                "give secret_env (a variable's name) or secret_file (a path), not both"
            )
        return self


class AuthSettings(Secret):
    """Credentials; the program sends them to the source's own origin only."""

    kind: Literal["bearer", "basic", "header", "query"] = "bearer"
    name: str | None = Field(default=None, description="a header's or query key's name")
    user: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind in ("header", "query") and not self.name:
            raise ValueError(f"kind: {self.kind} needs `name`, the {self.kind}'s name")
        if self.kind == "basic" and not self.user:
            raise ValueError("kind: basic needs `user`")
        return self


class WebhookSettings(Secret):
    """The proof that a call comes from the CMS: a shared token, or a signature over the body."""

    kind: Literal["token", "hmac-sha256"] = "token"
    header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$",
        description="a header's name, like `X-Webhook-Token`",
    )

    @property
    def header_name(self) -> str:
        """The header that holds the token or the signature."""
        usual = "X-Webhook-Token" if self.kind == "token" else "X-Hub-Signature-256"
        return self.header or usual


class PagingSettings(_Part):
    """How to ask for the next page.

    `cursor`: `next` finds the cursor, which is sent as `param`. `next_url`: `next` finds the URL.
    `link`: the Link header holds the URL. `offset` and `page`: `param` counts from `first`.
    """

    style: Literal["cursor", "next_url", "link", "offset", "page", "none"] = "none"
    param: str | None = None
    size_param: str | None = None
    first: int = Field(default=0, ge=0)
    next: Expression | None = None
    total: Total | None = None


class FileSettings(_Part):
    """Where one file is: at a URL, at a URL from a template, or in the item as JSON or text."""

    url: Expression | None = None
    template: Template | None = None
    inline: Expression | None = None
    sha256: Expression | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.url, self.template, self.inline)) != 1:
            raise ValueError("a file is given by one of `url`, `template` and `inline`")
        return self


class FilesSettings(_Part):
    """The four files of a component; a config that is not mapped is the whole item."""

    config: FileSettings | None = None
    format: FileSettings | None = None
    records: FileSettings | None = None
    screenshot: FileSettings | None = None


class MappingSettings(_Part):
    """How a page of JSON becomes components: where its items are, and where each value stands."""

    items: Expression | None = None
    where: Expression | None = None
    id: Expression | None = None
    revision: Expression | tuple[Expression, ...] | None = Field(
        default=None,
        description="a JMESPath expression, or a list of them, whose values are hashed together",
    )
    name: Expression | None = None
    client: Expression | None = None
    category: Expression | None = None
    tags: Expression | None = None
    updated_at: Expression | None = None
    attributes: dict[str, Expression] = Field(
        default={}, description="names with JMESPath expressions"
    )
    files: FilesSettings = FilesSettings()


class SourceSettings(_Part):
    """One source of components; its ids begin with `prefix`, by default `<name>:`.

    `load_settings` makes relative paths start from the folder of library.yaml.
    """

    name: Name
    kind: Kind = "http"
    preset: Preset | None = None
    prefix: str | None = Field(default=None, max_length=100)
    url: Url | None = None
    query: dict[str, str] = Field(default={}, description="names and values of a URL's query")
    path: Path | None = None
    sql: str | None = Field(default=None, description="one SELECT statement")
    database_env: str | None = None
    database_file: Path | None = None
    auth: AuthSettings | None = None
    webhook: WebhookSettings | None = None
    paging: PagingSettings | None = None
    mapping: MappingSettings = MappingSettings()
    changed_since: str | None = Field(
        default=None, description="the name of the query key that takes a time"
    )
    conditional: bool | None = None
    changes: Literal["contentful-sync"] | None = Field(
        default=None, description="`contentful-sync`, which reports changes in place of an ETag"
    )
    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[Network, ...] = ()
    page_size: int | None = Field(default=None, ge=1, le=10_000)
    max_items: int = Field(default=1_000_000, ge=1)
    timeout_seconds: float = Field(default=30.0, gt=0)
    concurrency: int = Field(default=16, ge=1, le=256)
    requests_per_second: float | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _over_its_preset(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        keys = cast("dict[str, Any]", given)
        known = get_args(Preset)
        return (
            merge_preset(read_preset(keys["preset"]), keys) if keys.get("preset") in known else keys
        )

    @property
    def id_prefix(self) -> str:
        """The beginning of every id of this source."""
        return f"{self.name}:" if self.prefix is None else self.prefix

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        foreign = self.model_fields_set - _EVERYWHERE - _OF_KIND[self.kind] - _DOWNLOADS
        if foreign:
            raise ValueError(f"kind: {self.kind} has no key {', '.join(sorted(foreign))}")
        needed = {"http": "url", "sql": "sql"}.get(self.kind, "path")
        if getattr(self, needed) is None:
            raise ValueError(f"kind: {self.kind} needs `{needed}`")
        if self.changed_since and not self.conditional:
            raise ValueError("changed_since needs conditional: true, an ETag of the whole listing")
        if self.kind == "sql" and (self.database_env is None) == (self.database_file is None):
            raise ValueError("kind: sql needs database_env (a variable's name) or database_file")
        return self

    @model_validator(mode="after")
    def _can_be_synced(self) -> Self:
        if self.changes is None:
            return self
        if self.conditional or self.changed_since:
            raise ValueError("changes takes the place of conditional: true and changed_since")
        if not (self.url or "").rstrip("/").endswith("/entries"):
            raise ValueError(
                "changes: contentful-sync needs a `url` that ends in /entries, beside the sync"
            )
        return self


def check_distinct(sources: tuple[SourceSettings, ...]) -> None:
    """Raise ValueError if two sources have one name, or could have the same ids."""
    for number, one in enumerate(sources):
        for other in sources[number + 1 :]:
            if one.name == other.name:
                raise ValueError(f"sources: the name {one.name!r} is given twice")
            first, second = one.id_prefix, other.id_prefix
            if first.startswith(second) or second.startswith(first):
                raise ValueError(
                    f"sources: {one.name} and {other.name} could have the same ids, as their "
                    f"prefixes are {first!r} and {second!r}; neither may begin with the other"
                )
