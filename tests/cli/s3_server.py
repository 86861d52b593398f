"""A real S3 server (versitygw) for tests of the program, on a port of 127.0.0.1. Ends with the test."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from postgres_server import answers, free_port

CACHE = os.environ.get("PANDORA_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pandora")
PROGRAM = os.environ.get("PANDORA_S3_SERVER") or os.path.join(CACHE, "images/programs/versitygw")
BUCKET = "pandora"


def is_here():
    """tests/images/fetch_programs builds it, where there is a Go."""
    return os.path.exists(PROGRAM)


class S3Server:
    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp(prefix="pandora-s3-")
        os.mkdir(os.path.join(self.folder, BUCKET))
        self.arguments, self.port, self.process = arguments, free_port(), None
        self.start()

    def environment(self):
        return {"S3_ENDPOINT": f"http://127.0.0.1:{self.port}", "AWS_ACCESS_KEY_ID": "pandora", "AWS_SECRET_ACCESS_KEY": "right", "PANDORA_OBJECTS_STORE": "s3"}

    def path(self, key=""):
        return os.path.join(self.folder, BUCKET, "objects", key)

    def start(self):
        with open(os.path.join(os.path.dirname(self.folder), os.path.basename(self.folder) + ".log"), "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "--access", "pandora", "--secret", "right", "--port", f"127.0.0.1:{self.port}", *self.arguments, "posix", self.folder],
                                            stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not answers(self.port):
            if time.monotonic() > end:
                raise RuntimeError(open(self.folder + ".log", encoding="utf-8").read())
            time.sleep(0.02)

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.unlink(self.folder + ".log")
