#!/bin/sh
# The broker reads RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS by itself; it only must not be root.
set -eu
[ "$1" = /usr/lib/rabbitmq/bin/rabbitmq-server ] || exec "$@"
chown rabbitmq:rabbitmq /var/lib/rabbitmq
exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$@"
