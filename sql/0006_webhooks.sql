-- A CMS's calls that something has changed. What it says there is not kept: only that it called.

create table pipeline.webhook_call (
    source        text primary key,
    called_at     timestamptz not null default now(),
    calls         bigint not null default 1
);
comment on table pipeline.webhook_call is
    'The last call of each source. It waits until a refresh of the whole library has begun since.';

-- Which plan has begun since a call is asked every few seconds.
create index refresh_started on pipeline.refresh (started_at);
