import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from gluestick.storage.atomic import atomic_path
from gluestick.visualization import write_viewer
from gluestick.visualization.pages import page_parts


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.open.append(attributes.get("id", tag))

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, text):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + text

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


VOID = ("meta", "link", "input", "img")


def parse(path):
    text = path.read_text(encoding="utf-8")
    for tag in VOID:  # void elements have no end tag: make them explicit for the parser
        text = re.sub(rf"<{tag}\b([^>]*)>", rf"<{tag}\1/>", text)
    return Page(text)


def write(path, pair, **options):
    write_viewer(
        path,
        *pair.images,
        *pair.keypoints,
        pair.matches,
        pair.scores,
        *pair.lines,
        pair.line_matches,
        pair.line_scores,
        **options,
    )


def test_data_is_read_back(tmp_path, pair):
    path = tmp_path / "viewer.html"
    inliers = np.arange(20) % 2 == 0
    write(path, pair, point_inliers=inliers)
    data = json.loads(parse(path).texts["data"])
    assert data["images"] == [[80, 60], [80, 60]]
    for kind, expected in (("points", pair.keypoints), ("lines", pair.lines)):
        for found, values in zip(data[kind]["coordinates"], expected, strict=True):
            np.testing.assert_allclose(found, values, atol=0.0051)
    index0, index1, scores, known, colors = zip(*data["points"]["matches"], strict=True)
    assert list(index0) == np.flatnonzero(pair.matches > -1).tolist()
    assert list(index1) == pair.matches[pair.matches > -1].tolist()
    assert list(scores) == [0.875] * 20
    assert list(known) == inliers.tolist()
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    assert [row[3] for row in data["lines"]["matches"]] == [None] * 6


def test_images_are_embedded(tmp_path, pair):
    path = tmp_path / "viewer.html"
    pair.images[1] = np.full((10, 5000), 200, dtype=np.uint8)
    write(path, pair)
    sources = [attributes["src"] for tag, attributes in parse(path).tags if tag == "img"]
    assert sources.pop() == "data:,"
    sizes = []
    for source in sources:
        kind, _, content = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            sizes.append(image.size)
    assert sizes == [(80, 60), (2048, 4)]


def test_nothing_is_loaded_from_elsewhere(tmp_path, pair):
    path = tmp_path / "viewer.html"
    write(path, pair)
    text = re.sub('base64,[^"]*', "", path.read_text(encoding="utf-8"))
    assert not re.search(r"https?:|//\w|@import|fetch\(|XMLHttpRequest|import\(", text)
    tags = parse(path).tags
    for _, attributes in tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    policies = [a["content"] for tag, a in tags if tag == "meta" and "http-equiv" in a]
    assert policies[0].startswith("default-src 'none'; img-src data:;")


HOSTILE = (
    '</script><script>alert(1)</script><img src=x onerror="alert(2)"> & {{DATA}} \\ "größe" \udcff'
)


def test_hostile_title_is_only_text(tmp_path, pair):
    write(tmp_path / "plain.html", pair, title="plain")
    write(tmp_path / "hostile.html", pair, title=HOSTILE)
    plain, hostile = parse(tmp_path / "plain.html"), parse(tmp_path / "hostile.html")
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    expected = HOSTILE.replace("\udcff", "?")
    assert hostile.texts["title"] == hostile.texts["h1"] == expected
    assert hostile.texts["data"] == plain.texts["data"]


