from pathlib import Path

from gluestick.datasets.holdout import is_held_out


def test_about_a_twentieth_of_all_names_is_held_out() -> None:
    names = [f"photograph_{number}.jpg" for number in range(4000)]
    share = sum(map(is_held_out, names)) / len(names)
    assert 0.04 < share < 0.06


def test_only_the_file_name_counts() -> None:
    held_out = next(name for name in map(str, range(1000)) if is_held_out(f"{name}.jpg"))
    assert is_held_out(f"somewhere/else/{held_out}.jpg")
    assert is_held_out(Path("other") / f"{held_out}.jpg")


def test_the_choice_stays_the_same() -> None:
    names = [f"{number:04}.jpg" for number in range(100)]
    assert [name for name in names if is_held_out(name)] == [
        "0016.jpg",
        "0060.jpg",
        "0065.jpg",
        "0094.jpg",
        "0095.jpg",
    ]
