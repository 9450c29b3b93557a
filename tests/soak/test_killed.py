"""``site.yml`` killed (-9) at each place alone, on a fresh lab. Not part of CI; run: make killed"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

from test_0_killed import KILLS, finishes, fresh, kill

AT_ONCE = (4, 5, 6)  # address ranges of labs that run at the same time: most of the time is waiting


def test_killed_once_on_a_fresh_lab() -> None:
    numbers = Queue[int]()
    for number in AT_ONCE:
        numbers.put(number)

    def alone(case: tuple[str, str]) -> None:
        number = numbers.get()
        try:
            with fresh(f"tkill{number}", number) as lab:
                kill(lab, *case)
                finishes(lab)
        finally:
            numbers.put(number)

    with ThreadPoolExecutor(len(AT_ONCE)) as pool:
        for case, _ in zip(KILLS, pool.map(alone, KILLS), strict=True):
            sys.stderr.write(f"killed at {' '.join(case).strip()!r}: finished by the next run, the last was quiet\n")
