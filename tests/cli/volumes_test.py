"""Commands about an instance's volumes, beside an Engine that is none: what they ask of it, and what they leave alone."""
import pathlib
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


if __name__ == "__main__":
    unittest.main()
