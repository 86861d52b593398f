"""Where output goes: standard descriptors that are closed, full, or left by their reader; escapes; one clear line."""
import os
import pathlib
import signal
import subprocess
import time
import unittest

from pandora_case import PROGRAM, PandoraCase


class Streams(PandoraCase):
    def shell(self, command, **environment):
        return subprocess.run(["bash", "-c", command, "bash", PROGRAM], capture_output=True, timeout=60,
                              env={**self.environment, **environment})

    def test_what_is_printed_never_lands_in_a_file_of_the_data(self):
        self.say("The shed is green.")
        for command in ('"$1" turns list >&-', '"$1" turns list >&- 2>&- <&-', 'echo "The barn is red." | "$1" chat >&-', '"$1" nonsense 2>&-'):
            self.shell(command)
        self.assertEqual(self.json("reconcile")["differences"], [])
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = pathlib.Path(folder, name)
                if path.is_file() and path.suffix not in (".md", ".json", ".db"):
                    self.assertNotIn(b"shed is green", path.read_bytes(), path)
        lock = pathlib.Path(self.data, "LOCK").read_text()
        self.assertRegex(lock, r"^process \d+$")

    def test_a_closed_standard_input_says_nothing(self):
        done = self.shell('"$1" chat <&-')
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"Nothing was said", done.stderr)
        self.assertEqual(self.json("turns", "list")["turns"], [])

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        self.say("The shed is green.")
        for arguments in ("turns list", "turns list --json", "export", "config", "doctor", "completion bash", "--help", "stats"):
            done = self.shell(f'"$1" {arguments} >/dev/full')
            self.assertEqual(done.returncode, 10, (arguments, done.stderr))
            self.assertEqual(len(done.stderr.splitlines()), 1, (arguments, done.stderr))
            done = self.shell(f'"$1" {arguments} >&-')
            self.assertEqual(done.returncode, 8, (arguments, done.stderr))
        done = self.shell('echo "The barn is red." | "$1" chat >/dev/full')
        self.assertEqual(done.returncode, 10, done.stderr)

    def test_a_reader_that_leaves_ends_the_program_without_a_word(self):
        self.say("\n".join(f"Fact {i} is about {i}." for i in range(20)))
        for arguments in ("turns list", "export", "--help"):
            done = self.shell(f'"$1" {arguments} | true; exit ${{PIPESTATUS[0]}}')
            self.assertIn(done.returncode, (0, 130), (arguments, done.stderr))
            self.assertEqual(done.stderr, b"", arguments)
        done = self.shell('yes "Where is it?" | head -200 | "$1" chat | head -1')
        self.assertEqual(done.stderr, b"")

    def test_a_standard_error_that_is_full_changes_nothing(self):
        done = self.shell('echo "The shed is green." | "$1" chat 2>/dev/full')
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.shell('"$1" turns show 99 2>&-').returncode, 3)

    def test_files_are_for_their_owner_alone_also_in_a_folder_that_others_may_read(self):
        os.mkdir(self.data, 0o755)
        os.chmod(self.data, 0o755)
        self.say("The shed is green.")
        for folder, _, names in os.walk(self.data):
            for name in names:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)
        self.assertIn("chmod 700", self.out("doctor"))

    def test_ctrl_c_ends_a_conversation_that_waits_for_a_pipe(self):
        chat = subprocess.Popen([PROGRAM, "chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        chat.stdin.write(b"The kettle is broken.\n")
        chat.stdin.flush()
        self.assertTrue(chat.stdout.readline())
        chat.send_signal(signal.SIGINT)
        self.assertEqual(chat.wait(timeout=30), 130)
        for stream in (chat.stdin, chat.stdout, chat.stderr):
            stream.close()
        self.assertEqual(len(self.json("turns", "list")["turns"]), 1)

    def test_mistakes_are_one_line_that_says_what_was_meant(self):
        for arguments, words in ((["trns", "list"], ["trns", "`pandora turns`"]), (["turns", "lsit"], ["`pandora turns list`"]),
                                 (["turns"], ["list, show"]), ([], ["chat"]), (["turns", "search"], ["query", "--help"]),
                                 (["--user"], ["--user", "--help"]), (["turns", "list", "--limt", "3"], ["--limt"]),
                                 (["turns", "list", "--since", "soon"], ["soon", "2026-01-05"]), (["memory", "add", "x y", "--kind", "thing"], ["preference, fact, note"]),
                                 (["memory", "forget", "7", "--yes"], ["`pandora memory list`"]), (["stats", "--session", "x"], ["--session"])):
            done = self.run_pandora(*arguments, code=2)
            self.assert_one_clear_line(done, "pandora: ", *words)

    def test_every_command_says_what_it_takes(self):
        for command in ("chat", "turns list", "memory add", "import turns", "reconcile"):
            text = self.out(*command.split(), "--help")
            for word in ("--user", "--data", "--json"):
                self.assertIn(word, text, command)
        self.assertIn("--session", self.out("chat", "--help"))

    def test_session_is_taken_where_it_means_something(self):
        self.say("The shed is green.", "--session", "one")
        self.say("The barn is red.", "--session", "two")
        self.assertEqual([t["session"] for t in self.json("turns", "list", "--session", "one")["turns"]], ["one"])
        self.assertEqual({item["session"] for item in self.json("turns", "search", "shed", "barn", "--in", "two")["items"]}, {"two"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
