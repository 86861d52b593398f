"""Images of a request: kept by their hash with the turn, shown to its user alone, carried by an export, gone when it is forgotten."""
import base64
import hashlib
import json
import os
import subprocess
import unittest

from pandora_case import PROGRAM
from served_case import ServedCase, whole

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
KEY = hashlib.sha256(PICTURE).hexdigest()


def message(text, *urls):
    return [{"role": "user", "content": [{"type": "text", "text": text}, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]}]


def data_url(picture=PICTURE):
    return "data:image/png;base64," + base64.b64encode(picture).decode()


class Objects(ServedCase):
    def setUp(self):
        super().setUp()
        self.upstream(*(whole("A fine picture.") for _ in range(10)))

    def kept(self):
        root = os.path.join(self.environment["PANDORA_DATA"], "objects")
        return sorted(name for _, _, names in os.walk(root) for name in names)

    def path_of(self, key):
        return os.path.join(self.environment["PANDORA_DATA"], "objects", key[:2], key)

    def look(self, text="What is this?", *urls, **more):
        status, head, answer = self.chat(message(text, *(urls or [data_url()])), **more)
        self.assertEqual(status, 200, answer)
        self.assert_kept(head)

    def test_an_image_is_kept_with_its_turn_and_shown_again(self):
        self.serve()
        self.look("What is this?", data_url(), "https://elsewhere.example/cat.png", "data:image/png;base64,***")
        turn = self.json("turns", "show", "1")
        self.assertEqual(turn["turn"]["objects"], [{"origin": "image", "key": KEY, "size": len(PICTURE), "media_type": "image/png", "url": ""}])
        self.assertIn("could not be read", turn["context"])
        self.assertEqual(self.kept(), [KEY])
        self.assertEqual(self.run_pandora("turns", "object", "1", KEY).stdout, PICTURE)
        status, _, answer = self.ask(f"/v1/turns/1/objects/{KEY}")
        self.assertEqual((status, base64.b64decode(answer["base64"])), (200, PICTURE))
        self.assertEqual(self.ask("/v1/turns/1/objects/" + "0" * 64)[0], 404)
        self.assertIn(KEY, self.out("turns", "show", "1"))

    def test_who_has_the_hash_alone_is_not_shown_the_bytes(self):
        self.serve()
        self.look()
        self.out("--user", "ben", "memory", "add", "I like tea.")
        self.run_pandora("--user", "ben", "turns", "object", "1", KEY, code=3)

    def test_a_shared_image_goes_with_the_last_turn_that_names_it(self):
        self.serve()
        self.look("What is this?", data_url(), data_url(b"only once"))
        self.look("And what was that again?")
        first = json.loads(self.out("turns", "forget", "1", "--yes", "--json"))
        self.assertEqual(first["objects"], [hashlib.sha256(b"only once").hexdigest()])
        self.assertEqual(self.kept(), [KEY])
        last = json.loads(self.out("turns", "forget", "2", "--yes", "--json"))
        self.assertEqual((last["objects"], self.kept()), ([KEY], []))
        self.assertTrue(self.json("verify-forgotten", last["uid"])["clean"])

    def test_memory_that_is_not_written_keeps_no_image(self):
        self.serve()
        for memory in ("read", "off"):
            self.assertEqual(self.chat(message("What is this?", data_url()), headers={"Pandora-Memory": memory})[0], 200)
        self.assertEqual(self.kept(), [])

    def test_an_export_carries_them_and_a_second_import_changes_nothing(self):
        self.serve()
        self.look()
        self.look("And again?", data_url(), data_url(b"another"))
        self.settle()
        exported = self.out("export")
        there = {**self.environment, "PANDORA_DATA": os.path.join(self.home, "elsewhere")}
        for known in (False, True):
            done = subprocess.run([PROGRAM, "import", "turns", "-", "--json"], input=exported, env=there, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["imported"], 0 if known else 2)
        shown = subprocess.run([PROGRAM, "turns", "object", "1", KEY], env=there, capture_output=True, timeout=60)
        self.assertEqual(shown.stdout, PICTURE)
        found = subprocess.run([PROGRAM, "reconcile", "--json"], env=there, capture_output=True, text=True, timeout=60)
        self.assertEqual(json.loads(found.stdout)["differences"], [])

    def test_reconcile_says_what_is_missing_and_removes_what_is_nobodys(self):
        self.serve()
        self.look()
        self.settle()
        os.rename(self.path_of(KEY), os.path.join(self.home, "away"))
        for _ in range(2):
            found = self.json("reconcile", "--apply")["differences"]
            self.assertEqual([difference["kind"] for difference in found], ["turn without its object"])
        os.rename(os.path.join(self.home, "away"), self.path_of(KEY))
        self.assertEqual(self.json("reconcile")["differences"], [])


if __name__ == "__main__":
    unittest.main()
