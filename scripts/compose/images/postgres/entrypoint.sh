#!/bin/sh
# `postgres [options]`: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB make the first user and database of an empty data folder.
set -eu
[ "$1" = postgres ] || exec "$@"

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

if ! [ -s "$PGDATA/PG_VERSION" ]; then
  user="${POSTGRES_USER:-postgres}"
  database="${POSTGRES_DB:-$user}"
  : "${POSTGRES_PASSWORD:?expected a password for the first user, got none}"
  chown postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  password="$(mktemp)"
  printf '%s\n' "$POSTGRES_PASSWORD" > "$password"
  chown postgres "$password"
  as_postgres initdb --pgdata="$PGDATA" --username="$user" --pwfile="$password" --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
  rm "$password"
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  if [ "$database" != postgres ]; then
    echo "CREATE DATABASE \"$database\"" | as_postgres postgres --single -D "$PGDATA" postgres
  fi
fi
shift
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D "$PGDATA" "$@"
