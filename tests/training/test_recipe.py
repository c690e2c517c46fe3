from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import RecipeError
from sightline.training import CrossViewRecipe, find_recipe, read_recipe, recipe_names
from sightline.training.cross_view.run import network_settings
from sightline.training.recipe import value_of
from sightline.training.recipe_files import recipes_folder

from .recipes import tiny

NAMES = sorted(recipe_names("cross-view"))


def read(text: str, *changes: str) -> CrossViewRecipe:
    return read_recipe(CrossViewRecipe, "mine.toml", changes, text=text)


def test_keys_left_out_have_defaults_and_numbers_become_what_the_key_is() -> None:
    recipe = read("epochs = 3\nlearning_rate = 1\nground_size = [64, 128]\n")
    assert (recipe.epochs, recipe.learning_rate, recipe.ground_size) == (
        3,
        1.0,
        (64, 128),
    )
    assert isinstance(recipe.learning_rate, float)
    assert recipe.batch_size == CrossViewRecipe().batch_size


def test_an_unknown_key_names_the_nearest_and_its_line() -> None:
    with pytest.raises(
        RecipeError, match=r"mine.toml, line 3: there is no key 'lerning_rate'"
    ) as e:
        read("epochs = 3\n# a comment\nlerning_rate = 1e-3\n")
    assert "'learning_rate'" in e.value.hint
    assert e.value.code == "recipe"


def test_a_key_that_is_written_otherwise_than_it_reads_is_said_to_stand_in_line_1() -> None:
    with pytest.raises(RecipeError, match=r"mine.toml, line 1: there is no key 'epoch'"):
        read('seed = 1\n"ep\\u006fch" = 3\n')


def test_a_table_is_no_key() -> None:
    with pytest.raises(RecipeError, match=r"line 2: there is no key 'training'"):
        read("epochs = 3\n[training]\nepochs = 4\n")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("epochs = 'three'", "a whole number"),
        ("epochs = true", "a whole number"),
        ("epochs = 1.5", "a whole number"),
        ("epochs = 0", "at least 1"),
        ("mirror = 1", "true or false"),
        ("name = 3", "text"),
        ("learning_rate = '1e-3'", "a number"),
        ("learning_rate = nan", "a finite number"),
        ("learning_rate = 0.0", "above 0"),
        ("train_share = 1.5", "above 0 and at most 1"),
        ("label_smoothing = 1.0", "at least 0 and below 1"),
        ("loss = 'triplet'", "one of 'max-margin', 'soft-margin'"),
        ("ground_size = [64]", "a list of 2 whole numbers"),
        ("ground_size = [64, 1.5]", "a list of 2 whole numbers"),
        ("ground_size = [64, 4]", "at least 8"),
        ("model_args = 3", "a table"),
    ],
)
def test_values_are_checked_where_they_stand(line: str, rule: str) -> None:
    with pytest.raises(RecipeError, match=rf"line 2: \w+ must be {re.escape(rule)}"):
        read(f"seed = 1\n{line}\n")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("epochs", "7", 7),
        ("learning_rate", "1e-4", 1e-4),
        ("mirror", "true", True),
        ("name", "a b=c", "a b=c"),
        ("name", '"quoted"', "quoted"),
        ("loss", "tuple", "tuple"),
        ("ground_size", "64,128", (64, 128)),
        ("ground_size", "[64, 128]", (64, 128)),
        ("head_options", "{regions = 8}", {"regions": 8}),
    ],
)
def test_set_is_read_by_the_type_of_the_key(key: str, text: str, value: object) -> None:
    assert getattr(read("epochs = 2", f"{key}={text}"), key) == value
    assert value_of(CrossViewRecipe, key, text) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs", "must be given key=value"),
        ("=3", "must be given key=value"),
        ("epoch=3", "there is no key 'epoch'"),
        ("epochs=many", "epochs must be a whole number. Got 'many'"),
        ("ground_size=64,big", "a list of 2 whole numbers"),
    ],
)
def test_a_wrong_set_is_refused(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read("", change)


def test_what_is_no_toml_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"mine.toml is no TOML: .*line 1"):
        read("epochs three")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(CrossViewRecipe, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ground": "aerial"}, "ground must not be aerial"),
        ({"ground": "fisheye"}, "A geometry must be"),
        ({"architecture": "frgo"}, "no cross-view architecture 'frgo'"),
        (
            {"heading": "known", "ground": "perspective:90"},
            "only feature recombination",
        ),
        ({"heading": "known", "architecture": "frgeo"}, "is turned to north"),
        ({"ground": "crop:90", "architecture": "frgeo"}, "those of the compass"),
        (
            {"quarter_turns": True, "aerial_size": (32, 48)},
            "quarter_turns cannot go with aerial",
        ),
        ({"quarter_turns": True, "ground": "perspective:90"}, "cannot be turned"),
        ({"chunk_size": 8}, "chunk_size = 8 must be below"),
        ({"warmup_epochs": 2.0}, "warmup_epochs = 2 must be below"),
        ({"sampler": "near", "near_cluster": 9}, "near_cluster = 9"),
        ({"sampler": "super-batches"}, "partly trained"),
        ({"second_loss": "tuple"}, "second_epochs is 0"),
        ({"second_patience": 1}, "second_epochs is 0"),
        ({"test_split": "train"}, "must differ"),
        ({"train_split": ""}, "train_split must not be empty"),
        ({"phases": 17}, "phases must be at least 1 and at most 16"),
        ({"similar_share": 0.6}, "similar_share must be above 0 and at most 0.5"),
        (
            {"sharpness": 1.0, "precision": "float16"},
            "sharpness cannot go with precision",
        ),
    ],
)
def test_what_cannot_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny(**changes)


