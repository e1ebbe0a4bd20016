from pathlib import Path

import pytest
from pydantic import ValidationError

from kerasnas.datasets import cache_root, data_settings, load
from kerasnas.errors import KerasnasError

FOLDER = data_settings(dataset="folder")


@pytest.fixture
def roots(tmp_path, monkeypatch):
    monkeypatch.delenv("KERASNAS_DATA", raising=False)
    for name in ("override", "environment", "settings"):
        for label in ("a", "b"):
            (tmp_path / name / label).mkdir(parents=True)
            (tmp_path / name / label / f"{name}.wav").touch()
    return tmp_path


def test_override_comes_before_environment_before_settings(roots, monkeypatch):
    settings = FOLDER.model_copy(update={"root": roots / "settings"})
    assert load(settings).root.name == "settings"
    monkeypatch.setenv("KERASNAS_DATA", str(roots / "environment"))
    assert load(settings).root.name == "environment"
    assert load(settings, roots / "override").root.name == "override"


def test_missing_directory(roots):
    with pytest.raises(KerasnasError, match=r"nowhere: data directory does not exist"):
        load(FOLDER, roots / "nowhere")
    with pytest.raises(KerasnasError, match=r"a file, not a directory"):
        load(FOLDER, roots / "override" / "a" / "override.wav")
    with pytest.raises(KerasnasError, match=r"--data"):
        load(FOLDER)


def test_classes_keep_their_order_and_drop_the_rest(tmp_path):
    for name in ("a/1.wav", "b/2.wav", "c/3.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    clips = load(data_settings(dataset="folder", classes=("c", "a")), tmp_path)
    assert clips.classes == ("c", "a")
    assert clips.ids == ("a/1.wav", "c/3.wav")
    assert clips.targets().tolist() == [[0, 1], [1, 0]]
    with pytest.raises(KerasnasError, match="dog not in .*; it has a, b, c"):
        load(data_settings(dataset="folder", classes=("a", "dog")), tmp_path)


def test_classes_of_multi_label_clips_keep_the_clip(tmp_path):
    for name in ("1.wav", "2.wav"):
        (tmp_path / name).touch()
    (tmp_path / "clips.csv").write_text("filename,labels\n1.wav,a;b\n2.wav,c\n")
    settings = data_settings(dataset="folder", csv="clips.csv", multi_label=True, classes=("a",))
    assert load(settings, tmp_path).targets().tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "folder", "esc10": True}, "esc10\n"),
        ({"dataset": "esc50", "csv": "x.csv"}, "csv\n"),
        ({"dataset": "folder", "multi_label": True}, "name a csv file"),
        ({"dataset": "folder", "classes": ("a", "a")}, "occurs twice"),
        ({"dataset": "folder", "clases": ("a",)}, "clases"),
        ({"snr": (9, 3)}, "lower end comes first"),
    ],
)
def test_options_that_do_not_fit(values, message):
    with pytest.raises(ValidationError, match=message):
        data_settings(**values)


def test_cache_root(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASNAS_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    assert cache_root("elsewhere") == Path("elsewhere")
    monkeypatch.delenv("KERASNAS_CACHE")
    assert "kerasnas" in str(cache_root())
