"""How fast the training loop goes: beside a plain loop, and beside the network alone.

All three train the same network with the same loss and optimiser on the same pairs of the planet,
stored as CVUSA's are (panoramas of 1232 x 224 pixels, patches of 750 x 750, JPEG):

- **plain**: a loop as it is usually written: PIL, torchvision's transforms, a DataLoader with two
  workers, every image decoded and augmented in every epoch;
- **ours**: the loop of ``sightline train`` with its checks, augmentation and log; images ``kept``
  at network size after their first decoding, or ``read`` anew in every epoch by two workers;
- **bare**: forward, backward and step on one batch that lies in memory, without data or checks.
  Like ours, and unlike the plain loop, it keeps the memory that a step frees for the next one.

Each is begun anew in every round, in turn; its first epoch is not counted. What keeping costs is
stated apart.

    python benchmarks/training.py [--pairs 256] [--rounds 5] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from _record import record
from sightline.datasets import Manifest, write_manifest
from sightline.datasets.layouts import read
from sightline.datasets.planet import PlanetSettings, make
from sightline.losses import InfoNCELoss
from sightline.training import CrossViewRecipe, find_recipe, read_recipe
from sightline.training.cross_view.pair_data import PairData, read_pairs
from sightline.training.cross_view.run import build, network_settings
from sightline.training.cross_view.task import CrossViewTask
from sightline.training.data.pixels import DecodedEachTime, KeptOnDisk
from sightline.training.loops.freed_memory import freed_memory_kept
from sightline.training.loops.loop import Loop
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Silent, StepReport
from sightline.training.run import loop_settings

WORKERS = 2
EPOCHS = 4
Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=256, help="to train on, at least a batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="keep the pairs there for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary) / "pairs"
        recipe, data = stored(folder, given.pairs)
        result = measured(recipe, data, given.rounds, Path(temporary))
    print(record("training", result))


def stored(folder: Path, pairs: int) -> tuple[CrossViewRecipe, PairData]:
    """Pairs of the planet at CVUSA's sizes; 70 % of them are trained on."""
    wanted = -(-pairs * 10 // 7 // 40) * 40
    settings = PlanetSettings(
        "pairs", wanted, width=1232, height=224, tile_px=750, metres_per_pixel=0.15
    )
    make(settings, folder, workers=WORKERS)
    if not (folder / "manifest" / "pairs.parquet").is_file():
        write_manifest(folder / "manifest", read(folder))
    recipe = read_recipe(CrossViewRecipe, find_recipe("small-planet")).changed(
        leak_check="off", average_decay=0.0, epochs=10**6, log_steps=1, checkpoint_minutes=1e6
    )
    return recipe, read_pairs(Manifest.open(folder / "manifest"), recipe)


def measured(recipe: CrossViewRecipe, data: PairData, rounds: int, folder: Path) -> Result:
    steps = len(data.train) // recipe.batch_size
    kept, keeping_s = kept_pixels(recipe, data, folder)
    paths = data.photos.paths, data.patches.paths
    anew = [
        DecodedEachTime(p, size)
        for p, size in zip(paths, (recipe.ground_size, recipe.aerial_size), strict=True)
    ]
    runs: dict[str, Callable[[Timer], None]] = {
        "bare": lambda timer: bare(recipe, data, kept, timer),
        "kept": lambda timer: ours(recipe, data, kept, folder / "kept", timer),
        "read": lambda timer: ours(
            recipe.changed(pixels="read", workers=WORKERS), data, anew, folder / "read", timer
        ),
        "plain": lambda timer: plain(recipe, data, timer),
    }
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 else -1]:
            timer = Timer(steps, EPOCHS * steps)
            with suppress(StopIteration):
                runs[name](timer)
            rates[name].append(EPOCHS * steps * recipe.batch_size / timer.seconds)
            print(f"round {number + 1}, {name}: {rates[name][-1]:.2f} pairs/s", flush=True)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "network": {
            "recipe": recipe.name,
            "ground_size": recipe.ground_size,
            "aerial_size": recipe.aerial_size,
            "batch_size": recipe.batch_size,
        },
        "stored_as": "JPEG, 1232 x 224 and 750 x 750",
        "pairs": len(data.train),
        "steps_in_a_round": EPOCHS * steps,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "workers": WORKERS,
        "pairs_per_second": {name: round(value, 2) for name, value in middle.items()},
        "spread": {name: [round(min(x), 2), round(max(x), 2)] for name, x in rates.items()},
        "keeping_s_per_pair": round(keeping_s / len(data.train), 5),
        # Of the two of a round, which were measured one after the other.
        "kept_over_plain": ratio(rates["kept"], rates["plain"]),
        "read_over_plain": ratio(rates["read"], rates["plain"]),
        "kept_over_bare": ratio(rates["kept"], rates["bare"]),
        "wanted": {"over_plain": 1.5, "over_bare": 0.9},
    }


