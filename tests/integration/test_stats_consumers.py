"""What programs that read memcached's `stats` need, by name: each reads as that program does.

The same checks pass against memcached, so that they ask for no more than there is. The programs
themselves are run in tests/clients/test_exporters.py, where there is a package of them.
"""

import re
import unittest

from integration_case import IntegrationCase
from sessiond_process import MemcachedProcess

COMMANDS = ("get", "delete", "incr", "decr", "cas", "touch")

# prometheus/memcached_exporter, pkg/exporter/exporter.go: published if there, and then numbers.
EXPORTER_NAMES = [f"{command}_{end}" for command in COMMANDS for end in ("hits", "misses")] + (
    "uptime time cas_badval cmd_flush bytes limit_maxbytes curr_items total_items bytes_read bytes_written "
    "curr_connections total_connections rejected_connections conn_yields listen_disabled_num evictions "
    "reclaimed store_too_large store_no_memory lru_crawler_starts direct_reclaims crawler_items_checked "
    "crawler_reclaimed moves_to_cold moves_to_warm moves_within_lru accepting_conns"
).split()
EXPORTER_ITEM_NAMES = (
    "number age hits_to_hot hits_to_warm hits_to_cold hits_to_temp crawler_reclaimed evicted evicted_nonzero "
    "evicted_time evicted_unfetched expired_unfetched outofmemory reclaimed tailrepairs mem_requested "
    "moves_to_cold moves_to_warm moves_within_lru number_hot number_warm number_cold age_hot age_warm"
).split()
EXPORTER_SLAB_NAMES = [f"{command}_hits" for command in COMMANDS] + (
    "chunk_size chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end"
).split()

# influxdata/telegraf, plugins/inputs/memcached/memcached.go, beyond those of the exporter.
TELEGRAF_NAMES = (
    "accepting_conns auth_cmds auth_errors bytes bytes_read bytes_written cas_badval cas_hits cas_misses cmd_flush "
    "cmd_get cmd_meta cmd_set cmd_touch conn_yields connection_structures crawler_items_checked crawler_reclaimed "
    "curr_connections curr_items decr_hits decr_misses delete_hits delete_misses direct_reclaims evicted_active "
    "evicted_unfetched evictions expired_unfetched get_expired get_flushed get_hits get_misses hash_bytes "
    "hash_is_expanding hash_power_level incr_hits incr_misses limit_maxbytes listen_disabled_num log_watcher_sent "
    "log_watcher_skipped log_worker_dropped log_worker_written lru_bumps_dropped lru_crawler_running "
    "lru_crawler_starts lru_maintainer_juggles lrutail_reflocked malloc_fails max_connections moves_to_cold "
    "moves_to_warm moves_within_lru read_buf_bytes read_buf_bytes_free read_buf_count read_buf_oom reclaimed "
    "rejected_connections response_obj_bytes response_obj_count response_obj_oom round_robin_fallback "
    "slab_global_page_pool slab_reassign_busy_deletes slab_reassign_busy_items slab_reassign_chunk_rescues "
    "slab_reassign_evictions_nomem slab_reassign_inline_reclaim slab_reassign_rescues slab_reassign_running "
    "slabs_moved store_no_memory store_too_large threads time_in_listen_disabled_us total_connections "
    "total_items touch_hits touch_misses unexpected_napi_ids uptime"
).split()

# netdata, python.d/memcached.chart.py: the lines of its charts.
NETDATA_NAMES = (
    "limit_maxbytes bytes bytes_read bytes_written curr_connections rejected_connections total_connections "
    "curr_items total_items reclaimed evictions get_hits get_misses cmd_get cmd_set delete_hits delete_misses "
    "cas_hits cas_misses cas_badval incr_hits incr_misses decr_hits decr_misses touch_hits touch_misses cmd_touch"
).split()

# collectd, src/memcached.c.
COLLECTD_NAMES = (
    "uptime rusage_user rusage_system threads curr_items bytes limit_maxbytes curr_connections total_connections "
    "listen_disabled_num cmd_get cmd_set cmd_flush cmd_touch incr_misses incr_hits decr_misses decr_hits get_hits "
    "get_misses evictions delete_hits delete_misses bytes_read bytes_written"
).split()
COLLECTD_BUFFER_SIZE = 4096

