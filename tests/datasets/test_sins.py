import pytest
import soundfile
from pydantic import ValidationError

from kerasnas.datasets import SplitSettings, SyntheticSettings, data_settings, load, split
from kerasnas.datasets.sins import LABELS, SinsSettings
from kerasnas.datasets.sins import load as read
from kerasnas.datasets.synthetic.mixtures import write_sins
from kerasnas.errors import KerasnasError

# Lines as in the official lists; the last one has no newline.
META = (
    "audio/DevNode1_ex100_1.wav\tother\ts100\n"
    "audio/DevNode2_ex100_1.wav\tother\ts100\n"
    "audio/DevNode1_ex3_7.wav\twatching_tv\ts3"
)
OTHER, TELEVISION = META.splitlines()[:2], META.splitlines()[2]
DEVELOPMENT = SinsSettings()


@pytest.fixture
def official(tmp_path):
    """Three segments of two sessions, in two folds, written by hand."""
    (tmp_path / "audio").mkdir()
    for line in META.splitlines():
        (tmp_path / line.split("\t")[0]).touch()
    (tmp_path / "meta.txt").write_text(META)
    setup = tmp_path / "evaluation_setup"
    setup.mkdir()
    for fold, tested, trained in (("1", OTHER, [TELEVISION]), ("2", [TELEVISION], OTHER)):
        (setup / f"fold{fold}_train.txt").write_text("\n".join(trained))
        (setup / f"fold{fold}_evaluate.txt").write_text("\n".join(tested) + "\n")
        (setup / f"fold{fold}_test.txt").write_text(tested[0].split("\t")[0])
    return tmp_path


def test_official_layout(official):
    clips = read(official, DEVELOPMENT)
    assert clips.ids == tuple(line.split("\t")[0] for line in META.splitlines())
    assert [clip.labels for clip in clips] == [("other",), ("other",), ("watching_tv",)]
    assert [clip.group for clip in clips] == ["s100", "s100", "s3"]
    assert [clip.fold for clip in clips] == ["1", "1", "2"]
    assert {clip.split for clip in clips} == {None}
    assert clips.classes == LABELS
    assert len(LABELS) == 9
    assert clips[2].path == official / "audio/DevNode1_ex3_7.wav"


def test_the_evaluation_set_is_only_tested_on(official, tmp_path_factory):
    evaluation = tmp_path_factory.mktemp("evaluation")
    (evaluation / "audio").mkdir()
    (evaluation / "audio/1.wav").touch()
    (evaluation / "meta.txt").write_text("audio/1.wav\tcooking\ts3\n")
    clips = read(official, SinsSettings(evaluation=evaluation))
    assert [clip.split for clip in clips] == ["train", "train", "train", "test"]
    assert clips[3].fold is None
    assert clips[3].group != clips[2].group  # sessions of two sets are not the same


