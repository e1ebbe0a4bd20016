import pytest

from kerasnas.datasets import SyntheticSettings, data_settings, load
from kerasnas.datasets.synthetic.mixtures import write_esc50
from kerasnas.errors import KerasnasError
from tests.real_data import esc10_root

ESC50 = data_settings(dataset="esc50")
HEADER = "filename,fold,target,category,esc10,src_file,take\n"


@pytest.fixture
def small(tmp_path):
    write_esc50(tmp_path, SyntheticSettings(clips=20, seconds=0.2, folds=2, sample_rate=8000))
    return tmp_path


def write_list(root, *lines):
    (root / "meta").mkdir(exist_ok=True)
    (root / "meta" / "esc50.csv").write_text(HEADER + "".join(f"{line}\n" for line in lines))


def test_official_layout(small):
    clips = load(ESC50, small)
    assert len(clips) == 20
    assert clips.folds == ("1", "2")
    assert clips[3].path.is_file()
    assert (clips[3].group, clips[3].labels) == ("000003", (clips.classes[3],))
    assert len(load(data_settings(dataset="esc50", esc10=True), small).classes) == 5


def test_classes_in_the_order_of_their_targets(tmp_path):
    (tmp_path / "audio").mkdir()
    for name in ("x.wav", "y.wav"):
        (tmp_path / "audio" / name).touch()
    write_list(tmp_path, "x.wav,1,7,ant,False,1,A", "y.wav,1,2,zebra,False,2,A")
    assert load(ESC50, tmp_path).classes == ("zebra", "ant")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("none.wav,1,3,cat,False,2,A", r"esc50.csv:3: .*none.wav does not exist"),
        ("x.wav,1,3,cat,False,2,A", r"esc50.csv:3: x.wav is listed twice"),
        ("y.wav,one,3,cat,False,2,A", r"esc50.csv:3: fold 'one' and target '3' must be numbers"),
        ("y.wav,1,3,cat,yes,2,A", r"esc50.csv:3: esc10 is 'yes'; allowed are True and False"),
        ("y.wav,1,3,dog,False,2,A", r"esc50.csv:3: dog has target 3, before it was 0"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    (tmp_path / "audio").mkdir()
    for name in ("x.wav", "y.wav"):
        (tmp_path / "audio" / name).touch()
    write_list(tmp_path, "x.wav,1,0,dog,False,1,A", line)
    with pytest.raises(KerasnasError, match=message):
        load(ESC50, tmp_path)


def test_another_layout_is_refused(tmp_path):
    with pytest.raises(KerasnasError, match=r"esc50.csv: no such file"):
        load(ESC50, tmp_path)


def test_no_esc10_clips(tmp_path):
    write_list(tmp_path, "x.wav,1,0,dog,False,1,A")
    with pytest.raises(KerasnasError, match="lists no ESC-10 clips"):
        load(data_settings(dataset="esc50", esc10=True), tmp_path)


def test_real_esc10():
    clips = load(data_settings(dataset="esc50", esc10=True), esc10_root())
    assert len(clips) == 398
    assert clips.folds == ("1", "2", "3", "4", "5")
    assert clips.classes[:2] == ("dog", "rooster")  # ESC-50's targets 0 and 1
    assert sum(clips.counts.values()) == 398
