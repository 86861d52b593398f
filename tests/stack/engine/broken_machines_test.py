"""Broken machines, each made for real: `pandora doctor` names the cause, and its remedy, typed as printed, makes it good.

Each class has an Engine of its own: what one breaks is no other's."""
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

from doctor_case import ENGINE, PROGRAM, StackCase
from stack_case import has_ended


class BrokenWhileItRuns(StackCase):
    profiles = "cache"

    def setUp(self):
        self.up()

    def test_01_nothing_is_wrong_at_first(self):
        self.assert_clean()

    def test_a_paused_store(self):
        self.must("docker pause pandora-redis-1")
        self.heal(self.complaint("containers", "redis is paused"))

    def test_a_stopped_store(self):
        self.must("docker stop pandora-redis-1")
        self.heal(self.complaint("containers", "redis does not run", "exited"))

    def test_the_same_with_compose_1(self):
        old = {"DOCKER_CONFIG": os.environ["PANDORA_COMPOSE_1"]}
        self.must("docker stop pandora-redis-1")
        check = self.complaint("containers", "redis does not run", **old)
        self.assertTrue(check["command"].startswith("docker-compose up"), check)
        # A container of Compose 2 has another name for Compose 1, which then makes it anew.
        self.heal(check, **old)
        self.must("docker compose up -d --force-recreate redis")

    def test_an_image_that_is_not_pinned(self):
        self.edit(".env", self.env("PANDORA_IMAGE_REDIS"), "redis:latest")
        self.heal(self.complaint("images", "PANDORA_IMAGE_REDIS is redis:latest"))

    def test_an_image_that_is_not_there(self):
        image = self.env("PANDORA_IMAGE_REDIS")
        self.edit(".env", image, "redis:0.0.1")
        check = self.complaint("images", "redis:0.0.1 of redis is not on this machine")
        self.assertEqual(check["command"], "docker compose pull redis")  # there is no way to a registry here
        self.edit(".env", "redis:0.0.1", image)

    def test_a_store_that_other_machines_reach(self):
        self.edit("compose.dev.yaml", '"127.0.0.1:${PANDORA_PORT_POSTGRES', '"${PANDORA_PORT_POSTGRES')
        self.must("docker compose up -d")
        check = self.complaint("ports", "postgres listens on 0.0.0.0:5432", "firewall")
        self.heal(check)

    def test_a_port_that_a_firewall_seems_to_hold(self):
        """A service of the user's own, published for all, behind rules that drop what comes in."""
        self.must("iptables -A INPUT -i lo -j ACCEPT && iptables -P INPUT DROP")
        self.addCleanup(self.must, "iptables -P INPUT ACCEPT && iptables -D INPUT -i lo -j ACCEPT")
        own = self.folder / "compose.own.yaml"
        own.write_text(f"services:\n  own:\n    image: {self.env('PANDORA_IMAGE_REDIS')}\n    ports: ['7777:6379']\n"
                       "    restart: unless-stopped\n    logging: {driver: json-file, options: {max-size: 1m}}\n")
        before = self.env("COMPOSE_FILE")
        self.edit(".env", before, before + ":compose.own.yaml")
        self.must("docker compose up -d own")
        check = self.complaint("ports", "own listens on 0.0.0.0:7777", "although the chain", "drops what no rule lets in", "passes by it")
        self.assertIn("127.0.0.1", check["remedy"])
        self.must("docker compose rm -sf own")
        self.edit(".env", before + ":compose.own.yaml", before)
        own.unlink()

    def test_a_secret_that_is_lost(self):
        self.secret("postgres_password").unlink()
        self.heal(self.complaint("secrets", "postgres_password is not there"))
        self.assertTrue(self.logs_in(self.secret("postgres_password").read_text()))

    def test_a_secret_that_a_container_cannot_read(self):
        self.secret("qdrant_api_key").chmod(0o400)
        self.heal(self.complaint("secrets", "qdrant_api_key is for its owner alone"))

    def test_secrets_that_others_can_read(self):
        self.secret("").chmod(0o755)
        self.heal(self.complaint("secrets", "can be entered by others"))

    def test_a_log_without_a_bound(self):
        self.edit("compose.yaml", "    logging: *logging\n", "")
        self.must("docker compose up -d redis")
        self.heal(self.complaint("containers", "the log of redis grows without a bound"))

    def test_a_store_that_stays_down_after_a_crash(self):
        self.edit("compose.yaml", "    restart: unless-stopped\n", "")
        self.must("docker compose up -d redis")
        self.heal(self.complaint("containers", "redis is not started again after a crash"))

    def test_an_internal_network(self):
        with open(self.folder / "compose.dev.yaml", "a") as overlay:
            overlay.write("\nnetworks:\n  default:\n    internal: true\n")
        self.must("docker compose down && docker compose up -d")
        self.heal(self.complaint("networks", "pandora_default is internal"))

    def test_a_password_that_is_not_the_volumes(self):
        self.secret("postgres_password").chmod(0o600)
        self.secret("postgres_password").write_text("not the one that it was made with")
        self.secret("postgres_password").chmod(0o444)
        self.heal(self.complaint("passwords", "postgres is healthy, but does not take the password"))
        self.assertTrue(self.logs_in(self.secret("postgres_password").read_text()))

    def test_a_key_that_is_not_the_servers(self):
        self.secret("qdrant_api_key").unlink()
        self.secret("qdrant_api_key").write_text("0123456789abcdef")
        self.secret("qdrant_api_key").chmod(0o444)
        self.heal(self.complaint("passwords", "vectordb is healthy, but does not take"))

    def test_a_password_that_is_not_of_redis_users(self):
        self.secret("redis_password").unlink()
        self.secret("redis_password").write_text("0123456789abcdef")
        self.secret("redis_password").chmod(0o444)
        self.heal(self.complaint("passwords", "redis is healthy, but does not take"))

    def test_the_default_password(self):
        self.sql("alter role pandora password 'pandora'")
        self.assertTrue(self.logs_in("pandora"))
        self.heal(self.complaint("passwords", "postgres takes the default password"))
        self.assertFalse(self.logs_in("pandora"))

    def test_a_container_that_keeps_restarting(self):
        self.edit("compose.dev.yaml", "  postgres:\n", "  postgres:\n    command: [postgres, -c, no_such_setting=1]\n")
        self.must("docker compose up -d postgres")
        check = self.complaint("containers", "postgres keeps restarting", "no_such_setting")
        self.heal(check)

    def test_a_limit_that_is_too_low(self):
        self.edit("compose.dev.yaml", "  redis:\n", "  redis:\n    deploy:\n      resources:\n        limits:\n          memory: 24M\n")
        self.must("docker compose up -d --wait redis")
        client = (f"docker run -i --rm --network host -e REDISCLI_AUTH={self.secret('redis_password').read_text()} --entrypoint redis-cli "
                  f"{self.env('PANDORA_IMAGE_REDIS')} -p {self.env('PANDORA_PORT_REDIS')} --user pandora")
        self.sh(f"head -c 60000000 /dev/zero | {client} -x set k")
        self.heal(self.complaint("containers", "redis was ended because it wanted more memory"))

    def test_a_volume_of_the_wrong_user(self):
        image = self.env("PANDORA_IMAGE_POSTGRES")
        self.must("docker stop pandora-postgres-1")
        self.must(f"docker run --rm --user 0:0 --entrypoint chown -v pandora_postgres_data:/v {image} -R 1000:1000 /v")
        self.must("docker start pandora-postgres-1")
        check = self.complaint("volumes", "pandora_postgres_data belongs to user 1000", "postgres runs as user 999")
        self.heal(check)
        self.up()
        self.assertEqual(self.sql("select 1"), "1")

    def test_compose_files_that_cannot_be_read(self):
        (self.folder / "compose.yaml").write_text("services: [\n")
        self.heal(self.complaint("files", "compose.yaml"))

    def test_an_env_that_lacks_a_part(self):
        self.edit(".env", "COMPOSE_FILE=compose.yaml:compose.dev.yaml\n", "")
        self.heal(self.complaint("files", ".env lacks a part"))

    def test_clocks_that_differ(self):
        check = self.complaint("clocks", "s apart", prefix="faketime -f +1h ")
        self.assertIn("timedatectl set-ntp true", check["command"])  # nobody sets the clock of the machine that tests
        self.assertEqual([c for c in self.complaints() if c["check"] == "clocks"], [])


