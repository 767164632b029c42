#!/usr/bin/env bash
# Lets the roles of the server do what they have to, and gives them their passwords. May be run again.
set -euo pipefail
for name in COMMON_PASSWORD CREDENTIALS_PASSWORD; do
    [[ ${!name} =~ ^[A-Za-z0-9]{16,}$ && ${!name} != "$ADMIN_PASSWORD" ]] ||
        { echo "BARTERLINE_$name: 16 letters and digits at least, and another's never" >&2; exit 1; }
done
[[ $COMMON_PASSWORD != "$CREDENTIALS_PASSWORD" ]] ||
    { echo "BARTERLINE_CREDENTIALS_PASSWORD: not that of the other role" >&2; exit 1; }

{
    cat /statements/grants.cql
    echo "ALTER ROLE \"barterline\" WITH PASSWORD = '$COMMON_PASSWORD';"
    echo "ALTER ROLE \"barterline_credentials\" WITH PASSWORD = '$CREDENTIALS_PASSWORD';"
} | cqlsh database --connect-timeout 10 -u barterline_admin -p "$ADMIN_PASSWORD"
