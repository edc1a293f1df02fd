import numpy as np
import pytest

from gluestick.reconstruction.pairs.global_descriptors import (
    Vocabulary,
    learn_vocabulary,
    most_similar,
)


def test_differences_from_the_nearest_words_are_added_up() -> None:
    vocabulary = Vocabulary(np.array([[0, 0], [10, 0]], np.float32))
    found = vocabulary.describe(np.array([[3, 0], [0, 4], [10, 2], [10, 4]], np.float32))
    expected = np.array([0.6, 0.8, 0, 1]) / np.sqrt(2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not vocabulary.describe(np.zeros((0, 2), np.float32)).any()


def test_words_lie_where_descriptors_are() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[0, 0], [5, 0], [0, 5]])
    samples = [centre + rng.normal(0, 0.1, (50, 2)).astype(np.float32) for centre in centres]
    words = learn_vocabulary(samples, num_words=3, seed=3).words
    for centre in centres:
        assert np.linalg.norm(words - centre, axis=1).min() < 0.1
    again = learn_vocabulary(samples, num_words=3, seed=3).words
    np.testing.assert_array_equal(words, again)


def test_a_folder_that_shows_nothing_has_no_vocabulary() -> None:
    for nothing in ([], [np.zeros((0, 128), np.float32)]):
        with pytest.raises(ValueError, match="show nothing by which they could be compared"):
            learn_vocabulary(nothing, num_words=4, seed=0)


def test_the_most_similar_come_first() -> None:
    references = np.eye(3, dtype=np.float32)
    queries = np.array([[0.1, 0.9, 0.3]], np.float32)
    assert most_similar(queries, references, count=2).tolist() == [[1, 2]]
    excluded = np.array([[False, True, True]])
    assert most_similar(queries, references, count=2, excluded=excluded).tolist() == [[0, -1]]