class BrokenBeforeItRuns(StackCase):
    def setUp(self):
        self.must("docker compose down")

    def tearDown(self):
        self.assert_clean()

    def test_a_port_that_a_process_has(self):
        port = int(self.env("PANDORA_PORT_POSTGRES"))
        server = socket.create_server(("127.0.0.1", port))
        self.addCleanup(server.close)
        self.heal(self.complaint("ports", f"{port}, which postgres needs, is taken by process {os.getpid()}"))
        self.assertNotEqual(int(self.env("PANDORA_PORT_POSTGRES")), port)
        self.up()

    def test_a_port_that_a_container_has(self):
        port, image = self.env("PANDORA_PORT_VECTORDB"), self.env("PANDORA_IMAGE_REDIS")
        self.must(f"docker run -d --rm --name other -p 127.0.0.1:{port}:6379 {image}")
        check = self.complaint("ports", "which vectordb needs, is taken by the container other")
        self.assertEqual(check["command"], "docker stop other")
        self.heal(check)

    def test_less_memory_than_the_limits(self):
        self.must("pandora init --production --yes")
        self.edit("compose.prod.yaml", "memory: 4G", "memory: 400000G")
        self.heal(self.complaint("memory", "the services may use"))

    def test_volumes_of_an_instance_whose_folders_were_lost(self):
        self.up()
        self.sql("create table kept as select 42 as x")
        self.must("docker compose down && rm -r .env ../.config && pandora init --yes")
        check = self.complaint("volumes", "pandora_postgres_data is marked as the volume of instance")
        self.heal(check)
        self.up()
        self.assertEqual(self.sql("select x from kept"), "42")
        self.heal(self.complaint("passwords", "postgres is healthy, but does not take"))
        # And one that was taken over, and is gone.
        self.must("docker compose down && docker volume rm pandora_qdrant_data")
        self.heal(self.complaint("volumes", "pandora_qdrant_data, which was taken over, is not there any more"))
        self.up()


