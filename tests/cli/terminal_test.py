"""The conversation in a real (pseudo) terminal: editing, Ctrl-C, Ctrl-D."""
import os
import pty
import select
import signal
import time
import unittest

from pandora_case import PROGRAM, PandoraCase


class Terminal(PandoraCase):
    def open_chat(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, "chat"], {**self.environment, "TERM": "dumb", "NO_COLOR": "1"})
        self.addCleanup(os.close, fd)
        return pid, fd

    def read_until(self, fd, text, seconds=20):
        seen, end = b"", time.monotonic() + seconds
        while text not in seen and time.monotonic() < end:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    seen += os.read(fd, 4096)
                except OSError:
                    break
        self.assertIn(text, seen)
        return seen

    def test_a_conversation_with_editing_ends_by_ctrl_d(self):
        pid, fd = self.open_chat()
        self.read_until(fd, b"you> ")
        os.write(fd, b"I have a dogX\x7f.\r")  # a mistake, taken back
        self.read_until(fd, b"Noted")
        self.read_until(fd, b"you> ")
        os.write(fd, b"\x04")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(self.json("turns", "list")["turns"][0]["message"]["text"], "I have a dog.")

    def test_ctrl_c_clears_the_line_and_goes_on(self):
        pid, fd = self.open_chat()
        self.read_until(fd, b"you> ")
        os.write(fd, b"half a thou")
        time.sleep(0.2)
        os.kill(pid, signal.SIGINT)
        self.read_until(fd, b"you> ")
        os.write(fd, b"/quit\r")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(self.json("turns", "list")["turns"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
