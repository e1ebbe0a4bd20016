import pytest
import soundfile

from kerasnas.datasets import SplitSettings, SyntheticSettings, data_settings, load, split
from kerasnas.datasets.synthetic.mixtures import write_tau2020_3class
from kerasnas.datasets.tau2020_3class import SCENES, Tau2020Settings
from kerasnas.datasets.tau2020_3class import load as read
from kerasnas.errors import KerasnasError

FILES = (
    "audio/airport-barcelona-0-0-a.wav",
    "audio/tram-vienna-285-8639-a.wav",
    "audio/street_traffic-paris-100-12-a.wav",
)
META = (
    "filename\tscene_label\tidentifier\tsource_label\n"
    f"{FILES[0]}\tindoor\tbarcelona-0\ta\n"
    f"{FILES[1]}\ttransportation\tvienna-285\ta\n"
    f"{FILES[2]}\toutdoor\tparis-100\ta\n"
)
LISTED = Tau2020Settings()


@pytest.fixture
def official(tmp_path):
    """Three clips, one of them in no list, written by hand."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "meta.csv").write_text(META)
    setup = tmp_path / "evaluation_setup"
    setup.mkdir()
    header = "filename\tscene_label\n"
    (setup / "fold1_train.csv").write_text(f"{header}{FILES[0]}\tindoor\n")
    (setup / "fold1_evaluate.csv").write_text(f"{header}{FILES[1]}\ttransportation\n")
    (setup / "fold1_test.csv").write_text(f"filename\n{FILES[1]}\n")
    return tmp_path


def test_official_lists(official):
    clips = read(official, LISTED)
    assert clips.ids == FILES[:2]
    assert [clip.labels for clip in clips] == [("indoor",), ("transportation",)]
    assert [clip.split for clip in clips] == ["train", "test"]
    assert [clip.group for clip in clips] == ["barcelona-0", "vienna-285"]
    assert clips.classes == ("indoor", "outdoor", "transportation")


def test_all_clips_with_the_ten_scenes_of_their_names(official):
    clips = read(official, Tau2020Settings(lists=False, labels="ten"))
    assert clips.ids == FILES
    assert [clip.labels[0] for clip in clips] == ["airport", "tram", "street_traffic"]
    assert {clip.split for clip in clips} == {None}
    assert len(clips.classes) == 10


def test_four_scenes_are_outdoor_and_three_each_are_not():
    # As 4320, 5760 and 4320 clips of 1440 a scene say.
    labels = list(SCENES.values())
    counts = [labels.count(label) for label in ("indoor", "outdoor", "transportation")]
    assert counts == [3, 4, 3]


WRONG = {
    "label": (
        "meta.csv",
        lambda text: text.replace("\tindoor", "\toutdoor"),
        r"meta.csv:2: audio/airport-barcelona-0-0-a.wav is labelled 'outdoor'; airport is indoor",
    ),
    "scene": (
        "meta.csv",
        lambda text: text.replace("tram-", "train-"),
        r"meta.csv:3: .*there is no scene train",
    ),
    "place": (
        "meta.csv",
        lambda text: text.replace("\tvienna-285", "\tvienna-286"),
        r"meta.csv:3: .*'vienna-286' where its name says 'vienna-285'",
    ),
    "twice": (
        "meta.csv",
        lambda text: text + META.splitlines()[1] + "\n",
        r"meta.csv:5: \S+ is listed twice",
    ),
    "column": (
        "meta.csv",
        lambda text: text.replace("\tidentifier", ""),
        r"meta.csv:1: no column identifier",
    ),
    "list's label": (
        "evaluation_setup/fold1_train.csv",
        lambda text: text.replace("indoor", "outdoor"),
        r"fold1_train.csv:2: \S+ is labelled 'outdoor'; airport is indoor",
    ),
    "both lists": (
        "evaluation_setup/fold1_evaluate.csv",
        lambda text: text + f"{FILES[0]}\tindoor\n",
        r"fold1_evaluate.csv:3: \S+ is listed twice \(train\)",
    ),
    "unknown": (
        "evaluation_setup/fold1_train.csv",
        lambda text: text + "audio/tram-lyon-1-2-a.wav\ttransportation\n",
        r"fold1_train.csv:3: audio/tram-lyon-1-2-a.wav is not in \S+meta.csv",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_lists_are_named_with_file_and_line(official, case):
    name, change, message = WRONG[case]
    (official / name).write_text(change((official / name).read_text()))
    with pytest.raises(KerasnasError, match=message):
        read(official, LISTED)


def test_written_layout_is_read_back(tmp_path):
    settings = SyntheticSettings(
        clips=60, seconds=0.2, sample_rate=48000, channels=2, subtype="PCM_24", folds=3
    )
    write_tau2020_3class(tmp_path, settings)
    data = data_settings(dataset="tau2020_3class")
    clips = load(data, tmp_path)
    info = soundfile.info(clips[0].path)
    assert (info.samplerate, info.channels, info.subtype) == (48000, 2, "PCM_24")
    parts = split(clips, SplitSettings(by="split", validation_fraction=0.5), seed=0)
    assert len(parts.test) == 20
    places = [{clips[i].group for i in part} for part in (parts.train, parts.validation)]
    assert places[0].isdisjoint(places[1])
    ten = Tau2020Settings(labels="ten", lists=False)
    assert all(count == 6 for count in load(ten, tmp_path).counts.values())
