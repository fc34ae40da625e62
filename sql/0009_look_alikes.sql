-- Which screenshots look all but the same, and where each lies on the map of all of them.

create table pipeline.compared (
    screenshot_sha256 text not null references pipeline.screenshot,
    encoder_id    integer not null references pipeline.encoder on delete cascade,
    number        integer generated always as identity unique,
    compared_at   timestamptz not null default now(),
    primary key (screenshot_sha256, encoder_id)
);
comment on table pipeline.compared is
    'The screenshots that have been held against all others by an encoder, and their numbers.';

-- Digests would take four times the room. No foreign keys, as checking millions takes minutes:
-- `gc` and `encoders drop` delete the pairs of what they delete.
create table pipeline.look_alike (
    encoder_id    integer not null,
    a             integer not null,                    -- numbers in pipeline.compared
    b             integer not null,
    similarity    real not null,                       -- cosine, 1 at best
    primary key (a, b),
    check (a < b)
);
create index look_alike_similarity on pipeline.look_alike (encoder_id, similarity);
comment on table pipeline.look_alike is
    'Pairs of screenshots with a similarity of 0.9 or more, of each screenshot the 50 best.';

create view library.look_alike as
select e.name as encoder, a.screenshot_sha256, b.screenshot_sha256 as other_sha256, p.similarity
from pipeline.look_alike p
join pipeline.encoder e on e.id = p.encoder_id and e.active
join pipeline.compared a on a.number = p.a
join pipeline.compared b on b.number = p.b;
comment on view library.look_alike is
    'Pairs of screenshots that look all but the same, each once, by the encoders search asks.';

create table pipeline.atlas_layout (
    encoder_id    integer primary key references pipeline.encoder on delete cascade,
    method        text not null check (method in ('pca', 'umap')),
    laid_out_at   timestamptz not null default now(),
    placed_at     timestamptz not null default now()   -- when one was put onto it last
);
comment on table pipeline.atlas_layout is 'How the map of each encoder was drawn, and when.';

create table pipeline.atlas (
    screenshot_sha256 text not null references pipeline.screenshot,
    encoder_id    integer not null references pipeline.encoder on delete cascade,
    x             real not null check (x between 0 and 1),
    y             real not null check (y between 0 and 1),
    placed        boolean not null default false,      -- put beside its nearest, after the layout
    primary key (screenshot_sha256, encoder_id)
);
comment on table pipeline.atlas is 'Where each screenshot lies on the map of an encoder.';
