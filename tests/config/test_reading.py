"""Configs are read from YAML and written back, and mistakes are reported with their path."""

import json
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from sceneparse.config import RunConfig
from sceneparse.config.reading import config_yaml, parse_config, read_config
from sceneparse.config.resuming import config_differences, resumed_config
from sceneparse.config.schema import config_schema, fields_of
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.errors import InputError
from sceneparse.inference.settings import NoRefinement
from sceneparse.models.settings import EncoderUNetModel, UNetModel
from sceneparse.optimization.settings import Adam, AdamW, Plateau
from sceneparse.system.yaml_text import parse_yaml

ROOT = Path(__file__).parents[2]
SHIPPED = [
    *sorted((ROOT / "configs").rglob("*.yaml")),
]


def message_of(text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_config(text, "run.yaml", overrides)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "# only a comment", "model:\noptimizer:\n  # lr: 1\n"])
def test_missing_fields_take_their_defaults(text: str) -> None:
    config = parse_config(text, "run.yaml")
    assert config == RunConfig()
    assert isinstance(config.data, Ade20kData)
    assert isinstance(config.model, UNetModel)
    assert isinstance(config.optimizer, Adam)
    assert isinstance(config.schedule, Plateau)


def test_a_section_without_a_kind_has_the_default_kind() -> None:
    config = parse_config("model: {width: 16}\noptimizer: {lr: 0.5}", "run.yaml")
    assert config.model == UNetModel(width=16)
    assert config.optimizer == Adam(lr=0.5)


def test_the_kind_chooses_the_section() -> None:
    config = parse_config("model: {kind: encoder_unet}\noptimizer: {kind: adamw}", "run.yaml")
    assert config.model == EncoderUNetModel()
    assert config.optimizer == AdamW()


def test_overrides_replace_fields_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("optimizer: {lr: 1, weight_decay: 0.5}\nseed: 1\n")
    config = read_config(path, ["optimizer.lr=2", "seed=7", "training.batch_size=auto"])
    assert config.optimizer == Adam(lr=2, weight_decay=0.5)
    assert config.seed == 7
    assert config.training.batch_size == "auto"


@pytest.mark.parametrize("file", ["", "optimizer:\n", "optimizer: {kind: adam}"])
def test_overrides_add_missing_sections(file: str) -> None:
    assert parse_config(file, "run.yaml", ["optimizer.lr=2"]).optimizer == Adam(lr=2)


def test_the_last_of_two_overrides_wins() -> None:
    assert parse_config("", "run.yaml", ["seed=1", "seed=2"]).seed == 2


def test_another_kind_keeps_common_fields_and_drops_the_others() -> None:
    text = """
inference: {refine: {kind: guided_filter, radius: 2}}
optimizer: {kind: sgd, lr: 0.1, momentum: 0.5}
"""
    kinds = ["inference.refine.kind=none", "optimizer.kind=adamw"]
    stored = config_yaml(parse_config(text, "run.yaml"))
    for written in (text, stored):
        config = parse_config(written, "run.yaml", kinds)
        assert config.inference.refine == NoRefinement()
        assert isinstance(config.optimizer, AdamW)
        assert config.optimizer.lr == 0.1
    with pytest.raises(InputError, match=r"optimizer\.momentun: unknown key"):
        parse_config(text.replace("momentum", "momentun"), "run.yaml", kinds)


def test_overrides_accept_sections_lists_and_paths_with_an_equals_sign() -> None:
    config = parse_config(
        "model: {width: 32}",
        "run.yaml",
        [
            "model={kind: encoder_unet, decoder_channels: [8, 4]}",
            "data.root=/images/a=b c",
            "training.clip_norm=null",
        ],
    )
    assert config.model == EncoderUNetModel(decoder_channels=(8, 4))
    assert config.data == Ade20kData(root=Path("/images/a=b c"))
    assert config.training.clip_norm is None


