"""What a language model can do with tools, in a conversation and through the API; what must be approved first."""
import json
import threading
import unittest

from pandora_case import PandoraCase
from served_case import CALL, TOOL, ServedCase, chunk, whole, words


def call(name, arguments, call_id="call-1"):
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def calling(*calls, said=None):
    """A stream that ends with calls of tools."""
    events = [chunk({"role": "assistant", "content": said})]
    for i, one in enumerate(calls):
        events.append(chunk({"tool_calls": [{**one, "index": i}]}))
    return events + [chunk({}, "tool_calls"), {**chunk({}), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}]


def results(request):
    return [message for message in request["messages"] if message["role"] == "tool"]


class ToolsInAConversation(ServedCase):
    def test_a_tool_runs_and_its_result_is_the_models_and_the_turns(self):
        up = self.upstream(words("Noted."), calling(call("memory_search", {"query": "allergic"})), words("You avoid ", "peanuts."))
        self.say("I am allergic to peanuts.")
        self.settle()
        self.assertEqual(self.say("Which nuts should I avoid?", "--session", "tomorrow"), "You avoid peanuts.\n")
        names = [tool["function"]["name"] for tool in up.asked[1]["tools"]]
        for name in ("memory_search", "memory_save", "memory_retrieve", "memory_forget", "turn_open", "research_find", "research_save",
                     "source_report", "calculate", "clock"):
            self.assertIn(name, names)
        (result,) = results(up.asked[2])
        self.assertEqual(result["tool_call_id"], "call-1")
        self.assertIn("I am allergic to peanuts.", result["content"])
        self.assertTrue(result["content"].startswith('<result status="ok" trust="'), result["content"])
        self.assertIn("memory_search", self.out("turns", "show", "2"))
        self.assertEqual(self.json("stats")["tools"]["memory_search"]["count"], 1)

    def test_over_a_pipe_nobody_can_be_asked_and_the_turn_goes_on(self):
        up = self.upstream(calling(call("memory_save", {"content": "Ana likes tea."})), words("I could not keep it."))
        done = self.run_pandora("chat", stdin="Keep that Ana likes tea, will you?\n")
        self.assertEqual(done.stdout.decode(), "I could not keep it.\n")
        self.assertIn("memory_save was not run: over a pipe nobody can be asked", done.stderr.decode())
        (result,) = results(up.asked[1])
        self.assertIn("over a pipe nobody can be asked", result["content"])
        self.assertIn('status="refused"', result["content"])
        self.assertEqual(self.json("memory", "list")["memories"], [])

    def test_what_the_settings_allow_runs_without_a_question(self):
        up = self.upstream(calling(call("memory_save", {"content": "Ana likes tea."})), words("Kept."))
        done = self.run_pandora("chat", "--set", "tools.approvals=memory_save=allow", stdin="Keep that Ana likes tea, will you?\n")
        self.assertEqual(done.stderr.decode(), "")
        self.assertIn("Saved as memory", results(up.asked[1])[0]["content"])
        (memory,) = self.json("memory", "list")["memories"]
        self.assertEqual((memory["content"], memory["trust"]), ("Ana likes tea.", "model"))
        # It goes with its turn.
        self.out("turns", "forget", "1", "--yes")
        self.assertEqual(self.json("memory", "list", "--all")["memories"], [])
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_a_tool_that_is_none_and_arguments_that_do_not_parse_are_told_and_the_turn_goes_on(self):
        up = self.upstream(calling(call("web_fly", {}), call("memory_search", "{broken", "call-2"), call("calculate", {"expression": "6*7"}, "call-3")),
                           words("42."))
        self.assertEqual(self.say("What is six times seven?"), "42.\n")
        none, broken, good = (result["content"] for result in results(up.asked[1]))
        self.assertIn("there is no tool of this name", none)
        self.assertIn("arguments of memory_search", broken)
        self.assertIn("it takes limit? (integer), query (string)", broken)
        self.assertIn("\n42\n", good)

    def test_a_model_that_never_stops_calling_ends_at_its_limit(self):
        up = self.upstream(*[calling(call("clock", {})) for _ in range(30)])
        done = self.run_pandora("chat", stdin="What time is it?\n", code=None)
        self.assertLessEqual(len(up.asked), 25)
        self.assertNotIn("tools", up.asked[5], "after five passes none are offered")
        self.assertIn("more tools than a turn may run", (done.stdout + done.stderr).decode())

    def test_a_server_that_takes_no_tools_is_asked_without(self):
        refusal = (400, b'{"error":{"message":"tools are not supported","type":"invalid_request_error"}}', {})
        up = self.upstream(refusal, words("Hello."), words("Hello again."))
        self.assertEqual(self.out("chat", stdin="Good morning to you.\nAnd again, hello.\n"), "Hello.\nHello again.\n")
        self.assertIn("tools", up.asked[0])
        self.assertNotIn("tools", up.asked[1])
        self.assertNotIn("tools", up.asked[2], "it is remembered for a while")

    def test_tools_can_be_switched_off(self):
        up = self.upstream(words("Hello."))
        self.say("Good morning to you.", "--set", "tools.enabled=false")
        self.assertNotIn("tools", up.asked[0])

    def test_a_setting_that_is_wrong_is_one_clear_line(self):
        self.assert_one_clear_line(self.run_pandora("turns", "list", "--set", "tools.approvals=clock=maybe", code=2), "clock=maybe", "allow, ask and deny")


