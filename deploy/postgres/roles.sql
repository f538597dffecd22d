-- Once, by an administrator, before the first migration:
--   psql -v migrate_password=… -v api_password=… -v worker_password=… -f roles.sql DATABASE
-- What each role may do with which table is said by the migration (src/database/grants.ts), every time it runs.
CREATE ROLE friendship_migrate LOGIN PASSWORD :'migrate_password';
CREATE ROLE friendship_api LOGIN PASSWORD :'api_password';
CREATE ROLE friendship_worker LOGIN PASSWORD :'worker_password';

-- Only the role that migrates makes tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO friendship_migrate;

-- The sweeper waits for inserts that are under way, also those of the api. Without this it assumes that each takes eleven minutes.
GRANT pg_read_all_stats TO friendship_worker;
