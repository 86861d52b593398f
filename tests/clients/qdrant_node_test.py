"""Qdrant's own client for JavaScript, unmodified, under Node.js."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../vectors"))
from served_vectors import Vectors

clients = os.environ["PANDORA_CLIENTS"]
vectors = Vectors()
try:
    ran = subprocess.run([os.path.join(clients, "node"), os.path.join(HERE, "qdrant_node.mjs"), clients, vectors.url], timeout=60, check=False)
    sys.exit(ran.returncode)
finally:
    vectors.remove()
