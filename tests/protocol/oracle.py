"""Every conversation against the distribution's memcached: what is not marked as a difference holds there too.

Not a test of the daemon: it keeps our expectations honest.
"""

import glob
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class OracleTest(unittest.TestCase):
    def test_conversations_hold_or_differ_as_marked(self):
        conversations = sorted(glob.glob(os.path.join(HERE, "*.seq")))
        self.assertGreater(len(conversations), 0)
        for path in conversations:
            with self.subTest(os.path.basename(path)):
                ended = subprocess.run(
                    [sys.executable, os.path.join(HERE, "run_seq.py"), "--memcached=memcached", path],
                    capture_output=True, text=True, timeout=60, check=False,
                )
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)


if __name__ == "__main__":
    unittest.main()
