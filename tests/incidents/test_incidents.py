# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users see when something fails or changes, under constant traffic.

The bars are what docs/deployment.md promises, with room for a busy machine; the table at the end
has the numbers.
"""

from __future__ import annotations

import pytest

from tests.command import Ran
from tests.course import Course, watch
from tests.e2e.conftest import URL
from tests.incidents.incidents import INCIDENTS, Incident, settled


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_users_see_no_more_than_is_documented(
    cluster: Ran, table: dict[str, Course], incident: Incident
) -> None:
    assert cluster.code == 0
    settled()
    try:
        course = watch(URL, incident.seconds, incident.happen)
    finally:
        incident.undo()
    table[incident.title] = course
    print(course)
    assert course.before == 0
    assert course.failed <= incident.failed, course.kinds
    assert course.normal_after <= incident.normal
