import json
from pathlib import Path


class Wireframe2d:
    def __init__(self):
        self.edges = []

    def add_edge(self, point, line, weight):
        self.edges.append([point, line, weight])


class Structure2d:
    def __init__(self):
        self.num_points, self.lines, self.wireframe = 0, [], Wireframe2d()

    def set_num_points(self, number):
        self.num_points = number

    def set_lines(self, lines):
        self.lines = lines

    def set_wireframe(self, wireframe):
        self.wireframe = wireframe


class StructureDatabase:
    """Writes what it is given as JSON when it is closed."""

    def __init__(self, path):
        self.path, self.structures, self.matches = Path(path), {}, {}

    @classmethod
    def open(cls, path):
        return cls(path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        stored = {"structures": self.structures, "matches": self.matches}
        self.path.write_text(json.dumps(stored))

    def write_structure2d(self, image_id, structure):
        self.structures[image_id] = {
            "num_points": structure.num_points,
            "lines": [[*line.start, *line.end] for line in structure.lines],
            "edges": structure.wireframe.edges,
        }

    def write_line_matches(self, first, second, matches):
        assert matches.dtype == "uint32"
        assert matches.ndim == 2
        self.matches[f"{first} {second}"] = matches.tolist()
