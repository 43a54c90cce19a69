"""What tests of wrong clocks share: sessions with lives, starts at another time."""

from crash_case import CrashCase

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class ClockCase(CrashCase):
    def end(self, daemon, how):
        if how == "kill":
            daemon.kill()
        else:
            self.stop(daemon)
        self.assert_clean(daemon)

    def start_again(self, daemon, how="kill", step_s=0, *more):
        """End it, set the wall clock while it is down, and start it. Returns a conversation with it."""
        if daemon.running:
            self.end(daemon, how)
        daemon.clock.step(step_s)
        daemon._args += more
        try:
            daemon.start()
        finally:
            del daemon._args[len(daemon._args) - len(more):]
        return self.connect(daemon)

    def start_with(self, *args, **sessions):
        """A daemon with these sessions, each with its life in seconds, and a conversation with it."""
        daemon = self.start(*args)
        conversation = self.connect(daemon)
        for key, life_s in sessions.items():
            self.assertEqual(conversation.set(key, key.encode(), life_s), "STORED")
        return daemon, conversation

    def assert_there(self, conversation, *keys):
        for key in keys:
            self.assertEqual(conversation.get(key), key.encode(), key)

    def assert_gone(self, conversation, *keys):
        for key in keys:
            self.assertIsNone(conversation.get(key), key)

    def n_frames(self, daemon):
        return int(daemon.stats("journal")["journal_frames"])

    def wait_for_time_frame(self, daemon, before):
        daemon.wait_for_stat("journal_frames", lambda count: count > before, section="journal")

    def expire(self, daemon, conversation, seconds, *keys):
        """Time passes; it is on disk that these have expired: a change behind it carries the time."""
        daemon.clock.move(seconds)
        self.assert_gone(conversation, *keys)
        self.assertEqual(conversation.set("tick", b"tick", 1), "STORED")