class ToolsThroughTheApi(ServedCase):
    def text_of(self, events):
        return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event != "[DONE]" and event["choices"])

    def test_a_stream_with_a_tool_of_ours_is_one_answer_to_its_client(self):
        up = self.upstream(calling(call("calculate", {"expression": "6*7"}), said="Let me reckon."), words("It is ", "42."))
        self.serve()
        head, events, turn = self.stream("What is six times seven?", stream_options={"include_usage": True})
        self.assertEqual(events.pop(), "[DONE]")
        self.assertEqual(self.text_of(events), "Let me reckon.\n\nIt is 42.")
        choices = [choice for event in events for choice in event["choices"]]
        self.assertEqual([choice["finish_reason"] for choice in choices if choice["finish_reason"]], ["stop"])
        self.assertEqual(sum("role" in choice["delta"] for choice in choices), 1)
        self.assertFalse([choice for choice in choices if "tool_calls" in choice["delta"]])
        self.assertEqual(len({event["id"] for event in events}), 1)
        self.assertEqual(events[-1]["usage"]["total_tokens"], 14 + 7)
        self.assertTrue(turn["acknowledged"])
        self.assertEqual(self.turns()[0]["reply"]["text"], "Let me reckon.\n\nIt is 42.")
        self.assertIn("calculate", self.out("turns", "show", "1"))
        self.assertIn("\n42\n", results(up.asked[1])[0]["content"])

    def test_a_whole_answer_as_well(self):
        self.upstream(whole("Let me reckon.", [call("calculate", {"expression": "6*7"})]), whole("It is 42.", system_fingerprint="fp"))
        self.serve()
        status, head, answer = self.chat("What is six times seven?")
        self.assertEqual(status, 200)
        (choice,) = answer["choices"]
        self.assertEqual(choice["message"]["content"], "Let me reckon.\n\nIt is 42.")
        self.assertNotIn("tool_calls", choice["message"])
        self.assertEqual((choice["finish_reason"], answer["usage"]["total_tokens"], answer["system_fingerprint"]), ("stop", 28, "fp"))

    def test_the_clients_own_tools_are_handed_back_and_ours_run_first(self):
        both = calling(call("calculate", {"expression": "6*7"}), {**CALL, "id": "call-abc"})
        up = self.upstream(both, words("It is 42 degrees in Lisbon."))
        self.serve()
        question = [{"role": "user", "content": "Is it six times seven degrees in Lisbon?"}]
        _, events, turn = self.stream(question, tools=[TOOL])
        self.assertEqual(turn["ending"], "tool_calls")
        calls = [piece for event in events[:-1] for choice in event["choices"] for piece in choice["delta"].get("tool_calls", [])]
        self.assertEqual([(one["index"], one["function"]["name"]) for one in calls], [(0, "get_weather")])
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "tool_calls")
        self.assertEqual(len(up.asked), 1)
        # It comes back with the results of its own; the model sees both.
        history = question + [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call-abc", "content": "42 °C"}]
        status, head, answer = self.chat(history, tools=[TOOL])
        self.assertEqual(answer["choices"][0]["message"]["content"], "It is 42 degrees in Lisbon.")
        roles = [message["role"] for message in up.asked[1]["messages"]]
        self.assertEqual(roles, ["system", "user", "assistant", "tool", "assistant", "tool"])
        self.assertEqual(up.asked[1]["messages"][2]["tool_calls"][0]["function"]["name"], "calculate")
        self.assertEqual(head["Pandora-Turn"], turn["turn"], "one turn")
        self.assert_kept(head)
        shown = self.out("turns", "show", "1")
        self.assertIn("calculate", shown)
        self.assertIn("get_weather", shown)

    def test_whose_tools_go_along(self):
        up = self.upstream(*[whole("Yes.") for _ in range(8)])
        self.serve()

        def offered(headers=(), **more):
            self.assertEqual(self.ask("/v1/chat/completions", {"model": "pandora", "messages": [{"role": "user", "content": "Well?"}], **more}, headers=headers)[0], 200)
            return [tool["function"]["name"] for tool in up.asked[-1].get("tools", [])]

        self.assertIn("clock", offered())
        self.assertEqual(offered({"Pandora-Tools": "off"}), [])
        self.assertEqual(offered(model="second-model"), [], "an upstream's model is passed through")
        self.assertIn("clock", offered({"Pandora-Tools": "on"}, model="second-model"))
        self.assertEqual(offered(tools=[TOOL])[0], "get_weather")
        mine = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {"mine": {}}}}}
        self.assertEqual(offered(tools=[mine]).count("clock"), 1, "the client's own hides ours")
        self.assertEqual(offered(tools=[TOOL], tool_choice="required"), ["get_weather"], "who chooses among his own gets no others")
        self.assertEqual(offered({"Pandora-Memory": "read"}), [])
        status, _, answer = self.chat("Well?", headers={"Pandora-Tools": "perhaps"})
        self.assertEqual((status, answer["error"]["type"]), (400, "invalid_request_error"))

    def test_what_must_be_approved_waits_for_the_api(self):
        up = self.upstream(*[step for i in range(3) for step in (calling(call("memory_save", {"content": f"Ana likes tea number {i}."})), words("Kept."))])
        self.serve()
        done = []

        def converse():
            thread = threading.Thread(target=lambda: done.append(self.stream("Keep it.", headers={"Pandora-Session": "trip"})))
            thread.start()
            return thread

        def waiting():
            return self.ask("/v1/approvals")[2]["approvals"]

        thread = converse()
        self.wait_until(waiting)
        (pending,) = waiting()
        self.assertEqual((pending["tool"], pending["session"]), ("memory_save", "trip"))
        self.assertEqual(json.loads(pending["arguments"]), {"content": "Ana likes tea number 0."})
        self.assertEqual(self.ask(f"/v1/approvals/{pending['id']}", {"answer": "perhaps"})[0], 400)
        self.assertEqual(self.ask(f"/v1/approvals/{pending['id']}", {"answer": "deny", "why": "not today"})[0], 200)
        thread.join()
        self.assertIn("not today", results(up.asked[1])[0]["content"])
        self.assertEqual(self.ask(f"/v1/approvals/{pending['id']}", {"answer": "once"})[0], 404, "it waits no more")
        thread = converse()
        self.wait_until(waiting)
        self.assertIn("memory_save", self.out("approvals", "list"))
        self.assertEqual(self.out("approvals", "allow", waiting()[0]["id"], "--always"), "allowed, from now on in this session\n")
        thread.join()
        converse().join()
        self.assertEqual(waiting(), [])
        self.assertEqual([memory["content"] for memory in self.json("memory", "list")["memories"]], ["Ana likes tea number 1.", "Ana likes tea number 2."])

    def test_a_key_has_rules_of_its_own_and_calls_for_its_user(self):
        reckon = calling(call("calculate", {"expression": "6*7"}))
        up = self.upstream(reckon, words("No."), reckon, words("42."))
        self.serve("--set", "tools.approvals=phone:*=deny,memory_save=allow")

        def bearer(name, *arguments):
            return {"Authorization": "Bearer " + self.json("keys", "create", name, *arguments)["secret"]}

        phone, desk = bearer("phone"), bearer("desk", "--user", "ana", "--scope", "all")
        self.stream("What is six times seven?", headers=phone)
        self.assertIn("calculate is not allowed here", results(up.asked[1])[0]["content"])
        self.stream("What is six times seven?", headers=desk)
        self.assertIn("\n42\n", results(up.asked[3])[0]["content"])
        # Over HTTP likewise; whose it is is the key's word alone.
        self.assertEqual(self.ask("/tools")[0], 401)
        self.assertEqual(self.ask("/tools/clock", {}, headers=bearer("talker", "--scope", "chat"))[0], 403)
        self.assertEqual(self.ask("/tools/clock", {}, headers=bearer("phone2", "--scope", "tools"))[0], 200)
        self.assertEqual(self.ask("/tools/memory_save", {"content": "I like tea."}, headers={**desk, "Pandora-User": "bob"})[0], 200)
        self.assertEqual([memory["user"] for memory in self.json("memory", "list", "--user", "ana")["memories"]], ["ana"])
        self.assertEqual(self.json("memory", "list", "--user", "bob")["memories"], [])

    def test_nobodys_answer_is_a_no(self):
        up = self.upstream(calling(call("memory_save", {"content": "Ana likes tea."})), words("I could not."))
        self.serve("--set", "tools.approval_ms=100")
        _, events, turn = self.stream("Keep it.")
        self.assertEqual(self.text_of(events), "I could not.")
        self.assertTrue(turn["acknowledged"])
        self.assertIn("nobody answered in time", results(up.asked[1])[0]["content"])

    def test_a_client_that_leaves_takes_its_question_with_it(self):
        import http.client
        self.upstream(calling(call("memory_save", {"content": "Ana likes tea."})))
        self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "pandora", "stream": True, "messages": [{"role": "user", "content": "Keep it."}]}))
        self.wait_until(lambda: self.ask("/v1/approvals")[2]["approvals"])
        connection.close()
        self.wait_until(lambda: not self.ask("/v1/approvals")[2]["approvals"])

    def test_limits_reached_the_answer_says_so(self):
        self.upstream(*[calling(call("clock", {}), said=f"Look {i}." if i == 0 else None) for i in range(10)])
        self.serve()
        _, events, turn = self.stream("What time is it?")
        text = self.text_of(events[:-1])
        self.assertTrue(text.startswith("Look 0.\n\n"), text)
        self.assertIn("no more tools may run", text)
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "stop")
        self.assertTrue(turn["acknowledged"])
        self.assertIn("more tools than a turn may run", turn["error"])
        self.assertEqual(self.turns()[0]["reply"]["text"], text)


if __name__ == "__main__":
    unittest.main()
