# peers.py -- the same faults for other job systems: their jobs write the history that ours write, and the same checker judges it.
#
# Started by peers.sh, which installs them (bench/peers). Each row runs in a folder and with a Redis of its own, AOF `always` as for ours:
#   P1  kill -9 of one process that runs jobs, its parent lives     P2  kill -9 of a whole worker, started again at once
#   P5  kill -9 of Redis, started again                             P6  power cut: the AOF is cut to what was synchronised
# What has not run WAIT_S (150) seconds after the last fault counts as lost, as it does for whoever waits for it.
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path("bench/peers").absolute()
TO = pathlib.Path("build/peers").absolute()
BUILD = pathlib.Path(os.environ["BUILD"]).absolute()
WAIT_S = int(os.environ.get("WAIT_S", "150"))
FAULTS = int(os.environ.get("FAULTS", "20"))
PY = str(TO / "py/bin/python")

# title, client, worker with 4 running at a time, environment, name of the processes that run jobs (None: the worker is one process)
PEERS = {
    "celery": ("Celery", [PY, str(HERE / "celery_peer.py")], [PY, "-m", "celery", "-A", "celery_peer", "worker", "--pool", "prefork", "-c",
                                                            "4", "-l", "error"], {"DURABLE": "0"}, True),
    "celery-late": ("Celery, acks_late", [PY, str(HERE / "celery_peer.py")], [PY, "-m", "celery", "-A", "celery_peer", "worker", "--pool",
                                                                             "prefork", "-c", "4", "-l", "error"], {"DURABLE": "1"}, True),
    "dramatiq": ("Dramatiq", [PY, str(HERE / "dramatiq_peer.py")], [PY, "-m", "dramatiq", "-p", "2", "-t", "2", "dramatiq_peer"], {}, True),
    "bullmq": ("BullMQ", ["node", str(HERE / "bullmq_peer.mjs")], ["node", str(HERE / "bullmq_peer.mjs"), "worker", "4"], {}, False),
}
ROWS = {"P1": "kill -9 of a process that runs jobs", "P2": "kill -9 of a whole worker", "P5": "kill -9 of Redis, and started again",
        "P6": "power cut, `appendfsync always`"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stat_of(pid):
    """State and parent; None: gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0], int(fields[1])


def children(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and (s := stat_of(entry.name)) and s[1] == pid and s[0] not in "ZX":
            found.append(int(entry.name))
    return found


class Row:
    def __init__(self, row, name):
        self.row, self.name = row, name
        self.title, self.client_command, self.worker_command, more, self.forks = PEERS[name]
        self.folder = tempfile.mkdtemp(prefix="barque-chaos-peer-")
        self.history = os.path.join(self.folder, "history")
        self.port = free_port()
        self.faults = 0
        self.server_environment = dict(os.environ)
        if row == "P6":
            self.server_environment.update(LD_PRELOAD=str(BUILD / "tests/chaos/shim_fsync.so"), SHIM_FSYNC=self.folder + "/synced")
        self.environment = dict(os.environ, BROKER=f"redis://127.0.0.1:{self.port}/0", SCRATCH=self.folder, BARQUE_HISTORY=self.history,
                                PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1", MODULES=str(TO / "node/package.json"), C_FORCE_ROOT="1",
                                **more)

    def note(self, event, more=0):
        with open(self.history, "ab", buffering=0) as f:
            f.write(f"{time.monotonic_ns() // 1000} {event} - 0 {more} {os.getpid()} {os.getppid()}\n".encode())

    def redis_start(self):
        self.redis = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                                       "--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log"],
                                      env=self.server_environment)
        for _ in range(500):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    s.sendall(b"PING\r\n")
                    if s.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError("redis-server does not start")

    def worker_start(self):
        log = open(os.path.join(self.folder, "worker.log"), "ab")
        self.worker = subprocess.Popen(self.worker_command, env=self.environment, start_new_session=True, cwd=self.folder, stdout=log,
                                       stderr=log)

    def effects(self):
        text = pathlib.Path(self.history).read_text() if os.path.exists(self.history) else ""
        ids = {"accept": set(), "effect": set()}
        for line in text.splitlines():
            words = line.split(" ")
            if words[1] in ids:
                ids[words[1]].add(words[2])
        return ids["accept"], ids["effect"]

    # ---- faults

    def runners(self):
        """Processes that run jobs: the last generation below the worker."""
        found = []
        for child in children(self.worker.pid):
            found += children(child) or [child]
        return found

    def kill_runner(self):
        busy = sorted(self.running() & set(self.runners()))
        if busy:
            pid = random.choice(busy)
            self.note("kill", pid)
            os.kill(pid, signal.SIGKILL)
        return bool(busy)

    def running(self):
        """Who has begun something and not ended it."""
        at = {}
        for line in pathlib.Path(self.history).read_text().splitlines():
            words = line.split(" ")
            if words[1] == "start":
                at[words[5]] = at.get(words[5], 0) + 1
            elif words[1] == "effect":
                at[words[5]] = at.get(words[5], 0) - 1
        return {int(pid) for pid, n in at.items() if n > 0}

    def kill_worker(self):
        for pid in [self.worker.pid] + children(self.worker.pid) + self.runners():
            self.note("kill", pid)
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.worker_start()
        return True

    def kill_redis(self):
        self.redis.kill()
        self.redis.wait()
        if self.row == "P6":
            self.power_cut()
        self.redis_start()
        return True

    def power_cut(self):
        sizes = {}
        for line in pathlib.Path(self.folder, "synced").read_text().splitlines():
            size, path = line.split(" ", 1)
            sizes[path] = int(size)
        for path in pathlib.Path(self.folder, "appendonlydir").glob("*.incr.aof"):
            if path.stat().st_size > sizes.get(str(path), 0):
                os.truncate(path, sizes.get(str(path), 0))

    # ---- the whole

    def run(self):
        self.redis_start()
        self.worker_start()
        client = subprocess.Popen(self.client_command + ["chaos", str(FAULTS * 2 + 10)], env=self.environment, cwd=self.folder,
                                  stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.folder, "client.log"), "ab"))
        act = {"P1": self.kill_runner, "P2": self.kill_worker, "P5": self.kill_redis, "P6": self.kill_redis}[self.row]
        try:
            end = time.monotonic() + 60
            while not self.effects()[1]:
                if time.monotonic() > end:
                    raise RuntimeError(f"{self.title} does not begin to work: " + pathlib.Path(self.folder, "worker.log").read_text()[-800:])
                time.sleep(0.1)
            while self.faults < FAULTS and client.poll() is None:
                time.sleep(0.5 + random.random())
                if self.worker.poll() is not None:  # Dramatiq ends with its first dead process; whoever runs it starts it again
                    self.worker_start()
                if act():
                    self.faults += 1
                    self.note("fault", self.faults)
            client.wait(120)
            end = time.monotonic() + WAIT_S
            while time.monotonic() < end:
                accepted, done = self.effects()
                if accepted <= done:
                    break
                if self.worker.poll() is not None:
                    self.worker_start()
                time.sleep(0.5)
        finally:
            self.stop(client)

    def stop(self, client):
        client.kill()
        client.wait()
        try:
            os.killpg(self.worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.worker.wait()
        self.redis.kill()
        self.redis.wait()

    def judge(self):
        text = subprocess.run([str(BUILD / "tests/chaos/judge"), self.history, self.row + "-" + self.name,
                               self.title + ": " + ROWS[self.row]], check=True, stdout=subprocess.PIPE, text=True).stdout
        print(text, end="", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    names = sys.argv[1:] or list(PEERS)
    wanted = [Row(row, name) for name in names for row in ROWS if row != "P1" or PEERS[name][4]]
    faults, at_once = [], threading.Semaphore(int(os.environ.get("AT_ONCE", "4")))

    def one(row):
        with at_once:
            try:
                row.run()
                row.judge()
            except Exception as e:  # told below, by the thread that may end the program
                faults.append(f"{row.row} of {row.title}: {e}; see {row.folder}")

    threads = [threading.Thread(target=one, args=(row,)) for row in wanted]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if faults:
        raise SystemExit("peers: " + "\n".join(faults))


main()
