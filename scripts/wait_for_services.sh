#!/usr/bin/env bash
# Waits until what `docker compose up -d` has started is ready: starts what is missing, and leaves alone what runs.
exec pandora up --containers "$@"
