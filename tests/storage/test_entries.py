import h5py
import numpy as np
import pytest

from gluestick.storage.entries import (
    Entry,
    check_entry,
    decode,
    decode_names,
    encode,
    parent_names,
    plain_name,
)
from gluestick.storage.h5.files import read_entry, write_entry

ARRAYS = {
    "floats": np.arange(6.0, dtype=np.float32).reshape(2, 3),
    "half": np.float16(0.5) * np.ones(3, np.float16),
    "big endian": np.arange(3, dtype=">i4"),
    "points/flags": np.array([True, False]),
    "number": np.array(7),
    "text": np.asarray(np.bytes_("größe".encode())),
    "no text": np.asarray(b""),
    "nothing": np.zeros((0, 2, 2)),
    "complex": np.array(1 + 2j),
    "turned": np.arange(6).reshape(2, 3).T,
}
ATTRIBUTES = {"text": "größe", "empty": "", "number": np.float32(2.5), "array": np.arange(3)}


def same(found: Entry, expected: Entry) -> None:
    assert found.arrays.keys() == expected.arrays.keys()
    for key, array in expected.arrays.items():
        assert found.arrays[key].dtype == array.dtype, key
        assert found.arrays[key].shape == array.shape, key
        np.testing.assert_array_equal(found.arrays[key], array, err_msg=key)
        found.arrays[key][...] = array  # may be written to
    for own, other in ((found.attributes, expected.attributes), (found.array_attributes, {})):
        for key, value in other.items():
            np.testing.assert_array_equal(own[key], value)
    for key, value in expected.attributes.items():
        assert type(found.attributes[key]) is type(value)


def test_bytes_and_hdf5_hold_the_same() -> None:
    entry = Entry(arrays=ARRAYS, attributes=ATTRIBUTES, array_attributes={"floats": {"a": 1.5}})
    check_entry("folder/name", entry)
    data = encode("folder/name", entry, ["other", "other/two"])
    assert decode_names(data) == ("folder/name", ["other", "other/two"])
    same(decode(data), entry)
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        write_entry(file, "folder/name", decode(data))
        same(read_entry(file["folder/name"]), entry)
        assert read_entry(file["folder/name"]).array_attributes["floats"] == {"a": 1.5}
    assert decode(data).array_attributes["floats"] == {"a": 1.5}


def test_some_arrays_alone_are_read() -> None:
    entry = Entry(arrays=ARRAYS, attributes=ATTRIBUTES)
    found = decode(encode("a", entry, ()), keys=["number", "turned", "missing"])
    assert list(found.arrays) == ["number", "turned"]
    np.testing.assert_array_equal(found.arrays["turned"], ARRAYS["turned"])
    assert decode(encode("a", entry, ()), keys=()).attributes["text"] == "größe"
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        write_entry(file, "a", entry)
        assert list(read_entry(file["a"], keys=["points", "number"]).arrays) == ["number"]


def test_an_entry_may_be_empty() -> None:
    found = decode(encode("a", Entry(arrays={}), ()))
    assert found.arrays == found.attributes == {}


@pytest.mark.parametrize(
    ("name", "arrays", "attributes", "message"),
    [
        ("", {}, {}, "at least one character"),
        ("/./", {}, {}, "at least one character"),
        ("a\0b", {}, {}, "NUL"),
        ("\udcff", {}, {}, "UTF-8"),
        ("a", {"": np.zeros(1)}, {}, "at least one character"),
        ("a", {"x/": np.zeros(1)}, {}, "has no place"),
        ("a", {"x": np.zeros(1), "x/y": np.zeros(1)}, {}, "has no place"),
        ("a", {}, {"": 1}, "needs a name"),
        ("a", {}, {"x": "a\0"}, "no NUL"),
        ("a", {}, {"x": "\udcff"}, "UTF-8"),
        ("a", {}, {"x": np.zeros(8000)}, "at most 60000 bytes"),
    ],
)
def test_what_hdf5_cannot_hold_is_refused(name, arrays, attributes, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_entry(name, Entry(arrays=arrays, attributes=attributes))


@pytest.mark.parametrize("value", [object(), "text", np.zeros(1, "datetime64[s]"), [{}]])
def test_other_types_are_refused(value) -> None:
    with pytest.raises(TypeError, match="needs numbers or bytes"):
        check_entry("a", Entry(arrays={"x": np.asarray(value)}))
    if not isinstance(value, str):
        with pytest.raises(TypeError, match="needs text, numbers or bytes"):
            check_entry("a", Entry(arrays={}, attributes={"x": value}))


def test_attributes_need_their_array() -> None:
    with pytest.raises(ValueError, match="arrays it lacks"):
        check_entry("a", Entry(arrays={}, array_attributes={"x": {}}))


def test_whatever_is_accepted_hdf5_takes() -> None:
    """Random names, of which the refused ones are those that HDF5 refuses, and some more."""
    rng = np.random.default_rng(0)
    letters = ["a", "b", "/", ".", "..", " ", "é", "\0", "#", "%"]
    accepted = 0
    for _ in range(300):
        name, *keys = ("".join(rng.choice(letters, rng.integers(4))) for _ in range(3))
        entry = Entry(arrays={key: np.ones(2) for key in keys}, attributes={keys[0] or "a": "b"})
        try:
            check_entry(name, entry)
        except ValueError:
            continue
        accepted += 1
        with h5py.File("memory", "w", driver="core", backing_store=False) as file:
            write_entry(file, plain_name(name), entry)
            assert set(read_entry(file[plain_name(name)]).arrays) == set(keys)
    assert accepted > 30


def test_plain_names_and_their_parents() -> None:
    assert plain_name("/a//./b/") == "a/b"
    assert plain_name("./") == ""
    assert parent_names("a/b/c") == ["a", "a/b"]
    assert parent_names("a") == []
