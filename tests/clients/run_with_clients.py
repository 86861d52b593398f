"""Runs a test under the Python that has the official clients; 77, loudly, when there is none. usage: run_with_clients.py TEST …"""
import os
import sys

cache = os.environ.get("PANDORA_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pandora")
clients = os.path.join(cache, "clients")
python = os.path.join(clients, "bin/python")
if not os.path.exists(python) or not os.path.exists(os.path.join(clients, "installed")):
    print(f"SKIPPED: the official clients are not installed in {clients}; run scripts/fetch_clients", file=sys.stderr)
    sys.exit(77)
here = os.path.dirname(os.path.abspath(__file__))
os.environ["PANDORA_CLIENTS"] = clients
os.environ["PYTHONPATH"] = os.path.join(here, "../cli")
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.execv(python, [python, *sys.argv[1:]])