@pytest.mark.parametrize("number", ["1e-3", "0.001", "1.0e-3", "'0.001'"])
def test_a_learning_rate_is_a_number_in_every_notation(number: str) -> None:
    assert parse_config(f"optimizer: {{lr: {number}}}", "run.yaml").optimizer.lr == 0.001
    assert parse_config("", "run.yaml", [f"optimizer.lr={number}"]).optimizer.lr == 0.001


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_loads_and_round_trips_through_yaml(path: Path) -> None:
    config = read_config(path)
    assert parse_config(config_yaml(config), "again.yaml") == config


def test_configs_are_shipped() -> None:
    assert len(SHIPPED) > 2


def test_an_unusual_config_round_trips_through_yaml() -> None:
    config = parse_config(
        "data: {kind: folder, root: 'ä/no: #x', validation_share: 1e-3}\n"
        "model: {kind: encoder_unet, decoder_channels: [3], weights: none}\n"
        "optimizer: {kind: sgd, lr: 1e-7}\nschedule: {kind: one_cycle}\n"
        "training: {clip_norm: 0.1, batch_size: 3, threads: 2}",
        "run.yaml",
    )
    again = parse_config(config_yaml(config), "again.yaml")
    assert again == config
    assert again.data == FolderData(root=Path("ä/no: #x"), validation_share=0.001)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RunConfig().training.epochs = 3  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("optimzer: {lr: 1}", "optimzer: unknown key; did you mean `optimizer`?"),
        ("optimizer: {lrr: 1}", "optimizer.lrr: unknown key; did you mean `lr`?"),
        (
            "model: {kind: encoder_unet, decoder_chanels: [1]}",
            "model.decoder_chanels: unknown key; did you mean `decoder_channels`?",
        ),
        ("training: {precison: bf16}", "training.precison: unknown key; did you mean `precision`?"),
        (
            "model: {encoder: x}",
            "model.encoder: unknown key; it belongs to `model.kind: encoder_unet`",
        ),
        ("zebra: 3", "zebra: unknown key; known: seed, data, model, transform"),
        ("epochs: 3", "epochs: unknown key; did you mean `training.epochs`?"),
    ],
)
def test_an_unknown_key_is_reported_with_its_path_and_a_suggestion(text: str, line: str) -> None:
    assert message_of(text).startswith(f"run.yaml:\n  {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "optimizer: {kind: adamww}",
            "optimizer: kind `adamww` is unknown; expected one of 'adam', 'adamw', 'sgd'",
        ),
        ("model: {kind: [a]}", "model: kind `['a']` is unknown"),
        (
            "loss: {kind: dicee}",
            "loss: kind `dicee` is unknown; expected one of 'cross_entropy', 'focal', 'dice', ",
        ),
        ("model: unet", "model: found 'unet'; did you mean `model.kind=unet`?"),
        ("data: 7", "data: expected fields, and a kind of 'ade20k', "),
        ("data: {kind: folder}", "data.root: missing, and there is no default"),
        ("training: {epochs: 1.5}", "training.epochs: Input should be a valid integer"),
        ("transform: {size: 16}", "transform.size: Input should be greater than or equal to 32"),
        ("training: {batch_size: 0}", "training.batch_size: Input should be greater than 0"),
        ("optimizer: {lr: .nan}", "optimizer.lr: "),
        ("training: {clip_norm: .inf}", "training.clip_norm: Input should be a finite number"),
        (
            "model: {kind: encoder_unet, decoder_channels: [8, 0]}",
            "model.decoder_channels.1: Input should be greater than or equal to 1, found 0",
        ),
        ("1: 2", "1: Keys should be strings"),
    ],
)
def test_a_wrong_value_is_reported_with_its_path_and_the_value(text: str, line: str) -> None:
    assert message_of(text).startswith(f"run.yaml:\n  {line}")