def ratio(first: list[float], second: list[float]) -> dict[str, float]:
    """Median, least and most of the rounds' ratios."""
    found = sorted(a / b for a, b in zip(first, second, strict=True))
    return {
        "median": round(statistics.median(found), 3),
        "least": round(found[0], 3),
        "most": round(found[-1], 3),
    }


def kept_pixels(
    recipe: CrossViewRecipe, data: PairData, folder: Path
) -> tuple[list[KeptOnDisk], float]:
    begun = time.perf_counter()
    made = []
    for column, (view, images, size) in enumerate(
        (
            ("ground", data.photos, recipe.ground_size),
            ("aerial", data.patches, recipe.aerial_size),
        )
    ):
        store = KeptOnDisk(folder / "pixels", view, images.paths, size, data.fingerprint)
        store.fill(data.train.pairs[:, column])
        made.append(store)
    return made, time.perf_counter() - begun


class Timer(Silent):
    """Takes the time from one step to another, and stops there."""

    def __init__(self, first: int, count: int) -> None:
        self._left = first
        self._count = count
        self._begun = self.seconds = 0.0

    def tick(self) -> None:
        """A step was made."""
        self._left -= 1
        if self._left == 0 and not self._begun:
            self._begun, self._left = time.perf_counter(), self._count
        elif self._left == 0:
            self.seconds = time.perf_counter() - self._begun
            raise StopIteration

    def step(self, report: StepReport) -> None:
        self.tick()


def ours(recipe: CrossViewRecipe, data: PairData, pixels: Any, folder: Path, timer: Timer) -> None:
    """The loop of ``sightline train``."""
    network = build(recipe, network_settings(recipe, data.patch_m))
    task = CrossViewTask(recipe, data, network, pixels[0], pixels[1], Processes(), folder, Silent())
    settings = replace(loop_settings(recipe), validate_every_epochs=10**6)
    with freed_memory_kept():
        Loop(task, settings, folder, watcher=timer).run()


def bare(recipe: CrossViewRecipe, data: PairData, pixels: Any, timer: Timer) -> None:
    """Forward, backward and step on one batch."""
    network = build(recipe, network_settings(recipe, data.patch_m)).train()
    network.to(memory_format=torch.channels_last)
    loss = InfoNCELoss(recipe.temperature, finite_check=False)
    optimiser = _optimiser(recipe, network, loss)
    rows = data.train.pairs[: recipe.batch_size]
    ground, aerial = (
        (torch.from_numpy(source.take(rows[:, column])[0]) / 255).contiguous(
            memory_format=torch.channels_last
        )
        for column, source in enumerate(pixels)
    )
    with freed_memory_kept():
        while True:
            _step(network, loss, optimiser, ground, aerial)
            timer.tick()


class PlainPairs(Dataset[tuple[Tensor, Tensor]]):
    """Two images as most code reads them."""

    def __init__(self, recipe: CrossViewRecipe, data: PairData) -> None:
        self.pairs = data.train.pairs
        self.paths = data.photos.paths, data.patches.paths
        jitter = recipe.colour_jitter
        colour = transforms.ColorJitter(jitter / 2, jitter / 2, jitter)
        self.change = [
            transforms.Compose(
                [
                    transforms.Resize(size),
                    colour,
                    transforms.ToTensor(),
                    transforms.RandomErasing(recipe.erase, (0.04, 0.04)),
                ]
            )
            for size in (recipe.ground_size, recipe.aerial_size)
        ]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        ground, aerial = (
            change(Image.open(paths[number]).convert("RGB"))
            for change, paths, number in zip(
                self.change, self.paths, self.pairs[row].tolist(), strict=True
            )
        )
        return ground, aerial


def plain(recipe: CrossViewRecipe, data: PairData, timer: Timer) -> None:
    """A loop as it is usually written."""
    network = build(recipe, network_settings(recipe, data.patch_m)).train()
    loss = InfoNCELoss(recipe.temperature)
    optimiser = _optimiser(recipe, network, loss)
    loader = DataLoader(
        PlainPairs(recipe, data),
        recipe.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    while True:
        for ground, aerial in loader:
            _step(network, loss, optimiser, ground, aerial)
            timer.tick()


def _optimiser(recipe: CrossViewRecipe, network: Any, loss: Any) -> torch.optim.Optimizer:
    parameters = [*network.parameters(), *loss.parameters()]
    return torch.optim.AdamW(parameters, 1e-4, weight_decay=recipe.weight_decay, fused=True)


def _step(network: Any, loss: Any, optimiser: Any, ground: Tensor, aerial: Tensor) -> None:
    value = loss(*network(ground, aerial))
    optimiser.zero_grad()
    value.backward()
    optimiser.step()


if __name__ == "__main__":
    main()
