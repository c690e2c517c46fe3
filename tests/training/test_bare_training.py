"""Training with torch, timm, numpy, scipy, scikit-learn, pyarrow, pillow and safetensors alone."""

from __future__ import annotations

from pathlib import Path

from tests.test_bare_machine import run as bare

from sightline.datasets import Manifest

from .photo_sets import rough_bundle, tiny_global, tiny_retrieval
from .recipes import tiny


def test_training_needs_no_more_than_a_gpu_machine_has(
    planet_pairs: Path, photo_set: Path, tmp_path: Path
) -> None:
    start = str(rough_bundle(tmp_path / "start", Manifest.open(photo_set)))
    pairs = planet_pairs / "manifest"
    recipes = {
        "cross-view": (tiny(epochs=1, batch_size=14), pairs),
        "classifier": (tiny_global(epochs=1), photo_set),
        "retrieval": (tiny_retrieval(start=start, epochs=1), photo_set),
    }
    for name, (recipe, _) in recipes.items():
        (tmp_path / f"{name}.toml").write_text(recipe.to_toml())
    given = {name: str(data) for name, (_, data) in recipes.items()}
    done = bare(
        "from pathlib import Path\n"
        "from sightline.training import open_recipe, train\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"for name, data in {given!r}.items():\n"
        "    recipe = open_recipe(str(folder / f'{name}.toml'))\n"
        "    about = train(recipe, folder / name, data=Path(data), device='cpu')\n"
        "    print(name, about['status'])\n"
    )
    said = [f"{name} finished" for name in recipes]
    assert done.stdout.splitlines() == said, done.stderr
