# SPDX-License-Identifier: MIT
"""Answers that no AWS should give: never a crash, never a sleep, and no memory of it afterwards."""

from harness import ASLEEP, AWAKE, Story

SPOILT = {
    "truncate": 0, "duplicate": 0, "garbage": 0, "error_in_200": 0, "wrong_types": 0,
    "huge": 20 << 20, "deep": 100000, "reset": 0, "wrong_content_length": 0,
}


class Malformed(Story):
    def assert_converges(self):
        self.fall_asleep()
        self.wake_up()
        self.assert_stops_cleanly()

    def check_that_nothing_sleeps(self, operation):
        # Between two kinds a good answer may come: then it may sleep, and rightly so. Hence all
        # is spoilt by this kind or the next.
        self.start_sim()
        self.write_config()
        kinds = list(SPOILT.items())
        fault = self.sim.fault(kinds[0][0], operation, value=kinds[0][1])
        self.start_daemon()
        for kind, value in kinds[1:] + kinds[:1]:
            self.sim.wait_for_further(operation, 2)
            following = self.sim.fault(kind, operation, value=value)
            self.sim.mend(fault)
            fault = following
        self.assert_alive()
        self.assert_nothing_sleeps()
        self.sim.mend()
        self.assert_converges()

    def test_filter_log_events(self):
        self.check_that_nothing_sleeps("FilterLogEvents")

    def test_start_query(self):
        self.check_that_nothing_sleeps("StartQuery")

    def test_get_query_results(self):
        self.check_that_nothing_sleeps("GetQueryResults")

    def test_describe_services(self):
        self.check_that_nothing_sleeps("DescribeServices")

    def check_update_service(self, kind):
        """It acts, and its answer is spoilt: the counts are right in the end all the same."""
        self.start_sim()
        self.write_config()
        self.sim.fault(kind, "UpdateService", value=SPOILT[kind])
        self.start_daemon()
        self.sim.wait_for_counts(ASLEEP)
        self.sim.request()
        self.sim.wait_for_counts(AWAKE)
        self.assertEqual({0, *AWAKE.values()}, {count for _, count in self.sim.updates()})
        self.sim.mend()
        self.assert_stops_cleanly()


def add_tests():
    for kind in SPOILT:
        def test(self, kind=kind):
            self.check_update_service(kind)
        setattr(Malformed, f"test_update_service_{kind}", test)


add_tests()
