"""Bad input of any kind: one clear line, an exit code of its own class, nothing acknowledged lost."""
import json
import os
import pathlib
import subprocess
import unittest

from pandora_case import PandoraCase


class BadInput(PandoraCase):
    def test_names_with_slashes_and_dots_are_refused(self):
        for name in ("../up", "a/b", ".hidden", "", "x" * 129, "ümlaut"):
            self.assert_one_clear_line(self.run_pandora("chat", "--session", name, stdin="hi\n", code=2), "session")
        self.assert_one_clear_line(self.run_pandora("chat", "--user", "../root", stdin="hi\n", code=2), "user")

    def test_a_message_of_20_mb_is_too_large_and_the_next_one_is_answered(self):
        done = self.run_pandora("chat", stdin="x" * 20_000_000 + "\nThe shed is green.\n", code=6)
        self.assertIn(b"limits.message_bytes", done.stderr)
        self.assertEqual(len(self.json("turns", "list")["turns"]), 1)

    def test_nul_and_broken_utf8_are_kept_as_replacement_characters(self):
        self.run_pandora("chat", stdin=b"a\x00b \xff\xfe caf\xc3\xa9\n")
        text = self.json("turns", "list")["turns"][0]["message"]["text"]
        self.assertEqual(text, "a\ufffdb \ufffd\ufffd café")
        self.assertEqual(self.json("reconcile")["differences"], [])

    def test_wrong_use_ends_with_2_and_says_how(self):
        for arguments in (["nonsense"], ["turns"], ["turns", "show", "x"], ["turns", "list", "--limit", "0"], ["turns", "list", "--since", "soon"],
                          ["config", "--set", "recall.limit=-1"], ["config", "--set", "recall.limitt=1"], ["config", "--set", "oops"],
                          ["--config", "/nonexistent.toml", "config"]):
            done = self.run_pandora(*arguments, code=None)
            self.assertIn(done.returncode, (2, 3), (arguments, done.stderr))
            self.assertTrue(done.stderr)
        self.run_pandora("turns", "show", "99", code=3)

    def test_a_damaged_database_is_named_with_its_remedy_which_works(self):
        self.say("The key is under the mat.")
        database = os.path.join(self.data, "pandora.db")
        with open(database, "r+b") as file:
            file.seek(0)
            file.write(b"not a database at all")
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=11), "pandora.db", "reconcile --apply")
        for name in os.listdir(self.data):
            if name.startswith("pandora.db"):
                os.rename(os.path.join(self.data, name), os.path.join(self.home, name))
        self.json("reconcile", "--apply")
        self.assertEqual(self.json("turns", "list")["turns"][0]["message"]["text"], "The key is under the mat.")

    def test_damaged_documents_are_set_aside_and_made_again(self):
        self.say("The key is under the mat.\nThe rake is in the barn.")
        turns = pathlib.Path(self.data, "panda_system_docs/turns")
        path = turns / "turn_000001/metadata.json"
        path.write_text(path.read_text()[:200])
        path = turns / "turn_000002/context.md"
        path.write_text(path.read_text().replace("§3", "§9"))
        kinds = {difference["kind"] for difference in self.json("reconcile")["differences"]}
        self.assertIn("damaged files", kinds)
        self.json("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        quarantine = os.path.join(self.data, "panda_system_docs/quarantine")
        self.assertEqual(len([name for name in os.listdir(quarantine)]), 2)
        for name in os.listdir(quarantine):
            self.assertTrue(pathlib.Path(quarantine, name, "reason.txt").read_text().strip())
        self.assertEqual(len(self.json("turns", "list")["turns"]), 2)

    def test_garbage_behind_the_journal_is_set_aside_and_the_start_goes_on(self):
        self.say("Before the damage.")
        os.makedirs(os.path.join(self.data, "journal"), exist_ok=True)
        with open(os.path.join(self.data, "journal/000099.log"), "wb") as file:
            file.write(b"PNDJRNL\x01" + os.urandom(300))
        self.assertEqual(len(self.json("turns", "list")["turns"]), 1)
        self.assertTrue(os.listdir(os.path.join(self.data, "panda_system_docs/quarantine")))
        self.say("After the damage.")
        self.assertEqual(len(self.json("turns", "list")["turns"]), 2)

    def test_a_newer_schema_is_refused_by_name(self):
        self.say("Something.")
        subprocess.run(["sqlite3", os.path.join(self.data, "pandora.db"),
                        "INSERT INTO schema_migrations VALUES (999, '0999_future', 'x', 1, 0)"], check=True)
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=12), "999", "newer pandora")

    def test_another_encoder_is_reported_and_never_mixed(self):
        self.say("Something.")
        made_by = "UPDATE instance SET value = json_set(value, '$.model', 'other') WHERE name = 'points'"
        subprocess.run(["sqlite3", os.path.join(self.data, "pandora.db"), made_by], check=True)
        done = self.run_pandora("turns", "search", "something", "--json")
        self.assertIn(b"other@", done.stderr)
        self.assertIn(b"pandora reindex", done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["mode"], len(found["items"])), ("lexical", 1), found)
        self.assertIn("other", found["missing"][0])

    def test_missing_weights_name_the_command_that_fetches_them(self):
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=3, PANDORA_ENCODER="bge-small-en-v1.5", PANDORA_CACHE=self.home), "scripts/fetch_weights")

    def test_a_data_path_that_is_a_file_is_named(self):
        path = os.path.join(self.home, "file")
        open(path, "w").close()
        self.assert_one_clear_line(self.run_pandora("turns", "list", code=4, PANDORA_DATA=path), path)

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/usr/bin/mount"), "skipped: mounting needs root")
    def test_a_full_and_a_read_only_disk_lose_nothing_that_was_acknowledged(self):
        mount = os.path.join(self.home, "disk")
        os.mkdir(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount]).returncode != 0:
            self.skipTest("skipped: tmpfs cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", mount])
        self.environment["PANDORA_DATA"] = mount + "/data"
        acknowledged = 0
        full = None
        for i in range(200):
            done = self.run_pandora("chat", "--json", stdin=f"Message {i}: " + "word " * 3000 + "\n", code=None)
            if done.returncode != 0:
                full = done
                break
            acknowledged += json.loads(done.stdout)["acknowledged"]
        self.assertIsNotNone(full, "the disk must have become full")
        self.assertIn(full.returncode, (8, 10), full.stderr)
        self.assertIn(b"space", full.stderr)
        subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
        self.assertEqual(len(self.json("turns", "list", "--limit", "1000")["turns"]), acknowledged)
        self.json("reconcile", "--apply")
        self.assertEqual(self.json("reconcile")["differences"], [])
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
        done = self.run_pandora("chat", stdin="One more.\n", code=5)
        self.assertIn(b"read-only", done.stderr)
        subprocess.run(["mount", "-o", "remount,rw", mount], check=True)
        self.assertEqual(len(self.json("turns", "list", "--limit", "1000")["turns"]), acknowledged)


if __name__ == "__main__":
    unittest.main(verbosity=2)
