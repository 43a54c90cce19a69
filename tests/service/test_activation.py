"""Sockets that a supervisor hands over: which are taken, what they are judged by, and that no client is refused while the
daemon restarts behind them.
"""

import os
import socket
import stat
import threading

from service_case import ActivatedProcess, ServiceCase, unittest
from sessiond_process import Conversation, ConversationError

EXIT_CONFIGURATION = 78
N_CLIENTS = 32
N_RESTARTS = 4


class Client(threading.Thread):
    """Keeps a session of its own, and connects anew whenever its connection has ended."""

    def __init__(self, address, number):
        super().__init__(daemon=True)
        self._address = address
        self._key = f"session:{number}"
        self.n_connected = 0
        self.n_answers = 0
        self.trouble = None
        self.stops = threading.Event()

    def _serve(self, conversation):
        while not self.stops.is_set():
            if conversation.ask(f"get {self._key}") == "END":
                raise AssertionError(f"{self._key} is gone")
            conversation.read_line()
            conversation.read_line()
            self.n_answers += 1

    def run(self):
        try:
            while not self.stops.is_set():
                # A refused connection is a failure; one that is closed when the daemon stops is not.
                with Conversation(self._address) as conversation:
                    self.n_connected += 1
                    try:
                        self._serve(conversation)
                    except (ConversationError, ConnectionResetError, BrokenPipeError):
                        continue
        except Exception as error:  # whatever it is, the test has to tell it
            self.trouble = error


class ActivationTest(ServiceCase):
    def activate(self, args, sockets, names):
        return self.enterContext(ActivatedProcess(args, sockets, names))

    def refuse(self, args, sockets, names, pattern):
        """It does not start with these, and says why."""
        daemon = ActivatedProcess(args, sockets, names)
        self.addCleanup(daemon._discard)
        with self.assertRaisesRegex(Exception, "ready lines"):
            daemon.start()
        self.assertEqual(daemon.wait(), EXIT_CONFIGURATION, daemon.stderr_text())
        self.assertRegex(daemon.stderr_text(), pattern)

    def test_data_socket_takes_the_place_of_listen(self):
        held = self.listen()
        with socket.create_server(("127.0.0.1", 0)) as other:
            in_use = f"127.0.0.1:{other.getsockname()[1]}"
            daemon = self.activate(["--listen", in_use], [held], ["data"])
        self.assertEqual(daemon.listening, [("data", f"127.0.0.1:{held.getsockname()[1]}")])
        daemon.wait_for_stderr(" listen is not looked at: sockets for data were handed over, 1 of them")
        with daemon.connect() as conversation:
            conversation.expect_open()

    def test_without_names_all_are_for_data(self):
        sockets = [self.listen(), self.listen()]
        daemon = self.activate([], sockets, None)
        self.assertEqual([address[1] for address in daemon.addresses], [held.getsockname()[1] for held in sockets])

    def test_sockets_for_another_process_are_not_taken(self):
        held = self.listen()
        environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "data"}
        daemon = self.start(env=environment)
        self.assertNotEqual(daemon.port, held.getsockname()[1])

    def test_admin_socket_has_the_verbs_and_its_file_stays(self):
        path = self.path("admin.sock")
        held = self.listen(path, socket.AF_UNIX)
        daemon = self.activate(["--admin-listen", f"unix:{self.path('other.sock')}"], [self.listen(), held], ["data", "admin"])
        self.assertEqual(daemon.admin_address, path)
        self.assertFalse(os.path.exists(self.path("other.sock")))
        with Conversation(daemon.admin_address) as admin:
            self.assertEqual(admin.ask("flush"), "OK")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.ask("flush"), "ERROR")
        daemon.stop()
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))

    def test_admin_socket_takes_the_place_of_auto(self):
        held = self.listen(self.path("admin.sock"), socket.AF_UNIX)
        daemon = self.activate(["--admin-listen", "auto"], [self.listen(), held], ["data", "admin"])
        self.assertEqual([role for role, _ in daemon.listening], ["data", "admin"])

    def test_checks_are_those_of_options(self):
        everywhere = self.listen(("0.0.0.0", 0))
        self.refuse([], [everywhere], ["data"],
                    r"descriptor 3, which was handed over: 0\.0\.0\.0:\d+ can be reached from other machines")
        self.refuse([], [self.listen(), self.listen()], ["data", "admin"],
                    r"descriptor 4, .*everybody on this machine could end all sessions by 127\.0\.0\.1:\d+")
        self.activate(["--insecure-listen", "yes"], [everywhere], ["data"])

    def test_what_is_no_listener_is_refused(self):
        unbound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(unbound.close)
        self.refuse([], [unbound], ["data"], "descriptor 3, .*no stream socket that listens")
        abstract = self.listen("\0sessiond-test-" + str(os.getpid()), socket.AF_UNIX)
        self.refuse([], [abstract], ["data"], "descriptor 3, .*has no address of")

    def test_other_names_are_refused(self):
        self.refuse([], [self.listen()], ["sessiond.socket"], "by the name 'sessiond.socket': set FileDescriptorName=data")
        self.refuse([], [self.listen(), self.listen()], ["data"], "by the name ''")

    def test_no_client_is_refused_while_it_restarts(self):
        held = self.listen(backlog=1024)
        daemon = self.activate([], [held], ["data"])
        with daemon.connect() as conversation:
            for number in range(N_CLIENTS):
                self.assertEqual(conversation.ask(f"set session:{number} 0 0 1\r\nx"), "STORED")
        clients = [Client(daemon.address, number) for number in range(N_CLIENTS)]
        for client in clients:
            client.start()
        try:
            for _ in range(N_RESTARTS):
                before = [client.n_answers for client in clients]
                self.wait_until(lambda: self.all_went_on(clients, before), "every client is served")
                connected = [client.n_connected for client in clients]
                daemon.stop()
                # They all come to a socket that nobody accepts at.
                self.wait_until(lambda: self.all_came_back(clients, connected), "every client has connected", 30)
                daemon.start()
            before = [client.n_answers for client in clients]
            self.wait_until(lambda: self.all_went_on(clients, before), "every client is served at the end")
        finally:
            for client in clients:
                client.stops.set()
            for client in clients:
                client.join(30)
        self.assertEqual([client.trouble for client in clients if client.trouble], [])

    @staticmethod
    def all_went_on(clients, before):
        return all(client.trouble or client.n_answers > count for client, count in zip(clients, before))

    @staticmethod
    def all_came_back(clients, before):
        return all(client.trouble or client.n_connected > count for client, count in zip(clients, before))


if __name__ == "__main__":
    unittest.main()
