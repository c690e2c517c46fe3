"""How fast an atlas is built: beside decoding alone, encoding alone, and a plain loop, in one run.

    python benchmarks/build.py [--data ../shared/data] [--rounds 5] [--photos N]

The plain loop is what one would write without this package: Pillow opens, turns upright and
resizes, a timm network in eager float32 runs on batches of 16 up to the same feature map, which is
averaged.
It reads the flat photos only, since it knows nothing of 360° pictures; all rates are pictures per
second that went through the network.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors.torch import load_file

from _record import record
from sightline.atlas.build import build_atlas
from sightline.atlas.catalogue import Catalogue
from sightline.atlas.intake import Intake, ReadyPhoto
from sightline.atlas.store import Store
from sightline.datasets.reading.in_order import in_order
from sightline.datasets.records import PhotoRecord
from sightline.datasets.source import open_source
from sightline.models.bundle import load_model
from sightline.models.encoder import TorchEncoder
from sightline.models.importing import import_model

BATCH = 16
SAMPLE = 32


class _ReachedError(Exception):
    """The feature map is computed; the rest of the network need not run."""


class PlainLoop:
    """Pillow and timm, one photo after the other."""

    def __init__(self, encoder: TorchEncoder, weights: Path) -> None:
        settings = encoder.settings
        self._input = settings.preprocessing
        self._network = timm.create_model(
            settings.architecture, pretrained=False, **settings.model_args
        )
        self._network.load_state_dict(load_file(weights))
        self._network.eval()
        self._map: torch.Tensor | None = None
        self._network.get_submodule(settings.feature).register_forward_hook(self._stop)

    def _stop(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._map = output
        raise _ReachedError

    def __call__(self, paths: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, d) of the photos."""
        parts = [self._batch(paths[i : i + BATCH]) for i in range(0, len(paths), BATCH)]
        return np.concatenate(parts)

    @torch.inference_mode()
    def _batch(self, paths: Sequence[str]) -> NDArray[np.float32]:
        height, width = self._input.size
        pictures = []
        for path in paths:
            image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            image = image.resize((width, height), Image.BICUBIC)
            pictures.append(torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255)
        batch = torch.stack(pictures)
        mean, std = (torch.tensor(v)[:, None, None] for v in (self._input.mean, self._input.std))
        with suppress(_ReachedError):
            self._network((batch - mean) / std)
        assert self._map is not None
        vectors = self._map.mean(dim=(2, 3))
        return torch.nn.functional.normalize(vectors).numpy()


def decode_only(records: list[PhotoRecord], encoder: TorchEncoder, store: Store) -> list[Any]:
    """Everything a build does before the forward pass, in as many threads."""
    workers = os.cpu_count() or 1
    intake = Intake(encoder, Catalogue(store))
    ahead = 2 * (workers + BATCH)
    return list(in_order(intake, records, workers=workers, ahead=ahead))


def forward_only(prepared: list[NDArray[np.uint8]], encoder: TorchEncoder) -> None:
    """The forward pass on pictures that are ready."""
    for start in range(0, len(prepared), BATCH):
        encoder.encode_prepared(np.stack(prepared[start : start + BATCH]))


def stored_vectors(atlas: Path) -> dict[str, NDArray[np.float32]]:
    """Unit global vectors of an atlas by uri."""
    store = Store.open(atlas)
    uris = [u for b in store.batches(["uri"]) for u in b.column("uri").to_pylist()]
    cells = np.concatenate([v for _, v in store.vectors()])
    vectors = cells.mean(axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dict(zip(uris, vectors, strict=True))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SIGHTLINE_DATA"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, help="only so many, evenly spread; records nothing")
    arguments = parser.parse_args()
    data = Path(arguments.data or Path(__file__).parent.parent.parent / "shared" / "data")
    weights = data / "weights" / "mobilenetv2_100" / "mobilenetv2_100.imagenet1k.safetensors"
    records = [r for r in open_source(data / "photos" / "photos.csv") if isinstance(r, PhotoRecord)]
    if arguments.photos:
        records = records[:: max(len(records) // arguments.photos, 1)]
    flat = [r for r in records if r.projection != "spherical"]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        import_model(
            work / "model",
            weights.parent / "config.json",
            weights,
            whiten_photos=[r.uri for r in flat[:SAMPLE]],
            sample_limit=SAMPLE,
        )
        encoder = load_model(work / "model")
        result = measure(work, records, flat, encoder, weights, arguments.rounds)
    print(json.dumps(result, indent=1))
    if not arguments.photos:
        print(record("build", result))


def measure(
    work: Path,
    records: list[PhotoRecord],
    flat: list[PhotoRecord],
    encoder: TorchEncoder,
    weights: Path,
    rounds: int,
) -> dict[str, Any]:
    choice = encoder.warm_up()
    plain = PlainLoop(encoder, weights)
    build_atlas(work / "flat", flat, encoder)
    expected = plain([r.uri for r in flat])
    found = stored_vectors(work / "flat")
    cosines = [
        float(found[r.uri] @ v) for r, v in zip(flat, expected, strict=True) if r.uri in found
    ]
    empty = Store.create(work / "empty", Store.open(work / "flat").card)
    ready = [t for t in decode_only(records, encoder, empty) if isinstance(t, ReadyPhoto)]
    prepared = [pixels for photo in ready for pixels in photo.prepared]
    seconds: dict[str, list[float]] = {"decode": [], "forward": [], "build": [], "plain": []}
    for number in range(rounds):
        seconds["decode"].append(timed(lambda: decode_only(records, encoder, empty)))
        seconds["forward"].append(timed(lambda: forward_only(prepared, encoder)))
        atlas = work / f"atlas-{number}"
        seconds["build"].append(timed(lambda: build_atlas(atlas, records, encoder)))  # noqa: B023
        seconds["plain"].append(timed(lambda: plain([r.uri for r in flat])))
    pictures = {"decode": len(prepared), "forward": len(prepared), "plain": len(flat)}
    pictures["build"] = Store.open(work / "atlas-0").count
    rates = {n: [pictures[n] / s for s in seconds[n]] for n in seconds}
    slower = [min(d, f) for d, f in zip(rates["decode"], rates["forward"], strict=True)]
    shares = [b / s for b, s in zip(rates["build"], slower, strict=True)]
    gains = [b / p for b, p in zip(rates["build"], rates["plain"], strict=True)]
    shared = 1.0 / sum(1.0 / statistics.median(rates[n]) for n in ("decode", "forward"))
    return {
        "photos": len(records),
        "pictures": pictures,
        "runtime": f"{choice.runtime} {choice.precision}",
        "rounds": rounds,
        "pictures_per_s": {n: round(statistics.median(r), 2) for n, r in rates.items()},
        "all_pictures_per_s": {n: [round(v, 2) for v in r] for n, r in rates.items()},
        "build_over_slower_of_decode_and_forward": round(statistics.median(shares), 3),
        # Decoding and encoding share the same cores: this is what is left to reach.
        "bound_of_shared_cores_per_s": round(shared, 2),
        "build_over_bound_of_shared_cores": round(statistics.median(rates["build"]) / shared, 3),
        "build_over_plain_loop": round(statistics.median(gains), 3),
        "cosine_to_plain_loop": {
            "least": round(min(cosines), 5),
            "median": round(statistics.median(cosines), 5),
            "below_0.999": sum(c < 0.999 for c in cosines),
            "of": len(cosines),
        },
    }


if __name__ == "__main__":
    main()
