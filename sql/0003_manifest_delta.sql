-- What may be read of a CMS's list of components: all of it, or what changed since `read_at`.

alter table pipeline.manifest
    add column read_at timestamptz,                    -- by the CMS's clock; null: it tells no time
    add column deltas  boolean not null default false; -- it may be asked for what changed since
