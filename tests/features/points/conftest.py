import pytest
from features.points.kinds import KINDS
from rendered_scenes import needs_kornia_xfeat


@pytest.fixture(
    params=[
        pytest.param(kind, marks=needs_kornia_xfeat) if kind == "xfeat" else kind for kind in KINDS
    ]
)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each point detector in turn."""
    return request.param
