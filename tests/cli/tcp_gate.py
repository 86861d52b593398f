"""A gate between the program and a server on 127.0.0.1: passes everything on until it is told to hold it back, to be slow, or to cut."""
import contextlib
import socket
import struct
import threading

FEW_BYTES, PAUSE = 16, 0.001  # of a slow one, each way


class TcpGate:
    def __init__(self, server):
        self.server, self.slow, self.ends, self.pairs = server, False, False, []
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def hold(self):
        """Both ways; connections stay open, and new ones are accepted."""
        self.open.clear()

    def release(self):
        self.slow = False
        self.open.set()

    def cut(self):
        """Resets every connection."""
        for pair in list(self.pairs):
            for one in pair:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.ends = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.release()
        self.cut()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.server))
            except OSError:
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(near, far), daemon=True).start()

    def serve(self, *pair):
        self.pairs.append(pair)
        back = threading.Thread(target=self.pass_on, args=pair[::-1], daemon=True)
        back.start()
        self.pass_on(*pair)
        back.join()
        self.pairs.remove(pair)
        for one in pair:
            one.close()

    def pass_on(self, from_, to):
        with contextlib.suppress(OSError):
            while True:
                self.open.wait()
                piece = from_.recv(FEW_BYTES if self.slow else 65536)
                if not piece or self.ends:
                    break
                self.open.wait()
                to.sendall(piece)
                if self.slow:
                    threading.Event().wait(PAUSE)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)
