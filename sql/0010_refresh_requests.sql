-- Refreshes asked for over HTTP. The service cannot start Dagster's runs: it writes down what is
-- wanted, and a sensor turns each request into one run, which gives the refresh the request's id.

create table pipeline.refresh_request (
    refresh_id    text primary key,
    kind          text not null check (kind in ('full', 'incremental', 'retry', 'reembed')),
    scope         jsonb not null default '{}',
    forced        boolean not null default false,
    asked_by      text not null,
    asked_at      timestamptz not null default now(),
    attempt       integer not null default 1,
    run_id        text,                                -- the Dagster run that took this attempt
    taken_at      timestamptz,
    problem       text,                                -- what became of the attempt before
    closed_at     timestamptz                          -- the refresh itself is on record since
);
comment on table pipeline.refresh_request is
    'Requests for refreshes; one waits until its refresh is on record (closed_at).';

-- Whoever asks for the same while it waits is led to what waits.
create unique index refresh_request_waiting
    on pipeline.refresh_request (kind, forced, md5(scope::text)) where closed_at is null;

create trigger announce after insert or update on pipeline.refresh_request
    for each row execute function pipeline.announce_chunk();

create table pipeline.request_sensor (
    only_row      boolean primary key default true check (only_row),
    seen_at       timestamptz not null
);
comment on table pipeline.request_sensor is
    'One row: when Dagster''s daemon last looked for requests, give or take ten seconds.';
