"""Sends netlink messages of wrong lengths to the port ids of a process, in its own network namespace, as fast as it can.

Arguments: a file that will hold the number of that process. Prints "here" once it runs, then how many were sent each tenth of a second.
"""
import os, socket, struct, sys, time

LENGTHS = [0, 1, 15, 16, 17, 18, 19, 20, 23, 24, 32, 0x7FFFFFFF, 0xFFFFFFFF]
print("here", flush=True)
while True:
    time.sleep(0.02)
    # It may be there and not written yet.
    text = open(sys.argv[1]).read() if os.path.exists(sys.argv[1]) else ""
    if text.endswith("\n"):
        break
pid = int(text)
own = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
own.bind((0, 0))
own.setblocking(False)
# As an answer to a look at a link (RTM_NEWLINK), an acknowledgement, and padding of up to 64 KB.
messages = [
    struct.pack("=IHHII", length, kind, 0, 0, 0) + b"\0" * (length - 16 if 16 < length < 64 else rest)
    for length in LENGTHS
    for kind in (16, 2)
    for rest in (0, 1, 7, 60000)
]
tried = taken = 0
told = time.monotonic()
while True:
    for message in messages:
        # The first socket of a process is bound to its number.
        tried += 1
        try:
            own.sendto(message, (pid, 0))
            taken += 1
        except OSError:
            pass
    if time.monotonic() - told > 0.1:
        told = time.monotonic()
        print(tried, taken, flush=True)
