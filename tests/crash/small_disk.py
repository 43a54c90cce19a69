"""Small file systems of the tests' own: a tmpfs that can be full, and an ext4 whose blocks are on one.

Not a test. Both need root; they are unmounted when the test is over.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile

from crash_case import needs

CHUNK = 64 << 10

needs_mount = needs(os.geteuid() == 0 and shutil.which("mount"), "root, to mount")
needs_loop = needs(os.geteuid() == 0 and shutil.which("mkfs.ext4") and os.path.exists("/dev/loop-control"),
                   "root, loop devices and mkfs.ext4")


def run(*command):
    subprocess.run(command, check=True, capture_output=True, timeout=60)


class SmallDisk:
    """A tmpfs of some bytes, mounted at .path until close()."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="sessiond-disk-")
        self.is_mounted = False
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "none", self.path)
        self.is_mounted = True

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def close(self):
        if self.is_mounted:
            run("umount", "-l", self.path)  # also when a test failed, and somebody is still there
            self.is_mounted = False
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(self.path)

    def resize(self, size):
        run("mount", "-o", f"remount,size={size}", self.path)

    def set_read_only(self, is_read_only):
        run("mount", "-o", "remount,ro" if is_read_only else "remount,rw", self.path)

    @property
    def data_dir(self):
        return os.path.join(self.path, "data")

    @property
    def free_bytes(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave=0):
        """A file that takes all but so many bytes."""
        with open(os.path.join(self.path, "filler"), "ab", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while self.free_bytes > leave:
                    filler.write(bytes(min(CHUNK, self.free_bytes - leave)))

    def free(self):
        os.remove(os.path.join(self.path, "filler"))


class LossyDisk:
    """An ext4 that promises more than its tmpfs holds: a write is accepted, and its sync fails."""

    def __init__(self, promised="64m", held="12m"):
        self._below = SmallDisk(held)
        self._image = os.path.join(self._below.path, "image")
        self.path = tempfile.mkdtemp(prefix="sessiond-disk-")
        self.is_mounted = False
        try:
            run("truncate", "-s", promised, self._image)
            run("mkfs.ext4", "-q", "-J", "size=1", "-E", "lazy_itable_init=1", self._image)
            self.mount()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def mount(self):
        run("mount", "-o", "loop,errors=continue", self._image, self.path)
        self.is_mounted = True

    def cut_power(self):
        """What is only in the kernel's memory is gone; the disk then holds what it promises."""
        self.unmount()
        self._below.resize("100m")
        self.mount()

    def unmount(self, *options):
        if self.is_mounted:
            run("umount", *options, self.path)
            self.is_mounted = False

    def close(self):
        self.unmount("-l")
        self._below.close()
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(self.path)

    @property
    def data_dir(self):
        return os.path.join(self.path, "data")
