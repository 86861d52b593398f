"""Clients that send what makes no sense, too much, too slowly, or read nothing: each gets a clear end, and everybody else
is served meanwhile."""
import http.client
import json
import pathlib
import resource
import socket
import time
import unittest

from served_case import ServedCase, chunk, whole

KIB, MIB = 1024, 1024 * 1024
SLOW = 2_000  # connections
HEADER_SECONDS = 10  # that a head may take (net/http_server.h)


class Hostile(ServedCase):
    def connect(self):
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.addCleanup(peer.close)
        return peer

    @staticmethod
    def read_all(peer):
        data = b""
        try:
            while piece := peer.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def resident(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * KIB

    def assert_served(self):
        begun = time.monotonic()
        self.assertEqual(self.ask("/health/live")[0], 200)
        self.assertEqual(self.ask("/v1/models")[0], 200)
        return time.monotonic() - begun

    def test_a_byte_that_is_wrong_wherever_it_stands_is_a_clear_answer(self):
        self.upstream().script = type("Endless", (list,), {"pop": lambda self, _: self[0]})([whole("Noted.")])
        self.serve()
        bodies = {"/v1/chat/completions": b'{"model":"pandora","messages":[{"role":"user","content":"Hi \\u00e9"}],"stream":false,"user":"a"}',
                  "/v1/embeddings": b'{"model":"pandora","input":["a","b"],"encoding_format":"base64"}',
                  "/v1/memories": b'{"content":"I like tea","kind":"preference"}', "/v1/turns/search": b'{"query":"tea","limit":3}',
                  "/v1/research": b'{"topic":"tea","findings":[{"claim":"It is hot","confidence":0.5,"domains":["tea.example"]}]}'}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for path, body in bodies.items():
            for at in range(len(body)):
                for wrong in (b"", b"\x00", b"\xff", b'"', b"}", b"9"):
                    sent = body[:at] + wrong + body[at + 1:]
                    connection.request("POST", path, sent, {"Content-Type": "application/json", "Pandora-Memory": "off"})
                    response = connection.getresponse()
                    text = response.read()
                    self.assertIn(response.status, (200, 400, 404, 409), (path, sent, text))
                    if response.status != 200:
                        self.assertEqual(set(json.loads(text)["error"]), {"message", "type", "param", "code"})
        connection.close()
        self.assert_served()

    def test_a_body_of_the_maximum_is_read_and_a_byte_more_is_not_whatever_the_path(self):
        self.serve("--set", f"gateway.body_bytes={MIB}")
        for path, most in (("/v1/chat/completions", MIB), ("/v1/embeddings", 8 * MIB), ("/v1/memories", MIB), ("/v1/turns/search", MIB)):
            status, _, answer = self.ask(path, raw=b" " * most)
            self.assertEqual((status, answer["error"]["code"]), (400, "invalid_argument"), path)
            status, _, answer = self.ask(path, raw=b" " * (most + 1))
            self.assertEqual((status, answer["error"]["code"]), (413, "too_large"), path)
        self.assertEqual(self.ask("/v1/models", raw=b" ", method="GET")[0], 413)
        self.assert_served()

    def test_endless_headers_bodies_and_chunks_end_and_take_no_room(self):
        self.serve()
        before = self.resident()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        endless = {"headers": (head, b"X-A: " + b"b" * 1000 + b"\r\n"), "one header": (head + b"X-A: ", b"b" * 1000), "a target": (b"GET /", b"b" * 1000),
                   "a method": (b"", b"B" * 1000), "chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b" " * 0x4000 + b"\r\n"),
                   "a chunk's line": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000),
                   "trailers": (head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 100)}
        for name, (begin, more) in endless.items():
            peer = self.connect()
            begun = time.monotonic()
            with self.assertRaises((BrokenPipeError, ConnectionResetError), msg=name):
                peer.sendall(begin)
                while time.monotonic() < begun + 30:
                    peer.sendall(more)
            self.assert_served()
        self.assertLess(self.resident() - before, 96 * MIB)

    def test_what_can_be_read_two_ways_is_never_a_second_request(self):
        self.upstream(whole("Noted."))
        self.serve()
        self.out("memory", "add", "I like tea")
        memory = self.json("memory", "list")["memories"][0]["id"]
        hidden = f"DELETE /v1/memories/{memory} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        line = b"POST /v1/memories/search HTTP/1.1\r\nHost: localhost\r\n"
        length = str(len(hidden)).encode()
        tricks = [b"Content-Length: 0\r\nContent-Length: " + length + b"\r\n\r\n", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                  b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                  b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
                  b"Content-Length: +0\r\n\r\n", b"Content-Length: 0, " + length + b"\r\n\r\n", b"Content-Length: 0x0\r\n\r\n", b"X: y\n\r\nContent-Length: 0\r\n\r\n",
                  b"X: y\rContent-Length: 0\r\n\r\n", b" Content-Length: 0\r\n\r\n", b"Content-Length: 0\r\n folded\r\n\r\n", b"Content-Length\x00: 0\r\n\r\n",
                  b"Transfer-Encoding: chunked\r\n\r\n0;\nx\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
                  b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab0\r\n\r\n"]
        for trick in tricks:
            peer = self.connect()
            peer.sendall(line + trick + hidden)
            answer = self.read_all(peer)
            self.assertRegex(answer, rb"^HTTP/1.1 (4|5)\d\d ", trick)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, (trick, answer))
        self.assertEqual([m["id"] for m in self.json("memory", "list")["memories"]], [memory], "nobody's second request was carried out")

    def test_a_client_that_closes_its_sending_side_still_gets_its_answer(self):
        self.serve()
        for request, status in ((b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"), (b"GET /v1/mod", b"400"),
                                (b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{}", b"400"), (b"", None)):
            peer = self.connect()
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
            answer = self.read_all(peer)
            self.assertEqual(answer[9:12] or None, status, request)

    def test_readers_that_stop_hold_no_memory_and_nobody_up(self):
        piece = chunk({"content": "x" * (64 * KIB)})
        many = 40
        written = []

        def pour(handler, _):
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Connection", "close")
            handler.end_headers()
            event = f"data: {json.dumps(piece)}\n\n".encode()
            handler.close_connection = True
            for _ in range(1_000):
                handler.wfile.write(event)
                written.append(len(event))

        self.upstream(*[pour] * many)
        self.serve()
        self.assert_served()
        before = self.resident()
        body = json.dumps({"model": "pandora", "stream": True, "messages": [{"role": "user", "content": "Tell me everything."}]}).encode()
        request = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nPandora-Memory: off\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
        readers = []
        for _ in range(many):
            peer = socket.socket()
            self.addCleanup(peer.close)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.settimeout(60)
            peer.connect(("127.0.0.1", self.port))
            peer.sendall(request)
            readers.append(peer)
        for peer in readers:
            self.assertTrue(peer.recv(16))
        # Until the model's server can send no more: what lies between is bounded.
        seen = [-1]

        def stands_still():
            last, seen[0] = seen[0], sum(written)
            return seen[0] > 0 and seen[0] == last

        self.wait_until(lambda: stands_still() and (time.sleep(0.5), stands_still())[1], seconds=60)
        # Each has what the kernel and the server hold unsent (128 and 64 KiB), and as much of the reply so far; without a pause it would be 64 MiB.
        self.assertLess(self.resident() - before, 32 * MIB + many * MIB)
        self.assertLess(sum(written), many * 16 * MIB, "the model's server was told to wait")
        self.assert_served()
        for peer in readers:
            peer.close()
        self.assert_served()

    def test_thousands_that_send_a_byte_a_second_are_cut_off_and_disturb_nobody(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * SLOW:
            self.skipTest(f"this system allows {hard} open files")
        wanted = max(soft, 2 * SLOW)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.serve()
        self.assert_served()
        before = self.resident()
        peers = [self.connect() for _ in range(SLOW)]
        begun = time.monotonic()
        head = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"y" * 1000
        waits, most = [], 0
        for second in range(HEADER_SECONDS + 3):
            for peer in peers:
                try:
                    peer.send(head[second:second + 1])
                except OSError:
                    pass  # it was cut off
            waits.append(self.assert_served())
            most = max(most, self.resident())
            pause = begun + second + 1 - time.monotonic()
            if pause > 0:
                time.sleep(pause)  # a byte a second is what this is about
        self.assertLess(sorted(waits)[len(waits) // 2], 2, f"others wait: {waits}")
        self.assertLess(most - before, 32 * MIB, "16 KiB for each that sends next to nothing")
        answers = [self.read_all(peer) for peer in peers]
        self.assertEqual({answer[:12] for answer in answers}, {b"HTTP/1.1 408"}, "each was told that it is too slow")
        self.wait_until(lambda: self.connections() <= 3)
        self.assertEqual(self.ask("/v1/models")[0], 200)

    def connections(self):
        return int(next(line for line in self.ask("/metrics")[2].splitlines() if line.startswith("pandora_http_connections ")).split()[1])


if __name__ == "__main__":
    unittest.main()
