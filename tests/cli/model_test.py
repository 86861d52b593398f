"""With a language model: a server that says what its script says, on a free port."""
import http.server
import json
import os
import threading
import time
import unittest

from pandora_case import PandoraCase


class ScriptedServer:
    """An OpenAI-compatible server. `script`: a reply a request, or a status with a body; it remembers what it was asked."""

    def __init__(self, *script, models=("the-model",)):
        self.script, self.asked, self.keys = list(script), [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(200, json.dumps({"object": "list", "data": [{"id": name} for name in models]}).encode())

            def do_POST(self):
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.keys.append(self.headers.get("Authorization"))
                step = outer.script.pop(0) if outer.script else (500, b"nothing more is scripted")
                if isinstance(step, tuple):
                    return self.answer(*step)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for word in step:
                    self.wfile.write(f"data: {json.dumps({'model': 'the-model', 'choices': [{'index': 0, 'delta': {'content': word}}]})}\n\n".encode())
                    self.wfile.flush()
                usage = {"prompt_tokens": 7, "completion_tokens": len(step), "total_tokens": 7 + len(step)}
                self.wfile.write(f"data: {json.dumps({'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]})}\n\n".encode())
                self.wfile.write(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())
                self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class LanguageModel(PandoraCase):
    def serve(self, *script, **options):
        server = ScriptedServer(*script, **options)
        self.addCleanup(server.close)
        self.environment["PANDORA_MODEL_URL"] = server.url
        return server

    def test_the_model_replies_and_knows_what_was_said(self):
        server = self.serve(["Noted", "."], ["No nuts", ", please."])
        self.assertEqual(self.say("I am allergic to peanuts."), "Noted.\n")
        reply = self.json("chat", "--session", "tomorrow", stdin="Which peanuts should I avoid?\n")
        self.assertEqual(reply["reply"], "No nuts, please.")
        self.assertTrue(reply["acknowledged"])
        system, user = server.asked[1]["messages"]
        self.assertEqual(system["role"], "system")
        self.assertIn("I am allergic to peanuts.", system["content"])
        self.assertIn('source="turn 1"', system["content"])
        self.assertEqual(user, {"role": "user", "content": "Which peanuts should I avoid?"})
        self.assertEqual(server.asked[1]["model"], "the-model")
        self.assertIn("memory_search", [tool["function"]["name"] for tool in server.asked[1]["tools"]])
        turn = self.json("turns", "show", "2")["turn"]
        self.assertEqual((turn["model"], turn["reply"]["text"]), ("the-model", "No nuts, please."))
        self.assertEqual(self.json("stats")["models"]["the-model"]["count"], 2)
        with open(os.path.join(self.data, "panda_system_docs/turns/turn_000002/metrics.json")) as file:
            rows = [row for row in json.load(file)["observations"] if row["kind"] == "model"]
        self.assertEqual([(row["name"], row["tokens_in"], row["tokens_out"]) for row in rows], [("the-model", 7, 2)], "as the server reports")

    def test_a_key_from_a_file_is_sent_and_never_shown(self):
        server = self.serve(["Hello."])
        path = f"{self.home}/key"
        with open(path, "w") as file:
            file.write("very-secret\n")
        self.environment["PANDORA_MODEL_API_KEY_FILE"] = path
        self.say("Good morning to you.")
        self.assertEqual(server.keys, ["Bearer very-secret"])
        self.assertNotIn("very-secret", self.out("config") + self.out("doctor", code=None))

    def test_without_its_model_the_program_quotes_and_says_why(self):
        server = self.serve((401, b'{"error":{"message":"Incorrect API key provided"}}'))
        self.say("The blue bicycle stands behind the shed.", PANDORA_MODEL_URL="")
        done = self.run_pandora("chat", stdin="Where is the blue bicycle?\n")
        self.assertIn("behind the shed", done.stdout.decode())
        self.assertIn("Incorrect API key", done.stdout.decode())
        self.assertEqual(len(server.asked), 1)
        server.close()
        began = time.monotonic()
        gone = self.run_pandora("chat", stdin="Where is the blue bicycle now?\n")
        self.assertIn("behind the shed", gone.stdout.decode())
        self.assertIn("Connection refused", gone.stdout.decode())
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(len(self.json("turns", "list")["turns"]), 3, "each is saved")

    def test_roles_and_servers_stand_in_the_settings_file(self):
        server = self.serve(["Hi."])
        del self.environment["PANDORA_MODEL_URL"]
        path = f"{self.home}/pandora.toml"
        with open(path, "w") as file:
            file.write(f'[model]\nurl = "http://127.0.0.1:1"\n[roles.voice]\nurl = "{server.url}/v1"\nmodel = "the-voice"\ntemperature = 0.2\nmax_tokens = 99\n')
        self.assertEqual(self.say("Hello there.", PANDORA_CONFIG=path), "Hi.\n")
        asked = server.asked[0]
        self.assertEqual((asked["model"], asked["temperature"], asked["max_tokens"]), ("the-voice", 0.2, 99))

    def test_doctor_looks_whether_the_model_server_answers(self):
        def finding(**options):
            checks = json.loads(self.out("doctor", "--json", code=None, **options))["checks"]
            return [(c["state"], c["detail"] + c["remedy"]) for c in checks if c["check"] == "language model"]

        self.assertEqual(finding()[0][0], "ok")
        server = self.serve(models=("the-model", "another"))
        self.assertEqual(finding()[0][0], "ok")
        self.assertIn("the-model", finding()[0][1])
        self.assertEqual(finding(PANDORA_MODEL_NAME="another")[0][0], "ok")
        state, detail = finding(PANDORA_MODEL_NAME="missing")[0]
        self.assertEqual(state, "warning")
        self.assertIn("the-model", detail)
        server.close()
        state, detail = finding()[0]
        self.assertEqual(state, "failure")
        self.assertIn(server.url, detail)

    def test_a_url_that_is_none_is_one_clear_line(self):
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=2, PANDORA_MODEL_URL="ftp://example.org"), "model.url", "http")


if __name__ == "__main__":
    unittest.main()
