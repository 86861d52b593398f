"""A real PostgreSQL for tests of the program: a cluster of its own, on 127.0.0.1 and a Unix socket. Ends with the test."""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = os.environ.get("PANDORA_POSTGRES_15") or "/usr/lib/postgresql/15/bin"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class PostgresServer:
    def __init__(self, *settings, password="right"):
        self.folder = tempfile.mkdtemp(prefix="pandora-pg-")
        self.settings, self.password, self.port, self.process = settings, password, None, None
        self.pool = None
        self.user = None  # the server refuses root
        if os.geteuid() == 0:
            self.user = next(name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()})
            shutil.chown(self.folder, self.user)
        self.run(["initdb", "--pgdata", self.data, "--username", "owner", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--no-locale"])
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="ascii") as rules:
            rules.write("local all owner trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.start()
        self.sql(f"CREATE ROLE pandora LOGIN PASSWORD '{password}'", "CREATE DATABASE pandora OWNER pandora TEMPLATE template0")

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def environment(self, port=None):
        return {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(port or self.port), "POSTGRES_PASSWORD": self.password, "PANDORA_ROWS_STORE": "postgres"}

    def run(self, command):
        subprocess.run([os.path.join(PROGRAMS, command[0]), *command[1:]], user=self.user, cwd="/", check=True, capture_output=True, extra_groups=[] if self.user else None)

    def start(self):
        self.port = self.port or free_port()  # as late as can be: nobody else is to take it
        command = [os.path.join(PROGRAMS, "postgres"), "-D", self.data, "-k", self.folder, "-p", str(self.port), "-h", "127.0.0.1", "-c", "fsync=off"]
        for setting in self.settings:
            command += ["-c", setting]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(command, user=self.user, cwd="/", stdout=log, stderr=log, start_new_session=True, extra_groups=[] if self.user else None)
        end = time.monotonic() + 120
        while subprocess.run([os.path.join(PROGRAMS, "pg_isready"), "-q", "-h", self.folder, "-p", str(self.port)], check=False).returncode != 0:
            if time.monotonic() > end:
                raise RuntimeError(open(os.path.join(self.folder, "log"), encoding="utf-8").read())
            time.sleep(0.02)

    def stop(self, how=signal.SIGQUIT):
        """SIGQUIT: at once, in the middle of whatever it does."""
        self.process.send_signal(how)
        self.process.wait()

    def family(self):
        """The server and what it forked."""
        ids = [self.process.pid]
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
            except OSError:
                continue
            if int(text[text.rindex(")") + 1:].split()[1]) == self.process.pid:
                ids.append(int(path.split("/")[2]))
        return ids

    def signal_all(self, number):
        for one in self.family():
            with contextlib.suppress(ProcessLookupError):  # one that ended meanwhile
                os.kill(one, number)

    def hang(self):
        self.signal_all(signal.SIGSTOP)

    def wake(self):
        self.signal_all(signal.SIGCONT)

    def sql(self, *statements, database="postgres"):
        """By a superuser; what the last one gives, as text."""
        for statement in statements:
            done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-h", self.folder, "-p", str(self.port), "-d", database, "-c", statement],
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def pool_transactions(self):
        """A pgbouncer that lends a session for one transaction; its port."""
        port = free_port()
        users, settings = os.path.join(self.folder, "users"), os.path.join(self.folder, "pool.ini")
        with open(users, "w", encoding="ascii") as file:
            file.write(f'"pandora" "{self.password}"\n')
        with open(settings, "w", encoding="ascii") as file:
            file.write(f"[databases]\npandora = host=127.0.0.1 port={self.port} user=pandora password={self.password}\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
                       f"listen_port={port}\nauth_type=plain\nauth_file={users}\npool_mode=transaction\ndefault_pool_size=3\nunix_socket_dir=\n")
        with open(os.path.join(self.folder, "pool.log"), "ab") as log:
            self.pool = subprocess.Popen([shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"), settings], user=self.user, cwd="/", stdout=log, stderr=log, extra_groups=[] if self.user else None)
        end = time.monotonic() + 120
        while not answers(port):
            if time.monotonic() > end:
                raise RuntimeError("pgbouncer did not start")
            time.sleep(0.02)
        return port

    def close(self):
        if self.pool:
            self.pool.kill()
            self.pool.wait()
        if self.process.poll() is None:
            self.wake()
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
