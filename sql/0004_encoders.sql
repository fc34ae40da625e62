-- Several encoders at once, and a model that is filled in the background while another one serves.

alter table pipeline.encoder
    add column revision   text,                          -- with model, framing and precision, what
    add column framing    text not null default 'crop',  -- is needed to load the encoder again
    add column precision  text not null default 'float32',
    add column configured boolean not null default false; -- when a refresh last looked
alter table pipeline.encoder
    alter column framing drop default,
    alter column precision drop default;
update pipeline.encoder set configured = active;
comment on column pipeline.encoder.active is
    'Search asks it. A configured one that is not active is a candidate: it is being filled.';

-- A reembed gives what is indexed the vectors that a configured encoder lacks.
alter table pipeline.refresh
    drop constraint refresh_kind_check,
    add constraint refresh_kind_check
        check (kind in ('full', 'incremental', 'retry', 'selected', 'reembed'));
alter table pipeline.refresh_component
    drop constraint refresh_component_action_check,
    add constraint refresh_component_action_check
        check (action in ('new', 'changed', 'check', 'report', 'embed'));
create index refresh_component_failed on pipeline.refresh_component (component_id)
    where outcome = 'failed';
