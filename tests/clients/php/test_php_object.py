"""The class Memcached of PHP against a running sessiond. The names of the cases say what it needs."""

import json
import subprocess
import unittest

from php_case import HERE

from client_case import ClientCase
from site_process import ANSWER_DEADLINE_S


class ObjectTest(ClientCase):
    """The class Memcached, whose default is the text protocol."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        host, port = cls.daemon.address
        ended = subprocess.run(["php", str(HERE / "object.php"), host, str(port)], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=ANSWER_DEADLINE_S, check=False)
        if ended.returncode or ended.stderr:
            raise AssertionError(ended)
        cls.said = json.loads(ended.stdout)
        cls.server = f"{host}:{port}"

    def assert_said(self, **wanted):
        names = {name: name.replace("_", " ") for name in wanted}
        self.assertEqual({name: self.said[names[name]] for name in wanted}, wanted)

    def test_text_is_the_default_and_the_version_is_read(self):
        self.assert_said(binary=0)
        self.assertRegex(self.said["version"][self.server], r"\A1\.\d+\.\d+\Z")

    def test_get_set_add_replace_with_types_by_flags(self):
        self.assert_said(set=True, get={"a": [1, None, 1.5, "caf\xe9"]}, get_missing="NOT FOUND", add="NOT STORED",
                         replace_missing="NOT STORED")

    def test_many_keys(self):
        self.assert_said(setMulti=True, getMulti={"a": 1, "b": "two", "c": 3.5, "d": True}, getDelayed=True,
                         fetchAll={"a": 1, "b": "two"}, deleteMulti={"c": True, "d": True})

    def test_append_prepend_cas(self):
        self.assert_said(append_missing="NOT STORED", append=True, prepend=True, get_b=".two.", cas=True)
        self.assertIn(self.said["cas again"], ("DATA EXISTS", "CONNECTION DATA EXISTS"))

    def test_counting(self):
        self.assert_said(increment=15, decrement=0, increment_missing="NOT FOUND")
        self.assertIn("CLIENT ERROR", self.said["increment text"])

    def test_touch_exist_delete(self):
        self.assert_said(touch=True, touch_missing="NOT FOUND", checkKey=True,
                         delete=True, delete_again="NOT FOUND")

    def test_a_negative_exptime_keeps_nothing(self):
        self.assert_said(negative=True, get_negative="NOT FOUND")

    def test_a_value_too_large_is_refused_and_the_old_one_stays(self):
        self.assert_said(too_large="ITEM TOO BIG", get_old={"a": [1, None, 1.5, "caf\xe9"]})

    def test_a_refused_flush_is_false_and_nothing_goes(self):
        self.assertNotIn(self.said["flush"], (True, "SUCCESS"))

    def test_stats_keys_and_quit(self):
        self.assert_said(getStats={self.server: self.daemon.pid}, quit=True,
                         get_after_quit={"a": [1, None, 1.5, "caf\xe9"]})
        self.assertNotIn("key", self.said["getAllKeys"] or [])


if __name__ == "__main__":
    unittest.main()
