"""What a person at telnet and a monitor see: stats, help, and a log without secrets."""

import os
import unittest

from integration_case import IntegrationCase

CLASSIC = (
    "pid uptime time version pointer_size rusage_user rusage_system max_connections curr_connections "
    "total_connections rejected_connections cmd_get cmd_set cmd_flush cmd_touch get_hits get_misses "
    "delete_hits delete_misses touch_hits touch_misses bytes_read bytes_written limit_maxbytes threads bytes "
    "curr_items total_items evictions"
).split()
COMMANDS = "get gets set add replace delete touch version stats quit help flush_all".split()


class StatsTest(IntegrationCase):
    def test_classic_names(self):
        daemon = self.start("--threads", "3", "--memory", "64m", "--max-connections", "77")
        stats = daemon.stats()
        self.assertEqual([name for name in CLASSIC if name not in stats], [])
        self.assertEqual(stats["pid"], str(daemon.pid))
        self.assertEqual(stats["version"], "1.6.18")
        self.assertEqual(stats["threads"], "3")
        self.assertEqual(stats["pointer_size"], "64")
        self.assertIn(int(stats["limit_maxbytes"]), range(32 << 20, 64 << 20))
        self.assertEqual(stats["max_connections"], "77")
        self.assertEqual(stats["evictions"], "0")
        self.assertIn("sessiond_version", stats)

    def test_numbers_are_numbers(self):
        for name, value in self.start().stats().items():
            if name not in ("version", "sessiond_version", "libevent"):
                with self.subTest(name):
                    self.assertRegex(value, r"^-?\d+(\.\d+)?$")

    def test_each_name_once(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            conversation.send_line("stats")
            names = [line.split(" ")[1] for line in conversation.read_until(b"END\r\n").decode().splitlines()[:-1]]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_counters(self):
        daemon = self.start("--threads", "2")
        conversations = [self.connect(daemon) for _ in range(4)]
        for number, conversation in enumerate(conversations):
            self.assertEqual(conversation.set(f"counted:{number}", "x" * 100), "STORED")
            self.assertIsNotNone(conversation.get(f"counted:{number}"))
            self.assertIsNone(conversation.get("absent"))
            self.assertEqual(conversation.ask(f"touch counted:{number} 100"), "TOUCHED")
            self.assertEqual(conversation.ask("touch absent 100"), "NOT_FOUND")
            self.assertEqual(conversation.ask("delete absent"), "NOT_FOUND")
            self.assertEqual(conversation.ask("flush_all"), "CLIENT_ERROR flush_all not allowed")
        self.assertEqual(conversations[0].ask("delete counted:0"), "DELETED")
        stats = conversations[0].stats()
        wanted = {
            "cmd_set": 4, "cmd_get": 8, "get_hits": 4, "get_misses": 4, "cmd_touch": 8, "touch_hits": 4,
            "touch_misses": 4, "delete_hits": 1, "delete_misses": 4, "curr_items": 3, "total_items": 4,
            "curr_connections": 4, "total_connections": 4,
        }
        self.assertEqual({name: int(stats[name]) for name in wanted}, wanted)
        self.assertGreaterEqual(int(stats["bytes"]), 3 * 100)
        self.assertGreater(int(stats["bytes_read"]), 400)
        self.assertGreater(int(stats["bytes_written"]), 400)

    def test_expired_are_counted(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            for number in range(10):
                self.assertEqual(conversation.set(f"ends:{number}", "x", exptime=10), "STORED")
        daemon.move_clock(11)
        daemon.wait_for_stat("curr_items", 0)
        self.assertEqual(daemon.stats()["evictions"], "0")

    def test_uptime_and_time_follow_the_clock(self):
        daemon = self.start()
        before = daemon.stats()
        daemon.move_clock(1000)
        after = daemon.stats()
        self.assertAlmostEqual(int(after["time"]) - int(before["time"]), 1000, delta=5)
        self.assertAlmostEqual(int(after["uptime"]) - int(before["uptime"]), 1000, delta=5)

    def test_settings(self):
        """Our own options as they were typed, memcached's names in its units, as they are."""
        path = self.path("data.sock")
        daemon = self.start("--listen", "127.0.0.1:0", "--listen", f"unix:{path}", "--memory", "64m", "--threads", "3",
                            "--max-connections", "77", "--idle-timeout", "2h")
        settings = daemon.stats("settings")
        wanted = {"memory": "64m", "maxbytes": str(64 << 20), "threads": "3", "num_threads": "3", "maxconns": "77",
                  "idle-timeout": "2h", "idle_timeout": "7200", "domain_socket": path, "inter": "127.0.0.1",
                  "item_size_max": str(1 << 20), "evictions": "off", "flush_enabled": "no", "listen": f"unix:{path}"}
        self.assertEqual({name: settings[name] for name in wanted}, wanted)
        self.assertEqual(int(settings["umask"], 8), os.stat(path).st_mode & 0o777)

    # --- sessions and shards -------------------------------------------------------------------

    def test_sessions(self):
        daemon = self.start("--max-value", "20k")
        with daemon.connect() as conversation:
            for number in range(50):
                self.assertEqual(conversation.set(f"ends:{number}", "x" * 100, exptime=300), "STORED")
            for number in range(20):
                self.assertEqual(conversation.set(f"stays:{number}", "x" * 5000), "STORED")
                self.assertEqual(conversation.set(f"stays:{number}", "x" * 5000), "STORED")
            self.assertEqual(conversation.ask("delete stays:0"), "DELETED")
            self.assertEqual(conversation.set("large", "x" * 30000), "SERVER_ERROR object too large for cache")
            sessions = conversation.stats("sessions")
            wanted = {"live": 69, "created": 70, "renewed": 20, "deleted": 1, "expired": 0, "flushed": 0,
                      "refused_no_memory": 0, "refused_too_large": 1, "size_le_256": 50, "size_le_4096": 50,
                      "size_le_8192": 69, "estimated_from": 69, "remaining_le_60": 0, "remaining_le_600": 50,
                      "remaining_le_2592000": 50, "no_deadline": 19, "never_renewed": 50, "age_le_60": 69}
            self.assertEqual({name: int(sessions[name]) for name in wanted}, wanted)
            self.assertIn(int(sessions["size_largest"]), range(5000, 7000))
            self.assertEqual(sessions["never_renewed_share"], "0.72")
            self.assertEqual(conversation.ask("touch ends:0 300"), "TOUCHED")
            self.assertEqual(conversation.stats("sessions")["never_renewed"], "49")
            self.assertEqual(sessions["time_to_full"], "never")
            self.assertLess(int(sessions["memory_held"]), int(sessions["memory_for_sessions"]))
        daemon.move_clock(301)
        daemon.wait_for_stat("curr_items", 19)
        sessions = daemon.stats("sessions")
        wanted = {"live": 19, "expired": 50, "age_le_60": 0, "age_le_600": 19, "size_le_256": 0}
        self.assertEqual({name: int(sessions[name]) for name in wanted}, wanted)

    def test_sessions_survive_a_reset(self):
        """What became of sessions is counted from the start to the end."""
        daemon = self.start("--max-value", "1k")
        with daemon.connect() as conversation:
            self.assertEqual(conversation.set("key", "x"), "STORED")
            self.assertEqual(conversation.set("key", "x" * 2000), "SERVER_ERROR object too large for cache")
            self.assertEqual(conversation.ask("stats reset"), "RESET")
            figures = conversation.stats()
            self.assertEqual((figures["cmd_set"], figures["store_too_large"], figures["total_connections"]),
                             ("0", "0", "0"))
            self.assertEqual((figures["curr_items"], figures["curr_connections"], figures["sessions_created"]),
                             ("1", "1", "1"))
            sessions = conversation.stats("sessions")
            self.assertEqual((sessions["created"], sessions["refused_too_large"]), ("1", "1"))

    def test_time_to_full(self):
        daemon = self.start("--memory", "16m")
        with daemon.connect() as conversation:
            for number in range(100):
                self.assertEqual(conversation.set(f"key:{number}", "x" * 10000), "STORED")
            daemon.move_clock(20)
            sessions = {}

            def is_foreseen():
                sessions.update(conversation.stats("sessions"))
                return sessions["time_to_full"] != "never"

            self.wait_until(is_foreseen, "a forecast")
            grown = int(sessions["memory_held"])
            left = int(sessions["memory_for_sessions"]) - grown
            self.assertLess(int(sessions["time_to_full"]), 60 * left / (grown / 2))

    def test_shards(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            conversation.send(b"".join(b"set key:%d 0 0 1 noreply\r\nx\r\n" % number for number in range(5120)))
            conversation.expect_open()
            shards = conversation.stats("shards")
        self.assertLess(len(shards), 30)
        self.assertEqual((shards["shards"], shards["sessions_mean"]), ("256", "20"))
        self.assertLess(int(shards["sessions_least"]), 20)
        self.assertGreater(int(shards["sessions_most"]), 20)
        self.assertLess(float(shards["sessions_dispersion"]), 1.6)
        self.assertGreater(int(shards["bytes_most"]), int(shards["bytes_mean"]))

    def test_stats_and_resets_under_load(self):
        """While four connections work and others reset, every figure that is told can be true."""
        daemon = self.start("--threads", "4")
        workers = [self.connect(daemon) for _ in range(4)]
        readers = [self.connect(daemon) for _ in range(2)]
        request = b"set key 0 0 1\r\nx\r\nget key\r\nget none\r\ndelete none\r\n" * 20
        for turn in range(60):
            for worker in workers:
                worker.send(request)
            for reader in readers:
                reader.send("stats\r\nstats sessions\r\nstats slabs\r\nstats reset\r\n")
            for reader in readers:
                rows = reader.read_until(b"RESET\r\n").decode("ascii").split("\r\n")
                for row in rows:
                    value = row.split(" ")[-1]
                    if value.isdigit():
                        self.assertLess(int(value), 1 << 62, (turn, row))
            for worker in workers:
                for _ in range(20):
                    worker.read_until(b"NOT_FOUND\r\n")
        self.assertEqual(readers[0].ask("stats reset"), "RESET")
        self.assertEqual(readers[0].stats()["cmd_set"], "0")
        self.assertGreaterEqual(int(readers[0].stats("sessions")["renewed"]), 60 * 4 * 20 - 1)

    def test_help_names_every_command(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            conversation.send("help\r\nversion\r\n")
            text = conversation.read_until(b"VERSION 1.6.18\r\n").decode("ascii")
            for name in COMMANDS:
                self.assertRegex(text, rf"(?m)^\W*{name}\b")
            conversation.expect_open()
        self.assertNotIn("\n", text.replace("\r\n", ""))

    def test_help_as_the_first_line(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            conversation.send_line("help")
            conversation.send_line("version")
            conversation.read_until(b"VERSION 1.6.18\r\n")

    def test_stats_while_many_ask(self):
        daemon = self.start("--threads", "4")
        conversations = [self.connect(daemon) for _ in range(20)]
        for _ in range(20):
            for conversation in conversations:
                conversation.send("stats\r\n")
            for conversation in conversations:
                self.assertIn(b"STAT pid ", conversation.read_until(b"END\r\n"))

    def test_stats_over_a_unix_socket(self):
        path = self.path("data.sock")
        daemon = self.start("--listen", f"unix:{path}")
        self.assertEqual(daemon.stats()["pid"], str(daemon.pid))

    def test_secrets_stay_out_of_log_and_stats(self):
        """T-SEC-01, T-SEC-05: no key and no value, whatever goes wrong, at the highest verbosity."""
        daemon = self.start("-v", "--log-level", "debug", "--max-value", "1k")
        key, value = "SECRETKEY", "SECRETVALUE"
        with daemon.connect() as conversation:
            self.assertEqual(conversation.set(key, value), "STORED")
            self.assertEqual(conversation.get(key), value.encode())
            self.assertEqual(conversation.set(key, value * 100), "SERVER_ERROR object too large for cache")
            self.assertEqual(conversation.ask(f"touch {key} {value}"), "CLIENT_ERROR invalid exptime argument")
            self.assertEqual(conversation.ask(f"{value} {key}"), "ERROR")
            self.assertEqual(conversation.ask(f"delete {key * 30}"), "CLIENT_ERROR bad command line format")
            conversation.send_line(f"set {key} 0 0 {value}")
            self.assertEqual(conversation.read_line(), "CLIENT_ERROR bad command line format")
            conversation.expect_closed()
        with daemon.connect() as conversation:
            conversation.send(f"set {key} 0 0 1\r\n{value}\r\n")
            self.assertEqual(conversation.read_line(), "CLIENT_ERROR bad data chunk")
        with daemon.connect() as conversation:
            conversation.send_line(f"{value} {key}")
            self.assertEqual(conversation.read_line(), "ERROR")
        with daemon.connect() as conversation:
            conversation.send(b"\x80" + value.encode())
            conversation.expect_closed()
        for section in ("", "settings", "items", "conns"):
            with daemon.connect() as conversation:
                conversation.send(f"stats {section}\r\nquit\r\n")
                self.assertNotIn(b"SECRET", conversation.read_to_close())
        log = daemon.stop()
        self.assertNotIn("SECRET", log)
        self.assertNotIn("\x80", log)

    def test_binary_protocol_is_logged_with_advice_once(self):
        daemon = self.start()
        for _ in range(20):
            with daemon.connect() as conversation:
                conversation.send(b"\x80\x0a" + bytes(22))
                conversation.expect_closed()
        daemon.wait_for_stderr("binary protocol")
        log = daemon.stop()
        self.assertEqual(log.count("binary protocol"), 1)
        self.assertIn("memcached.sess_binary_protocol=0", log)
        self.assertIn("protocol: :meta", log)

    def test_refused_flush_is_logged_with_the_peer(self):
        daemon = self.start()
        with daemon.connect() as conversation:
            self.assertEqual(conversation.ask("flush_all"), "CLIENT_ERROR flush_all not allowed")
            port = conversation.socket.getsockname()[1]
        daemon.wait_for_stderr(rf"flush_all.*127\.0\.0\.1:{port}|127\.0\.0\.1:{port}.*flush_all")


if __name__ == "__main__":
    unittest.main()
