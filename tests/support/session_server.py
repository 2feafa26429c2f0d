"""One Prefect server for a session of pytest, however many test packages ask for it.

Fixtures that are imported from another conftest.py are others to pytest, and would start servers of their own. Prefect's
events would still go to the one that the process knew first.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.testing.utilities import prefect_test_harness

_USES = itertools.count()


@contextmanager
def session_server() -> Iterator[None]:
    """Started for real: a release of FastAPI that breaks it is noticed here, and nowhere else."""
    if next(_USES):
        yield
        return
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # it would be one more writer of SQLite's one lock
    with prefect_test_harness(server_startup_timeout=180):
        yield