def test_errors_of_a_file_name_it() -> None:
    with pytest.raises(RecipeError) as error:
        read("ground = 'aerial'")
    assert error.value.path == "mine.toml"


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)


@settings(deadline=None)
@given(
    name=texts,
    epochs=st.integers(1, 10**6),
    rate=st.floats(1e-12, 1e6),
    size=st.tuples(st.integers(8, 4096), st.integers(8, 4096)),
    options=st.dictionaries(
        texts.filter(bool),
        st.one_of(st.integers(-9, 9), texts, st.lists(st.booleans())),
    ),
)
def test_a_recipe_written_is_the_recipe_read(
    name: str, epochs: int, rate: float, size: tuple[int, int], options: dict[str, Any]
) -> None:
    recipe = CrossViewRecipe(
        name=name,
        epochs=epochs,
        learning_rate=rate,
        aerial_size=size,
        head_options=options,
    )
    assert read(recipe.to_toml()) == recipe


def test_recipes_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text("epochs = 1\n")
    assert find_recipe(str(own)) == own
    assert find_recipe("frgeo") == recipes_folder() / "cross-view" / "frgeo.toml"
    with pytest.raises(RecipeError, match="no recipe 'frgoe'") as error:
        find_recipe("frgoe")
    assert "Did you mean 'frgeo'" in error.value.hint
    with pytest.raises(RecipeError) as error:
        find_recipe("other", "none")
    assert error.value.hint == "Give the path of a TOML file."


# Rows that FRGeo's authors trained themselves, by table.
FRGEO_ROWS = {
    "frgeo": "table 1, Ours",
    "transgeo-frm": "table 1, Ours♣",
    "frgeo-cvact": "table 2, Ours",
    "frgeo-vigor": "table 3, Same-area, Ours",
    "frgeo-vigor-cross": "table 3, Cross-area, Ours",
    "frgeo-baseline": "table 4, Baseline",
    "frgeo-frm": "table 4, Baseline + FRM",
    "frgeo-wbl": "table 4, Baseline + WBL",
}


@pytest.mark.parametrize(("name", "row"), FRGEO_ROWS.items())
def test_every_row_of_frgeo_has_its_recipe(name: str, row: str) -> None:
    source = read_recipe(CrossViewRecipe, find_recipe(name)).source
    assert source.split(";")[0].endswith(f"FRGeo (AAAI 2024), {row}")


def test_the_other_networks_have_recipes() -> None:
    pssr = {"vgg16-fc", "resnet50-fc", "cvm-net-i"}
    others = {"cvm-net-ii", "frgeo-infonce", "transgeo", "safa", "small-planet", "planet-360"}
    assert set(NAMES) == pssr | others | set(FRGEO_ROWS)


def test_frgeos_ablation_differs_in_head_and_loss_alone() -> None:
    def of(name: str) -> dict[str, Any]:
        return read_recipe(CrossViewRecipe, find_recipe(name)).to_dict()

    head, loss = {"architecture"}, {"loss", "loss_distance"}
    named = {"name", "source"}
    for name, other, wanted in (
        ("frgeo-frm", "frgeo-baseline", head),
        ("frgeo-wbl", "frgeo-baseline", loss),
        ("frgeo", "frgeo-frm", loss),
        ("frgeo", "frgeo-wbl", head),
    ):
        one, two = of(name), of(other)
        assert {key for key in one if one[key] != two[key]} - named == wanted, (name, other)


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_reads_and_says_where_its_numbers_come_from(name: str) -> None:
    path = find_recipe(name)
    recipe = read_recipe(CrossViewRecipe, path)
    assert recipe.name == name
    assert recipe.source
    assert network_settings(recipe, 100.0).ground_size == recipe.ground_size
    if recipe.data.startswith("planet:"):
        return
    # Published numbers: every line of the network, the loss and the optimiser says its source.
    lines = path.read_text().split("architecture =")[1].splitlines()[1:]
    bare = [line for line in lines if "=" in line and "#" not in line and "= 0.0" not in line]
    allowed = (
        "heading",
        "ground =",
        "sampler",
        "schedule",
        "precision",
        "loss_distance",
        "model",
    )
    assert [
        line
        for line in bare
        if not line.startswith(
            (*allowed, "select_by", "mirror", "quarter_turns", "aerial_crop", "seed")
        )
    ] == []


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
    known = set(re.findall(r"`([a-z_]+)`", page))
    assert set(CrossViewRecipe.keys()) - known - {"task"} == set()
    for line in re.findall(r"^\| `.*", page, re.MULTILINE):
        first = set(re.findall(r"`([a-z_]+)`", line.split("|")[1]))
        assert first <= set(CrossViewRecipe.keys()) | {"safa", "transgeo", "frgeo"}, line
