"""Several gateways on one PostgreSQL and one server of points."""
import json
import os
import subprocess

from pandora_case import PROGRAM
from postgres_server import PostgresServer
from served_case import ServedCase, whole


class GatewaysCase(ServedCase):
    points_settings = ()

    def setUp(self):
        super().setUp()
        self.server = PostgresServer()
        self.addCleanup(self.server.close)
        self.environment.update(self.server.environment())
        points = subprocess.Popen([PROGRAM, "vectors", "--json", "--set", "vectors.port=0", "--set", "vectors.path=" + os.path.join(self.home, "points"), *self.points_settings],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(points.stdout.close)
        self.addCleanup(points.wait)
        self.addCleanup(points.kill)
        self.environment.update({"PANDORA_POINTS_STORE": "qdrant", "QDRANT_URL": json.loads(points.stdout.readline())["url"],
                                 "PANDORA_DOCUMENTS": os.path.join(self.home, "documents"), "PANDORA_OBJECTS": os.path.join(self.home, "objects")})
        self.up = self.upstream(*[whole("heard")] * 100)
        self.out("db", "migrate")

    def gateway(self, name, log=subprocess.DEVNULL, level="error"):
        """A gateway with a journal of its own: (process, port)"""
        process = subprocess.Popen([PROGRAM, "serve", "--json", "--set", "gateway.port=0", "--log-level", level, "--data", os.path.join(self.home, name)],
                                   stdout=subprocess.PIPE, stderr=log, env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])

    def at(self, gateway):
        self.port = gateway[1]

    def tell(self, gateway, message, headers=()):
        self.at(gateway)
        status, head, body = self.chat(message, {"Pandora-Session": "one", **dict(headers)})
        self.assertEqual(status, 200, body)
        self.assert_acknowledged(head, headers)

    def status(self, name):
        return self.json("status", "--data", os.path.join(self.home, name))

    def rows(self):
        return self.server.sql("SELECT document::json -> 'message' ->> 'text' FROM pandora.turns ORDER BY turn_number", database="pandora").splitlines()

    def numbers(self):
        return self.server.sql("SELECT turn_number FROM pandora.turns ORDER BY 1", database="pandora").splitlines()
