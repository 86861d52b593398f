"""MCP's own client for Python, unmodified: revision 2026-07-28 as it negotiates it, and the handshake of before; over HTTP
and over the pipes of `pandora mcp`."""
import asyncio
import re
import unittest

from mcp import Client, MCPError, StdioServerParameters
from pandora_case import PROGRAM
from served_case import ServedCase


class McpPython(ServedCase):
    def setUp(self):
        super().setUp()
        self.environment["PANDORA_TOOLS_APPROVALS"] = "memory_save=allow, memory_forget=allow"

    def pipes(self):
        return StdioServerParameters(command=PROGRAM, args=["mcp"], env=dict(self.environment))

    def over_both(self, check):
        """On the server, and on a process of its own; each with both revisions."""
        for mode, revision in (("auto", "2026-07-28"), ("legacy", "2025-11-25")):
            with self.subTest(over="pipes", mode=mode):
                asyncio.run(self.run_check(check, self.pipes(), mode, revision))
        self.serve()
        for mode, revision in (("auto", "2026-07-28"), ("legacy", "2025-11-25")):
            with self.subTest(over="http", mode=mode):
                asyncio.run(self.run_check(check, self.url + "/mcp", mode, revision))
            with self.subTest(over="pipes beside the server", mode=mode):
                asyncio.run(self.run_check(check, self.pipes(), mode, revision))

    async def run_check(self, check, target, mode, revision):
        async with asyncio.timeout(60):
            async with Client(target, mode=mode) as client:
                self.assertEqual(client.protocol_version, revision)
                self.assertEqual(client.server_info.name, "pandora")
                await check(client)

    def test_what_is_saved_is_found_and_forgotten(self):
        async def check(client):
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            self.assertLessEqual({"memory_search", "memory_save", "memory_retrieve", "memory_forget", "turn_open"}, set(tools))
            self.assertEqual(tools["memory_save"].input_schema["type"], "object")
            saved = await client.call_tool("memory_save", {"content": "My cat is called Tom.", "kind": "fact"})
            self.assertFalse(saved.is_error, saved.content)
            memory = re.fullmatch(r"Saved as memory (\S+)\.", saved.content[0].text)[1]
            found = await client.call_tool("memory_search", {"query": "What is my cat called?"})
            self.assertIn("Tom", found.content[0].text)
            known = await client.call_tool("memory_retrieve", {"id": memory})
            self.assertRegex(known.content[0].text, r"^fact of \S+ \(model trust\): My cat is called Tom\.$")
            gone = await client.call_tool("memory_forget", {"id": memory})
            self.assertFalse(gone.is_error, gone.content)
            again = await client.call_tool("memory_search", {"query": "What is my cat called?"})
            self.assertNotIn("Tom", again.content[0].text)

        self.over_both(check)

    def test_turns_and_memories_are_resources(self):
        self.out("chat", stdin="I am allergic to peanuts.\n")
        self.settle()

        async def check(client):
            listed = {str(one.uri): one for one in (await client.list_resources()).resources}
            self.assertIn("pandora://turns/1", listed)
            memory = next(uri for uri in listed if uri.startswith("pandora://memories/"))
            read = await client.read_resource("pandora://turns/1")
            self.assertEqual(read.contents[0].mime_type, "text/markdown")
            self.assertIn("I am allergic to peanuts.", read.contents[0].text)
            self.assertIn("peanuts", (await client.read_resource(memory)).contents[0].text)
            templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
            self.assertEqual(templates, ["pandora://turns/{number}", "pandora://memories/{id}"])
            with self.assertRaises(MCPError) as caught:
                await client.read_resource("pandora://turns/999")
            self.assertEqual(caught.exception.error.code, -32602 if client.protocol_version == "2026-07-28" else -32002)

        self.over_both(check)

    def test_what_fails_is_said(self):
        async def check(client):
            wrong = await client.call_tool("memory_search", {"quary": "x"})
            self.assertTrue(wrong.is_error)
            self.assertIn("quary", wrong.content[0].text)
            missing = await client.call_tool("turn_open", {"number": 999})
            self.assertTrue(missing.is_error)
            with self.assertRaises(MCPError) as caught:
                await client.call_tool("no_such_tool", {})
            self.assertEqual(caught.exception.error.code, -32602)
            with self.assertRaises(MCPError):
                await client.list_prompts()

        self.over_both(check)

    def test_progress(self):
        async def check(client):
            told = []

            async def progress(done, total, message):
                told.append((done, total))

            await client.call_tool("memory_search", {"query": "anything"}, progress_callback=progress)
            self.assertEqual(told, [(0, 1)])

        self.over_both(check)

    def test_many_at_once(self):
        async def check(client):
            answers = await asyncio.gather(*(client.call_tool("memory_search", {"query": f"number {i}"}) for i in range(30)))
            self.assertFalse(any(answer.is_error for answer in answers))

        self.over_both(check)


if __name__ == "__main__":
    unittest.main()
