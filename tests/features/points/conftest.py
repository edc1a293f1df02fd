import pytest
from features.points.kinds import KINDS


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each point detector in turn."""
    return request.param
