"""MCP's own client for Node and the inspector's command line, unmodified; over HTTP and over the pipes of `pandora mcp`."""
import json
import os
import subprocess
import unittest

from pandora_case import PROGRAM
from served_case import ServedCase

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.environ["PANDORA_CLIENTS"]
NODE = os.path.join(CLIENTS, "node")
INSPECTOR = os.path.join(CLIENTS, "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")


class McpNode(ServedCase):
    def setUp(self):
        super().setUp()
        self.environment["PANDORA_TOOLS_APPROVALS"] = "memory_save=allow, memory_forget=allow"

    def run_node(self, *arguments, fails=False):
        environment = {**self.environment, "PANDORA_CLIENTS": CLIENTS}
        done = subprocess.run([NODE, *arguments], env=environment, capture_output=True, text=True, timeout=90)
        if not fails:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def client(self, *target):
        return json.loads(self.run_node(os.path.join(HERE, "mcp_node_client.mjs"), *target).stdout)

    def check(self, seen):
        self.assertEqual(seen["errors"], [])
        self.assertEqual(seen["server"]["name"], "pandora")
        self.assertEqual(seen["capabilities"], {"tools": {}, "resources": {}})
        self.assertEqual(seen["ping"], {})
        self.assertIn("memory_search", seen["tools"])
        self.assertIn("Rex", seen["found"])
        self.assertEqual(seen["progress"], [0])
        self.assertEqual(seen["templates"], ["pandora://turns/{number}", "pandora://memories/{id}"])
        self.assertTrue(any(uri.startswith("pandora://memories/") for uri in seen["resources"]))
        self.assertIn("Rex", seen["memory"])
        self.assertTrue(seen["refused"])
        self.assertEqual((seen["unknown_tool"], seen["unknown_resource"], seen["unknown_method"]), (-32602, -32002, -32601))
        self.assertFalse(seen["forgotten"])

    def test_the_sdk_over_http(self):
        self.serve()
        seen = self.client(self.url + "/mcp")
        self.check(seen)
        self.assertEqual(seen["revision"], "2025-11-25")
        self.assertTrue(seen["session"])

    def test_the_sdk_over_pipes(self):
        self.check(self.client(PROGRAM, "mcp"))

    def inspect(self, *arguments, fails=False):
        self.environment["MCP_CATALOG_PATH"] = os.path.join(self.home, "catalog.json")
        return self.run_node(INSPECTOR, "--cli", *arguments, fails=fails)

    def check_inspector(self, *target):
        tools = json.loads(self.inspect(*target, "--method", "tools/list").stdout)["tools"]
        self.assertIn("memory_save", [tool["name"] for tool in tools])
        saved = self.inspect(*target, "--method", "tools/call", "--tool-name", "memory_save", "--tool-arg", "content=My bird is called Kiwi.")
        self.assertIn("Saved as memory", saved.stdout)
        self.assertIn("pandora://memories/", self.inspect(*target, "--method", "resources/list").stdout)
        self.assertIn("pandora://turns/{number}", self.inspect(*target, "--method", "resources/templates/list").stdout)
        wrong = self.inspect(*target, "--method", "resources/read", "--uri", "pandora://turns/999", fails=True)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("no turn 999", wrong.stdout + wrong.stderr)

    def test_the_inspector_over_http(self):
        self.serve()
        self.check_inspector(self.url + "/mcp", "--transport", "http")

    def test_the_inspector_over_pipes(self):
        given = [word for name in ("PANDORA_DATA", "PANDORA_ENCODER", "PANDORA_TOOLS_APPROVALS") for word in ("-e", f"{name}={self.environment[name]}")]
        self.check_inspector(*given, PROGRAM, "mcp")


if __name__ == "__main__":
    unittest.main()
