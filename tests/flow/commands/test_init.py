"""`kerasnas init`: what it finds out about recordings, and the experiments that it writes."""

import os
import re
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from kerasnas import experiment
from kerasnas.datasets import SyntheticSettings
from kerasnas.datasets.esc50 import Esc50Settings
from kerasnas.datasets.synthetic import layouts
from kerasnas.datasets.synthetic.mixtures import write_audiofolder
from kerasnas.flow.commands.init import init
from kerasnas.models.papers import PAPERS_BY_NAME
from kerasnas.models.wu_lee import WuLeeSettings
from kerasnas.tuners.settings import ORACLES
from tests import command_line

pytestmark = pytest.mark.usefixtures("own_places")

RATE = 8000

call = partial(command_line.call, "init")


def write(path: Path, seconds: float = 0.25, amplitude: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(os.fsencode(path)))  # no two files hold the same bytes
    soundfile.write(path, amplitude * rng.standard_normal(round(seconds * RATE)), RATE)
    return path


def recordings(root: Path, amplitude: float = 0.1, **classes: int) -> Path:
    for label, count in classes.items():
        for index in range(count):
            write(root / label / f"{index}.wav", amplitude=amplitude)
    return root


def settings(name: str = "experiment.yaml") -> dict:
    return yaml.safe_load(Path(name).read_text())


def test_an_experiment_that_loads(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=12, dog=30)
    text = call(root, "-o", "mine.yaml", "--budget", "90000", code=0)
    assert "42 clips of 2 classes, 12 to 30 a class" in text
    assert "to beat: 71.4% right by always answering dog" in text
    assert "fewer than 20 clips of cat" in text
    written = settings("mine.yaml")
    assert written["features"]["sample_rate"] == RATE
    assert written["export"]["budget"] == 90000
    # Candidates inside the window pass the check of either file's bytes.
    assert written["search"]["window"] == {"rule": "float16_file", "maximum": 90000}
    assert written["search"]["objectives"] == ["accuracy", "loss"]
    assert "sampling" not in written["training"]["candidate"]
    assert experiment.load(Path("mine.yaml")).search.window.minimum == 0
    before = Path("mine.yaml").read_bytes()
    assert "mine.yaml exists" in call(root, "-o", "mine.yaml")
    assert Path("mine.yaml").read_bytes() == before


def test_it_looks_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASNAS_DATA", str(recordings(tmp_path / "other", a=10, b=10, c=10)))
    root = recordings(tmp_path / "data", cat=10, dog=10)
    assert "20 clips of 2 classes" in call(root, code=0)


def test_a_directory_is_recognised_by_its_layout(tmp_path: Path) -> None:
    layouts.write("esc50", tmp_path / "data", 100, seconds=0.2)
    call(tmp_path / "data", code=0)
    assert settings()["data"] == {"dataset": "esc50", "root": str(tmp_path / "data")}


def test_options_of_any_layout_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recognised(root: Path) -> Esc50Settings:
        return Esc50Settings(root=root, esc10=True)

    monkeypatch.setattr(Esc50Settings, "recognised", recognised)
    layouts.write("esc50", tmp_path / "data", 100, seconds=0.2)
    assert "clips of 5 classes" in call(tmp_path / "data", code=0)
    assert settings()["data"]["esc10"] is True
    assert experiment.load(Path("experiment.yaml")).data.esc10


