-- The visual index of a component library. Schema `pipeline` is the program's own;
-- schema `library` is what other programs may read.

create extension if not exists vector;
create schema if not exists pipeline;
create schema if not exists library;

-- The CMS's list of components as last read whole ----------------------------------------------

create table pipeline.manifest (
    only_row      boolean primary key default true check (only_row),
    source        text not null,
    etag          text,
    fetched_at    timestamptz not null default now(),
    unidentified  integer not null default 0          -- entries without a usable id
);
comment on table pipeline.manifest is 'One row: where the current manifest came from.';

create table pipeline.manifest_entry (
    component_id  text primary key,
    partition_key text not null unique,
    revision      text not null,
    name          text not null,
    client        text not null,
    category      text not null,
    tags          text[] not null,
    updated_at    timestamptz,
    files         jsonb not null,                      -- {kind: {url, sha256}}
    problem_code  text,                                -- why the entry cannot be refreshed, if so
    problem       text
);

-- What has been downloaded -----------------------------------------------------------------------

create table pipeline.bundle (
    component_id  text not null,
    revision      text not null,
    files         jsonb not null,                      -- {kind: {sha256, size}}
    fetched_at    timestamptz not null default now(),
    primary key (component_id, revision)
);

create table pipeline.screenshot (
    sha256        text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    format        text not null,
    width         integer not null,
    height        integer not null,
    size          bigint not null,
    thumbnail     bytea not null                       -- WebP, at most 160 x 120
);

-- What turns screenshots into vectors: one table of vectors for each encoder fingerprint ---------

create table pipeline.encoder (
    id            integer generated always as identity primary key,
    name          text not null,
    model         text not null,
    fingerprint   text not null,
    dim           integer not null check (dim between 1 and 4000),
    active        boolean not null default false,
    created_at    timestamptz not null default now(),
    unique (name, fingerprint)
);
create unique index encoder_one_active on pipeline.encoder (name) where active;
comment on table pipeline.encoder is 'Vectors of encoder N are in pipeline.embedding_N.';

-- What search reads ------------------------------------------------------------------------------

create table pipeline.component (
    component_id      text primary key,
    partition_key     text not null unique,
    revision          text not null,
    name              text not null,
    client            text not null,
    category          text not null,
    tags              text[] not null,
    updated_at        timestamptz,
    config_sha256     text not null,
    format_sha256     text not null,
    records_sha256    text not null,
    screenshot_sha256 text not null references pipeline.screenshot,
    indexed_at        timestamptz not null default now(),
    removed_at        timestamptz
);
create index component_screenshot on pipeline.component (screenshot_sha256);
create index component_client on pipeline.component (client);
create index component_category on pipeline.component (category);

-- What was done, is being done, and went wrong ---------------------------------------------------

create table pipeline.refresh (
    id            text primary key,
    kind          text not null check (kind in ('full', 'incremental', 'retry', 'selected')),
    state         text not null check (state in ('planning', 'running', 'finished', 'failed',
                                                 'cancelled')),
    asked_by      text not null,
    in_process    boolean not null,                    -- its asker works its chunks off itself
    scope         jsonb not null default '{}',
    run_id        text,                                -- the Dagster run that planned it
    total         integer not null default 0,
    new           integer not null default 0,
    changed       integer not null default 0,
    removed       integer not null default 0,
    unchanged     integer not null default 0,
    failed        integer not null default 0,
    waiting       integer not null default 0,          -- failed earlier, not due yet
    held_removals integer not null default 0,
    error         text,
    started_at    timestamptz not null default now(),
    finished_at   timestamptz
);
create index refresh_unfinished on pipeline.refresh (started_at)
    where state in ('planning', 'running');

create table pipeline.refresh_chunk (
    refresh_id    text not null references pipeline.refresh on delete cascade,
    chunk         integer not null,
    state         text not null default 'pending'
                  check (state in ('pending', 'running', 'done', 'dead')),
    attempt       integer not null default 0,
    run_id        text,
    size          integer not null,
    downloaded    integer not null default 0,
    embedded      integer not null default 0,
    stored        integer not null default 0,
    failed        integer not null default 0,
    primary key (refresh_id, chunk)
);
create index refresh_chunk_unfinished on pipeline.refresh_chunk (state)
    where state in ('pending', 'running');

create table pipeline.refresh_component (
    refresh_id    text not null references pipeline.refresh on delete cascade,
    component_id  text not null,
    chunk         integer not null,
    action        text not null check (action in ('new', 'changed', 'check')),
    outcome       text check (outcome in ('new', 'changed', 'unchanged', 'failed')),
    primary key (refresh_id, component_id)
);
create index refresh_component_chunk on pipeline.refresh_component (refresh_id, chunk);

create table pipeline.failure (
    component_id    text primary key,
    revision        text not null,
    refresh_id      text not null,
    phase           text not null check (phase in ('manifest', 'download', 'decode', 'embed',
                                                   'store')),
    code            text not null,
    message         text not null,
    transient       boolean not null,
    attempts        integer not null default 1,
    first_failed_at timestamptz not null default now(),
    last_failed_at  timestamptz not null default now(),
    next_due_at     timestamptz                        -- null: only a new revision or a retry
);

-- For other programs -----------------------------------------------------------------------------

create view library.component as
select c.component_id, c.revision, c.name, c.client, c.category, c.tags, c.updated_at,
       c.indexed_at, c.screenshot_sha256, s.width, s.height
from pipeline.component c
join pipeline.screenshot s on s.sha256 = c.screenshot_sha256
where c.removed_at is null;
comment on view library.component is 'Every component that can be searched, at its indexed revision.';