def test_all_mistakes_are_reported_together_one_line_each() -> None:
    message = message_of(
        "seed: -1\nmodel: {kind: unett}\ntraining: {epochs: x, batch_size: many}\nlos: {}",
        "optimizer.lr=no",
        "data.rot=x",
    )
    lines = message.splitlines()
    assert lines[0] == "run.yaml:"
    assert sorted(line.strip().partition(":")[0] for line in lines[1:]) == [
        "data.rot",
        "los",
        "model",
        "optimizer.lr",
        "seed",
        "training.batch_size",
        "training.epochs",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: [1", "not YAML"),
        ("\ta: 1", "not YAML"),
        ("seed: 2026-13-45", "not YAML"),
        ("!!python/object:os.system {}", "not YAML"),
        ("[1, 2]", "expected sections such as `model:`, found [1, 2]"),
        ("just words", "expected sections such as `model:`, found 'just words'"),
    ],
)
def test_text_that_is_not_a_config_is_refused(text: str, found: str) -> None:
    assert message_of(text).startswith(f"run.yaml: {found}")


@pytest.mark.parametrize("override", ["optimizer", "=3", "optimizer..lr=3", "--lr", ".=1"])
def test_a_malformed_override_is_shown_with_an_example(override: str) -> None:
    assert message_of("", override) == (
        f"{override}: expected section.field=value, such as optimizer.lr=3e-4"
    )


def test_an_override_inside_a_field_is_refused() -> None:
    assert message_of("seed: 1", "seed.x=3") == "seed.x=3: `seed` is no section"


@pytest.mark.parametrize("value", ["2026-13-45", "[1", "@x"])
def test_an_override_that_is_not_yaml_is_text(value: str) -> None:
    config = parse_config("", "run.yaml", [f"data.root={value}"])
    assert config.data == Ade20kData(root=Path(value))


def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: no such config file"):
        read_config(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        read_config(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"data: {root: '\xe4'}")
    with pytest.raises(InputError, match=r"latin\.yaml: cannot be read"):
        read_config(tmp_path / "latin.yaml")


def test_the_schema_describes_every_field() -> None:
    schema: dict[str, Any] = json.loads(config_schema())
    sections: dict[str, Any] = schema["$defs"]
    assert set(schema["properties"]) == set(fields_of(RunConfig))
    for name, section in sections.items():
        assert section["description"], name
        assert section["additionalProperties"] is False
        for field, facts in section["properties"].items():
            assert field == "kind" or facts["description"], f"{name}.{field}"


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (
            "[{kind: dice}, {kind: focal, gama: 2}]",
            ".terms.1.gama: unknown key; did you mean `gamma`?",
        ),
        (
            "[{kind: dice, gamma: 2}]",
            ".terms.0.gamma: unknown key; it belongs to `loss.terms.0.kind: focal`",
        ),
        ("[{kind: focal}, {kind: dicee}]", ".terms.1: kind `dicee` is unknown; expected one of"),
        ("[{weight: 2}]", ".terms.0: names no kind; expected one of 'cross_entropy', 'focal'"),
        ("[7]", ".terms.0: expected fields, and a kind of 'cross_entropy', 'focal', "),
        ("[{kind: sum, terms: []}]", ".terms.0: kind `sum` is unknown"),
        ("[{kind: focal, gamma: x}]", ".terms.0.gamma: Input should be a valid number"),
        ("[]", ": terms: a sum needs at least one loss, found none"),
        ("[{kind: focal, class_weights: [1, -2]}]", ".terms.0.class_weights.1: Input should be gr"),
        (
            "[{kind: focal, class_weights: {kind: median_share, powr: 1}}]",
            ".terms.0.class_weights.powr: unknown key; did you mean `power`?",
        ),
        (
            "[{kind: focal, class_weights: {kind: median_sharee}}]",
            ".terms.0.class_weights: kind `median_sharee` is unknown; expected one of 'median_f",
        ),
        ("[{kind: focal, class_weights: {}}]", ".terms.0.class_weights: names no kind; expected"),
        (
            "[{kind: focal, class_weights: {kind: median_share, min: 2, max: 1}}]",
            ".terms.0.class_weights: `max`, 1, should not be below `min`, 2",
        ),
        (
            "[{kind: focal, class_weights: median_share}]",
            ".terms.0.class_weights: found 'median_share'; did you mean `loss.terms.0.class_weig",
        ),
    ],
)
def test_a_mistake_in_one_of_several_losses_is_reported_with_its_path(loss: str, line: str) -> None:
    lines = message_of(f"loss: {{kind: sum, terms: {loss}}}").splitlines()
    assert lines[0] == "run.yaml:"
    assert lines[1].startswith(f"  loss{line}")
    assert len(lines) == 2