# elijaa/phpmemcachedadmin, src/Library/Data/Analysis.php.
ADMIN_NAMES = (
    "cmd_set uptime cmd_get get_hits get_misses delete_hits delete_misses cas_hits cas_misses cas_badval incr_hits "
    "incr_misses decr_hits decr_misses touch_hits touch_misses cmd_flush limit_maxbytes bytes evictions reclaimed "
    "hash_power_level hash_bytes hash_is_expanding slabs_moved"
).split()
ADMIN_NOT_SUMMED = ("libevent", "pid", "pointer_size", "time", "uptime", "version")
ADMIN_SLAB_NAMES = (
    "used_chunks get_hits cmd_set delete_hits cas_hits cas_badval incr_hits decr_hits total_chunks chunk_size"
).split()
ADMIN_END = re.compile(r"(END|DELETED|OK|ERROR|SERVER_ERROR|CLIENT_ERROR|NOT_FOUND|STORED|RESET|TOUCHED)")

# Names that another build of memcached sends for what sessiond does not have: storage on flash, TLS.
NOT_OURS = re.compile(r"extstore_|ext_|ssl_(?!enabled)|proxy_|slab_automove_freeratio$")


def talk(conversation):
    """Some of everything that is counted; returns how often each was done."""
    for number in range(20):
        conversation.set(f"key:{number}", "1" * (number + 1))
    conversation.store("add", "key:1", "1")
    for number in range(30):
        conversation.get(f"key:{number}")
    for line in ("incr key:0 1", "decr key:0 1", "incr none 1", "decr none 1", "touch key:3 100", "touch none 1",
                 "delete key:4", "delete none"):
        conversation.ask(line)
    conversation.send_line("gets key:5")
    version = conversation.read_values()["key:5"][1]
    for line in (f"cas key:5 0 0 1 {version}", f"cas key:5 0 0 1 {version}", "cas none 0 0 1 1"):
        conversation.send(f"{line}\r\nx\r\n")
        conversation.read_line()
    return {"set": 21, "get": 31, "cas": 3}


def reply_to(conversation, line):
    """The raw reply to one stats command, with its END."""
    conversation.send_line(line)
    return conversation.read_until(b"END\r\n").decode("ascii")


