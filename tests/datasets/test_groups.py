from dataclasses import replace
from pathlib import Path

import pytest

from kerasnas.datasets import Clip, Clips, data_settings, load
from kerasnas.datasets.groups import group_key, grouped


def table(*names: str) -> Clips:
    """Clips whose label is the first directory."""
    clips = [Clip(name, Path(name), (name.split("/")[0],)) for name in names]
    classes = tuple(sorted({clip.labels[0] for clip in clips}))
    return Clips(tuple(clips), classes, False, "table", Path("root"))


def names(pattern: str, people=("ann", "bob", "cleo", "dan"), labels=("no", "yes"), count=4):
    return [
        pattern.format(label=label, who=who, n=n)
        for label in labels
        for who in people
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("{label}/{who}_{n}.wav", "prefix"),
        ("{label}/{who}-{label}-{n}.wav", "prefix"),
        ("{label}/{who}/{n}.wav", "directory"),
        ("{label}/{who}/take_{n}.wav", "directory"),
        ("{label}/{label}_{who}_{n}.wav", None),  # a label would be one group
        ("{label}/{n}{who}.wav", None),
        ("{label}/rec_{who}{n}.wav", None),  # does not vary within labels
        ("{label}/{n}_{who}.wav", "prefix"),  # as the folds of ESC-50
        ("{label}/{label}{who}_{n}.wav", None),  # kinds of a label
        ("{label}/{who}_x.wav", "prefix"),  # everybody says each word once
    ],
)
def test_what_tells_groups(pattern, key):
    assert group_key(table(*names(pattern))) == key


def test_three_names_are_too_few_to_part():
    assert group_key(table(*names("{label}/{who}_{n}.wav", people=("ann", "bob", "cleo")))) is None


@pytest.mark.parametrize("known", [{"fold": "1"}, {"split": "test"}, {"group": "house 1"}])
def test_what_a_list_says_is_not_guessed(known):
    clips = table(*names("{label}/{who}_{n}.wav"))
    listed = replace(clips, clips=tuple(replace(clip, **known) for clip in clips))
    assert group_key(listed) is None


def test_prefixes_of_single_clips_are_no_groups():
    shared = [f"{label}/{i}-x.wav" for label in "ab" for i in range(30)]
    assert group_key(table(*shared)) is None
    clips = [f"a/{i}-x.wav" for i in range(30)] + [f"b/{i}-x.wav" for i in range(30, 60)]
    assert group_key(table(*clips)) is None


def test_one_label_of_one_group_makes_all_unknown():
    clips = names("{label}/{who}_{n}.wav") + names("noise/street_{n}.wav", labels=("noise",))
    assert group_key(table(*dict.fromkeys(clips))) is None


def test_clips_that_have_groups_keep_them():
    clips = table(*names("{label}/{who}_{n}.wav"))
    assert {clip.group for clip in grouped(clips, "prefix")} == {"ann", "bob", "cleo", "dan"}
    known = replace(clips, clips=(replace(clips[0], group="house 1"), *clips.clips[1:]))
    assert grouped(known, "prefix")[0].group == "house 1"


def test_an_experiment_names_what_tells_them(tmp_path):
    for name in names("{label}/{who}_{n}.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    clips = load(data_settings(dataset="folder", group_by="prefix"), tmp_path)
    assert {clip.group for clip in clips} == {"ann", "bob", "cleo", "dan"}
    assert {clip.group for clip in load(data_settings(dataset="folder"), tmp_path)} == {None}
