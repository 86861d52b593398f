"""Each server over TLS: who is trusted is spoken to; an unknown authority, another's name and an expired certificate are named with
what helps, and what was said meanwhile is not lost."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import redis_server
import s3_server
from pandora_case import PandoraCase
from postgres_server import PostgresServer, free_port
from served_case import ServedCase, whole
from served_points_test import Vectors


class Authority:
    """Signs certificates of servers on this machine; ends with the test."""

    def __init__(self, case):
        self.folder = tempfile.mkdtemp(prefix="pandora-tls-")
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)  # a PostgreSQL has a user of its own
        self.file, self.count = self.path("ca.pem"), 0
        self.openssl("req", "-x509", *self.new_key("ca.key"), "-out", self.file, "-days", "30", "-subj", "/CN=authority of a test")

    def path(self, name):
        return os.path.join(self.folder, name)

    def new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(name)]

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def certificate(self, name="DNS:localhost,IP:127.0.0.1", days=30):
        """(certificate, key); of fewer days than none it has expired."""
        self.count += 1
        server = f"server-{self.count}"
        self.openssl("req", *self.new_key(server + ".key"), "-out", self.path(server + ".csr"), "-subj", "/CN=server of a test")
        with open(self.path(server + ".names"), "w", encoding="ascii") as file:
            file.write("subjectAltName=" + name + "\n")
        self.openssl("x509", "-req", "-in", self.path(server + ".csr"), "-CA", self.file, "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", str(days),
                     "-out", self.path(server + ".pem"), "-extfile", self.path(server + ".names"))
        return self.path(server + ".pem"), self.path(server + ".key")


class Encrypted:
    """TLS before a server that speaks none, as a proxy does it. `use` changes the certificate for who comes next."""

    def __init__(self, case, port, certificate):
        self.far, self.context = port, None
        self.use(certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        case.addCleanup(self.listener.close)
        case.addCleanup(self.listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self.accept, daemon=True).start()

    def use(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.context = context

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, plain):
        with contextlib.suppress(OSError), plain, self.context.wrap_socket(plain, server_side=True) as near, socket.create_connection(("127.0.0.1", self.far)) as far:
            back = threading.Thread(target=self.copy, args=(far, near), daemon=True)
            back.start()
            self.copy(near, far)
            back.join()

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while bytes_read := source.recv(65536):
                target.sendall(bytes_read)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class Checked(PandoraCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self)
        self.stranger = Authority(self)

    def found(self, setting, code=0, **environment):
        checks = self.json("config", "--check", code=code, **environment)["checks"]
        return next(one for one in checks if one["setting"] == setting)

    def assert_untrusted(self, setting, remedy, **environment):
        """Refused for its certificate, which is said with the setting that it rests on."""
        refused = self.found(setting, code=8, **environment)
        self.assertFalse(refused["ok"])
        self.assertIn("certificate", refused["found"] + refused["remedy"])
        self.assertIn(remedy, refused["remedy"])


class S3OverTls(Checked):
    def test_who_is_trusted_is_spoken_to_and_nobody_else(self):
        if not s3_server.is_here():
            self.skipTest("no S3 server: run tests/images/fetch_programs")
        for certificate, is_good in ((self.authority.certificate(), True), (self.authority.certificate("DNS:elsewhere"), False), (self.authority.certificate(days=-1), False)):
            server = s3_server.S3Server("--cert", certificate[0], "--key", certificate[1])
            self.addCleanup(server.close)
            self.environment.update(server.environment(), S3_ENDPOINT=f"https://localhost:{server.port}", S3_CA=self.authority.file)
            if is_good:
                self.assertIn("keeps and gives back", self.found("objects.store")["found"])
                self.assert_untrusted("objects.store", "S3_CA", S3_CA=self.stranger.file)
            else:
                self.assert_untrusted("objects.store", "S3_CA")


class PointsOverTls(Checked):
    def test_who_is_trusted_is_spoken_to_and_nobody_else(self):
        vectors = Vectors(self)
        proxy = Encrypted(self, vectors.port, self.authority.certificate())
        self.environment.update(PANDORA_POINTS_STORE="qdrant", QDRANT_URL=f"https://localhost:{proxy.port}", QDRANT_CA=self.authority.file)
        self.assertIn("Qdrant answers", self.found("points.store")["found"])
        self.say("I am allergic to peanuts.")
        self.assertEqual(self.json("turns", "search", "allergic peanuts")["mode"], "hybrid")
        self.assertIn("turns", self.out("vectors", "export", "--from", self.environment["QDRANT_URL"]))
        self.assert_one_clear_line(self.run_pandora("vectors", "export", "--from", self.environment["QDRANT_URL"], code=8, QDRANT_CA=self.stranger.file), "QDRANT_CA")
        self.assert_untrusted("points.store", "QDRANT_CA", QDRANT_CA=self.stranger.file)
        for certificate in (self.authority.certificate("DNS:elsewhere"), self.authority.certificate(days=-1)):
            proxy.use(certificate)
            self.assert_untrusted("points.store", "QDRANT_CA")
        self.assertIn("certificate", self.json("status")["points_error"])
        self.say("I live in Lisbon.")
        proxy.use(self.authority.certificate())
        self.wait_until(lambda: self.json("status")["outbox"] == 0)
        self.assertIn("Lisbon", self.json("turns", "search", "Where do I live")["items"][0]["text"])


class RedisOverTls(Checked):
    def test_who_is_trusted_is_spoken_to_and_nobody_else(self):
        for certificate, is_good in ((self.authority.certificate(), True), (self.authority.certificate("DNS:elsewhere"), False), (self.authority.certificate(days=-1), False)):
            port = free_port()
            server = redis_server.RedisServer(f"tls-port {port}", f"tls-cert-file {certificate[0]}", f"tls-key-file {certificate[1]}", "tls-auth-clients no")
            self.addCleanup(server.close)
            self.environment.update(PANDORA_CACHE_STORE="redis", REDIS_URL=f"rediss://localhost:{port}", REDIS_TLS_CA=self.authority.file)
            if is_good:
                self.assertIn("Redis", self.found("cache.store")["found"])
                self.assert_untrusted("cache.store", "REDIS_TLS_CA", REDIS_TLS_CA=self.stranger.file)
            else:
                self.assert_untrusted("cache.store", "REDIS_TLS_CA")


class PostgresOverTls(Checked, ServedCase):
    def setUp(self):
        super().setUp()
        self.server = PostgresServer()
        self.addCleanup(self.server.close)
        self.environment.update(self.server.environment(), POSTGRES_HOST="localhost", POSTGRES_SSLMODE="verify-full", POSTGRES_SSLROOTCERT=self.authority.file)

    def show(self, certificate):
        """From now on, to who connects."""
        for source, name in zip(certificate, ("server.crt", "server.key")):
            path = os.path.join(self.server.data, name)
            shutil.copyfile(source, path)
            os.chmod(path, 0o600)
            if self.server.user:
                shutil.chown(path, self.server.user)
        self.server.settings = ("ssl=on",)
        self.server.stop(signal.SIGINT)
        self.server.start()

    def test_who_is_trusted_is_spoken_to_and_nobody_else(self):
        self.assert_untrusted("rows.store", "POSTGRES_SSLMODE")  # which speaks no TLS yet
        self.show(self.authority.certificate())
        self.out("db", "migrate")
        self.assertIn("TLSv1", self.found("rows.store")["found"])
        self.assert_untrusted("rows.store", "POSTGRES_SSLROOTCERT", POSTGRES_SSLROOTCERT=self.stranger.file)
        self.show(self.authority.certificate("DNS:elsewhere"))
        self.assert_untrusted("rows.store", "POSTGRES_SSLROOTCERT")
        self.assertIn("TLSv1", self.found("rows.store", POSTGRES_SSLMODE="verify-ca")["found"])
        self.show(self.authority.certificate(days=-1))
        self.assert_untrusted("rows.store", "POSTGRES_SSLROOTCERT")
        self.assert_untrusted("rows.store", "POSTGRES_SSLROOTCERT", POSTGRES_SSLMODE="verify-ca")

    def test_a_certificate_that_expires_under_a_gateway_is_named_and_nothing_said_meanwhile_is_lost(self):
        self.show(self.authority.certificate())
        self.out("db", "migrate")
        self.upstream(*[whole("heard")] * 10)
        self.serve("--log-level", "error")
        self.assertEqual(self.chat("Before.")[0], 200)
        self.show(self.authority.certificate(days=-1))
        self.assertEqual(self.chat("Meanwhile.")[0], 200)
        status, _, ready = self.ask("/health/ready")
        self.assertEqual((status, ready["status"]), (503, "down"))
        self.assertIn("certificate", " ".join(str(one["detail"]) for one in ready["dependencies"]))
        self.show(self.authority.certificate())
        count = "SELECT count(*) FROM pandora.turns"
        self.wait_until(lambda: self.server.sql(count, database="pandora") == "2", 120)


if __name__ == "__main__":
    unittest.main()