class BrokenDisk(StackCase):
    def test_a_volume_that_is_full(self):
        self.must("docker volume rm -f pandora_postgres_data")
        label = f"--label pandora.instance={self.env('PANDORA_INSTANCE')} --label com.docker.compose.project=pandora"
        # A disk of its own; that of a volume of type tmpfs would be empty again after each `down`.
        disk = self.home / "disk"
        self.must(f"mkdir {disk} && mount -t tmpfs -o size=100m,uid=999,gid=999,mode=700 tmpfs {disk}")
        self.must(f"docker volume create {label} -o type=none -o o=bind -o device={disk} pandora_postgres_data")
        image = self.env("PANDORA_IMAGE_POSTGRES")
        self.up()
        self.sql("create table kept as select 42 as x")
        self.must(f"docker run --rm --user 999:999 --entrypoint sh -v pandora_postgres_data:/v {image} -c "
                  "'dd if=/dev/zero of=/v/ballast bs=1M || true'")
        self.heal(self.complaint("volumes", "pandora_postgres_data is nearly full"))
        self.up()
        self.assertEqual(self.sql("select x from kept"), "42")
        self.must("docker compose down && pandora volumes remove pandora_postgres_data --yes pandora --no-backup")
        self.assert_clean()


class BrokenDocker(StackCase):
    def stop_engine(self):
        pid = int((ENGINE / "docker.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: has_ended(pid))

    def test_a_daemon_that_died(self):
        self.stop_engine()
        check = self.complaint("docker")
        self.assertIn("systemctl restart docker", check["command"])
        self.heal(check)

    def test_a_daemon_that_was_never_started(self):
        self.stop_engine()
        (ENGINE / "docker.sock").unlink()
        check = self.complaint("docker", "no Docker Engine at")
        self.assertIn("systemctl start docker", check["command"])
        self.heal(check)

    def test_a_socket_that_is_not_for_this_user(self):
        # A copy of /etc, in the namespace's own mounts: a user and a group are made, and changed, for real.
        self.must("cp -a /etc ../etc && mount --bind ../etc /etc && useradd --system tester && (getent group docker || groupadd docker)")
        self.addCleanup(self.must, "umount /etc")
        theirs = ENGINE / "tester"
        self.must(f"chmod 755 {ENGINE} && chgrp docker {ENGINE}/docker.sock && chmod 660 {ENGINE}/docker.sock && "
                  f"mkdir {theirs} && cp .env compose*.yaml {theirs} && cp {PROGRAM} {theirs}/pandora && chown -R tester {theirs}")
        # A login: with the groups that the user has at that moment.
        login = (f"cd {theirs} && setpriv --reuid tester --regid tester --init-groups env HOME={theirs} PANDORA_DATA={theirs}/data "
                 f"PATH={theirs}:$PATH ")
        check = self.complaint("docker", "this user may not speak to the Docker Engine", prefix=login)
        self.assertEqual(check["command"], 'sudo usermod -aG docker "$(id -un)"')
        self.must(check["command"].replace("$(id -un)", "tester"))  # typed by the user; the shim is no sudo
        self.assertEqual([c for c in self.complaints(prefix=login) if c["check"] == "docker"], [])

    def on_a_small_disk(self, options, ballast, words):
        """A second Engine, whose disk is small and full of an image that nothing names."""
        with subprocess.Popen(["bash", "-c", f"""
            set -e
            mkdir -p {self.home}/small && mount -t tmpfs -o {options} tmpfs {self.home}/small
            exec unshare --net dockerd --containerd {ENGINE}/containerd.sock --data-root {self.home}/small --exec-root {self.home}/small-exec \\
              --pidfile {self.home}/small.pid --host unix://{self.home}/small.sock --bridge none --iptables=false >{self.home}/small.log 2>&1
            """]) as engine:
            try:
                there = {"DOCKER_HOST": f"unix://{self.home}/small.sock"}
                end = time.monotonic() + 60
                while self.sh("docker version", **there).returncode != 0:
                    self.assertLess(time.monotonic(), end, (self.home / "small.log").read_text())
                self.must(f"mkdir ballast && cd ballast && {ballast} && tar c . | docker import - >/dev/null && cd .. && rm -r ballast", **there)
                check = self.complaint("docker's disk", *words, **there)
                self.assertEqual(check["command"], "docker image prune -f")
                self.must(check["command"], **there)
                self.assertEqual([c for c in self.complaints(**there) if c["check"] == "docker's disk"], [])
            finally:
                engine.terminate()
                engine.wait()
                self.must(f"umount {self.home}/small")

    def test_a_disk_that_is_nearly_full(self):
        # Memory stands in for the disk; what is written to it is little.
        self.on_a_small_disk("size=1150m", "dd if=/dev/zero of=b bs=1M count=200 status=none", ["MB are free"])

    def test_a_disk_that_takes_no_more_files(self):
        self.on_a_small_disk("size=1500m,nr_inodes=14000", "touch $(seq -f f%g 6000)", ["more files can be made"])


class NoDocker(StackCase):
    """What is named, and cannot be installed here."""

    def hide(self, program):
        path = self.must(f"command -v {program}").strip()
        self.must(f"mount --bind /dev/null {path}")
        self.addCleanup(self.must, f"umount {path}")

    def test_no_compose_at_all(self):
        self.hide("docker-compose")
        check = self.complaint("compose", DOCKER_CONFIG=os.environ["PANDORA_COMPOSE_1"])
        self.assertTrue(check["command"].endswith("apt-get install -y docker-compose"))
        self.must("apt-get install --simulate -y docker-compose")

    def test_a_compose_that_is_too_old(self):
        self.shim("docker-compose", "echo 1.25.0")
        self.addCleanup((self.shims / "docker-compose").unlink)
        check = self.complaint("compose", "1.25.0 is too old", DOCKER_CONFIG=os.environ["PANDORA_COMPOSE_1"])
        self.assertTrue(check["command"].endswith("apt-get install -y docker-compose"))

    def test_no_docker_at_all(self):
        self.hide("dockerd")
        check = self.complaint("docker", DOCKER_HOST=f"unix://{self.home}/nothing.sock")
        self.assertTrue(check["command"].endswith("apt-get install -y docker.io"), check)


if __name__ == "__main__":
    unittest.main()
