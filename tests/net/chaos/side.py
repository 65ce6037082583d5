"""One side of many rough connections:

    python3 -m chaos.side client KIND SEED FIRST COUNT STEP V4-ADDRESS V6-ADDRESS
    python3 -m chaos.side server KIND SEED FIRST COUNT STEP

does the connections FIRST, FIRST+STEP, ... of that seed. The server says `listening`, and ends, when
asked by SIGTERM, as soon as what it has accepted is over. For each connection a line of JSON:

    index, result, sent, received, ended (whether this side sent its end), seconds, what (details)

    result  whole     everything was sent; everything arrived, and then the other side's end
            reset     the connection ended with an error
            resetting we reset it ourselves, as planned
            cut       an end without everything before it
            corrupt   a byte that was not sent
            silence   nothing of that within a minute
            none      no connection was made (clients)
"""

import asyncio
import json
import signal
import socket
import struct
import sys
import time

from . import plan as plans

SILENCE_S = 60
AT_A_TIME = 48  # clients' rough connections; others are all there at the same time


class Resetting(Exception):
    """The moment to reset has come."""


class Corrupt(Exception):
    """What arrived was not sent."""


class Cut(Exception):
    """An orderly end came too early."""


class Connection:
    """One side of a connection, and what has become of it."""

    def __init__(self, side, index, plan, stream):
        self.index, self.plan, self.socket = index, plan, stream
        self.side, self.other = side, plans.SIDES[side == "client"]
        self.sent = self.received = 0
        self.ended = self.failed = False
        self.other_ended = asyncio.Event()

    async def run(self):
        """Returns (result, what)."""
        tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=SILENCE_S, return_when=asyncio.FIRST_EXCEPTION)
            errors = [task.exception() for task in done if task.exception()]
            for kind, result in ((Corrupt, "corrupt"), (Cut, "cut"), (Resetting, "resetting"),
                                 (OSError, "reset")):
                for error in errors:
                    if isinstance(error, kind):
                        return result, repr(error)
            if errors:
                raise errors[0]
            return ("whole" if len(done) == len(tasks) else "silence"), ""
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close()

    def _close(self):
        reset = self.plan.reset
        if reset and reset.side == self.side:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _maybe_reset(self, after, offset):
        reset = self.plan.reset
        if reset and (reset.side, reset.after) == (self.side, after) and offset >= reset.offset:
            raise Resetting

    async def _send(self):
        try:
            await self._send_all()
        except OSError:
            self.failed = True
            raise

    async def _send_all(self):
        stream, loop = self.plan.send[self.side], asyncio.get_running_loop()
        if self.plan.last == self.side:
            await self.other_ended.wait()
        await asyncio.sleep(stream.delay_s)
        self._maybe_reset("sent", 0)
        for count, pause_s, urgent in stream.pieces:
            if pause_s:
                await asyncio.sleep(pause_s)
            piece = memoryview(stream.content)[self.sent:self.sent + count]
            await loop.sock_sendall(self.socket, piece[:-1] if urgent else piece)
            if urgent:
                await self._send_urgent(piece[-1:])
            self.sent += count
            self._maybe_reset("sent", self.sent)
        self.socket.shutdown(socket.SHUT_WR)
        self.ended = True

    async def _send_urgent(self, byte):
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.socket.send(byte, socket.MSG_OOB)
                return
            except BlockingIOError:
                writable = loop.create_future()
                loop.add_writer(self.socket, writable.set_result, None)
                try:
                    await writable
                finally:
                    loop.remove_writer(self.socket)

    async def _receive(self):
        reader, loop = self.plan.read[self.side], asyncio.get_running_loop()
        expected = memoryview(self.plan.send[self.other].content)
        await asyncio.sleep(reader.delay_s)
        pauses = reader.pauses
        while True:
            self._maybe_reset("received", self.received)
            if pauses > 0:
                await asyncio.sleep(reader.pause_s)
                pauses -= 1
            block = await loop.sock_recv(self.socket, reader.read_bytes)
            if not block:
                # A socket tells its error once: whichever task got it, the other sees an end.
                if self.received < len(expected):
                    await asyncio.sleep(0.05)
                    if not self.failed:
                        raise Cut(f"after {self.received} of {len(expected)} bytes")
                self.other_ended.set()
                return
            if block != expected[self.received:self.received + len(block)]:
                raise Corrupt(f"within {len(block)} bytes from {self.received} on")
            self.received += len(block)


def prepare(stream, plan, side):
    """What must be set before there is a connection."""
    stream.setblocking(False)
    if plan.read[side].receive_buffer:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, plan.read[side].receive_buffer)
    # Who only listens notices by this that the other side has vanished with its tunnel.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 3), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 15)):
        stream.setsockopt(socket.IPPROTO_TCP, option, value)


def report(index, result, what, connection=None, seconds=0.0):
    sent, received, ended = ((connection.sent, connection.received, connection.ended) if connection
                             else (0, 0, False))
    print(json.dumps({"index": index, "result": result, "what": what, "sent": sent, "received": received,
                      "ended": ended, "seconds": round(seconds, 3)}), flush=True)


async def carry_out(side, index, plan, stream):
    connection = Connection(side, index, plan, stream)
    began = time.monotonic()
    result, what = await connection.run()
    report(index, result, what, connection, time.monotonic() - began)


async def call(index, plan, addresses):
    family = socket.AF_INET if plan.version == 4 else socket.AF_INET6
    stream = socket.socket(family, socket.SOCK_STREAM)
    prepare(stream, plan, "client")
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(
            stream, (addresses[plan.version == 6], plans.port_of(index))), SILENCE_S)
    except OSError as error:  # TimeoutError is one
        stream.close()
        return report(index, "none", repr(error))
    await carry_out("client", index, plan, stream)


async def clients(kind, seed, indices, addresses):
    at_a_time = asyncio.Semaphore(AT_A_TIME if kind == "rough" else len(indices))

    async def one(index):
        async with at_a_time:
            await call(index, plans.KINDS[kind](seed, index), addresses)
    await asyncio.gather(*(one(index) for index in indices))


async def servers(kind, seed, indices):
    loop, running = asyncio.get_running_loop(), set()
    asked_to_stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, asked_to_stop.set)

    async def serve(index):
        plan = plans.KINDS[kind](seed, index)
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        prepare(listener, plan, "server")
        listener.bind(("::", plans.port_of(index)))
        listener.listen()
        while True:
            stream, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(carry_out("server", index, plan, stream))
            running.add(task)
            task.add_done_callback(running.discard)
    listening = [asyncio.create_task(serve(index)) for index in indices]
    await asyncio.sleep(0)
    print("listening", flush=True)
    await asked_to_stop.wait()
    while running:
        await asyncio.wait(running)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


def main():
    side, kind, seed, first, count, step, *addresses = sys.argv[1:]
    indices = range(int(first), int(first) + int(count) * int(step), int(step))
    if side == "server":
        asyncio.run(servers(kind, seed, indices))
    else:
        asyncio.run(clients(kind, seed, indices, addresses))


if __name__ == "__main__":
    main()
