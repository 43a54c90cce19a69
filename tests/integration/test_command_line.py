"""Options: command line over file over default, memcached's short forms, and what ends the start."""

import os
import pwd
import unittest

from integration_case import (
    EXIT_BAD_VALUE,
    EXIT_COMMAND_LINE,
    EXIT_CONFIGURATION,
    IntegrationCase,
    needs,
)

OPTIONS = (
    "listen threads memory max-value max-connections line-limit command-timeout value-timeout idle-timeout "
    "output-limit connection-memory stop-timeout log-level user insecure-listen"
).split()
BAD_VALUES = {
    "threads": ("none", "-1", "1000", "two", "1.5", ""),
    "memory": ("1k", "-1", "lots", "12x", "18446744073709551616", "99999999999999999999g", ""),
    "max-value": ("65m", "-1", "x"),
    "max-connections": ("-1", "x", "18446744073709551616"),
    "line-limit": ("0", "x"),
    "command-timeout": ("-1s", "soon", "10y"),
    "stop-timeout": ("x",),
    "log-level": ("loud", ""),
    "insecure-listen": ("maybe", "1x"),
}


class CommandLineTest(IntegrationCase):
    # --- what ends the start -------------------------------------------------------------------

    def test_unknown_option(self):
        for args in (["--no-such-option"], ["--no-such-option", "1"], ["-z"], ["stray"], ["--"] + ["stray"]):
            with self.subTest(args):
                ended = self.run_to_exit(*args, code=EXIT_COMMAND_LINE)
                self.assertTrue(any(arg.strip("-") in ended.stderr for arg in args if arg != "--"), ended.stderr)
                self.assertEqual(ended.stdout, "")

    def test_option_without_its_value(self):
        for option in ("--threads", "--listen", "--config", "-p"):
            with self.subTest(option):
                self.run_to_exit(option, code=EXIT_COMMAND_LINE)

    def test_bad_value_on_the_command_line(self):
        for name, values in BAD_VALUES.items():
            for value in values:
                with self.subTest(f"--{name} {value!r}"):
                    ended = self.run_to_exit("--check-config", f"--{name}", value, code=EXIT_BAD_VALUE)
                    self.assertIn(name, ended.stderr)

    def test_bad_value_in_the_file(self):
        for name, values in BAD_VALUES.items():
            for value in values:
                with self.subTest(f"{name} = {value}"):
                    config = self.write_file("bad.conf", f"# first line\n\n{name} = {value}\n")
                    ended = self.run_to_exit("--listen", "127.0.0.1:0", "--config", config, code=EXIT_CONFIGURATION)
                    self.assertIn(f"{config}:3", ended.stderr)
                    self.assertIn(name, ended.stderr)

    def test_unknown_name_in_the_file(self):
        config = self.write_file("bad.conf", "threads = 1\nno-such-option = 1\n")
        ended = self.run_to_exit("--listen", "127.0.0.1:0", "--config", config, code=EXIT_CONFIGURATION)
        self.assertIn(f"{config}:2", ended.stderr)
        self.assertIn("no-such-option", ended.stderr)

    def test_line_without_an_equals_sign(self):
        config = self.write_file("bad.conf", "threads 1\n")
        ended = self.run_to_exit("--listen", "127.0.0.1:0", "--config", config, code=EXIT_CONFIGURATION)
        self.assertIn(f"{config}:1", ended.stderr)

    def test_missing_config_file(self):
        path = self.path("absent.conf")
        ended = self.run_to_exit("--config", path, code=EXIT_CONFIGURATION)
        self.assertIn(path, ended.stderr)

    def test_config_file_of_binary_junk(self):
        for name, content in (("nul", b"threads = 1\0\n"), ("long", b"threads = " + b"1" * 100_000 + b"\n"),
                              ("junk", bytes(range(256)) * 20)):
            with self.subTest(name):
                with open(self.path(name), "wb") as file:
                    file.write(content)
                self.run_to_exit(
                    "--listen", "127.0.0.1:0", "--config", self.path(name), code=EXIT_CONFIGURATION, timeout_s=10
                )

    @needs(os.geteuid() == 0, "root")
    def test_root_must_name_a_user(self):
        ended = self.run_to_exit("--listen", "127.0.0.1:0", code=EXIT_CONFIGURATION, as_root_options=False)
        self.assertIn("set user = sessiond, or --user root to stay root", ended.stderr)
        self.assertEqual(ended.stdout, "")

    @needs(os.geteuid() == 0, "root")
    def test_root_becomes_the_user_named(self):
        daemon = self.start("--listen", "127.0.0.1:0", "--user", "nobody", popen={"cwd": "/"})
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
            rows = dict(line.split(":", 1) for line in status)
        self.assertEqual(set(rows["Uid"].split()), {str(pwd.getpwnam("nobody").pw_uid)})
        self.assertNotIn("0", rows["Gid"].split())
        self.assertNotIn("0", rows["Groups"].split())
        with daemon.connect() as conversation:
            self.assertEqual(conversation.set("user", "value"), "STORED")

    @needs(os.geteuid() == 0, "root")
    def test_unknown_user(self):
        ended = self.run_to_exit(
            "--listen", "127.0.0.1:0", "--user", "no-such-user-here", code=EXIT_CONFIGURATION
        )
        self.assertIn("no-such-user-here", ended.stderr)

    def test_check_config_knows_the_users(self):
        self.run_to_exit("--check-config", "--user", "no-such-user-here", code=EXIT_CONFIGURATION)

    def test_help_and_version_need_no_config(self):
        for action in ("--help", "--version"):
            self.run_to_exit("--config", "/nonexistent", action, code=0)

    # --- what only prints ----------------------------------------------------------------------

    def test_check_config(self):
        good = self.write_file("good.conf", "# comment\n\nthreads = 1\n  memory=32m  \nlisten = 127.0.0.1:0\n")
        ended = self.run_to_exit("--config", good, "--check-config", code=0)
        self.assertNotIn("listening", ended.stdout)
        bad = self.write_file("bad.conf", "threads = many\n")
        self.run_to_exit("--config", bad, "--check-config", code=EXIT_CONFIGURATION)

    def test_check_config_checks_what_belongs_together(self):
        wide = self.write_file("wide.conf", "listen = 0.0.0.0:11200\n")
        ended = self.run_to_exit("--config", wide, "--check-config", code=EXIT_CONFIGURATION)
        self.assertIn("insecure-listen", ended.stderr)
        self.run_to_exit("--config", wide, "--check-config", "--insecure-listen", "yes", code=0)

    def test_print_config_is_a_config(self):
        ended = self.run_to_exit("--print-config", code=0)
        for name in OPTIONS:
            self.assertRegex(ended.stdout, rf"(?m)^#?\s*{name} = ")
        config = self.write_file("printed.conf", ended.stdout)
        self.run_to_exit("--config", config, "--check-config", code=0)

    def test_help_names_every_option(self):
        for form in ("--help", "-h"):
            ended = self.run_to_exit(form, code=0)
            for name in OPTIONS:
                self.assertIn(f"--{name}", ended.stdout)
            self.assertEqual(ended.stderr, "")

    def test_version(self):
        for form in ("--version", "-V"):
            ended = self.run_to_exit(form, code=0)
            self.assertRegex(ended.stdout, r"^sessiond \d+\.\d+\.\d+")

    def test_help_and_version_need_no_user(self):
        for form in ("--help", "--version", "--print-config"):
            self.run_to_exit(form, code=0, as_root_options=False)

    # --- precedence ----------------------------------------------------------------------------

    def test_defaults(self):
        daemon = self.start()
        stats = daemon.stats()
        self.assertEqual(daemon.stats("settings")["maxbytes"], str(1 << 30))
        self.assertEqual(stats["max_connections"], "10000")

    def test_file_over_default(self):
        config = self.write_file("sessiond.conf", "listen = 127.0.0.1:0\nthreads = 3\nmemory = 32m\n")
        daemon = self.start("--config", config)
        stats = daemon.stats()
        self.assertEqual(stats["threads"], "3")
        self.assertEqual(daemon.stats("settings")["maxbytes"], str(32 << 20))

    def test_command_line_over_file(self):
        config = self.write_file("sessiond.conf", "listen = 127.0.0.1:0\nthreads = 3\nmemory = 32m\n")
        for args in (["--config", config, "--threads", "1"], ["--threads", "1", "--config", config]):
            with self.subTest(args):
                daemon = self.start(*args)
                stats = daemon.stats()
                self.assertEqual(stats["threads"], "1")
                self.assertEqual(daemon.stats("settings")["maxbytes"], str(32 << 20))

    def test_file_names_several_listeners(self):
        sock = self.path("data.sock")
        config = self.write_file("sessiond.conf", f"listen = 127.0.0.1:0\nlisten = unix:{sock}\n")
        daemon = self.start("--config", config, listeners=2)
        self.assertEqual(daemon.listening[1], ("data", f"unix:{sock}"))

    def test_listen_on_the_command_line_replaces_the_files(self):
        sock = self.path("data.sock")
        config = self.write_file("sessiond.conf", f"listen = unix:{sock}\nlisten = 127.0.0.1:0\n")
        daemon = self.start("--config", config, "--listen", "127.0.0.1:0")
        daemon.wait_for_stat("curr_connections", lambda count: count >= 1)
        self.assertEqual(len(daemon.stdout.lines()), 1)
        self.assertFalse(os.path.exists(sock))

    def test_equals_form_and_last_one_wins(self):
        daemon = self.start("--threads=1", "--memory=64m", "--memory", "48m")
        stats = daemon.stats()
        self.assertEqual(stats["threads"], "1")
        self.assertEqual(daemon.stats("settings")["maxbytes"], str(48 << 20))

    def test_no_file_is_read_without_being_named(self):
        self.write_file("sessiond.conf", "threads = nonsense\n")
        daemon = self.start(popen={"cwd": self.directory})
        self.assertEqual(daemon.stats()["threads"], "2")

    # --- memcached's short options -------------------------------------------------------------

    def test_short_options(self):
        daemon = self.start("-l", "127.0.0.1", "-p", "0", "-m", "64", "-c", "100", "-t", "3", "-v", "-F")
        stats = daemon.stats()
        self.assertEqual(daemon.stats("settings")["maxbytes"], str(64 << 20))
        self.assertEqual(stats["max_connections"], "100")
        self.assertEqual(stats["threads"], "3")

    def test_short_options_in_one_word(self):
        daemon = self.start("-p0", "-m64", "-t1")
        stats = daemon.stats()
        self.assertEqual(daemon.stats("settings")["maxbytes"], str(64 << 20))
        self.assertEqual(stats["threads"], "1")
        self.assertEqual(daemon.address[0], "127.0.0.1")

    def test_short_unix_socket(self):
        path = self.path("data.sock")
        daemon = self.start("-s", path)
        self.assertEqual(daemon.listening, [("data", f"unix:{path}")])

    def test_short_port_alone_is_loopback(self):
        daemon = self.start("-p", "0")
        self.assertEqual(daemon.address[0], "127.0.0.1")

    @needs(os.geteuid() == 0, "root")
    def test_short_user(self):
        self.start("-p", "0", "-u", "root")


if __name__ == "__main__":
    unittest.main()
