-- Refreshes that can be followed, cancelled, tried a second time and taken over by the next one.

alter table pipeline.refresh
    add column forced          boolean not null default false,  -- download and embed all again
    add column elsewhere       integer not null default 0,      -- left to another refresh's chunks
    add column unreached       integer not null default 0,      -- planned, but stopped before
    add column cancel_asked_at timestamptz,
    add column second_try_at   timestamptz,                     -- transient failures came up again
    add column checked_at      timestamptz,                     -- a closing run has seen to it
    add column closing_runs    integer not null default 0,      -- asked for, should one die
    drop column run_id;
update pipeline.refresh set checked_at = now();
comment on column pipeline.refresh.new is 'While it runs: as planned. Afterwards: as it came out.';
comment on column pipeline.refresh.changed is 'While it runs: as planned. Afterwards: as it came out.';

create table pipeline.refresh_run (
    refresh_id    text not null references pipeline.refresh on delete cascade,
    run_id        text not null,
    started_at    timestamptz not null default now(),
    primary key (refresh_id, run_id)
);
comment on table pipeline.refresh_run is 'The Dagster runs that planned, did or closed a refresh.';

alter table pipeline.refresh_chunk
    add column started_at  timestamptz,
    add column second_try  boolean not null default false,
    drop constraint refresh_chunk_state_check,
    add constraint refresh_chunk_state_check
        check (state in ('pending', 'running', 'done', 'dead', 'cancelled'));

-- `report` components are indexed already; the run that did it died before it told Dagster.
alter table pipeline.refresh_component
    add column reported_at timestamptz,
    drop constraint refresh_component_action_check,
    add constraint refresh_component_action_check
        check (action in ('new', 'changed', 'check', 'report'));
update pipeline.refresh_component set reported_at = now() where outcome is not null;
create index refresh_component_unreported on pipeline.refresh_component (component_id)
    where reported_at is null and outcome in ('new', 'changed', 'unchanged');
create index refresh_component_open on pipeline.refresh_component (refresh_id, component_id)
    where outcome is null;

create table pipeline.removal_hold (
    component_id  text primary key references pipeline.component on delete cascade,
    refresh_id    text not null,
    held_since    timestamptz not null default now(),
    approved_at   timestamptz
);
comment on table pipeline.removal_hold is
    'Components that left the CMS, too many at once to go without a person''s approval.';

-- Who watches listens to library_refresh and gets the id of a refresh that has moved -------------

create function pipeline.announce_refresh() returns trigger language plpgsql as $$
begin
    perform pg_notify('library_refresh', new.id);
    return null;
end $$;
create trigger announce after insert or update on pipeline.refresh
    for each row execute function pipeline.announce_refresh();

create function pipeline.announce_chunk() returns trigger language plpgsql as $$
begin
    perform pg_notify('library_refresh', new.refresh_id);
    return null;
end $$;
create trigger announce after update on pipeline.refresh_chunk
    for each row execute function pipeline.announce_chunk();

-- For other programs -----------------------------------------------------------------------------

create view library.refresh as
select r.id as refresh_id, r.kind, r.forced, r.scope, r.asked_by, r.state,
       case when r.state = 'planning' then 'planning'
            when r.state <> 'running' then null
            when p.started_at is null then 'queued'
            when p.second_try then 'second try'
            when p.downloaded + p.failed < p.planned then 'downloading'
            when p.embedded + p.failed < p.planned then 'embedding'
            when p.stored + p.failed < p.planned then 'storing'
            else 'closing' end as phase,
       coalesce((select array_agg(run_id order by u.started_at, run_id)
                 from pipeline.refresh_run u where u.refresh_id = r.id), '{}') as run_ids,
       p.planned, p.downloaded, p.embedded, p.stored,
       r.total, r.new, r.changed, r.removed, r.unchanged,
       case when r.state = 'running' then r.failed + p.failed else r.failed end as failed,
       r.waiting, r.elsewhere, r.unreached, r.held_removals, r.error,
       r.started_at, r.finished_at,
       extract(epoch from coalesce(r.finished_at, now()) - r.started_at)::float8
           as duration_seconds,
       rate.per_second as components_per_second,
       case when r.state = 'running' and rate.per_second > 0 then
           now() + (p.planned - p.stored - p.failed) / rate.per_second * interval '1 second'
       end as expected_at
from pipeline.refresh r
cross join lateral (
    select coalesce(sum(size), 0)::integer as planned,
           coalesce(sum(downloaded), 0)::integer as downloaded,
           coalesce(sum(embedded), 0)::integer as embedded,
           coalesce(sum(stored), 0)::integer as stored,
           coalesce(sum(c.failed), 0)::integer as failed,
           min(c.started_at) as started_at,
           coalesce(bool_or(second_try), false) as second_try
    from pipeline.refresh_chunk c where c.refresh_id = r.id) p
cross join lateral (
    select case when p.stored + p.failed > 0 then (p.stored + p.failed) / nullif(greatest(
        extract(epoch from coalesce(r.finished_at, now()) - p.started_at), 0)::float8, 0) end
        as per_second) rate;
comment on view library.refresh is
    'Every refresh: what was asked, how far it is, what came of it. Listen to library_refresh.';
