-- Once, by an administrator, before the first migration:
--   MIGRATE_PASSWORD=… API_PASSWORD=… WORKER_PASSWORD=… psql -f roles.sql DATABASE
-- (psql 14 or later; passwords on a command line could be read by everybody on the machine.)
-- What each role may do with which table is said by the migration (src/database/grants.ts), every time it runs.
\getenv migrate_password MIGRATE_PASSWORD
\getenv api_password API_PASSWORD
\getenv worker_password WORKER_PASSWORD
CREATE ROLE friendship_migrate LOGIN PASSWORD :'migrate_password';
CREATE ROLE friendship_api LOGIN PASSWORD :'api_password';
CREATE ROLE friendship_worker LOGIN PASSWORD :'worker_password';

-- Only the role that migrates makes tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO friendship_migrate;

-- The sweeper waits for inserts that are under way, also those of the api. Without this it assumes that each takes eleven minutes.
GRANT pg_read_all_stats TO friendship_worker;
