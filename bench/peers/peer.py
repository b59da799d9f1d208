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


def chaos_note(event, number):
    """A line of a history, as tests/chaos/checker.h wants it."""
    line = f"{time.monotonic_ns() // 1000} {event} {number} 0 0 {os.getpid()} {os.getppid()}\n"
    fd = os.open(os.environ["BARQUE_HISTORY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line.encode())
    os.close(fd)


def chaos_run(number):
    """A job of 20 ms, one of four of 400 ms: some always run when something is killed."""
    chaos_note("start", number)
    time.sleep(0.4 if number % 4 == 0 else 0.02)
    chaos_note("effect", number)


def chaos_client(chaos, seconds):
    """Some 20 jobs a second. What was answered with an error was not accepted."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        chaos_note("attempt", number)
        try:
            chaos(number)
            chaos_note("accept", number)
        except Exception as e:
            print(f"{number}: {e}", file=sys.stderr)
        time.sleep(0.05)


def client_main(noop, stamp, hold, chaos):
    """client enqueue N | stamp N PAUSE_MS | hold N | chaos SECONDS"""
    what, n = sys.argv[1], int(sys.argv[2])
    began = time.monotonic()
    if what == "enqueue":
        for _ in range(n):
            noop(PAYLOAD)
    elif what == "hold":
        for i in range(n):
            hold(i)
    elif what == "chaos":
        chaos_client(chaos, n)
    elif what == "stamp":
        pause = int(sys.argv[3]) / 1000
        for i in range(n):
            stamp(time.monotonic_ns())
            time.sleep(pause * (1 + i % 7 / 7))
    print(time.monotonic() - began)