WRONG = {
    "session with two labels": (
        "meta.txt",
        lambda text: text.replace("2_ex100_1.wav\tother", "2_ex100_1.wav\tcooking"),
        r"meta.txt:2: session s100 is cooking here and other in \S+meta.txt:1",
    ),
    "session with two labels in a fold": (
        "evaluation_setup/fold1_evaluate.txt",
        lambda text: text.replace("2_ex100_1.wav\tother", "2_ex100_1.wav\tcooking"),
        r"fold1_evaluate.txt:2: session s100 is cooking here and other",
    ),
    "label": (
        "meta.txt",
        lambda text: text.replace("watching_tv", "watching"),
        r"meta.txt:3: unknown label 'watching'; the labels are absence, cooking",
    ),
    "columns": (
        "meta.txt",
        lambda text: text.replace("\ts3", ""),
        r"meta.txt:3: 2 fields where a line has 3 \(file,label,session\)",
    ),
    "empty field": ("meta.txt", lambda text: text.replace("s3", ""), r"meta.txt:3: a field is"),
    "twice": (
        "meta.txt",
        lambda text: text + "\n" + TELEVISION,
        r"meta.txt:4: audio/DevNode1_ex3_7.wav is listed twice, first in \S+meta.txt:3",
    ),
    "nothing": ("meta.txt", lambda text: "", "meta.txt: lists no files"),
    "audio": (
        "meta.txt",
        lambda text: text + "\naudio/x.wav\tother\ts9",
        r"meta.txt:4: audio/x.wav is in no fold",
    ),
    "contradiction": (
        "evaluation_setup/fold2_train.txt",
        lambda text: text.replace("other", "cooking"),
        r"fold2_train.txt:1: \S+ is cooking, s100 here and other, s100 in \S+meta.txt:1",
    ),
    "unknown file": (
        "evaluation_setup/fold2_train.txt",
        lambda text: text.replace("DevNode1_", "DevNode7_"),
        r"fold2_train.txt:1: audio/DevNode7_ex100_1.wav is not in \S+meta.txt",
    ),
    "trained on": (
        "evaluation_setup/fold1_train.txt",
        lambda text: "\n".join([*OTHER, TELEVISION]),
        r"fold1_evaluate.txt:1: audio/DevNode1_ex100_1.wav is trained on, too",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_lists_are_named_with_file_and_line(official, case):
    name, change, message = WRONG[case]
    (official / name).write_text(change((official / name).read_text()))
    with pytest.raises(KerasnasError, match=message):
        read(official, DEVELOPMENT)


def test_a_segment_in_two_folds(official):
    setup = official / "evaluation_setup"
    (setup / "fold2_evaluate.txt").write_text(META)
    (setup / "fold2_train.txt").write_text("audio/x.wav\tother\ts100")
    with pytest.raises(KerasnasError, match=r"fold2_train.txt:1: audio/x.wav is not in"):
        read(official, DEVELOPMENT)
    (official / "audio/x.wav").touch()
    (official / "meta.txt").write_text(META + "\naudio/x.wav\tother\ts100")
    with pytest.raises(KerasnasError, match=r"fold2_evaluate.txt:1: \S+_1.wav is in fold 1, too"):
        read(official, DEVELOPMENT)


def test_missing_files_are_named(official):
    (official / "evaluation_setup/fold2_train.txt").unlink()
    with pytest.raises(KerasnasError, match="fold2_train.txt: no such file"):
        read(official, DEVELOPMENT)


def test_a_missing_recording_is_named_with_the_line_that_lists_it(official):
    (official / "audio/DevNode1_ex3_7.wav").unlink()
    with pytest.raises(KerasnasError, match=r"meta.txt:3: \S+DevNode1_ex3_7.wav does not exist"):
        read(official, DEVELOPMENT)


def test_written_layout_is_read_back_and_split_by_session(tmp_path):
    settings = SyntheticSettings(clips=160, seconds=0.2, channels=4, folds=4)
    write_sins(tmp_path / "dev", settings)
    write_sins(tmp_path / "eval", settings.model_copy(update={"clips": 20}), evaluation=True)
    data = data_settings(dataset="sins", evaluation="../eval")
    clips = load(data, tmp_path / "dev")
    assert len(clips) == 180
    assert clips.folds == ("1", "2", "3", "4")
    assert all(clips.counts.values())
    assert soundfile.info(clips[0].path).channels == 4
    by_fold = split(clips, SplitSettings(by="fold", test_fold="4"), seed=0)
    assert len(by_fold.test) == 40  # and not the evaluation set
    sessions = [{clips[i].group for i in part} for part in (by_fold.train, by_fold.validation)]
    assert sessions[0].isdisjoint(sessions[1])
    whole = split(clips, SplitSettings(by="split"), seed=0)
    assert {clips[i].split for i in whole.test} == {"test"}


def test_one_label_a_clip():
    with pytest.raises(ValidationError, match="multi_label\n  Input should be False"):
        data_settings(dataset="sins", multi_label=True)
    with pytest.raises(ValidationError, match="folder.evaluation\n  Extra inputs"):
        data_settings(dataset="folder", evaluation="x")