def test_json_in_a_script_cannot_end_it():
    text = page_parts.script_json({"</script>": "<!--&\u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"</script>": "<!--&\u2028"}


def test_every_element_the_script_uses_exists(tmp_path, pair):
    path = tmp_path / "viewer.html"
    write(path, pair)
    page = parse(path)
    ids = {attributes.get("id") for _, attributes in page.tags}
    used = set(re.findall(r'byId\("([\w-]+)"\)', page.texts["script"]))
    assert used
    assert used <= ids
    labelled = [a for tag, a in page.tags if tag == "input"]
    assert len(labelled) == 10


def test_lines_many_to_many(tmp_path, pair):
    path = tmp_path / "viewer.html"
    write(path, pair)
    assert "pairs" not in json.loads(parse(path).texts["data"])["lines"]
    write(path, pair, line_pairs=[[0, 1], [0, 0]], line_pair_probabilities=[0.75, 0.5])
    rows = json.loads(parse(path).texts["data"])["lines"]["pairs"]
    assert [row[:4] for row in rows] == [[0, 1, 0.75, None], [0, 0, 0.5, None]]
    assert rows[0][4] == rows[1][4]
    with pytest.raises(ValueError, match="line_pairs needs indices below"):
        write(path, pair, line_pairs=[[0, 99]], line_pair_probabilities=[0.5])


def test_nothing_found(tmp_path):
    path = tmp_path / "viewer.html"
    image, points, lines = np.zeros((1, 1), np.uint8), np.zeros((0, 2)), np.zeros((0, 2, 2))
    write_viewer(path, image, image, points, points, [], [], lines, lines, [], [])
    data = json.loads(parse(path).texts["data"])
    assert data["points"] == data["lines"] == {"coordinates": [[], []], "matches": []}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"point_inliers": [True]}, "point_inliers needs one entry for each of the 20"),
        ({"line_inliers": np.ones(12, bool)}, "line_inliers needs one entry for each of the 6"),
    ],
)
def test_wrong_inliers_are_rejected(tmp_path, pair, options, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "viewer.html", pair, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scores", np.ones(39), "matching_scores0"),
        ("scores", np.full(40, np.nan), "NaN"),
        ("matches", np.full(40, 99), "matches0"),
        ("line_matches", np.full(12, 12), "line_matches0"),
        ("lines", [np.zeros((12, 4))] * 2, "lines0"),
    ],
)
def test_wrong_arrays_are_rejected(tmp_path, pair, name, value, message):
    setattr(pair, name, value)
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "viewer.html", pair)


def test_failed_write_leaves_the_earlier_file(tmp_path, pair, monkeypatch):
    path = tmp_path / "viewer.html"
    path.write_text("earlier")

    def full(target):
        context = atomic_path(target)
        temporary = context.__enter__()

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                return context.__exit__(*error)

            def write_bytes(self, content):
                temporary.write_bytes(content[:10])
                raise OSError(28, "No space left on device")

        return Full()

    monkeypatch.setattr(page_parts, "atomic_path", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, pair)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_an_overlay_shows_image_1_where_a_homography_puts_it(pair, tmp_path):
    """Image 1 is image 0 moved by (10, 5): laid over image 0 it covers the same content."""
    rng = np.random.default_rng(1)
    wide = np.asarray(Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8)).resize((90, 65)))
    pair.images = [wide[:60, :80], wide[5:65, 10:90]]
    H_0to1 = np.array([[1.0, 0, -10], [0, 1, -5], [0, 0, 1]])
    write(tmp_path / "viewer.html", pair, H_0to1=H_0to1)
    page = parse(tmp_path / "viewer.html")
    outline = np.array(json.loads(page.texts["data"])["overlay"])
    assert outline.min(axis=0).tolist() == pytest.approx([10, 5], abs=1)
    assert outline.max(axis=0).tolist() == pytest.approx([79, 59], abs=1)
    (source,) = [tag["src"] for _, tag in page.tags if tag.get("id") == "warped"]
    content = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))
    overlay = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    difference = np.abs(overlay - pair.images[0])[8:57, 13:77]
    assert difference.mean() < 4


def test_an_overlay_ends_at_the_horizon(pair, tmp_path):
    H_0to1 = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 40, 0, 1]])
    write(tmp_path / "viewer.html", pair, H_0to1=H_0to1)
    outline = np.array(json.loads(parse(tmp_path / "viewer.html").texts["data"])["overlay"])
    assert outline[:, 0].max() < 40


def test_without_a_homography_there_is_no_overlay(pair, tmp_path):
    far = np.array([[1.0, 0, 1e6], [0, 1, 0], [0, 0, 1]])
    for H_0to1 in (None, far):
        write(tmp_path / "viewer.html", pair, H_0to1=H_0to1)
        assert json.loads(parse(tmp_path / "viewer.html").texts["data"])["overlay"] == []
    with pytest.raises(ValueError, match="an inverse"):
        write(tmp_path / "viewer.html", pair, H_0to1=np.zeros((3, 3)))
