"""A TCP gate that stalls, slices and cuts what passes, both ways; before a port, or before a model server of its own. Prints its port.

bad_road.py SEED [PORT]: what happens to a connection is drawn from the seed and its number; "calm": nothing does, it is the model server
alone. The model server answers each chat with
"heard: " and the user's last message, streamed in pieces when it is asked to stream; where it is offered tools it calls one first, for
every message whose number can be divided by TOOL_EVERY.
"""
import asyncio
import json
import random
import sys

PIECES = 8
TOOL_EVERY = 3
TOOLS = (("calculate", '{"expression":"17*4"}'), ("memory_search", '{"query":"the key that fits the door"}'))
STALLS = (0.05, 0.2, 0.6, 1.6)  # seconds; the longest is longer than Pandora's patience in the driver
CALM, SLICED, STALLED, CUT = "calm", "sliced", "stalled", "cut"


def chunk(delta, finish=None):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "road", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def tool_call(asked):
    """The tool that is called before the answer, if any: of a message that no tool has answered yet."""
    last = asked["messages"][-1]
    words = last.get("content") or ""
    if not asked.get("tools") or last["role"] != "user" or not words.startswith("Note number "):
        return None
    number = int(words.split()[2])
    if number % TOOL_EVERY:
        return None
    name, arguments = TOOLS[number // TOOL_EVERY % len(TOOLS)]
    return [{"index": 0, "id": f"call-{number}", "type": "function", "function": {"name": name, "arguments": arguments}}]


def event(data):
    raw = f"data: {data if isinstance(data, str) else json.dumps(data, separators=(',', ':'))}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(raw), raw)


async def serve(reader, writer):
    """The model server: one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if head.startswith("GET"):
                answer = json.dumps({"object": "list", "data": [{"id": "road"}]}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
            else:
                asked = json.loads(body)
                text = "heard: " + next(message["content"] for message in reversed(asked["messages"]) if message["role"] == "user")
                calls = tool_call(asked)
                if asked.get("stream"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                    size = -(-len(text) // PIECES)
                    for delta in [{"tool_calls": calls}] if calls else [{"content": text[at:at + size]} for at in range(0, len(text), size)]:
                        writer.write(event(chunk(delta)))
                        await writer.drain()
                    writer.write(event(chunk({}, "tool_calls" if calls else "stop")) + event("[DONE]") + b"0\r\n\r\n")
                else:
                    answer = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "road",
                                         "choices": [{"index": 0, "message": {"role": "assistant", "content": None if calls else text, **({"tool_calls": calls} if calls else {})},
                                                      "finish_reason": "tool_calls" if calls else "stop"}],
                                         "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


class Gate:
    def __init__(self, seed, port):
        self.seed, self.port, self.count = seed, port, 0

    async def pass_on(self, reader, writer, chance, ends):
        """One direction; what is done to each piece is drawn anew."""
        try:
            while data := await reader.read(65536):
                what = chance.choices((CALM, SLICED, STALLED, CUT), (80, 15, 3, 2))[0]
                if what == CUT:
                    writer.write(data[:chance.randrange(len(data))])
                    await writer.drain()
                    return ends(abruptly=chance.random() < 0.5)
                if what == STALLED:
                    at = chance.randrange(len(data))
                    writer.write(data[:at])
                    await writer.drain()
                    await asyncio.sleep(chance.choice(STALLS))
                    data = data[at:]
                if what == SLICED:
                    while len(data) > 1:
                        at = chance.randint(1, min(40, len(data) - 1))
                        writer.write(data[:at])
                        await writer.drain()
                        await asyncio.sleep(0)
                        data = data[at:]
                writer.write(data)
                await writer.drain()
            ends()
        except ConnectionError:
            ends()

    async def meet(self, reader, writer):
        self.count += 1
        chance = random.Random(f"{self.seed} {self.count}")
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)

        def ends(abruptly=False):
            for one in (writer, far_writer):
                one.transport.abort() if abruptly else one.close()

        await asyncio.gather(self.pass_on(reader, far_writer, chance, ends), self.pass_on(far_reader, writer, chance, ends))


async def main():
    if len(sys.argv) > 2:
        port = int(sys.argv[2])
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
    if sys.argv[1] == "calm":
        print(port, flush=True)
        return await asyncio.Event().wait()
    gate = Gate(sys.argv[1], port)
    outside = await asyncio.start_server(gate.meet, "127.0.0.1", 0)
    print(outside.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
