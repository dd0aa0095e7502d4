-- Run once, by PostgreSQL's superuser in the new database, before anybody can connect: the service
-- owns that database and has no power over anything else.
do $$
begin
  execute format('create role payment login password %L',
    rtrim(pg_read_file('/run/secrets/postgres/owner-password'), E'\n'));
end $$;
alter database payment owner to payment;
