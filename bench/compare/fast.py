#!/usr/bin/env python3
"""A server that answers at once: `fast.py PORT`, on 127.0.0.1. What differs between two of these is the machine's doing."""

import asyncio
import sys

import server


class Connection(server.Connection):
    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            self.buffer = self.buffer[end + 4 :]
            self.answer()


async def main():
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(None), "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
