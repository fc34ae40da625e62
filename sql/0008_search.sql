-- Search, for this program and for others: `library.match_components` ranks the library by one or
-- several encoders at once, under filters. docs/search.md shows how it is called.

-- A ranking looks up thousands of rows by digest, half as dear by hash as by a tree of long texts;
-- and of what passes the commonest filters it needs no more than stands in the index.
drop index pipeline.component_screenshot, pipeline.component_client, pipeline.component_category;
create index component_screenshot on pipeline.component using hash (screenshot_sha256);
create index component_client on pipeline.component (client)
    include (component_id, screenshot_sha256) where removed_at is null;
create index component_category on pipeline.component (category)
    include (component_id, screenshot_sha256) where removed_at is null;
do $$
declare
    encoder_id integer;
begin
    for encoder_id in select id from pipeline.encoder loop
        execute format('create index if not exists embedding_%1$s_screenshot '
                       'on pipeline.embedding_%1$s using hash (screenshot_sha256)', encoder_id);
    end loop;
end $$;

create index component_source on pipeline.component (source);
create index component_tags on pipeline.component using gin (tags);
create index component_attributes on pipeline.component using gin (attributes jsonb_path_ops);

create type library.match as (
    rank integer, component_id text, name text, client text, category text, tags text[],
    source text, attributes jsonb, revision text, updated_at timestamptz, screenshot_sha256 text,
    score float8, scores jsonb
);
comment on type library.match is
    'A component that answers a query: score is the weighted mean of scores, which are by encoder.';

-- The best components by the weighted mean of each encoder's cosine similarity; ties by id.
--
-- Exact where the filters leave few components, where an encoder has no vector index, or where the
-- indexes give too little; else each index gives candidates that fit the filters (an iterative
-- scan), and over their union the ranking is exact.
create function library.match_components(
    vectors         halfvec[],                 -- one for each encoder, of its dimension
    encoders        text[]   default null,     -- names of active ones; null: all, by name
    weights         float8[] default null,     -- what each one's answer counts; null: the same
    k               integer  default 10,       -- 0 to 10,000 results
    skip            integer  default 0,        -- how many of the best to leave out, for paging
    least_score     float8   default null,
    of_clients      text[]   default null,     -- any of these
    of_categories   text[]   default null,     -- any of these
    of_sources      text[]   default null,     -- any of these
    with_tags       text[]   default null,     -- all of these
    with_attributes jsonb    default null,     -- contained in the component's
    excluding       text[]   default null      -- ids of components to leave out
) returns setof library.match
language plpgsql volatile security definer
set search_path from current
-- What the function sets for itself it leaves as it was: these are undone where it ends.
set jit = off
set enable_sort = on
set hnsw.ef_search = 40
set hnsw.iterative_scan = 'off'
as $$
declare
    exact_rows constant integer := 2500;       -- so many are ranked in 10 ms without an index
    single     constant boolean := cardinality(vectors) = 1;
    wanted     integer := k + skip;
    filter     text    := 'c.removed_at is null';
    narrowed   boolean := false;
    indexed    boolean := true;
    total      text    := '';                  -- of the scores s1, s2, ...
    each_score text    := '';
    scores_of  text    := '';
    joins      text    := '';
    nearest    text    := '';
    depth      integer;                        -- how many of an index's nearest are ranked
    breadth    float8;                         -- how many an index keeps in view to find them
    fitting    float8;                         -- components that pass the filters, estimated
    asked      record;
    estimate   json;
    best_ids   text[];
    best_total float8[];
    best_each  jsonb[];
    ranking    constant text :=
        'with scored as materialized (%s) '
        'select array_agg(component_id), array_agg(total), array_agg(scores) from ('
        'select component_id, %s as total, jsonb_build_object(%s) as scores from ('
        'select * from scored order by %2$s desc, component_id limit $8) best) best';
