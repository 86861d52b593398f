#!/usr/bin/env bash
# Is everything in containers healthy? One screen; exit code 0 when it is. For the folder of an instance, or --dir FOLDER.
exec pandora status "$@"
