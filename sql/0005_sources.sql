-- Several sources in one library, each with a manifest of its own; attributes beside the names.

alter table pipeline.manifest
    add column name         text not null default 'cms',  -- of the configured source
    add column polled_at    timestamptz,                  -- when it was last asked for changes
    add column took_seconds real not null default 0,      -- how long reading it took, or asking
    add column error        text;                         -- why it could not be read last, if so
alter table pipeline.manifest drop column only_row;
alter table pipeline.manifest add primary key (name);
alter table pipeline.manifest
    alter column name drop default,
    alter column fetched_at drop not null,                -- null: it was never read whole
    alter column fetched_at drop default;
comment on table pipeline.manifest is 'One row a source: what its current manifest is.';

alter table pipeline.manifest_entry
    add column source     text not null default 'cms',
    add column attributes jsonb not null default '{}';
create index manifest_entry_source on pipeline.manifest_entry (source);

alter table pipeline.component
    add column source     text not null default 'cms',
    add column attributes jsonb not null default '{}';

create or replace view library.component as
select c.component_id, c.revision, c.name, c.client, c.category, c.tags, c.updated_at,
       c.indexed_at, c.screenshot_sha256, s.width, s.height, c.source, c.attributes
from pipeline.component c
join pipeline.screenshot s on s.sha256 = c.screenshot_sha256
where c.removed_at is null;