begin
    if k is null or skip is null or k < 0 or skip < 0 or k > 10000 then
        raise exception 'k is % and skip is %; k must be 0 to 10000, skip 0 or more', k, skip
            using errcode = 'invalid_parameter_value';
    end if;
    encoders := coalesce(encoders, (
        select array_agg(e.name order by e.name) from pipeline.encoder e where e.active));
    weights := coalesce(weights, array_fill(1.0::float8, array[cardinality(vectors)]));
    if coalesce(cardinality(vectors), 0) = 0 or cardinality(vectors) <> cardinality(encoders)
        or cardinality(vectors) <> cardinality(weights) then
        raise exception '% vectors, % encoders (%) and % weights were given; there must be one of '
            'each for each encoder that is asked', coalesce(cardinality(vectors), 0),
            coalesce(cardinality(encoders), 0), array_to_string(encoders, ', '),
            cardinality(weights) using errcode = 'invalid_parameter_value';
    end if;

    if exists (select from unnest(weights) w where not coalesce(w > 0 and w < 'infinity', false)) then
        raise exception 'the weights are %; each must be more than 0',
            array_to_string(weights, ', ', 'null') using errcode = 'invalid_parameter_value';
    end if;

    if of_clients is not null then filter := filter || ' and c.client = any($2)'; end if;
    if of_categories is not null then filter := filter || ' and c.category = any($3)'; end if;
    if of_sources is not null then filter := filter || ' and c.source = any($4)'; end if;
    if with_tags is not null then filter := filter || ' and c.tags @> $5'; end if;
    if with_attributes is not null then filter := filter || ' and c.attributes @> $6'; end if;
    narrowed := filter <> 'c.removed_at is null';
    if excluding is not null then filter := filter || ' and c.component_id <> all($7)'; end if;

    -- One encoder's nearest come in its order; what several find best may be far down in each.
    -- Measured with 100,000: recall@10 is .998, and .995 of what a fifth of them passes.
    depth := case when single then greatest(20, 2 * wanted)
                  when narrowed then greatest(40, 3 * wanted) else greatest(100, 6 * wanted) end;
    for asked in
        select n.place, n.name, e.id, e.dim, vector_dims(vectors[n.place]) as given,
               n.weight / sum(n.weight) over () as share,
               coalesce((select i.indisvalid from pg_index i where i.indexrelid
                         = to_regclass(format('pipeline.embedding_%s_ann', e.id))), false) as ann
        from unnest(encoders, weights) with ordinality as n (name, weight, place)
        left join pipeline.encoder e on e.name = n.name and e.active
        order by n.place
    loop
        if asked.id is null then
            raise exception 'no encoder called % is active; library.encoder lists them', asked.name
                using errcode = 'invalid_parameter_value';
        elsif asked.dim <> asked.given then
            raise exception 'the vector for % has % dimensions; this encoder has %',
                asked.name, asked.given, asked.dim using errcode = 'invalid_parameter_value';
        end if;
        indexed := indexed and asked.ann;
        total := concat_ws(' + ', nullif(total, ''),
            format('%L::float8 * s%s', asked.share, asked.place));
        each_score := concat_ws(', ', nullif(each_score, ''),
            format('%L, s%s', asked.name, asked.place));
        scores_of := scores_of || format(', 1 - (e%1$s.vector <=> $1[%1$s]) as s%1$s', asked.place);
        joins := joins || format(
            ' join pipeline.embedding_%s e%s using (screenshot_sha256)', asked.id, asked.place);
        -- Screenshots are counted, not components: of many with the same one, pages need all.
        nearest := concat_ws(' union ', nullif(nearest, ''), format(
            '(select e%2$s.screenshot_sha256%1$s from pipeline.embedding_%3$s e%2$s '
            'where exists (select from pipeline.component c '
            'where c.screenshot_sha256 = e%2$s.screenshot_sha256 and %4$s) '
            'order by e%2$s.vector <=> $1[%2$s] limit %5$s)',
            case when single then scores_of end, asked.place, asked.id, filter, depth));
    end loop;

    indexed := indexed and depth <= 1000;
    breadth := depth;
    if indexed and narrowed then
        -- The planner's guess; a wrong one costs time and no answers.
        execute 'explain (format json) select from pipeline.component c where ' || filter
            into estimate using vectors, of_clients, of_categories, of_sources,
            with_tags, with_attributes, excluding, wanted;
        fitting := (estimate -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
        if fitting > exact_rows then
            -- A third more than should do, as going on costs more than a wider look at once.
            breadth := depth * greatest(1, 1.3 * (select reltuples from pg_class
                where oid = 'pipeline.component'::regclass) / fitting);
        else
            indexed := false;
        end if;
    end if;
    if indexed then
        -- Without sorting only the index can put vectors in order, whatever the planner thinks.
        perform set_config('enable_sort', 'off', true),
                set_config('hnsw.ef_search', greatest(100, least(breadth, 1000))::integer::text, true),
                set_config('hnsw.iterative_scan', 'relaxed_order', true);
        -- The scan has one encoder's scores already, which saves a tenth; of several the union's
        -- are to be had.
        execute format(ranking, 'select c.component_id' || case when single then ', near.s1' else
                scores_of end || ' from (' || nearest || ') near join pipeline.component c '
                'using (screenshot_sha256)' || case when single then '' else joins end ||
                ' where ' || filter, total, each_score)
            into best_ids, best_total, best_each using vectors, of_clients,
            of_categories, of_sources, with_tags, with_attributes, excluding, wanted;
        perform set_config('enable_sort', 'on', true);
    end if;
    if not indexed or coalesce(cardinality(best_ids), 0) < wanted then
        execute format(ranking, 'select c.component_id' || scores_of ||
                ' from pipeline.component c' || joins || ' where ' || filter, total, each_score)
            into best_ids, best_total, best_each using vectors, of_clients,
            of_categories, of_sources, with_tags, with_attributes, excluding, wanted;
    end if;

    return query
    select b.place::integer, c.component_id, c.name, c.client, c.category, c.tags, c.source,
           c.attributes, c.revision, c.updated_at, c.screenshot_sha256, b.total, b.scores
    from unnest(best_ids, best_total, best_each) with ordinality
        as b (component_id, total, scores, place)
    join pipeline.component c on c.component_id = b.component_id
    where b.place > skip and (least_score is null or b.total >= least_score)
    order by b.place;
end $$;
comment on function library.match_components is
    'The components most like a query: ranked by one or several encoders, under filters.';

-- The same, as a component that is searchable asks; it is no result itself.
create function library.similar_components(
    like_id         text,
    k               integer  default 10,
    skip            integer  default 0,
    least_score     float8   default null,
    of_clients      text[]   default null,
    of_categories   text[]   default null,
    of_sources      text[]   default null,
    with_tags       text[]   default null,
    with_attributes jsonb    default null
) returns setof library.match
language plpgsql volatile security definer
set search_path from current
as $$
declare
    encoder record;
    shown   text;
    vector  halfvec;
    vectors halfvec[] := '{}';
    names   text[] := '{}';
begin
    select c.screenshot_sha256 into shown from pipeline.component c
        where c.component_id = like_id and c.removed_at is null;
    for encoder in select e.id, e.name from pipeline.encoder e where e.active order by e.name loop
        execute format('select vector from pipeline.embedding_%s where screenshot_sha256 = $1',
                       encoder.id) into vector using shown;
        if vector is not null then
            vectors := vectors || vector;
            names := names || encoder.name;
        end if;
    end loop;
    if names = '{}' then
        raise exception 'there is no searchable component with the id %', like_id
            using errcode = 'no_data_found';
    end if;
    return query select * from library.match_components(
        vectors, names, null, k, skip, least_score, of_clients, of_categories, of_sources,
        with_tags, with_attributes, array[like_id]);
end $$;
comment on function library.similar_components is 'The components most like another one.';

create view library.encoder as
select name, model, revision, framing, precision, fingerprint, dim
from pipeline.encoder where active;
comment on view library.encoder is 'The encoders whose vectors match_components takes.';
