#!/bin/bash
# Run once by the container, after its setup: lets Limpet write as to InfluxDB 1.x, with "db",
# "username" and "password". The DBRP mapping says which bucket the database is; the authorization
# is a login that may only write to that bucket.
set -eu

influx v1 dbrp create --org "$DOCKER_INFLUXDB_INIT_ORG" --db "$V1_DB" --rp autogen --default \
    --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID"
influx v1 auth create --org "$DOCKER_INFLUXDB_INIT_ORG" \
    --write-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" \
    --username "$V1_AUTH_USERNAME" --password "$V1_AUTH_PASSWORD"
