"""Writes rows without a pause and keeps what was acknowledged outside of the database: `python -m tests.faults.chaos_writer CONNINFO FILE`.

Each line of the file is a row that the server has committed: its number, when it was sent and when it was
acknowledged, in seconds since 1970. A row whose fate is unknown has no line, and its number is never used again.
"""

import itertools
import os
import sys
import time

import psycopg

PAUSE_SECONDS = 0.004
PAYLOAD = "x" * 400


def main(conninfo: str, path: str) -> None:
    """Write until killed; a server that is gone is waited for."""
    # Another run in the same database has other numbers.
    numbers = itertools.count(time.time_ns() // 1000)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while True:
        try:
            with psycopg.connect(conninfo, autocommit=True, connect_timeout=2) as connection:
                for number in numbers:
                    sent = time.time()
                    connection.execute(
                        "INSERT INTO chaos (number, payload) VALUES (%s, %s)", [number, PAYLOAD]
                    )
                    os.write(log, f"{number} {sent:.6f} {time.time():.6f}\n".encode())
                    time.sleep(PAUSE_SECONDS)
        except psycopg.Error:
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
