#!/usr/bin/env python3
"""A host process that behaves, or misbehaves, as it is told: host_program.py BEHAVIOUR [PORT] [MORE]."""
import json
import os
import signal
import socket
import subprocess
import sys
import time


def answer(path, model):
    if path.startswith("/health"):
        return 200, "ok"
    if path == "/v1/models":
        return 200, json.dumps({"object": "list", "data": [{"id": model}]})
    if path == "/v1/chat/completions":
        return 200, json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}]})
    return 404, "not here"


def serve(port, sick_while=None, model="tiny"):
    """Until SIGTERM; answers 503 as long as that file is there."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    print("listens", flush=True)
    while True:
        peer, _ = server.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            got = peer.recv(65536)
            if not got:
                break
            head += got
        if head:
            status, body = answer(head.split()[1].decode(), model)
            if sick_while and os.path.exists(sick_while):
                status, body = 503, "still loading"
            peer.sendall(f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        peer.close()


def main():
    behaviour, more = sys.argv[1], sys.argv[2:]
    port = int(more[0]) if more else 0
    if behaviour != "deaf":
        signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", flush=True), os._exit(0)))
    if behaviour == "serves":
        serve(port)
    elif behaviour == "serves-model":
        serve(port, model=more[1])
    elif behaviour == "sick-while":
        serve(port, more[1])
    elif behaviour == "crashes":
        print("the settings are wrong: no such file", flush=True)
        print("password=hunter2", file=sys.stderr, flush=True)
        os._exit(3)
    elif behaviour == "runs":
        print("runs", flush=True)
        signal.pause()
    elif behaviour == "ends-slowly":
        signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", flush=True), time.sleep(1), print("ended in peace", flush=True), os._exit(0)))
        serve(port)
    elif behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve(port)
    elif behaviour == "forks":  # a child that minds nothing, in another session; its pid goes into a file
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        with open(more[1], "w") as file:
            file.write(str(child.pid))
        serve(port)
    elif behaviour == "leaves":  # likewise, in its session, and with nothing in its environment
        child = subprocess.Popen(["/bin/sleep", "1000"], env={})
        with open(more[1], "w") as file:
            file.write(str(child.pid))
        serve(port)
    elif behaviour == "daemon":
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                serve(port)
            os._exit(0)
        os._exit(0)
    elif behaviour == "floods":  # as many lines as it is told, then it waits
        for number in range(int(more[1])):
            print(f"line {number:08} " + "x" * 80)
        print("that was all", flush=True)
        serve(port)
    elif behaviour == "waits-for":  # comes late: when that file is there
        while not os.path.exists(more[1]):
            time.sleep(0.01)
        serve(port)


main()
