import json
from pathlib import Path

import numpy as np
import pytest

from gluestick.reconstruction.lines import LineMap
from gluestick.reconstruction.lines.files import read_line_map, write_line_map

NAMES = ["a.jpg", "b/<img src=x>.jpg", "c.jpg"]
LINES = LineMap(
    segments=np.array([[[0.0, 0, 1], [3, 4, 1]], [[1, 1, 1e-7], [1, 1, 2]]]),
    errors=np.array([0.25, 0.5]),
    uncertainties=np.array([0.01, 0.02]),
    observations=np.array([[0, 0, 5], [0, 1, 7], [0, 1, 8], [1, 0, 2], [1, 2, 3]]),
)


def test_lines_are_read_back(tmp_path: Path) -> None:
    write_line_map(tmp_path, LINES, NAMES, made_from="abc")
    found, digest = read_line_map(tmp_path / "lines.json", NAMES)
    assert digest == "abc"
    for name in ("segments", "errors", "uncertainties", "observations"):
        assert getattr(found, name).tolist() == getattr(LINES, name).tolist()


def test_json_tells_what_a_person_wants_to_know(tmp_path: Path) -> None:
    write_line_map(tmp_path, LINES, NAMES)
    first = json.loads((tmp_path / "lines.json").read_text())["lines"][0]
    assert first == {
        "ends": [[0, 0, 1], [3, 4, 1]],
        "length": 5,
        "num_views": 2,
        "reprojection_error": 0.25,
        "uncertainty": 0.01,
        "track": [
            {"image": "a.jpg", "line": 5},
            {"image": NAMES[1], "line": 7},
            {"image": NAMES[1], "line": 8},
        ],
    }


def test_ply_and_obj_hold_edges(tmp_path: Path) -> None:
    write_line_map(tmp_path, LINES, NAMES)
    ply = (tmp_path / "lines.ply").read_text().splitlines()
    assert ply[:3] == ["ply", "format ascii 1.0", "element vertex 4"]
    assert "element edge 2" in ply
    body = ply[ply.index("end_header") + 1 :]
    assert body == ["0 0 1", "3 4 1", "1 1 1e-07", "1 1 2", "0 1", "2 3"]
    obj = (tmp_path / "lines.obj").read_text().splitlines()
    assert obj == ["v 0 0 1", "v 3 4 1", "v 1 1 1e-07", "v 1 1 2", "l 1 2", "l 3 4"]


def test_no_lines_are_valid_files(tmp_path: Path) -> None:
    empty = LineMap(
        segments=np.zeros((0, 2, 3)),
        errors=np.zeros(0),
        uncertainties=np.zeros(0),
        observations=np.zeros((0, 3), np.int64),
    )
    write_line_map(tmp_path, empty, NAMES)
    assert len(read_line_map(tmp_path / "lines.json", NAMES)[0]) == 0
    assert "element edge 0" in (tmp_path / "lines.ply").read_text()


@pytest.mark.parametrize("content", ["", "[]", '{"lines": [{}], "made_from": ""}'])
def test_what_is_no_line_map_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "lines.json").write_text(content)
    with pytest.raises(ValueError, match=r"lines\.json is not a line map"):
        read_line_map(tmp_path / "lines.json", NAMES)
    write_line_map(tmp_path, LINES, NAMES)
    with pytest.raises(ValueError, match="of these photographs"):
        read_line_map(tmp_path / "lines.json", NAMES[:1])
