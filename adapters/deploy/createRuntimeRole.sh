#!/bin/sh
# Run once by the Postgres image, when its database is made: the role that nodes come as. `stormglass migrate --runtime-role app` gives it its rights.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$APP_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role app login password :'password';
SQL
