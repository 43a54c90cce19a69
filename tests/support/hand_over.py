"""Starts a program as a supervisor does that has opened its sockets: sd_listen_fds(3). Not a test.

usage: hand_over.py FD,FD,... NAME:NAME:... COMMAND ARGUMENT...    with '-' for NAMEs: none are told

The process keeps its id, as LISTEN_PID has to be that of the program.
"""

import fcntl
import os
import sys

FIRST = 3
ABOVE = 100  # of the places of what is moved away


def main():
    descriptors, names, *command = sys.argv[1:]
    moved = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, ABOVE) for fd in descriptors.split(",")]
    for place, fd in enumerate(moved, FIRST):
        os.dup2(fd, place, inheritable=True)
        os.close(fd)
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(moved))}
    if names != "-":
        environment["LISTEN_FDNAMES"] = names
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main()
