"""Commands about an instance's volumes, beside an Engine that is none: what they ask of it, and what they leave alone."""
import json
import pathlib
import subprocess
import unittest

from fake_engine import FakeEngine
from pandora_case import PandoraCase


class VolumesCase(PandoraCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.home, "instance")
        self.json("init", "--dir", str(self.folder))
        socket = f"{self.home}/docker.sock"
        pathlib.Path(self.home, "volumes").mkdir()
        self.engine = FakeEngine(socket, pathlib.Path(self.home, "volumes"))
        self.addCleanup(self.engine.close)
        self.environment["DOCKER_HOST"] = f"unix://{socket}"

    def in_folder(self, *arguments, **options):
        return self.run_pandora(*arguments, "--dir", str(self.folder), **options)

    def env(self, name):
        lines = (self.folder / ".env").read_text().splitlines()
        return next((line.partition("=")[2] for line in lines if line.startswith(name + "=")), None)


class Reset(VolumesCase):
    def test_a_volume_without_a_name_is_left_where_it_is(self):
        self.engine.add_container("pandora-mine-1", "mine", volumes=["0f3a" * 16])
        for command in (["reset"], ["down", "--volumes"]):
            self.in_folder(*command, "--no-backup", "--yes", "pandora")
        removed = [asked for asked in self.engine.asked if asked.startswith("DELETE /containers/")]
        self.assertEqual(removed, ["DELETE /containers/id-pandora-mine-1?force=1"])


class Status(VolumesCase):
    def test_a_process_that_nobody_looks_after_is_not_well(self):
        # Containers that are all ready: of services that this program knows no store of.
        for service in ("vectordb", "postgres"):
            env = self.folder / ".env"
            env.write_text("\n".join(f"PANDORA_PORT_{service.upper()}=" if line.startswith(f"PANDORA_PORT_{service.upper()}=") else line
                                     for line in env.read_text().splitlines()) + "\n")
            self.engine.add_container(f"pandora-{service}-1", service)
        self.in_folder("status")
        mark = "0190b3a2-0000-7000-8000-000000000001"
        left = subprocess.Popen(["sleep", "1000"], env={**self.environment, "PANDORA_HOST_PROCESS": mark})
        self.addCleanup(left.wait)
        self.addCleanup(left.kill)
        host = pathlib.Path(self.data, "host")
        host.mkdir(parents=True)
        (host / "gateway.pid").write_text(json.dumps({"version": 1, "mark": mark, "pid": 0, "start_ticks": 0, "boot_id": "",
                                                      "fingerprint": "", "restarts": 0}))
        shown = self.in_folder("status", "--json", code=8)
        self.assertEqual(json.loads(shown.stdout)["processes"][0]["state"], "left")


if __name__ == "__main__":
    unittest.main()
