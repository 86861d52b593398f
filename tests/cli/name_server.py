"""A server of names for tests of the program: every name means 127.0.0.1, until it is told to say nothing. For root, in a mount namespace of its own."""
import os
import socket
import subprocess
import sys
import tempfile
import threading

WITHIN = "PANDORA_TEST_MOUNTS"  # set within the namespace


def enter():
    """Once, before anything else: the rest of the process sees an /etc/resolv.conf of its own. Where that cannot be, it goes on without."""
    if WITHIN in os.environ or os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return
    os.environ[WITHIN] = "1"
    os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])


def can_be():
    return WITHIN in os.environ


class NameServer:
    def __init__(self):
        # The resolver asks port 53 only; 127.0.0.0/8 has addresses enough for all tests that run.
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        process = os.getpid()
        self.address = f"127.53.{process // 250 % 250 + 1}.{process % 250 + 1}"
        self.socket.bind((self.address, 53))
        self.hangs, self.asked = False, 0
        # So long that nobody takes it for an answer in time.
        with tempfile.NamedTemporaryFile("w", prefix="pandora-resolv-", encoding="ascii") as file:
            file.write(f"nameserver {self.address}\noptions timeout:30 attempts:5\n")
            file.flush()
            subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
        self.thread = threading.Thread(target=self.answer, daemon=True)
        self.thread.start()

    def answer(self):
        while True:
            query, whom = self.socket.recvfrom(512)
            if not query:
                return self.socket.close()
            self.asked += 1
            if self.hangs:
                continue
            end = query.index(b"\0", 12) + 5  # of the question: a name, its type and class
            is_v4 = query[end - 4:end - 2] == b"\0\1"
            found = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if is_v4 else b""
            self.socket.sendto(query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_v4 else b"\0\0") + b"\0\0\0\0" + query[12:end] + found, whom)

    def close(self):
        subprocess.run(["umount", "/etc/resolv.conf"], check=True)
        self.socket.sendto(b"", (self.address, 53))
        self.thread.join()
