"""What the tests of hostile input share."""

from __future__ import annotations

import pytest

from hastec.options import Options


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Return options with a cache of these tests' own, so that nothing of the user's is touched."""
    return Options.from_environment({}, cache_dir=tmp_path_factory.mktemp("cache"))
