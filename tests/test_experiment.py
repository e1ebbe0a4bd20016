"""Experiments: what is read, and what a wrong one is told."""

import re
from pathlib import Path

import pytest

from kerasnas import experiment
from kerasnas.errors import KerasnasError
from tests.real_data import yamnet_file

ROOT = Path(__file__).parents[1]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    return path


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(KerasnasError) as caught:
        experiment.load(written(tmp_path, text))
    return str(caught.value).replace(str(tmp_path), "DIR")


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_experiments_that_come_along_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pretrained" in path.stem:  # the file does not come along
        monkeypatch.setenv("KERASNAS_YAMNET", str(yamnet_file()))
    assert experiment.load(path).name == path.stem


def test_a_resolved_experiment_reads_back_equal(tmp_path: Path) -> None:
    first = experiment.load(
        written(tmp_path, "schema: 1\nname: a\nmodel: {stem_strides: [2, 2], growth: [1, 1.5]}\n")
    )
    assert experiment.load(written(tmp_path, first.to_yaml())) == first


def test_only_a_name_is_needed(tmp_path: Path) -> None:
    assert experiment.load(written(tmp_path, "name: a\n")).seed == 0


def test_an_unknown_field_is_named_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nsearch:\n  trials: 3\n  window:\n    maxi: 7\n")
    assert text.startswith("DIR/x.yaml:5: search.window.maxi: unknown field")
    assert "rule, minimum, maximum" in text


