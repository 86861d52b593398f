"""A Docker Engine that keeps nothing but lists: for what a real one would be too slow for, or would have to be killed for."""
import http.server
import json
import os
import pathlib
import socketserver
import struct
import subprocess
import threading


class FakeEngine:
    """Containers, volumes and networks as the API lists them; what was asked; one-offs are run here, on folders for volumes."""

    def __init__(self, socket, folder):
        self.containers, self.volumes, self.networks, self.asked = [], [], [], []
        self.folder = pathlib.Path(folder)
        self.instead_of_one_off = lambda wanted: None  # the code it ends with; may take long. None: it runs
        self.one_offs, self.ended, self.missing_images = {}, {}, set()
        engine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, said = engine.answer(self.command, self.path, body)
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = answer

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that was killed
                pass

        self.server = Server(socket, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add_volume(self, name, **labels):
        (self.folder / name).mkdir()
        self.volumes.append({"Name": name, "Labels": labels, "CreatedAt": "2026-01-01T00:00:00Z"})
        return self.folder / name

    def add_container(self, name, service, project="pandora", state="running", volumes=(), image="image"):
        self.containers.append({"Id": "id-" + name, "Names": ["/" + name], "Image": image, "ImageID": "sha256:1", "State": state,
                                "Labels": {"com.docker.compose.project": project, "com.docker.compose.service": service},
                                "Mounts": [{"Type": "volume", "Name": volume} for volume in volumes], "Ports": []})

    def volume_names(self):
        return sorted(volume["Name"] for volume in self.volumes)

    def answer(self, method, path, body):
        self.asked.append(f"{method} {path}")
        path, _, query = path.partition("?")
        parts = path.strip("/").split("/")
        if path == "/version":
            return 200, {"Version": "27.0.0", "ApiVersion": "1.46"}
        if path == "/containers/json":
            return 200, self.containers
        if path == "/volumes":
            return 200, {"Volumes": self.volumes}
        if path == "/networks":
            return 200, self.networks
        if path == "/system/df":
            return 200, {"Volumes": []}
        if parts[0] == "images":
            if not parts[1] or "/".join(parts[1:-1]) in self.missing_images:
                return (404 if parts[1] else 400), {"message": "no such image"}
            return 200, {"Id": "sha256:1"}
        if path == "/volumes/create":
            self.add_volume(body["Name"], **body["Labels"])
            return 201, {}
        if parts[0] == "volumes":
            found = [volume for volume in self.volumes if volume["Name"] == parts[1]]
            if not found:
                return 404, {"message": "no such volume"}
            if method == "DELETE":
                if any(mount["Name"] == parts[1] for container in self.containers for mount in container["Mounts"]):
                    return 409, {"message": "volume is in use"}
                self.volumes.remove(found[0])
                subprocess.run(["rm", "-rf", str(self.folder / parts[1])], check=True)
                return 204, b""
            return 200, found[0]
        if path == "/containers/create":
            name = f"one-off-{len(self.one_offs)}"
            self.one_offs[name] = body
            self.containers.append({"Id": name, "Names": ["/" + name], "Image": body["Image"], "State": "created",
                                    "Labels": body["Labels"], "Ports": [],
                                    "Mounts": [{"Type": "volume", "Name": mount["Source"]} for mount in body["HostConfig"]["Mounts"]]})
            return 201, {"Id": name}
        if parts[0] == "containers" and parts[1] in self.one_offs:
            return self.one_off(parts[1], method, parts[-1])
        if parts[0] == "containers":
            if method == "DELETE":
                self.containers = [one for one in self.containers if one["Id"] != parts[1]]
            return 200 if method == "GET" else 204, {"State": {"Status": "running"}} if method == "GET" else b""
        return 404, {"message": "not here"}

    def one_off(self, name, method, what):
        wanted = self.one_offs[name]
        if method == "DELETE":
            self.containers = [one for one in self.containers if one["Id"] != name]
            return 204, b""
        if what == "start":
            return 204, b""
        if what == "wait":
            code = self.instead_of_one_off(wanted)
            if code is not None:
                self.ended[name] = b""
                return 200, {"StatusCode": code}
            mounts = self.folder / name
            mounts.mkdir()
            for mount in wanted["HostConfig"]["Mounts"]:
                os.symlink(self.folder / mount["Source"], mounts / mount["Target"].rpartition("/")[2])
            script, *arguments = wanted["Cmd"][1:]
            # A volume is a folder, not a link to one, for whoever looks at it.
            script = script.replace("/volumes/", f"{mounts}/").replace("stat ", "stat -L ")
            done = subprocess.run(["sh", "-c", script, *arguments], capture_output=True)
            self.ended[name] = b"".join(struct.pack(">BxxxI", stream, len(said)) + said
                                        for stream, said in ((1, done.stdout), (2, done.stderr)) if said)
            return 200, {"StatusCode": done.returncode}
        if what == "logs":
            return 200, self.ended[name]
        return 200, {}


COMPOSE = """#!/bin/sh
case "$*" in
*version*) echo 2.26.1 ;;
*--hash*) ;;
*" config "*) cat "{model}" ;;
*) echo "DOCKER_HOST=$DOCKER_HOST" ;;
esac
"""


def fake_compose(folder, model):
    """A folder for PATH with a `docker` that knows Compose, and prints that model whatever it is given."""
    folder = pathlib.Path(folder)
    folder.mkdir()
    path = folder / "model.json"
    path.write_text(json.dumps(model))
    (folder / "docker").write_text(COMPOSE.replace("{model}", str(path)))
    (folder / "docker").chmod(0o755)
    return folder