def test_a_list_with_several_labels(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", a=12)
    labels = ["cat;dog", "cat", ""] * 4
    lines = [f"a/{index}.wav,{text}\n" for index, text in enumerate(labels)]
    (root / "list.csv").write_text("filename,labels\n" + "".join(lines))
    call(root, code=0)
    assert settings()["data"]["csv"] == "list.csv"
    assert settings()["data"]["multi_label"] is True
    assert settings()["search"]["objectives"][0] == "mean_average_precision"


def test_imbalance_changes_score_and_sampling(tmp_path: Path) -> None:
    text = call(recordings(tmp_path / "data", cat=10, dog=30), code=0)
    assert "the largest class has 3 times the clips of the smallest" in text
    assert settings()["search"]["objectives"] == ["macro_f1", "balanced_loss"]
    assert settings()["search"]["winners"] == {"best": {"by": "balanced_loss"}}
    assert settings()["training"]["final"]["sampling"] == "balanced"
    assert "and tries to draw the classes equally often" in text  # which search.recipes decides


def test_few_outliers_do_not_make_all_clips_long(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=20, dog=19)
    write(root / "dog" / "long.wav", seconds=2)
    text = call(root, code=0)
    assert "0.25 to 2.00 s; 0.25 s covers 98%; 1 clip cut" in text
    assert settings()["features"]["seconds"] == 0.25
    # Clips that are filled may begin earlier or later, but no word is rolled in two.
    augmentation = settings()["training"]["final"]["augmentation"]
    assert augmentation["time_shift"] == 0.1
    assert "time_roll" not in augmentation
    for index in range(10):
        write(root / "cat" / f"{index}.wav", seconds=0.2)
    call(root, "-o", "padded.yaml", code=0)
    padded = settings("padded.yaml")["training"]["final"]["augmentation"]
    assert not {"time_roll", "time_masks"} & set(padded)


def test_silent_ends_are_said_and_offered_to_be_cut(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    assert "with silence" not in call(root, code=0)
    assert "trim" not in Path("experiment.yaml").read_text()
    for path in sorted(root.rglob("*.wav"))[::2]:
        samples = soundfile.read(path)[0]
        soundfile.write(path, np.pad(samples[:-400], (200, 600)), RATE)
    text = call(root, "-o", "ends.yaml", code=0)
    said = "10 of 20 recordings that were listened to begin or end with silence, 1[5-7]%"
    assert re.search(said, text)
    comment = " ".join(Path("ends.yaml").read_text().split()).replace("# ", "")
    left = r"0.2[01] to 0.25 s are left then, seconds: 0.25 would hold nearly all of them, and"
    assert re.search(left, comment)
    offered = settings("ends.yaml")
    assert "trim" not in offered["features"]
    offered["features"] |= yaml.safe_load(comment[comment.index("trim: 40") :].split(",")[0])
    Path("cut.yaml").write_text(yaml.safe_dump(offered))
    assert experiment.load(Path("cut.yaml")).features.trim == 40


def test_gain_is_for_levels_that_differ(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    call(root, code=0)
    assert "gain" not in settings()["training"]["candidate"]["augmentation"]
    write(root / "dog" / "loud.wav", amplitude=0.24)
    call(root, "-o", "loud.yaml", code=0)
    assert settings("loud.yaml")["training"]["candidate"]["augmentation"]["gain"] == 6


def test_comments_count_the_steps_of_trainings(tmp_path: Path) -> None:
    call(recordings(tmp_path / "data", cat=30, dog=30), code=0)
    training = settings()["training"]
    # 60 clips, of which 12 are tested on; 10 of the others choose, and train winners in the end.
    # Of 38 clips a batch of 32 is one step, and what is left is less than half of another.
    text = Path("experiment.yaml").read_text()
    assert f"# {training['candidate']['epochs']} steps: 38 clips to train on" in text
    assert f"# {2 * training['final']['epochs']} steps: 48 clips" in text


def test_more_examples_make_fewer_epochs(tmp_path: Path) -> None:
    epochs = []
    for count in (10, 600):
        call(recordings(tmp_path / str(count), cat=count, dog=count), "-o", f"{count}.yaml", code=0)
        training = settings(f"{count}.yaml")["training"]
        epochs.append((training["candidate"]["epochs"], training["final"]["epochs"]))
    assert epochs[0][0] > epochs[1][0]
    assert epochs[0][1] > epochs[1][1]


def test_groups_in_the_names_of_the_files(tmp_path: Path) -> None:
    for speaker in ("ann", "bob", "cleo", "dan", "eve"):
        for label in ("no", "yes"):
            for index in range(4):
                write(tmp_path / "data" / label / f"{speaker}_{index}.wav")
    text = call(tmp_path / "data", code=0)
    assert "the names of the files tell 5 groups (prefix): clips of one group stay" in text
    assert settings()["data"]["group_by"] == "prefix"


def test_groups_that_were_guessed_never_stand_in_the_way(tmp_path: Path) -> None:
    for index in range(9):  # three speakers a label
        for label, names in {"dog": "abc", "cat": "bcd"}.items():
            write(tmp_path / "three" / label / f"{names[index % 3]}_{index}.wav")
    assert "no groups are known" in call(tmp_path / "three", "-o", "three.yaml", code=0)
    for kind in ("beagle", "poodle", "pug", "collie"):  # kinds of a label
        for index in range(4):
            write(tmp_path / "kinds" / "dog" / f"{kind}_{index}.wav")
            write(tmp_path / "kinds" / "cat" / f"{kind}cat_{index}.wav")
    assert "no groups are known" in call(tmp_path / "kinds", "-o", "kinds.yaml", code=0)


def test_a_list_with_splits_and_names_like_groups(tmp_path: Path) -> None:
    root, lines = tmp_path / "data", []
    for label in ("no", "yes"):
        for who in ("ann", "bob", "cleo", "dan"):
            for index, split in enumerate(("train", "train", "validation", "test")):
                write(root / label / f"{who}_{index}.wav")
                lines.append(f"{label}/{who}_{index}.wav,{label},{split}\n")
    (root / "list.csv").write_text("filename,labels,split\n" + "".join(lines))
    call(root, code=0)
    assert settings()["split"] == {"by": "split"}
    assert "group_by" not in settings()["data"]


@pytest.mark.parametrize("several", [False, True])
def test_hugging_faces_layout(tmp_path: Path, several: bool) -> None:
    made = SyntheticSettings(clips=40, seconds=0.2, folds=4, sample_rate=RATE)
    write_audiofolder(tmp_path / "data", made, multi_label=several)
    text = call(tmp_path / "data", code=0)
    assert "40 clips of 10 classes" in text
    data = settings()["data"]
    assert (data["dataset"], data.get("multi_label", False)) == ("audiofolder", several)
    assert settings()["split"] == {"by": "split"}
    assert experiment.load(Path("experiment.yaml")).data.root == tmp_path / "data"


def test_a_guess_by_which_clips_cannot_be_parted_is_dropped(tmp_path: Path) -> None:
    for who in ("ann", "bob", "cleo", "dan"):
        for label in ("no", "yes"):
            for index in range(4):
                write(tmp_path / "data" / label / f"{who}_{index}.wav")
    # One recording under the names of two speakers: they would have to be one group.
    copy = tmp_path / "data" / "no" / "bob_9.wav"
    copy.write_bytes((tmp_path / "data" / "no" / "ann_1.wav").read_bytes())
    text = call(tmp_path / "data", code=0)
    assert "the names of the files look like groups (ann, bob, …), but clips cannot be" in text
    assert "no groups are known" in text
    assert "group_by" not in settings()["data"]
    assert "no/bob_9.wav of no/ann_1.wav" in text  # as a copy it stays with its original


def test_one_fold_alone(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    lines = [f"{label}/{i}.wav,{label},1\n" for label in ("cat", "dog") for i in range(9)]
    (root / "list.csv").write_text("filename,labels,fold\n" + "".join(lines))
    assert "has a single fold (1), and folds need two or more" in call(root, code=0)
    assert settings()["split"] == {"by": "fractions"}


def test_unknown_groups_are_said(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    assert "no groups are known: clips of one speaker may be in both" in call(root, code=0)
    lines = [
        f"{label}/{index}.wav,{label},{index // 2}\n"
        for label in ("cat", "dog")
        for index in range(10)
    ]
    (root / "list.csv").write_text("filename,labels,group\n" + "".join(lines))
    assert "no groups" not in call(root, "-o", "grouped.yaml", code=0)


@pytest.mark.parametrize("space", PAPERS_BY_NAME)
def test_every_space_has_a_starter(tmp_path: Path, space: str) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    init(root, "mine.yaml", space=space)
    written = experiment.load(Path("mine.yaml"))
    assert written.model.space == space
    assert written.space(2).classes == 2


@pytest.mark.parametrize("oracle", [each.model_fields["name"].default for each in ORACLES])
def test_every_oracle_has_a_starter(tmp_path: Path, oracle: str) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    init(str(root), oracle=oracle)
    written = experiment.load(Path("experiment.yaml"))
    assert written.search.oracle.name == oracle
    population = getattr(written.search.oracle, "population", 1)
    assert written.search.trials >= 3 * population  # else it is random search


def test_a_starter_with_a_supernet(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=10, dog=10)
    call(root, "--space", "nasc", "--supernet", code=0)
    written = experiment.load(Path("experiment.yaml"))
    assert written.search.supernet is not None
    assert written.search.oracle.name == "nsga2"
    refused = call(root, "--supernet", "-o", "x.yaml")
    assert "wu_lee has no choices that could share weights; take nasc, or leave" in refused
    assert "space: 'vgg' is unknown; there are wu_lee" in call(root, "--space", "vgg", "-o", "x")
    assert "oracle: 'luck' is unknown" in call(root, "--oracle", "luck", "-o", "x.yaml")
    assert "give the file as pretrained" in call(root, "--space", "pretrained", "-o", "x.yaml")
    assert not Path("x.yaml").exists()


def test_another_space_of_choices_takes_a_supernet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WuLeeSettings, "of_choices", True)
    init(recordings(tmp_path / "data", cat=10, dog=10), space="wu_lee", supernet=True)
    assert settings()["search"]["supernet"] == {"recalibration_clips": 64}


def test_a_space_that_does_not_go_with_the_labels(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", a=12)
    lines = [f"a/{index}.wav,{text}\n" for index, text in enumerate(["b;c", "b", "c"] * 4)]
    (root / "list.csv").write_text("filename,labels\n" + "".join(lines))
    assert "the space nasc is for one label a clip" in call(root, "--space", "nasc")
    assert not Path("experiment.yaml").exists()


def test_recordings_that_cannot_be_searched(tmp_path: Path) -> None:
    root = recordings(tmp_path / "few", cat=2, dog=2)
    assert "no clip of cat, dog in the validation clips" in call(root)
    root = recordings(tmp_path / "damaged", cat=9, dog=9)
    (root / "cat" / "1.wav").write_text("not audio")
    assert "1.wav: cannot be read as audio" in call(root)
    (root / "dog" / "2.wav").write_text("not audio either")
    text = call(root)  # all of them at once
    assert "cat/1.wav: cannot be read as audio" in text
    assert "dog/2.wav: cannot be read as audio" in text
    write(root / "dog" / "2.wav")
    soundfile.write(root / "cat" / "1.wav", np.zeros(0), RATE)
    assert "1.wav: holds 0 samples; remove it" in call(root)
    soundfile.write(root / "cat" / "1.wav", np.zeros(RATE), RATE)
    os.truncate(root / "cat" / "1.wav", RATE)
    assert "1.wav: cut short" in call(root)
    assert "is not a directory" in call(tmp_path / "nothing")
    assert not Path("experiment.yaml").exists()


def test_one_class(tmp_path: Path) -> None:
    assert "every clip is labelled cat" in call(recordings(tmp_path / "data", cat=9))


def test_one_clip_a_class(tmp_path: Path) -> None:
    text = call(recordings(tmp_path / "data", cat=1, dog=1, owl=1))
    assert "(1 of" in text and "add clips" in text


def test_only_silence(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", amplitude=0, cat=9, dog=9)
    assert "holds only silence" in call(root)
    write(root / "cat" / "0.wav")
    assert "17 of 18 recordings that were listened to hold only silence" in call(root, code=0)


def test_all_clips_of_one_group(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    lines = [f"{label}/{i}.wav,{label},ann\n" for label in ("cat", "dog") for i in range(9)]
    (root / "list.csv").write_text("filename,labels,group\n" + "".join(lines))
    assert "all clips belong to one group (ann)" in call(root)


def test_all_problems_of_a_list(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    lines = ["cat/0.wav", "gone.wav,cat;", "cat/1.wav,", f"{'long' * 99}.wav,cat"]
    (root / "list.csv").write_text("\n".join(["filename,labels", *lines]))
    text = call(root)
    assert all(f"list.csv:{line}: " in text for line in (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("filename,label", "no column labels; the header is filename,label,"),
        ("filename;labels", "no column filename; the header is filename;labels,"),
        ("Filename,Labels", "no column filename; the header is Filename,Labels,"),
        ('"filename","labels"', "every clip is labelled cat"),  # it is read
    ],
)
def test_lists_that_others_write(tmp_path: Path, header: str, message: str) -> None:
    root = recordings(tmp_path / "data", clips=1)
    (root / "list.csv").write_text(f"{header}\nclips/0.wav,cat\n")
    assert message in call(root)


def test_one_file_under_two_labels(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    (root / "dog" / "same.wav").symlink_to(root / "cat" / "3.wav")
    assert "same.wav: is the same file as cat/3.wav, labelled cat" in call(root)


def test_a_copy_under_another_label(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=9, dog=9)
    (root / "dog" / "copy.wav").write_bytes((root / "cat" / "3.wav").read_bytes())
    os.link(root / "cat" / "4.wav", root / "dog" / "link.wav")
    text = call(root)
    assert "dog/copy.wav: holds the same bytes as cat/3.wav, labelled cat; remove one" in text
    assert "dog/link.wav: holds the same bytes as cat/4.wav" in text


def test_names_that_need_care(tmp_path: Path) -> None:
    root = recordings(tmp_path / 'it\'s "mine" [/red]: #1\n', **{"[red]": 9, "'q' \"q\"": 9})
    write(root / "[red]" / "[bold]x\n.wav")
    assert "19 clips of 2 classes" in call(root, "-o", "[red].yaml", code=0)
    data = experiment.load(Path("[red].yaml")).data
    assert data.root == root
    name = os.fsdecode(b"caf\xe9.wav")
    write(tmp_path / "latin" / "a.wav").rename(tmp_path / "latin" / name)
    (tmp_path / "latin").rename(root / "latin")
    assert "caf\\xe9.wav: the name is not UTF-8 text; rename it" in call(root, "-o", "x.yaml")
    (root / "latin" / name).rename(root / "latin" / "a.wav")
    root = root.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    (root / "list.csv").write_text("filename,labels\nlatin/a.wav,cat\n")
    assert "caf\\xe9: the name is not UTF-8 text; rename the directory" in call(
        root, "-o", "x.yaml"
    )


def test_a_recording_of_two_hours(tmp_path: Path) -> None:
    root = recordings(tmp_path / "data", cat=20, dog=20)
    path = write(root / "dog" / "long.wav")
    size = 2 * 3600 * RATE * 2
    header = bytearray(path.read_bytes()[:44])
    header[4:8], header[40:44] = (36 + size).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as file:  # sparse
        file.write(header)
        file.truncate(44 + size)
    assert "0.25 to 7200.00 s; 0.25 s covers 98%; 1 clip cut" in call(root, code=0)


@pytest.mark.nightly
def test_ten_thousand_short_recordings(tmp_path: Path) -> None:
    whole = write(tmp_path / "one.wav", seconds=0.05).read_bytes()[:-4]
    for label in ("a", "b", "c", "d"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(2500):
            own = zlib.crc32(f"{label}{index}".encode()).to_bytes(4, "little")  # the last samples
            (tmp_path / "data" / label / f"{index}.wav").write_bytes(whole + own)
    assert "10000 clips of 4 classes" in call(tmp_path / "data", code=0)
    written = experiment.load(Path("experiment.yaml"))
    assert written.features.seconds == 0.05
    assert written.training.final.epochs >= 5
