#!/usr/bin/env bash
# Starts the stack, in order, and returns when it is ready. For the folder of an instance, or --dir FOLDER.
exec pandora up --detach "$@"
