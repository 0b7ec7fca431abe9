#!/bin/sh
# What compose.yaml needs before anything else: a password of the database, a key of the storage, both made once, and
# the bridge of the notebooks. The owner of the Hub's state is the user that the Hub's image runs as.
set -eu
umask 027
for name in database storage; do
    [ -s "/secrets/$name" ] || python -c 'import secrets; print(secrets.token_hex(32))' >"/secrets/$name"
done
for name in hub ledger; do
    echo "postgresql+psycopg://notebooks:$(cat /secrets/database)@127.0.0.1:$DATABASE_PORT/$name" >"/secrets/$name-url"
done
chmod 0444 /secrets/*  # the database's image reads as a user of its own; no notebook has this volume
chmod 0755 /secrets
chown 1000:1000 /srv/notebooks
python /config/bridge.py "$NOTEBOOKS_NETWORK" "$NOTEBOOKS_SUBNET"