def test_a_wrong_type_is_named_with_its_line_and_value(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nsearch:\n  trials: many\n")
    assert text.startswith("DIR/x.yaml:3: search.trials:")
    assert "integer" in text
    assert "'many'" in text


def test_a_wrong_choice_lists_what_is_allowed(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\n\nsearch:\n  window: {rule: zip}\n")
    assert text.startswith("DIR/x.yaml:4: search.window.rule:")
    assert "float32_params" in text


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nseed: -1\nsearch: {trials: 0}\n")
    assert [line.split(" ")[1] for line in text.splitlines()] == ["seed:", "search.trials:"]


def test_a_missing_field(tmp_path: Path) -> None:
    assert problem(tmp_path, "seed: 3\n") == "DIR/x.yaml:1: name: this field is required"


def test_an_empty_window(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nsearch:\n  window: {minimum: 9, maximum: 5}\n")
    assert text == "DIR/x.yaml:3: search.window: minimum 9 is above maximum 5"


def test_a_criterion_that_does_not_fit_the_labels(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nsearch: {choose: mean_average_precision}\n")
    assert "it can be accuracy or loss" in text


def test_lis_taggers_may_end_with_the_reports_softmax(tmp_path: Path) -> None:
    text = (
        "name: a\ndata: {multi_label: true}\nmodel: {space: li}\ntraining:\n"
        "  candidate: &r {loss: categorical_crossentropy}\n  final: *r\n"
    )
    assert experiment.load(written(tmp_path, text)).space(5).output == "softmax"


def test_stored_embeddings_and_audioset_belong_together(tmp_path: Path) -> None:
    stored = "features: {kind: stored_embedding}\n"
    assert "does not go with data.dataset: synthetic" in problem(tmp_path, f"name: a\n{stored}")
    sounds = "name: a\ndata: {dataset: audioset}\n"
    assert "log_mel does not go with data.dataset: audioset" in problem(tmp_path, sounds)
    speeds = "training: {final: {augmentation: {speeds: [0.9]}}}\n"
    assert "change recordings" in problem(tmp_path, sounds + stored + speeds)
    known = experiment.load(written(tmp_path, sounds + stored))
    assert known.data.multi_label and known.features.input_shape == (10, 128)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            "training: {final: {loss: binary_crossentropy}}",
            "candidate.loss and training.final.loss",
        ),
        (
            "split: {by: split, validation: test_list}\nsearch: {folds: 3}",
            "leave search.folds out",
        ),
        (
            "split: {by: split, validation: test_list}\ntraining: {final: {patience: 3}}",
            "leave patience out",
        ),
        (  # the two that would be found when the files are written
            "features: {trim: 40}\nexport: {waveform: true}",
            "cannot look for the silent ends that features.trim: 40 cuts",
        ),
        (
            "features: {channels: stereo}\nexport: {waveform: true}",
            "files take one channel, these features are of 2",
        ),
        (
            "features: {kind: scalogram, n_fft: 2048, logarithm: before_bank}\n"
            "training: {candidate: {augmentation: {mixup: beta, mixup_domain: power}}}",
            "not features of kind scalogram with these settings",
        ),
        (
            "data: {multi_label: true}\ntraining:\n"
            "  candidate: &r {loss: categorical_crossentropy}\n  final: *r",
            "one label a clip",
        ),
        (
            "features: {log: log}\ntraining: {final: {augmentation: {mixup_domain: power}}}",
            "needs features.log: db",
        ),
        ("export: {false_alarms_per_hour: 0.5}", "false_alarms_per_hour needs data.streams"),
        (  # the two that would be found after the search
            "search: {trials: 11, supernet: {agreement: {}}}",
            "12 are asked for, and search.trials is 11",
        ),
        (
            "search: {supernet: {agreement: {epochs: 3}}}\ntraining: {final: {warm_up_epochs: 3}}",
            "warm_up_epochs, 3, must be below epochs, 3",
        ),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, fields: str, words: str) -> None:
    assert words in problem(tmp_path, f"name: a\n{fields}\n")


def test_a_repeated_key_is_refused(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nseed: 1\nseed: 2\n")
    assert text == "DIR/x.yaml:3: 'seed' is given a second time (first on line 2): keep one"


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n"])
def test_no_mapping(tmp_path: Path, text: str) -> None:
    assert "DIR/x.yaml holds no fields" in problem(tmp_path, text)


def test_no_yaml(tmp_path: Path) -> None:
    assert re.search(
        r"^DIR/x.yaml:2: not valid YAML: .*'\\t'", problem(tmp_path, "name: a\n\tseed: 1\n")
    )
    assert "not valid YAML" in problem(tmp_path, "name: a\x00\n")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="is a directory, not an experiment file"):
        experiment.load(tmp_path)


def test_a_name_that_is_no_directory(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a/b\n")
    assert text.startswith("DIR/x.yaml:1: name: 'a/b' names no directory: use letters")


def test_a_section_that_is_empty(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nsearch:\n")
    assert re.search(r"^DIR/x.yaml:2: search: expected fields \(.*trials.*\), not None$", text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="no experiment .*nowhere.yaml.*kerasnas init"):
        experiment.load(tmp_path / "nowhere.yaml")


def test_what_the_command_line_says_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASNAS_DATA", "elsewhere")
    first = experiment.load(written(tmp_path, "name: a\nsearch: {trials: 9, workers: 2}\n"))
    assert first.overridden().data.root is None  # the environment means recordings
    changed = first.overridden(tmp_path, trials=4, seconds=1800)
    assert (changed.search.trials, changed.search.workers, changed.search.hours) == (4, 2, 0.5)
    assert changed.data.root == tmp_path.absolute()
    ranks = experiment.load(written(tmp_path, "name: a\nsearch: {supernet: {agreement: {}}}\n"))
    with pytest.raises(
        KerasnasError, match="^a, with .* 12 are asked for, and search.trials is 5:"
    ):
        ranks.overridden(trials=5)


def test_a_bare_oracle_is_that_one_with_its_defaults(tmp_path: Path) -> None:
    bare = experiment.load(written(tmp_path, "name: a\nsearch: {oracle: nsga2}\n"))
    whole = experiment.load(written(tmp_path, "name: a\nsearch: {oracle: {name: nsga2}}\n"))
    assert bare == whole
    assert bare.search.oracle.name == "nsga2"


def test_unknown_spaces_and_oracles_are_told_which_there_are(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nmodel: {space: vgg}\nsearch:\n  oracle: magic\n")
    space, oracle = text.splitlines()
    assert space.startswith("DIR/x.yaml:2: model: unknown space 'vgg'")
    assert "liu_zhang" in space
    assert oracle.startswith("DIR/x.yaml:4: search.oracle: unknown name 'magic'")
    assert "controller" in oracle


def test_an_unknown_field_of_a_space_lists_that_spaces_fields(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nmodel:\n  space: liu_zhang\n  growth: [1.0]\n")
    assert text.startswith("DIR/x.yaml:4: model.growth: unknown field")
    assert "recurrent_units" in text


def test_a_typo_under_any_kind_of_front_end_lists_its_fields(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nfeatures:\n  kind: embedding\n  modell: a.tflite\n")
    missing, unknown = text.splitlines()
    assert missing == "DIR/x.yaml:2: features.model: this field is required"
    assert unknown.startswith("DIR/x.yaml:4: features.modell: unknown field; allowed here: frames")
    assert unknown.endswith("; did you mean model?")
    assert "hop_seconds" in unknown
    text = problem(tmp_path, "name: a\nfeatures:\n  kind: stored_embedding\n  nois: 1\n")
    assert "DIR/x.yaml:4: features.nois: unknown field" in text
    assert "dequantize" in text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            "training:\n  final:\n    sampling: balance",
            "4: training.final.sampling: expected 'natural' or 'balanced', not 'balance'",
        ),
        (  # the line of what is merged
            "training:\n  candidate: &r\n    sampling: x\n  final:\n    <<: *r\n    epochs: 3",
            "4: training.final.sampling: expected 'natural' or 'balanced', not 'x'",
        ),
        (
            "search:\n  tune: {training.candidate.sampling: [balance]}",
            "3: search.tune: training.candidate.sampling cannot be 'balance': expected 'natural' "
            "or 'balanced', not 'balance'",
        ),
        (  # several types, one message
            "search: {folds: some}",
            "2: search.folds: expected 'all' or an integer or a list, not 'some'",
        ),
        (
            "search: {folds: 1}",
            "2: search.folds: expected 'all' or a value of at least 2 or a list, not 1",
        ),
        ("features: {ref: min}", "2: features.ref: expected a number or 'max', not 'min'"),
        (
            "data: {dataset: folder, esc10: true}",
            "2: data.esc10: unknown field; allowed here: dataset, root, streams, mined, classes, "
            "multi_label, csv, group_by; it belongs to dataset: esc50",
        ),
        (
            "data: {dataset: sins, multi_label: true}",
            "2: data.multi_label: expected false, not true",
        ),
        ("seed: 0.5", "2: seed: expected an integer, not 0.5"),
        (  # the one that Keras would refuse in every trial
            "seed: 4294967296",
            "2: seed: expected a value below 4.29497e+09, not 4294967296",
        ),
        (
            "search: {winners: {a b: {}}}",
            r"2: search.winners.a b: expected text that matches ^\w[\w-]*$, not 'a b'",
        ),
        (
            "model: {space: nasc, stages: []}",
            "2: model.stages: expected a list of at least 1, not []",
        ),
    ],
)
def test_a_wrong_value_is_told_what_is_allowed_where_it_stands(
    tmp_path: Path, fields: str, told: str
) -> None:
    assert f"DIR/x.yaml:{told}" in problem(tmp_path, f"name: a\n{fields}\n").splitlines()


def test_items_that_are_wrong_are_not_missed(tmp_path: Path) -> None:
    text = problem(tmp_path, "name: a\nmodel: {space: nasc, stages: [{filterss: 3}]}\n")
    assert [line.split()[1] for line in text.splitlines()] == [
        "model.stages.0.filters:",
        "model.stages.0.layers:",
        "model.stages.0.filterss:",
    ]


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("{objectives: [accurancy]}", "accurancy is none; .*accuracy"),
        ("{objectives: [macs]}", "only costs"),
        ("{objectives: [accuracy, macs], choose: macs}", "choose is macs; .*accuracy"),
        ("{tune: {training.candidate.batchsize: [8]}}", "no field training.candidate.batchsize"),
        ("{tune: {training.candidate.batch_size: [0]}}", "batch_size cannot be 0: .*1"),
        ("{tune: {search.trials: [8]}}", "does not begin with"),
        (
            f"{{tune: {{training.candidate.batch_size: {list(range(1, 40_000))}}}}}",
            "39,999 values are given, .*: give at most 1,000",
        ),
        ("{architecture: model_a}", "give tune"),
    ],
)
def test_searches_that_make_no_sense_are_refused(tmp_path: Path, search: str, words: str) -> None:
    assert re.search(words, problem(tmp_path, f"name: a\nsearch: {search}\n"))


def test_what_is_tuned_for_candidates_holds_for_the_final_recipe(tmp_path: Path) -> None:
    tune = "{training.candidate.augmentation.mixup_alpha: [0.1, 2.0], features.mel_bins: [32, 64]}"
    given = experiment.load(written(tmp_path, f"name: a\nsearch: {{tune: {tune}}}\n"))
    values = {"training.candidate.augmentation.mixup_alpha": 2.0, "features.mel_bins": 32}
    tuned = given.tuned({**values, "blocks": 2})
    assert tuned.training.candidate.augmentation.mixup_alpha == 2.0
    assert tuned.training.final.augmentation.mixup_alpha == 2.0
    assert tuned.features.mel_bins == 32
    assert given.tuned({}) == given


def aliases(levels: int) -> str:
    """Lists of lists of the same list: ten times as many values with every level."""
    lines = ["name: a", "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join([*lines, f"search: {{winners: {{x: *a{levels - 1}}}}}", ""])


MONSTROUS = {
    "an integer in words": ("seed: !!int abc", "2: not valid YAML: abc is no integer of 64 bits"),
    "an integer without digits": ("seed: !!int ''", "2: .* is no integer"),
    "a truth value that is none": ("report: {audio: !!bool abc}", "2: .*abc is no truth value"),
    "an impossible date": ("seed: 2024-13-45", "2: seed: expected an integer, not '2024-13-45'"),
    "a date": ("name: 2024-01-02\nseed: 2024-01-02", "2: 'name' is given a second time"),
    "a tag of Python": ("seed: !!python/object/apply:os.system [ls]", "2: .*the tag .*leave it"),
    "a set": ("search: {winners: !!set {a, b}}", "2: .*the tag 'set' is none of str, int"),
    "bytes": ("data: {root: !!binary aGk=}", "2: .*the tag 'binary'"),
    "5,000 digits": (f"seed: {'9' * 5000}", "2: not valid YAML: 9{60} ... is no integer"),
    "5,000 hexadecimal digits": (f"seed: 0x{'f' * 5000}", "2: .*is no integer of 64 bits"),
    "10**30": (f"search: {{trials: {10**30}}}", "2: .*is no integer of 64 bits"),
    "10.0**30": ("search: {trials: 1.0e+30}", "2: search.trials: expected an? .*, not 1e"),
    "an infinity": ("search: {hours: .inf}", "2: .*.inf is no finite number"),
    "a number beyond floats": ("search: {hours: 1.0e+999}", "2: .*is no finite number"),
    "not a number": ("training: {final: {epochs: .nan}}", "2: .*.nan is no finite number"),
    "what contains itself": ("data: &a {root: *a}", "2: .*it contains itself"),
    "a list that contains itself": ("search: {enqueue: &a [*a]}", "2: .*it contains itself"),
    "what merges itself": ("data: &a {<<: *a}", "2: .*it contains itself"),
    "lists 3,000 deep": (f"search: {{enqueue: {'[' * 3000}{']' * 3000}}}", "2: .*40 deep"),
    "mappings 3,000 deep": ("search: " + "{a: " * 3000 + "}" * 3000, "2: .*40 deep"),
    "an integer key": ("1: 2", "2: .*the name of a field is text, and 1 is none"),
    "an integer key within": ("search: {winners: {1: {}}}", "2: .*and 1 is none"),
    "a null key": ("~: 2", "2: .*and ~ is none"),
    "a truth value as key": ("search: {yes: 2}", "2: .*and yes is none"),
    "a list as key": ("? [a, b]\n: 2", "2: .*and this one is none"),
    "a tuple too short": ("model: {stem_strides: [2]}", "2: model.stem_strides"),
    "a tuple too long": ("model: {stem_strides: [2, 2, 2]}", "2: model.stem_strides"),
    "a long name": (f"search: {{choose: {'x' * 300}}}", "2: search.choose is xxx"),
    "a long name of a winner": (f"search: {{winners: {{{'x' * 300}: {{}}}}}}", "2: .*at most 50"),
    "the character 0": ('data: {root: "a\\0b"}', "2: .*the character of number 0"),
    "a text of a megabyte": (f"seed: {'x' * 900_000}", "2: seed: expected an integer, not 'xxx"),
}


@pytest.mark.parametrize(("fields", "words"), MONSTROUS.values(), ids=MONSTROUS)
def test_monstrous_experiments_are_one_message(tmp_path: Path, fields: str, words: str) -> None:
    text = problem(tmp_path, f"name: a\n{fields}\n")
    assert re.search(f"^DIR/x.yaml:{words}", text), text[:500]
    assert len(text) < 5_000


def test_a_name_that_is_too_long_for_a_directory(tmp_path: Path) -> None:
    text = problem(tmp_path, f"name: {'ä' * 150}\n")
    assert text == (
        "DIR/x.yaml:1: name: a name of 300 bytes is too long for a directory: give one of at most "
        "200"
    )


def test_aliases_of_aliases_stand_for_too_much(tmp_path: Path) -> None:
    assert "it stands for more than 50,000 values" in problem(tmp_path, aliases(9))
    merged = "\n".join(
        ["a0: &a0 {x: 1}"]
        + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    )
    assert "it stands for more than 50,000 values" in problem(tmp_path, f"{merged}\n")


def test_of_very_many_problems_the_first_are_told(tmp_path: Path) -> None:
    unknown = "".join(f"field{number}: {number}\n" for number in range(20_000))
    lines = problem(tmp_path, f"name: a\n{unknown}").splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("DIR/x.yaml:2: field0: unknown field")
    assert lines[-1] == "and 19,980 more fields to correct"
    short = ", ".join(["[]"] * 20_000)
    lines = problem(tmp_path, f"name: a\nsearch: {{enqueue: [{short}, {{a: []}}]}}\n").splitlines()
    assert lines[0].startswith("DIR/x.yaml:2: search.enqueue")


def test_a_file_that_is_no_experiment_at_all_is_not_read_to_its_end(tmp_path: Path) -> None:
    assert "holds more than 1,000,000 characters" in problem(tmp_path, "x" * 1_000_001)
    many = problem(tmp_path, f"name: a\nx: [{', '.join('1' * 200_000)}]\n")
    assert "it stands for more than 50,000 values" in many


def test_a_date_is_text(tmp_path: Path) -> None:
    first = experiment.load(written(tmp_path, "name: 2024-01-02\n"))
    assert first.name == "2024-01-02"
    assert experiment.load(written(tmp_path, first.to_yaml())) == first
