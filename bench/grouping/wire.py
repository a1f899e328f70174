"""TCP connections written as a capture file (pcap, nanoseconds, Ethernet), packets in order of time."""

import heapq
import struct

SERVER = (bytes([10, 0, 0, 1]), 80)
SYN, FIN, PSH, ACK = 2, 1, 8, 16


class Capture:
    """Packets come in any order between two calls of `until`, and go out in order."""

    def __init__(self, path):
        self.file = open(path, "wb", buffering=1 << 20)
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        self.waiting = []
        self.number = 0

    def packet(self, time, source, target, seq, ack, flags, payload=b""):
        total = 40 + len(payload)
        frame = struct.pack(
            ">6s6sHBBHHHBBH4s4sHHIIBBHHH",
            b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02", 0x0800,
            0x45, 0, total, 0, 0x4000, 64, 6, 0, source[0], target[0],
            source[1], target[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0,
        ) + payload
        self.number += 1
        heapq.heappush(self.waiting, (time, self.number, frame))

    def until(self, time):
        """Writes what lies before `time`; nothing earlier may come afterwards."""
        waiting, write = self.waiting, self.file.write
        while waiting and waiting[0][0] < time:
            at, _, frame = heapq.heappop(waiting)
            write(struct.pack("<IIII", at // 10**9, at % 10**9, len(frame), len(frame)) + frame)

    def close(self):
        self.until(1 << 80)
        self.file.close()


class Connection:
    """One client's connection: opened with the first request."""

    def __init__(self, capture, address, port, time):
        self.capture, self.client = capture, (address, port)
        self.sent, self.received = 1, 1
        self.last = time
        capture.packet(time - 400_000, self.client, SERVER, 0, 0, SYN)
        capture.packet(time - 200_000, SERVER, self.client, 0, 1, SYN | ACK)

    def name(self):
        return ".".join(map(str, self.client[0])) + f":{self.client[1]}"

    def exchange(self, time, request, done, response):
        self.capture.packet(time, self.client, SERVER, self.sent, self.received, PSH | ACK, request)
        self.sent += len(request)
        self.capture.packet(done, SERVER, self.client, self.received, self.sent, PSH | ACK, response)
        self.received += len(response)
        self.last = done

    def close(self, time):
        self.capture.packet(time, self.client, SERVER, self.sent, self.received, FIN | ACK)
        self.capture.packet(time + 100_000, SERVER, self.client, self.received, self.sent + 1, FIN | ACK)