class ConsumersNeeds:
    """The needs. A subclass starts the daemon that they are asked of."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.conversation = self.enterContext(self.daemon.connect())

    def assert_numbers(self, rows, names):
        self.assertEqual([name for name in names if name not in rows], [])
        for name in names:
            with self.subTest(name):
                self.assertRegex(rows[name], r"^-?\d+(\.\d+)?$")

    # --- memcached_exporter --------------------------------------------------------------------

    def exporter_scrape(self):
        """stats, slabs and items as its client reads them: (figures, slabs, items)."""
        figures, slabs, items = {}, {}, {}
        for command in ("stats", "stats slabs", "stats items"):
            for line in reply_to(self.conversation, command).split("\r\n")[:-2]:
                word, name, value = line.split(" ")
                self.assertEqual(word, "STAT")
                parts = name.split(":")
                self.assertLessEqual(len(parts), 3, line)
                if len(parts) == 1:
                    figures[name] = value
                elif len(parts) == 2:
                    slabs.setdefault(int(parts[0]), {})[parts[1]] = value
                else:
                    self.assertEqual(parts[0], "items")
                    items.setdefault(int(parts[1]), {})[parts[2]] = value
        return figures, slabs, items

    def test_memcached_exporter_figures(self):
        done = talk(self.conversation)
        figures, _, _ = self.exporter_scrape()
        self.assert_numbers(figures, EXPORTER_NAMES)
        cas = sum(int(figures[name]) for name in ("cas_hits", "cas_misses", "cas_badval"))
        self.assertEqual(cas, done["cas"])
        self.assertEqual(int(figures["cmd_set"]) - cas, done["set"])
        self.assertRegex(figures["version"], r"^\S+$")
        for name in ("rusage_user", "rusage_system"):
            seconds, microseconds = figures[name].split(".")
            self.assertEqual((int(seconds) >= 0, len(microseconds)), (True, 6))
        for switch in ("extstore_limit_maxbytes", "proxy_backend_total"):
            self.assertNotIn(switch, figures)

    def test_memcached_exporter_classes(self):
        talk(self.conversation)
        _, slabs, items = self.exporter_scrape()
        self.assertEqual(set(slabs), set(items))
        self.assertTrue(slabs)
        for number, slab in slabs.items():
            self.assert_numbers(slab, EXPORTER_SLAB_NAMES + ["cmd_set", "cas_badval"])
            self.assertGreaterEqual(int(slab["cmd_set"]), int(slab["cas_hits"]) + int(slab["cas_badval"]))
            self.assert_numbers(items[number], EXPORTER_ITEM_NAMES)

    def test_memcached_exporter_empty(self):
        figures, slabs, items = self.exporter_scrape()
        self.assert_numbers(figures, ["cmd_set", "cas_hits", "total_malloced"])
        self.assertEqual((slabs, items), ({}, {}))

    def test_memcached_exporter_settings(self):
        settings = {}
        for line in reply_to(self.conversation, "stats settings").split("\r\n")[:-2]:
            self.assertIn(len(line.split(" ")), (3, 4), line)
            settings[line.split(" ")[1]] = line.split(" ")[2]
        self.assert_numbers(settings, ["maxconns"])
        if settings["lru_crawler"] == "yes":
            self.assert_numbers(settings, ["lru_crawler_sleep", "lru_crawler_tocrawl", "hot_lru_pct",
                                           "warm_lru_pct", "hot_max_factor", "warm_max_factor"])
            self.assertIn(settings["lru_maintainer_thread"], ("yes", "no"))

    # --- telegraf, netdata, collectd -----------------------------------------------------------

    def test_telegraf(self):
        talk(self.conversation)
        figures = {}
        for line in reply_to(self.conversation, "stats").split("\r\n")[:-2]:
            word, name, value = line.split(" ", 2)
            self.assertEqual(word, "STAT")
            figures[name] = value
        self.assertEqual([name for name in TELEGRAF_NAMES if not re.match(r"\d+$", figures.get(name, "none"))], [])

    def test_netdata(self):
        talk(self.conversation)
        reply = reply_to(self.conversation, "stats")
        figures = dict(line[5:].split(" ")[:2] for line in reply.splitlines() if line.startswith("STAT"))
        self.assert_numbers(figures, NETDATA_NAMES)
        self.assertGreater(int(figures["limit_maxbytes"]) - int(figures["bytes"]), 0)

    def test_collectd(self):
        talk(self.conversation)
        reply = reply_to(self.conversation, "stats")
        self.assertLessEqual(len(reply), COLLECTD_BUFFER_SIZE)
        figures = {}
        for line in reply.split("\r\n")[:-2]:
            fields = line.split()
            self.assertEqual(len(fields), 3, line)
            figures[fields[1]] = fields[2]
        self.assert_numbers(figures, COLLECTD_NAMES)
        self.assert_numbers(figures, [name for name in figures if name.startswith("cmd_")])
        self.assertLessEqual(int(figures["bytes"]), int(figures["limit_maxbytes"]))
        self.assertLessEqual(int(figures["get_hits"]), int(figures["cmd_get"]))

    # --- phpMemcachedAdmin ---------------------------------------------------------------------

    def admin_ask(self, command):
        """Lines up to the first that looks like an end; None when that is the first of all."""
        self.conversation.send_line(command)
        lines = []
        while not ADMIN_END.match(line := self.conversation.read_line()):
            lines.append(line)
        self.assertEqual(line, "END")
        return {line.split(" ")[1]: line.split(" ")[2] for line in lines} if lines else None

    def test_phpmemcachedadmin_stats(self):
        talk(self.conversation)
        figures = self.admin_ask("stats")
        self.assert_numbers(figures, ADMIN_NAMES)
        self.assertGreater(int(figures["uptime"]), 0)
        for name, value in figures.items():
            # It adds and subtracts all others; PHP 8 ends with an error where a text does not begin with a number.
            if name not in ADMIN_NOT_SUMMED:
                self.assertRegex(value, r"^-?\d", name)

    def test_phpmemcachedadmin_slabs(self):
        talk(self.conversation)
        slabs = self.admin_ask("stats slabs")
        self.assert_numbers(slabs, ["active_slabs", "total_malloced"])
        items = self.admin_ask("stats items")
        classes = {name.split(":")[0] for name in slabs if ":" in name}
        self.assertEqual(len(classes), int(slabs["active_slabs"]))
        for number in classes:
            self.assert_numbers(slabs, [f"{number}:{name}" for name in ADMIN_SLAB_NAMES])
            self.assert_numbers(items, [f"items:{number}:mem_requested"])
            self.assertGreaterEqual(int(slabs[f"{number}:total_chunks"]), int(slabs[f"{number}:used_chunks"]))
            self.assertGreaterEqual(
                int(slabs[f"{number}:total_chunks"]) * int(slabs[f"{number}:chunk_size"]),
                int(items[f"items:{number}:mem_requested"]))

    def test_phpmemcachedadmin_settings_and_items(self):
        talk(self.conversation)
        settings = self.admin_ask("stats settings")
        self.assert_numbers(settings, ["maxbytes", "maxconns", "tcpport", "num_threads", "item_size_max"])
        self.conversation.send_line("stats cachedump 1 100")
        while (line := self.conversation.read_line()) != "END":
            self.assertRegex(line, r"^ITEM \S+ \[\d+ b; \d+ s\]$")


class SessiondServesItsConsumers(ConsumersNeeds, IntegrationCase):
    def start_daemon(self):
        return self.start()


class MemcachedServesItsConsumers(ConsumersNeeds, IntegrationCase):
    """The needs are no more than memcached meets."""

    def start_daemon(self):
        return self.enterContext(MemcachedProcess())


class SameNamesTest(IntegrationCase):
    """Whatever memcached sends is there, under its name."""

    def setUp(self):
        super().setUp()
        self.conversations = [self.enterContext(daemon.connect())
                              for daemon in (self.start(), self.enterContext(MemcachedProcess()))]
        for conversation in self.conversations:
            talk(conversation)

    def names(self, section):
        """The names of sessiond and of memcached, the number of a class left out."""
        return [{re.sub(r"\b\d+:", "N:", name) for name in conversation.stats(section)
                 if not NOT_OURS.match(name)} for conversation in self.conversations]

    def test_stats(self):
        ours, theirs = self.names("")
        self.assertEqual(theirs - ours, set())

    def test_settings(self):
        ours, theirs = self.names("settings")
        self.assertEqual(theirs - ours, set())

    def test_items_and_slabs(self):
        for section in ("items", "slabs"):
            ours, theirs = self.names(section)
            self.assertEqual(ours, theirs)

    def test_same_counts_and_same_reset(self):
        """After the same talk the same figures; after a reset the same ones are 0."""
        # Not total_items: memcached does not count what incr changes in its place.
        counted = re.compile(r"_hits$|_misses$|^cmd_|^cas_|curr_items|^get_|evic|recl|too_large|no_memory|errors")
        names = [name for name in EXPORTER_NAMES + TELEGRAF_NAMES if counted.search(name)]
        ours, theirs = [{name: conversation.stats()[name] for name in names} for conversation in self.conversations]
        self.assertEqual(ours, theirs)
        for conversation in self.conversations:
            self.assertEqual(conversation.ask("stats reset"), "RESET")
        ours, theirs = [{name: conversation.stats()[name] for name in names} for conversation in self.conversations]
        self.assertEqual(ours, theirs)
        self.assertEqual((ours["curr_items"], ours["cmd_set"], ours["get_hits"]), ("19", "0", "0"))


if __name__ == "__main__":
    unittest.main()
