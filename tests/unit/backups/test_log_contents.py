"""Which backups lead to the newest timeline, by what the histories say."""

import pytest

from leitstand.backups.log_contents import ENDLESS, _leads_on


@pytest.mark.parametrize(
    ("timeline", "stop_lsn", "left", "leads"),
    [
        (1, "0/5000000", {}, True),
        (1, "0/5000000", {1: 0x6000000, 2: ENDLESS}, True),
        (1, "0/6000000", {1: 0x6000000, 2: ENDLESS}, True),
        (1, "0/7000000", {1: 0x6000000, 2: ENDLESS}, False),
        (2, "0/9000000", {1: 0x6000000, 2: ENDLESS}, True),
        # The second was given up: the third left the first one by itself.
        (2, "0/9000000", {1: 0x8000000, 3: ENDLESS}, False),
        (1, "0/7000000", {1: 0x8000000, 3: ENDLESS}, True),
        # A backup of a timeline whose own history never came into the archive.
        (4, "0/9000000", {1: 0x8000000, 3: ENDLESS}, True),
    ],
)
def test_only_a_backup_from_before_the_fork_leads_on(
    timeline: int, stop_lsn: str, left: dict[int, int], leads: bool
) -> None:
    assert _leads_on({"timeline": timeline, "stop_lsn": stop_lsn}, left) is leads
