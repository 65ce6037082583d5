"""The day of test_workers.py once more, where the workers steer and not the kernel.

It is a file of its own because each of the two takes more than a minute, and a file has five.
"""

import lib
import test_workers


class EverydaySteeredByTheWorkers(test_workers.EverydayCase):
    STEERING = "user"

    def test_a_day(self):
        self.check_a_day()


if __name__ == "__main__":
    lib.main()
