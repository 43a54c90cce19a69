"""Makes the golden data directories of a release: each as NAME.tar.xz, what it holds as NAME.json.

usage: make.py SESSIOND DIR    SESSIOND is a build with test hooks, DIR what they are written to: tests/data/VERSION

Run once for each release that changed the format, and committed. What is there is never made anew: later builds
must open it for ever. Large values repeat themselves, so that the files are small when packed.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]

from sessiond_process import SessiondProcess  # noqa: E402

FAR_S = 3786912000  # 2090-01-01
FLUSH_S = FAR_S + 10**8  # a flush that is still to come then
HALF_HOUR_S = 1801  # the age at which a checkpoint comes
TEN_MINUTES_S = 600
BACK_S = 20 * 3600  # what a clock that is accepted is behind
LARGE_BYTES = 40_000  # kept by reference
FULL_BYTES = 33_000  # with a sync behind each, so many of them that a segment is full and no checkpoint is due
SPARE_WAIT_S = 60


def describe(value):
    return {"size": len(value), "sha256": hashlib.sha256(value).hexdigest()}


class Maker:
    """One directory, and what was put there. Values come back from the daemon as they were sent."""

    def __init__(self, binary):
        self.entries = {}
        self.flush_at_s = None
        self.daemon = SessiondProcess(["--memory", "16m", "--flush-all", "allow", "--fsync", "always"], binary=binary)
        self.talk = None
        self.stepped_s = 0

    def start(self, mode, *more):
        n_args = len(self.daemon._args)
        self.daemon._args[-1] = mode
        self.daemon._args += more
        self.daemon.start()
        del self.daemon._args[n_args:]
        self.talk = self.daemon.connect()

    def kill(self):
        self.talk.close()
        self.daemon.kill()

    def stop(self):
        self.talk.close()
        self.daemon.stop()

    def wait_for_spare(self):
        """The next journal file is there, whole."""
        deadline = time.monotonic() + SPARE_WAIT_S
        while any(name.endswith(".new") for name in os.listdir(self.daemon.data_dir)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def step_clock(self, seconds):
        self.daemon.clock.step(seconds)
        self.stepped_s += seconds

    def now_s(self):
        return int(time.time() + self.stepped_s + self.daemon.clock.offset_ms() / 1000)

    # ---- what is there

    def set(self, key, value, deadline_s=0, flags=0):
        assert self.talk.set(key, value, deadline_s, flags) == "STORED"
        self.talk.send_line(f"gets {key}")
        self.entries[key] = {**describe(value), "flags": flags, "deadline": deadline_s or None,
                             "cas": self.talk.read_values()[key][1]}

    def touch(self, key, deadline_s):
        assert self.talk.ask(f"touch {key} {deadline_s}") == "TOUCHED"
        self.entries[key]["deadline"] = deadline_s or None

    def delete(self, key):
        assert self.talk.ask(f"delete {key}") == "DELETED"
        del self.entries[key]

    def flush(self):
        assert self.talk.ask("flush_all") == "OK"
        self.entries.clear()

    def flush_later(self):
        assert self.talk.ask(f"flush_all {FLUSH_S}") == "OK"
        self.flush_at_s = FLUSH_S

    def set_some(self, name):
        """Sessions of all kinds."""
        self.set(f"{name}-empty", b"", FAR_S)
        self.set(f"{name}-bytes", bytes(range(256)), FAR_S + 1, flags=0xffffffff)
        self.set(f"{name}-ever", b"no deadline", flags=1)
        self.set(f"{name}-large", name.encode() * (LARGE_BYTES // len(name)), FAR_S + 2, flags=2)
        self.set(f"{name}-longer", b"touched", FAR_S, flags=3)
        self.touch(f"{name}-longer", FAR_S + 3)
        self.set(f"{name}-for-ever", b"touched", FAR_S)
        self.touch(f"{name}-for-ever", 0)
        self.set(f"{name}-twice", b"old", FAR_S)
        self.set(f"{name}-twice", b"new", FAR_S + 4)
        self.set(f"{name}-gone", b"logged out", FAR_S)
        self.delete(f"{name}-gone")
        self.set("k" * 247 + name[:3], b"the longest key", FAR_S + 5)

    def let_expire(self, name):
        """Sessions whose deadline is in the past when everything ends."""
        self.set(f"{name}-expired", b"had its time", self.now_s() + 100)
        self.set(f"{name}-shortened", b"x" * LARGE_BYTES, FAR_S)
        self.touch(f"{name}-shortened", self.now_s() + 200)
        self.daemon.clock.move(TEN_MINUTES_S)
        time.sleep(3)  # a second in which something expired and nothing else happened
        self.set(f"{name}-later", b"carries the time", FAR_S)

    def fill_segment(self):
        files = sorted(name for name in os.listdir(self.daemon.data_dir) if name.startswith("journal-"))
        with open(os.path.join(self.daemon.data_dir, files[-1]), "rb") as next_file:
            number = 0
            while not any(os.pread(next_file.fileno(), 4096, 4096)):
                number += 1
                self.set(f"full-{number % 3}", b"%03d" % (number % 1000) * (FULL_BYTES // 3), FAR_S)


def make_clean(maker):
    """Stopped in order, after a flush; another one is to come."""
    maker.start("everysec")
    maker.set("before", b"flushed", FAR_S)
    maker.flush()
    maker.set_some("one")
    maker.stop()
    maker.start("everysec")
    maker.set_some("two")
    maker.let_expire("two")
    maker.flush_later()
    maker.stop()


def make_killed(maker):
    """Two segments of one life, the first full and sealed; a third with frames that were never synced."""
    maker.start("always")
    maker.set_some("one")
    maker.wait_for_spare()
    maker.fill_segment()
    maker.set_some("two")
    maker.let_expire("two")
    maker.kill()
    maker.start("never")
    maker.set_some("tail")
    maker.delete("one-ever")
    maker.wait_for_spare()
    maker.kill()


def make_checkpoint(maker):
    """A checkpoint, a flush in it that is to come, and two segments behind it; killed with an unsynced tail."""
    maker.start("always")
    maker.set_some("one")
    maker.let_expire("image")  # one of them is not told
    maker.set("image-dies", b"in the image", maker.now_s() + HALF_HOUR_S + 300)
    maker.flush_later()
    maker.daemon.clock.move(HALF_HOUR_S)
    maker.daemon.wait_for_stat("checkpoints", 1, section="journal")
    for key in ("image-expired", "image-shortened"):
        del maker.entries[key]
    maker.set_some("two")
    maker.delete("one-ever")
    maker.touch("one-bytes", FAR_S + 9)
    maker.let_expire("two")
    maker.kill()
    maker.start("never")
    maker.set_some("tail")
    maker.delete("one-large")
    maker.wait_for_spare()
    maker.kill()


def make_clock(maker):
    """Stopped behind a start that accepted a clock of 20 hours before: what had expired until then is gone."""
    maker.start("always")
    maker.set_some("one")
    maker.let_expire("one")
    maker.kill()
    maker.step_clock(-BACK_S)
    maker.start("everysec", "--accept-clock")
    for key in ("one-expired", "one-shortened"):
        del maker.entries[key]
    maker.set_some("two")
    maker.let_expire("two")
    maker.stop()


def pack(directory, path):
    """Names in order, no times and owners: the same files give the same archive."""
    with tarfile.open(path, "x:xz", preset=9) as archive:
        for name in sorted(os.listdir(directory)):
            if name == "lock" or name.endswith(".new"):
                continue
            with open(os.path.join(directory, name), "rb") as file:
                content = file.read()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))


def make(binary, out, name, how):
    maker = Maker(binary)
    try:
        how(maker)
        pack(maker.daemon.data_dir, os.path.join(out, name + ".tar.xz"))
        with open(os.path.join(out, name + ".json"), "x", encoding="ascii") as file:
            json.dump({"what": how.__doc__, "ended": maker.now_s(), "flush_at": maker.flush_at_s,
                       "entries": maker.entries}, file, indent=1, sort_keys=True)
            file.write("\n")
    finally:
        maker.daemon._discard()


def main():
    binary, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    for name, how in (("clean", make_clean), ("killed", make_killed), ("checkpoint", make_checkpoint),
                      ("clock", make_clock)):
        make(binary, out, name, how)
    with open(os.path.join(out, "SHA256SUMS"), "x", encoding="ascii") as sums:
        for name in sorted(os.listdir(out)):
            if name != "SHA256SUMS":
                with open(os.path.join(out, name), "rb") as file:
                    sums.write(f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n")


if __name__ == "__main__":
    main()
