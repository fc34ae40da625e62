-- A refresh says of which sources it knows nothing new.

alter table pipeline.refresh
    add column unread_sources text[] not null default '{}';  -- those that could not be read
