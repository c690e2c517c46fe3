"""Recipes of classifiers of places and of retrieval."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import PartitionError, RecipeError, TableError
from sightline.geo.partition import BoxSettings, S2Settings, adaptive_boxes, adaptive_s2, uniform_s2
from sightline.models.cell_classifiers import PUBLISHED_CLASSIFIERS
from sightline.partition_files import save_partition
from sightline.training import (
    CrossViewRecipe,
    GlobalRecipe,
    RetrievalRecipe,
    find_recipe,
    open_recipe,
    read_recipe,
    recipe_names,
)
from sightline.training.cells.partition_spec import read_partition_spec
from sightline.training.recipe_files import recipes_folder

from .photo_sets import TOWNS, tiny_global, tiny_retrieval

NAMES = sorted(recipe_names("global"))
PLACES = np.random.default_rng(0).normal(np.repeat(TOWNS, 50, axis=0), 2.0)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_that_come_along_can_be_read_and_say_where_they_are_from(name: str) -> None:
    recipe = open_recipe(find_recipe(name))
    assert recipe.name == name
    assert recipe.source
    assert read_recipe(type(recipe), "again.toml", text=recipe.to_toml()) == recipe


@pytest.mark.parametrize("name", sorted(PUBLISHED_CLASSIFIERS))
def test_every_published_classifier_has_its_recipe(name: str) -> None:
    row, recipe = PUBLISHED_CLASSIFIERS[name], open_recipe(find_recipe(name))
    assert isinstance(recipe, GlobalRecipe)
    assert (recipe.backbone, recipe.head, recipe.pooling) == (row.backbone, row.head, row.pooling)
    assert recipe.size == (row.size, row.size)
    assert recipe.without == row.without
    assert len(recipe.partitions) == len(row.cells)
    for text, cells in zip(recipe.partitions, row.cells, strict=True):
        options = read_partition_spec(text).options
        assert options.get("cells", cells) == cells
        assert options.get("max_members", 5000) in (5000, 2000, 1000)


def test_efficientnet_has_the_papers_numbers() -> None:
    recipe = open_recipe(find_recipe("efficientnet-b4-planet"))
    assert isinstance(recipe, GlobalRecipe)
    assert (recipe.optimiser, recipe.learning_rate, recipe.momentum) == ("sgd", 0.01, 0.9)
    assert (recipe.schedule, recipe.step_epochs, recipe.step_factor) == ("step", 5.0, 0.5)
    assert (recipe.epochs, recipe.batch_size, recipe.weight_decay) == (25, 64, 1e-4)
    assert (recipe.crop_area, recipe.crop_ratio, recipe.mirror) == (0.7, 4 / 3, True)
    assert recipe.stored_size == (359, 359)
    assert recipe.shared_users == "remove"


def test_the_residual_module_has_the_papers_numbers() -> None:
    recipe = open_recipe(find_recipe("rrm"))
    assert isinstance(recipe, RetrievalRecipe)
    assert (recipe.temperature, recipe.memory, recipe.hidden) == (0.05, 4096, 4096)
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (200, 64, 1e-5)
    assert (recipe.optimiser, recipe.schedule, recipe.weight_decay) == ("adamw", "cosine", 1e-4)
    assert (recipe.positives, recipe.loss, recipe.mining) == ("cell", "infonce", "all")


def test_a_file_says_which_task_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, kind in (
        ("epochs = 3\n", CrossViewRecipe),
        ('task = "global"\nepochs = 3\n', GlobalRecipe),
        ('task = "retrieval"\nepochs = 3\n', RetrievalRecipe),
    ):
        path.write_text(text)
        recipe = open_recipe(path, ["seed=4"])
        assert type(recipe) is kind
        assert (recipe.epochs, recipe.seed) == (3, 4)
    path.write_text('task = "globl"\n')
    with pytest.raises(RecipeError, match="no task 'globl'") as error:
        open_recipe(path)
    assert "'global'" in error.value.hint
    assert error.value.path == str(path)
    path.write_text('task = "global"\naerial_crop = 0.7\n')
    with pytest.raises(RecipeError, match="line 2: there is no key 'aerial_crop'"):
        open_recipe(path)
    path.write_text('planet_photos = 50\ntask = "global"\n')
    with pytest.raises(
        RecipeError, match=r"line 2: task must be one of 'cross-view'\. Got 'global'"
    ):
        read_recipe(CrossViewRecipe, path)


def test_recipes_of_photos_are_read_without_torch() -> None:
    code = (
        "import sys\n"
        "from sightline.training import find_recipe, open_recipe\n"
        "for name in ('efficientnet-b4-planet', 'rrm'):\n"
        "    print(open_recipe(find_recipe(name)).epochs)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "25\n200\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partitions": ()}, "partitions must name one or more"),
        ({"head": "multi"}, "head = 'multi' cannot go with 1 partitions"),
        ({"head": "hierarchical"}, "cannot go with 1 partitions"),
        ({"partitions": ("s2:cells=4", "s2:cells=9")}, "head = 'single' cannot go with 2"),
        ({"weights": "a", "start": "b"}, "a network starts once"),
        (
            {"sampled_classes": 3, "head": "mixture"},
            "sampled_classes cannot go with head = 'mixture'",
        ),
        ({"sampled_classes": 3, "distance_km": 9.0}, "cannot go with label_smoothing or distance"),
        (
            {"sharded_head": True, "head": "mixture"},
            "sharded_head cannot go with head = 'mixture'",
        ),
        ({"sharded_head": True, "sampled_classes": 3}, "cannot go with sampled_classes"),
        ({"sharded_head": True, "precision": "float16"}, "cannot go with precision = 'float16'"),
        ({"head": "mixture", "label_smoothing": 0.1}, "cannot go with head = 'mixture'"),
        ({"trained": "head-on-vectors", "mirror": True}, "those of whole photos|cannot go with"),
        ({"chunk_size": 8}, "chunk_size = 8 must be below"),
        ({"warmup_epochs": 2.0}, "warmup_epochs = 2 must be below"),
        ({"train_split": ""}, "train_split must not be empty"),
        ({"test_split": "train"}, "must differ"),
        ({"crop_area": 0.0}, "crop_area must be above 0"),
        ({"crop_ratio": 0.5}, "crop_ratio must be at least 1"),
    ],
)
def test_what_cannot_go_together_in_a_classifier_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        tiny_global(**changes)
    assert error.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory": 1}, "memory must be 0, or 2 vectors"),
        ({"positives": "place"}, "memory cannot go with positives = 'place'"),
        (
            {"positives": "place", "memory": 0, "partition": "s2:cells=9"},
            "partition cannot go with positives",
        ),
        (
            {"positives": "place-and-vector", "memory": 0, "positive_km": 30.0},
            "negative_km = 25 must not be below positive_km = 30",
        ),
        ({"mirror": True}, "cannot go with trained = 'module'"),
        ({"trained": "network", "residual_skip": False}, "cannot go with trained = 'network'"),
        ({"residual_skip": 1}, "residual_skip must be true or false"),
        ({"partition": "s2:cells"}, "'cells' is no option of 's2'"),
    ],
)
def test_what_cannot_go_together_in_retrieval_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        tiny_retrieval(**changes)
    assert error.value.hint


def test_a_key_of_the_residual_that_is_none_is_told_the_nearest() -> None:
    for change, nearest in (("residual_skp=false", "residual_skip"), ("residul=no", "residual")):
        with pytest.raises(RecipeError, match="there is no key") as error:
            open_recipe(find_recipe("rrm"), [change])
        assert nearest in error.value.hint
    assert open_recipe(find_recipe("rrm"), ["residual_skip=false"]).to_dict()["hidden"] == 4096


def test_partitions_are_made_as_the_command_makes_them(tmp_path: Path) -> None:
    for text, wanted in (
        ("s2:cells=9", adaptive_s2(PLACES, S2Settings(cells=9))),
        (
            "s2:max_members=60, min_members=2,min_level=1",
            adaptive_s2(PLACES, S2Settings(max_members=60, min_members=2, min_level=1)),
        ),
        (
            "boxes:cells=5,cut=random,seed=3",
            adaptive_boxes(PLACES, BoxSettings(cells=5, cut="random", seed=3)),
        ),
        ("uniform:level=3", uniform_s2(PLACES, 3)),
    ):
        assert read_partition_spec(text).partition(PLACES).fingerprint == wanted.fingerprint
    assert (
        read_partition_spec("quadtree:cells=8,around_data=true").partition(PLACES).kind == "boxes"
    )
    assert len(read_partition_spec("grid:level=2").partition(PLACES)) > 1
    file = tmp_path / "cells.parquet"
    save_partition(file, wanted)
    assert read_partition_spec(str(file)).partition(PLACES).fingerprint == wanted.fingerprint
    with pytest.raises((TableError, PartitionError)):
        read_partition_spec(str(tmp_path / "none.parquet")).partition(PLACES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no method ''"),
        ("s3:cells=9", "no method 's3'"),
        ("s2:cell=9", "'cell=9' is no option of 's2'"),
        ("s2:cells=9,cells=8", "stands twice"),
        ("s2:cells=many", "must be a number"),
        ("s2:min_members=3", "'s2' needs a goal"),
        ("uniform:", "'uniform' needs a level"),
        ("quadtree:cells=4,around_data=yes", "must be true or false"),
    ],
)
def test_a_partition_that_is_spelt_wrongly_is_refused_before_the_data(
    text: str, reason: str
) -> None:
    with pytest.raises(RecipeError, match="partitions must be files, or ways") as error:
        tiny_global(partitions=(text,))
    assert reason in error.value.message


def test_folders_of_recipes_hold_what_they_say() -> None:
    assert {path.parent.name for path in recipe_names("global").values()} == {"global"}
    assert (
        recipe_names().keys() == recipe_names("cross-view").keys() | recipe_names("global").keys()
    )
    assert find_recipe("im2gps-l") == recipes_folder() / "global" / "im2gps-l.toml"
