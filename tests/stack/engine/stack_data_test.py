"""What an instance keeps, beside a real Engine: volumes set aside and had back, passwords changed, other projects' volumes."""
import json
import os
import random
import signal
import subprocess
import time
import unittest

from doctor_case import StackCase

SEED = int(os.environ.get("PANDORA_SEED", "1"))
KILLS = int(os.environ.get("PANDORA_ROTATE_KILLS") or 6)


class Volumes(StackCase):
    def test_destruction_asks_and_can_be_taken_back(self):
        self.up()
        self.sql("create table kept as select 42 as x")
        # An instance next door, that nothing here may touch.
        self.must("docker volume create --label pandora.instance=other other_postgres_data")
        for command in ("reset", "down --volumes"):
            refused = self.sh(f"pandora {command}")
            self.assertEqual(refused.returncode, 4)
            self.assertIn("no verified backup", refused.stderr)
            refused = self.sh(f"pandora {command} --no-backup </dev/null")
            self.assertEqual(refused.returncode, 2)
            self.assertIn("--yes pandora", refused.stderr)
            refused = self.sh(f"pandora {command} --no-backup --yes y")
            self.assertEqual(refused.returncode, 2)
        self.assertEqual(self.sql("select x from kept"), "42")

        done = json.loads(self.must("pandora reset --no-backup --yes pandora --json"))
        aside = {volume["key"]: volume for volume in done["set_aside"]}
        self.assertEqual(set(aside), {"postgres_data", "qdrant_data"})
        self.assertEqual(self.must("docker ps -aq"), "")
        self.must("pandora up --containers")
        self.assertEqual(self.sql("select count(*) from pg_tables where tablename = 'kept'"), "0")
        listed = {volume["volume"]: volume for volume in json.loads(self.must("pandora volumes list --json"))["volumes"]}
        self.assertTrue(listed["pandora_postgres_data"]["state"].startswith("set aside"))
        self.assertEqual(listed["pandora_postgres_data_2"]["state"], "in use")
        self.assertNotIn("other_postgres_data", listed)

        self.assertEqual(self.sh(aside["postgres_data"]["restore"]).returncode, 4)  # it runs
        self.must("pandora down")
        self.must(aside["postgres_data"]["restore"])
        self.must("pandora up --containers")
        self.assertEqual(self.sql("select x from kept"), "42")

        remove = "pandora volumes remove pandora_postgres_data_2 --yes pandora"
        refused = self.sh(remove)
        self.assertEqual(refused.returncode, 4)
        self.assertIn("is to be kept until", refused.stderr)
        self.must(remove + " --no-backup")
        for name in ("other_postgres_data", "no_such_volume"):
            self.assertEqual(self.sh(f"pandora volumes remove {name} --yes pandora --no-backup").returncode, 3)
            self.assertEqual(self.sh(f"pandora volumes browse {name}").returncode, 3)
        self.assertEqual(self.sh("pandora volumes remove pandora_postgres_data --yes pandora --no-backup").returncode, 4)
        left = set(self.must("docker volume ls -q").split())
        self.assertLessEqual({"other_postgres_data", "pandora_postgres_data", "pandora_qdrant_data", "pandora_qdrant_data_2"}, left)
        self.assertNotIn("pandora_postgres_data_2", left)
        self.assert_clean()

    def test_whoever_destroys_types_the_name(self):
        self.up()
        self.sql("create table typed as select 42 as x")
        asks = "Type the name of the instance (pandora) to go on"
        for answer in (b"\n", b"y\n", b"yes\n", b"pandoras\n", b"\x04"):
            for command in ("reset", "down --volumes"):
                refused = self.typed(f"pandora {command} --no-backup", answer)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn(asks, refused.stderr)
                self.assertIn("no verified backup exists", refused.stderr)
                self.assertIn("nothing was done", refused.stderr)
        self.assertEqual(self.sql("select x from typed"), "42")
        done = self.typed("pandora down --volumes --no-backup", b" pandora \n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.must("docker ps -aq"), "")
        self.up()
        self.assertEqual(self.sql("select count(*) from pg_tables where tablename = 'typed'"), "0")
        aside, = [volume["volume"] for volume in json.loads(self.must("pandora volumes list --json"))["volumes"]
                  if volume["state"].startswith("set aside") and "postgres" in volume["volume"]]
        refused = self.typed(f"pandora volumes remove {aside} --no-backup", b"n\n")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(aside, self.must("docker volume ls -q").split())
        done = self.typed(f"pandora volumes remove {aside} --no-backup", b"pandora\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(aside, self.must("docker volume ls -q").split())
        self.must("pandora down --containers")

    def test_what_is_in_a_volume_is_seen_and_not_changed(self):
        self.up()
        self.must("docker compose exec -T postgres sh -c 'mkdir -p \"$PGDATA/a folder\" && echo one >\"$PGDATA/a folder/a\"$(printf \"\\\\n\")\" file\"'")
        volume = self.env("PANDORA_VOLUME_POSTGRES_DATA")
        everything = "(docker volume ls -q; docker ps -aq; docker images -q) | sort"
        before = self.must(everything)
        files = json.loads(self.must(f"pandora volumes browse {volume} --json"))["files"]
        version = next(file for file in files if file["name"] == "PG_VERSION")
        self.assertEqual((version["kind"], version["size"], version["user"], version["mode"]), ("file", 3, 999, "0600"))
        inside, = json.loads(self.must(f"pandora volumes browse {volume} 'a folder' --json"))["files"]
        self.assertEqual(inside["size"], 4)
        self.assertEqual(self.sh(f"pandora volumes browse {volume} nothing").returncode, 3)
        self.assertEqual(self.sh(f"pandora volumes browse {volume} ../..").returncode, 2)
        looked = json.loads(self.must(f"pandora volumes inspect {volume} --json"))
        self.assertEqual((looked["holds"], looked["user"], looked["key"]), ("PostgreSQL 16", 999, "postgres_data"))
        self.assertEqual(self.must(everything), before)


class Secrets(StackCase):
    profiles = "cache"

    def passwords(self):
        return {name: self.secret(name).read_text() for name in ("postgres_password", "qdrant_api_key", "redis_password")}

    def test_every_store_takes_its_new_password_and_not_the_old_one(self):
        self.up()
        self.sql("create table kept as select 42 as x")
        before = self.passwords()
        since = int(time.time()) - 1
        self.must("pandora secrets rotate")
        after = self.passwords()
        for name, password in before.items():
            self.assertNotEqual(after[name], password)
        self.assertTrue(self.logs_in(after["postgres_password"]))
        self.assertFalse(self.logs_in(before["postgres_password"]))
        self.assertEqual(self.sql("select x from kept"), "42")
        for name, ping in (("redis_password", "redis-cli --user pandora ping"),):
            for password, answer in ((after[name], "PONG"), (before[name], "WRONGPASS")):
                said = self.sh(f"docker compose exec -T -e REDISCLI_AUTH={password} redis {ping}")
                self.assertIn(answer, said.stdout + said.stderr)
        key, port = after["qdrant_api_key"], self.env("PANDORA_PORT_VECTORDB")
        answers = [self.sh(f"curl -s -o /dev/null -w '%{{http_code}}' -H 'api-key: {one}' http://127.0.0.1:{port}/collections").stdout
                   for one in (key, before["qdrant_api_key"])]
        self.assertEqual(answers[0], "200")
        self.assertIn(answers[1], ("401", "403"))
        self.assert_clean()
        # Nowhere but in their files.
        said = self.must("docker inspect $(docker ps -q); for c in $(docker ps -q); do docker logs $c 2>&1; done")
        said += self.must(f"docker events --since {since} --until {int(time.time()) + 1}")
        for password in after.values():
            self.assertNotIn(password, said)
        self.assertEqual(sorted(path.name for path in self.secret("").iterdir() if path.suffix), [])

    @unittest.skipUnless("/objects-" in os.environ["PANDORA_ENGINE_IMAGES"], "there is no image of an S3 server (no Go here)")
    def test_the_s3_server_takes_its_new_key_and_not_the_old_one(self):
        self.must("pandora up --containers --profile objects")
        port = self.env("PANDORA_PORT_OBJECTS")

        def s3(key, *arguments):
            return self.sh(f"curl --silent --fail --aws-sigv4 aws:amz:us-east-1:s3 --user pandora:{key} "
                           f"--header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' {' '.join(arguments)}")
        old = self.secret("objects_secret_key").read_text()
        self.assertEqual(s3(old, "-X PUT", f"http://127.0.0.1:{port}/marks").returncode, 0)
        self.assertEqual(s3(old, "-X PUT --data-binary kept", f"http://127.0.0.1:{port}/marks/one").returncode, 0)
        self.must("pandora secrets rotate objects")
        new = self.secret("objects_secret_key").read_text()
        self.assertNotEqual(new, old)
        self.assertEqual(s3(new, f"http://127.0.0.1:{port}/marks/one").stdout, "kept")
        self.assertEqual(s3(old, f"http://127.0.0.1:{port}/marks/one").returncode, 22)  # refused
        self.assertNotIn(new, self.must("docker inspect $(docker ps -q)"))
        self.must("docker compose rm -sf objects")

    def test_killed_at_any_moment_one_of_both_works_and_the_next_run_ends_it(self):
        print(f"seed {SEED}")
        rng = random.Random(SEED)
        self.up()
        for _ in range(KILLS):
            old = self.secret("postgres_password").read_text()
            run = subprocess.Popen(["pandora", "secrets", "rotate", "postgres", "redis"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(rng.random() * 1.5)
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.wait()
            left = [path.read_text() for path in self.secret("").glob("postgres_password*")]
            self.assertTrue(any(self.logs_in(password) for password in [old, *left]))
            self.must("pandora secrets rotate postgres redis")
            new = self.secret("postgres_password").read_text()
            self.assertNotEqual(new, old)
            self.assertTrue(self.logs_in(new))
            self.assertFalse(self.logs_in(old))
        self.assert_clean()

    def test_bad_input(self):
        refused = self.sh("pandora secrets rotate grafana")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("changed in Grafana", refused.stderr)
        self.up()
        self.must("docker stop pandora-postgres-1")
        refused = self.sh("pandora secrets rotate postgres")
        self.assertEqual(refused.returncode, 8)
        self.assertIn("docker compose up -d postgres", refused.stderr)
        self.must("docker start pandora-postgres-1")


class Adoption(StackCase):
    """The stack of the specification, with its password in the file and Qdrant as root, becomes an instance."""

    def test_takes_over_a_project_and_gives_it_back(self):
        theirs = self.home / "theirs"
        theirs.mkdir()
        (theirs / "docker-compose.yml").write_text(f"""
services:
  postgres:
    image: {self.env("PANDORA_IMAGE_POSTGRES")}
    environment: {{POSTGRES_USER: pandora, POSTGRES_PASSWORD: pandora, POSTGRES_DB: pandora}}
    volumes: [postgres_data:/var/lib/postgresql/data]
  vectordb:
    image: {self.env("PANDORA_IMAGE_VECTORDB")}
    user: "0:0"
    volumes: [qdrant_data:/qdrant/storage]
volumes: {{postgres_data: , qdrant_data: }}
""")
        old = "docker compose -p pandaaiv2"
        self.must(f"{old} up -d", cwd=theirs)
        end = time.monotonic() + 60
        while self.sh(f"{old} exec -T postgres psql -h 127.0.0.1 -U pandora -c 'create table kept as select 42 as x'", cwd=theirs).returncode:
            self.assertLess(time.monotonic(), end)
        adopt = "pandora init --yes --adopt pandaaiv2 --json"
        refused = self.sh(adopt)
        self.assertEqual(refused.returncode, 4, refused.stderr)
        self.assertIn("is in use by the container pandaaiv2-", refused.stderr)
        self.must(f"{old} stop", cwd=theirs)
        self.assertEqual(self.sh("pandora init --yes --adopt nobody").returncode, 3)

        done = json.loads(self.must(adopt))["adoption"]
        self.assertEqual({volume["volume"]: volume["holds"] for volume in done["taken"]},
                         {"pandaaiv2_postgres_data": "PostgreSQL 16", "pandaaiv2_qdrant_data": "Qdrant"})
        made = [name for name in self.must("docker volume ls -q").split() if not name.startswith("pandora_")]
        self.assertEqual(sorted(made), ["pandaaiv2_postgres_data", "pandaaiv2_qdrant_data"])
        for compose in ("docker compose", "docker-compose"):
            self.assertIn("pandaaiv2_qdrant_data", self.must(f"{compose} config"))
        self.must("docker compose -p pandaaiv2 rm -f", cwd=theirs)
        up = self.sh("pandora up --containers")  # the old password is not ours: what to do is said
        self.assertEqual(up.returncode, 8, up.stderr)
        self.assertIn("`pandora doctor` names the remedy", up.stderr)
        self.assertEqual(self.sql("select x from kept"), "42")
        self.heal(self.complaint("passwords", "postgres takes the default password"))
        self.assert_clean()
        self.must("docker compose down -v")  # takes none of it
        # Another instance does not take what is taken.
        self.must("mkdir ../another && pandora init --name another --dir ../another")
        refused = self.sh("pandora init --yes --adopt pandaaiv2", cwd=self.home / "another")
        self.assertEqual(refused.returncode, 4, refused.stderr)
        self.assertIn("was taken over by the instance", refused.stderr)

        self.must(done["undo"])
        self.assertEqual(self.env("PANDORA_VOLUME_POSTGRES_DATA"), "pandora_postgres_data")
        self.must(f"{old} up -d", cwd=theirs)
        end = time.monotonic() + 60
        while self.sh(f"{old} exec -T postgres psql -h 127.0.0.1 -U pandora -c 'select x from kept'", cwd=theirs).returncode:
            self.assertLess(time.monotonic(), end)
        self.must(f"{old} down -v", cwd=theirs)

    def test_looks_before_it_takes(self):
        self.must("docker volume create old_postgres_data && docker volume create old2_qdrant_data")
        image = self.env("PANDORA_IMAGE_POSTGRES")
        write = f"docker run --rm --user 0:0 --entrypoint sh -v {{0}}:/v {image} -c '{{1}}'"
        self.must(write.format("old_postgres_data", "echo 15 > /v/PG_VERSION"))
        refused = self.sh("pandora init --yes --adopt old")
        self.assertEqual(refused.returncode, 12, refused.stderr)
        self.assertIn("PostgreSQL 15", refused.stderr)
        self.must(write.format("old2_qdrant_data", "echo > /v/holiday.jpg"))
        refused = self.sh("pandora init --yes --adopt old2")
        self.assertEqual(refused.returncode, 11, refused.stderr)
        self.assertEqual(self.env("PANDORA_VOLUME_POSTGRES_DATA"), "pandora_postgres_data")
        self.must("docker volume rm old_postgres_data old2_qdrant_data")


if __name__ == "__main__":
    unittest.main()