def test_losses_and_class_weights_round_trip_through_yaml() -> None:
    text = """
loss:
  kind: sum
  terms:
    - {kind: cross_entropy, class_weights: [1, 2]}
    - {kind: focal, class_weights: {kind: median_frequency, power: 0.35, max: 3}}
    - {kind: dice, weight: 0.5}
"""
    config = parse_config(text, "run.yaml")
    assert parse_config(config_yaml(config), "again.yaml") == config


def test_differences_name_path_and_both_values() -> None:
    stored = parse_config("optimizer: {lr: 1}", "run.yaml")
    asked = parse_config("", "run.yaml", ["optimizer.lr=2", "model.kind=encoder_unet"])
    differences = config_differences(asked, stored)
    assert "optimizer.lr: 2.0 instead of 1.0" in differences
    assert "model.kind: encoder_unet instead of unet" in differences
    assert "model.width: None instead of 64" in differences
    assert not any(line.startswith("training") for line in differences)


def test_auto_matches_any_resolved_value() -> None:
    asked = parse_config("training: {batch_size: auto}", "run.yaml")
    stored = parse_config("training: {batch_size: 16, precision: bf16, threads: 2}", "run.yaml")
    assert config_differences(asked, stored) == []
    assert "training.batch_size: 16 instead of auto" in config_differences(stored, asked)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="`seed` is given twice"):
        parse_config("seed: 1\nmodel: {width: 8}\nseed: 2", "a.yaml")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("off", "off"), ("'off'", "off"), ("auto", "auto"), ("fast/cache", Path("fast/cache"))],
)
def test_a_cache_is_a_folder_auto_or_off(written: str, expected: object) -> None:
    config = parse_config("", "run.yaml", [f"data.cache={written}"])
    assert getattr(config.data, "cache", None) == expected
    assert parse_config(config_yaml(config), "again") == config


def test_a_wrong_cache_value_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"data\.cache: Input should be 'auto' or 'off', found True; or "
    ):
        parse_config("data: {cache: true}", "run.yaml")


def test_a_run_resumes_with_other_paths() -> None:
    stored = parse_config("data: {cache: off}", "run.yaml")
    asked = parse_config("data: {cache: fast}", "run.yaml")
    assert config_differences(asked, stored) == []
    assert resumed_config(asked, stored).data == asked.data
    text = "data: {{kind: ade20k_full, labels: {}.yaml}}"
    stored, asked = (parse_config(text.format(name), "run.yaml") for name in ("one", "other"))
    assert config_differences(asked, stored) == []
    assert resumed_config(asked, stored).data == asked.data


def test_each_section_is_written_with_its_kind_first() -> None:
    text = "loss: {kind: sum, terms: [{kind: dice, weight: 2}, {kind: cross_entropy}]}"
    written = parse_yaml(config_yaml(parse_config(text, "run.yaml")), "run.yaml")
    sections = [*written.values(), *written["loss"]["terms"], written["inference"]["refine"]]
    with_kind = [list(each) for each in sections if isinstance(each, dict) and "kind" in each]
    assert len(with_kind) == 9
    assert all(keys[0] == "kind" for keys in with_kind)
