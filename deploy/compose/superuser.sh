#!/usr/bin/env bash
# Makes a superuser of our own, then takes its rights from the one that every database begins with.
# May be run again.
set -euo pipefail
[[ $ADMIN_PASSWORD =~ ^[A-Za-z0-9]{16,}$ ]] ||
    { echo "BARTERLINE_ADMIN_PASSWORD: 16 letters and digits at least" >&2; exit 1; }

as() { # user, password, statement
    cqlsh database --connect-timeout 10 -u "$1" -p "$2" -e "$3"
}

if ! as barterline_admin "$ADMIN_PASSWORD" 'LIST ROLES' >/dev/null 2>&1; then
    # The first superuser is there some seconds after the node is up.
    for try in {1..30}; do
        as cassandra cassandra "CREATE ROLE IF NOT EXISTS barterline_admin
            WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = '$ADMIN_PASSWORD'" && break
        ((try < 30)) || exit 1
        sleep 2
    done
fi
as barterline_admin "$ADMIN_PASSWORD" 'DROP ROLE IF EXISTS cassandra'
