#!/usr/bin/env bash
# Makes a superuser of our own. From 2026.2 on a database begins with none; up to then with one that
# everybody knows, which is dropped. May be run again.
set -euo pipefail
[[ $ADMIN_PASSWORD =~ ^[A-Za-z0-9]{16,}$ ]] ||
    { echo "BARTERLINE_ADMIN_PASSWORD: 16 letters and digits at least" >&2; exit 1; }

# Whoever may open this may do everything, with no log-in.
socket=/var/lib/scylla/cql.m
create="CREATE ROLE IF NOT EXISTS barterline_admin
    WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = '$ADMIN_PASSWORD'"

# The node is up some seconds before the socket is there, and that before the port.
for try in {1..30}; do
    if [[ -S $socket ]]; then
        cqlsh "$socket" --connect-timeout 10 -e "$create" || true
    else
        cqlsh database --connect-timeout 10 -u cassandra -p cassandra -e "$create" || true
    fi
    cqlsh database --connect-timeout 10 -u barterline_admin -p "$ADMIN_PASSWORD" \
        -e 'DROP ROLE IF EXISTS cassandra' && exit
    ((try == 30)) || sleep 2
done
exit 1
