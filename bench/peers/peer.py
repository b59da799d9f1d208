# peer.py -- what the jobs of every Python peer do, and what its client is told to do. The other languages mirror it.
#
# Environment: BROKER, a URL; SCRATCH, a folder for what the jobs note down. Clients print seconds.
import os
import sys
import time

SCRATCH = os.environ["SCRATCH"]
PAYLOAD = "x" * 200


def note(name, text):
    fd = os.open(os.path.join(SCRATCH, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, (text + "\n").encode())
    os.close(fd)


def stamp_run(sent_ns):
    """A job that says how late it starts: monotonic clocks of one machine agree."""
    note("stamps", str(time.monotonic_ns() - sent_ns))


def hold_run(number):
    """A job that runs for long, unless the gate was opened: then it ends at once."""
    note("starts", str(number))
    if not os.path.exists(os.path.join(SCRATCH, "gate")):
        time.sleep(3600)
    note("ends", str(number))


def client_main(noop, stamp, hold):
    """client enqueue N | stamp N PAUSE_MS | hold N"""
    what, n = sys.argv[1], int(sys.argv[2])
    began = time.monotonic()
    if what == "enqueue":
        for _ in range(n):
            noop(PAYLOAD)
    elif what == "hold":
        for i in range(n):
            hold(i)
    elif what == "stamp":
        pause = int(sys.argv[3]) / 1000
        for i in range(n):
            stamp(time.monotonic_ns())
            time.sleep(pause * (1 + i % 7 / 7))
    print(time.monotonic() - began)
