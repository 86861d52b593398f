"""Runs a test under the Python that has the official clients; 77, loudly, when there is none."""
import os
import sys

cache = os.environ.get("PANDORA_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pandora")
python = os.path.join(cache, "clients/bin/python")
if not os.path.exists(python):
    print(f"SKIPPED: the official clients are not installed in {cache}/clients; run scripts/bootstrap --tests", file=sys.stderr)
    sys.exit(77)
here = os.path.dirname(os.path.abspath(__file__))
os.environ["PYTHONPATH"] = os.path.join(here, "../cli")
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.execv(python, [python, *sys.argv[1:]])
