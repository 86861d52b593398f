"""The conversation in a real (pseudo) terminal: editing, Ctrl-C, Ctrl-D."""
import os
import pty
import select
import signal
import termios
import time
import unittest
import urllib.request

from pandora_case import PROGRAM, PandoraCase
from served_case import Upstream, words
from tools_test import call, calling, results

IUTF8 = 0o40000  # of Linux; termios does not name it


class Chat:
    """The program in a pseudo terminal. What it has written is looked at once."""

    def __init__(self, case, *arguments):
        self.case, self.seen = case, b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            attributes = termios.tcgetattr(0)
            attributes[0] |= IUTF8  # as terminals do: one erase takes one letter, also before the editor has the line
            termios.tcsetattr(0, termios.TCSANOW, attributes)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a runner in the background ignores it, and so would its children
            os.execve(PROGRAM, [PROGRAM, "chat", *arguments], {**case.environment, "TERM": "dumb", "NO_COLOR": "1"})
        case.addCleanup(os.close, self.fd)

    def wait_for(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    break
        self.case.assertIn(text, self.seen)
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, keys):
        os.write(self.fd, keys)

    def exit_code(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.case.fail(f"the program did not end; it last wrote {self.seen!r}")


class Terminal(PandoraCase):
    def test_a_conversation_with_editing_ends_by_ctrl_d(self):
        chat = Chat(self)
        chat.wait_for(b"you> ")
        chat.type("I have a dog, Zoé\x7fë.\r".encode())  # a mistake, taken back
        chat.wait_for(b"Noted")
        chat.wait_for(b"you> ")
        chat.type(b"\x04")
        self.assertEqual(chat.exit_code(), 0)
        self.assertEqual(self.json("turns", "list")["turns"][0]["message"]["text"], "I have a dog, Zoë.")

    def test_what_is_typed_ahead_counts(self):
        chat = Chat(self)
        chat.type(b"I have a dog.\r\x04")  # before there is a prompt
        self.assertEqual(chat.exit_code(), 0)
        self.assertEqual(len(self.json("turns", "list")["turns"]), 1)

    def test_what_its_tools_may_do_is_asked(self):
        save = [step for i in range(4) for step in (calling(call("memory_save", {"content": f"Ana likes tea number {i}."})), words(f"Answer {i}."))]
        up = Upstream(*save)
        self.addCleanup(up.close)
        self.environment["PANDORA_MODEL_URL"] = up.url
        chat = Chat(self)
        for i, answer in enumerate((b"n\r", b"y\r", b"a\r", None)):
            chat.wait_for(b"you> ")
            chat.type(b"Keep it, please.\r")
            if answer:
                chat.wait_for(b"The model wants to call memory_save with ")
                chat.wait_for(f"Ana likes tea number {i}.".encode())
                chat.wait_for(b"[N] no: ")
                chat.type(answer)
            chat.wait_for(f"Answer {i}.".encode())
        chat.wait_for(b"you> ")
        chat.type(b"/quit\r")
        self.assertEqual(chat.exit_code(), 0)
        self.assertIn("the user said no", results(up.asked[1])[0]["content"])
        self.assertEqual([memory["content"] for memory in self.json("memory", "list")["memories"]], [f"Ana likes tea number {i}." for i in (1, 2, 3)])

    def test_ctrl_c_clears_the_line_and_goes_on(self):
        chat = Chat(self)
        chat.wait_for(b"you> ")
        chat.type(b"half a thou")
        chat.wait_for(b"thou")
        chat.type(b"\x03")  # the terminal makes a SIGINT of it
        chat.wait_for(b"you> ")
        chat.type(b"/quit\r")
        self.assertEqual(chat.exit_code(), 0)
        self.assertEqual(self.json("turns", "list")["turns"], [])

    def test_beside_a_conversation_other_clients_are_answered(self):
        chat = Chat(self, "--serve", "--set", "gateway.port=0")
        chat.wait_for(b"find it at ")
        chat.wait_for(b"http://127.0.0.1:")
        port = b""
        while not port.endswith(b"/"):
            port += chat.seen[:1] or os.read(chat.fd, 1)
            chat.seen = chat.seen[1:]
        url = f"http://127.0.0.1:{port[:-1].decode()}"
        chat.wait_for(b"you> ")
        chat.type(b"I have a dog.\r")
        chat.wait_for(b"Noted")
        # The reply is on the screen before the turn is saved, and another session's request does not wait for that.
        self.wait_until(lambda: self.json("turns", "search", "dog")["items"])
        body = b'{"model": "pandora", "user": "default", "messages": [{"role": "user", "content": "What do you know of my dog?"}]}'
        with urllib.request.urlopen(urllib.request.Request(url + "/v1/chat/completions", body, {"Content-Type": "application/json"})) as answer:
            self.assertIn("I have a dog.", answer.read().decode())
        chat.type(b"/quit\r")
        self.assertEqual(chat.exit_code(), 0)

    def test_where_another_process_owns_the_data_the_conversation_goes_on_without(self):
        first = Chat(self, "--serve", "--set", "gateway.port=0")
        first.wait_for(b"you> ")
        second = Chat(self, "--serve", "--set", "gateway.port=0")  # a guest of the first
        second.wait_for(b"goes on")
        second.wait_for(b"you> ")
        second.type(b"I have a dog.\r")
        second.wait_for(b"Noted")
        for chat in (second, first):
            chat.type(b"/quit\r")
            self.assertEqual(chat.exit_code(), 0)

    def test_over_a_pipe_nothing_listens(self):
        done = self.run_pandora("chat", "--serve", stdin="I have a dog.\n")
        self.assertTrue(done.stdout.startswith(b"Noted"))
        self.assertEqual(done.stderr, b"", "no word of a server")
        self.assertIn(b"pandora chat", self.run_pandora("chat", "--serve").stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
