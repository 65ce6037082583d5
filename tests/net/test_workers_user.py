"""The day of test_workers.py once more, where the workers steer and not the kernel.

It is a file of its own so that both days can pass at the same time: each waits for most of a minute.
"""

import lib
import test_workers


class EverydaySteeredByTheWorkers(test_workers.EverydayCase):
    STEERING = "user"

    def test_a_day(self):
        self.check_a_day()


if __name__ == "__main__":
    lib.main()
