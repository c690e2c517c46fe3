from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.datasets.reading import ShardReader, ShardSample, find_shards, shard_dataset
from sightline.errors import PhotoNotFoundError, TableError, UsageError

from .pictures import shards


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shards(tmp_path_factory.mktemp("shards"))


def numbers(reader: ShardReader) -> list[int]:
    return [int(sample.files["txt"]) for sample in reader]


def test_in_order_and_whole(folder: Path):
    samples = list(ShardReader(folder))
    assert [sample.key for sample in samples] == [f"set/{n:05d}" for n in range(60)]
    for number, sample in enumerate(samples):
        assert sample.files == {
            "txt": str(number).encode(),
            "bin": bytes([number]) * (number * 37 % 1500),
        }
    assert samples[12].shard.name == "shard-000001.tar"


def test_shuffled_anew_in_every_epoch_and_the_same_for_a_seed(folder: Path):
    reader = ShardReader(folder, shuffle_buffer=15, seed=4)
    first, second = numbers(reader), numbers(reader)
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second
    again = ShardReader(folder, shuffle_buffer=15, seed=4)
    again.set_epoch(1)
    assert numbers(again) == second
    assert numbers(ShardReader(folder, shuffle_buffer=15, seed=5)) != first
    # Samples travel beyond their shard: the first ten are not those of one shard.
    assert len({number // 10 for number in first[:10]}) > 1


def test_the_buffer_bounds_how_many_samples_wait(folder: Path):
    reader = ShardReader(folder, shuffle_buffer=5, seed=0)
    read: list[int] = []

    def load(entry):
        read.append(1)
        return entry

    for taken, _ in enumerate(reader._samples(load), 1):
        assert len(read) - taken <= 5


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 130), st.sampled_from([0, 1, 7, 100]), st.integers(1, 3))
def test_a_reader_goes_on_where_it_was(folder: Path, stop, buffer, world_size):
    def made() -> ShardReader:
        return ShardReader(
            folder, shuffle_buffer=buffer, seed=9, rank=world_size - 1, world_size=world_size
        )

    straight = made()
    expected = numbers(straight) + numbers(straight) + numbers(straight)
    reader, seen = made(), []
    stop = min(stop, len(expected) - 1)
    while len(seen) < stop:
        for sample in reader:
            seen.append(int(sample.files["txt"]))
            if len(seen) == stop:
                break
    resumed = made()
    resumed.load_state_dict(reader.state_dict())
    while len(seen) < len(expected):
        seen += numbers(resumed)
    assert seen[: len(expected)] == expected


def test_what_was_read_and_not_used_is_read_again(folder: Path):
    expected = numbers(ShardReader(folder, shuffle_buffer=8))
    reader = ShardReader(folder, shuffle_buffer=8)
    stream = iter(reader)
    for _ in range(30):
        next(stream)
    resumed = ShardReader(folder, shuffle_buffer=8)
    resumed.load_state_dict(reader.state_dict(position=22))
    assert numbers(resumed) == expected[22:]


@pytest.mark.parametrize("buffer", [0, 10])
def test_ranks_and_workers_share_the_shards(folder: Path, buffer):
    parts = [
        numbers(ShardReader(folder, shuffle_buffer=buffer, rank=rank, world_size=2).part(w, 3))
        for rank in range(2)
        for w in range(3)
    ]
    assert sorted(number for part in parts for number in part) == list(range(60))
    assert all(len(part) == 10 for part in parts)


def test_a_data_loader_reads_what_the_reader_reads(folder: Path):
    data = pytest.importorskip("torch.utils.data")
    reader = ShardReader(folder, shuffle_buffer=4)
    dataset = shard_dataset(reader, lambda sample: int(sample.files["txt"]))
    plain = [int(one) for one in data.DataLoader(dataset, batch_size=None)]
    assert plain == numbers(ShardReader(folder, shuffle_buffer=4))
    assert reader.state_dict()["position"] == 0


WORKERS = """
import sys
from torch.utils.data import DataLoader
from sightline.datasets.reading import ShardReader, shard_dataset

def number_of(sample):
    return int(sample.files["txt"])

def batches(reader, workers, size, **progress):
    dataset = shard_dataset(reader, number_of, **progress)
    loader = DataLoader(
        dataset, batch_size=size, num_workers=workers, multiprocessing_context="fork"
    )
    return [one.tolist() if size else int(one) for one in loader]

whole = batches(ShardReader(sys.argv[1], shuffle_buffer=4), 2, None)
assert sorted(whole) == list(range(33)), whole
# Shards of 10, 10, 10 and 3: the workers are not done at the same time.
reader = ShardReader(sys.argv[1], shuffle_buffer=4, seed=1)
every = batches(reader, 3, 3)
for used in (1, 5, 9, 12):
    rest = batches(reader, 3, 3, batches_used=used, batch_size=3)
    assert rest == every[used:], (used, rest, every)
print("all as it was")
"""


def test_workers_of_a_data_loader_share_the_shards_and_go_on_where_they_were(tmp_path: Path):
    pytest.importorskip("torch")
    # In a process of its own: one that runs many tests has threads, and must not be forked.
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORKERS, str(shards(tmp_path, 33))],
        env=quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all as it was\n"


def test_the_turns_of_workers():
    turns = pytest.importorskip("sightline.datasets.reading.torch_shards")._queue
    # Batches of 2 from parts of 5, 2 and 9 samples come from the parts 0 1 2, 0 2, 0 2, 2, 2.
    given = [0, 1, 2, 0, 2, 0, 2, 2, 2]
    for used in range(len(given) + 1):
        queue = turns([5, 2, 9], used, 2)
        assert dict(queue) == {part: given[:used].count(part) for part in range(3)}
        if used < len(given):
            left = {part for part in range(3) if given[used:].count(part)}
            assert next(part for part, _ in queue if part in left) == given[used]
    assert sorted(turns([5, 2, 9], 99, 2)) == [(0, 3), (1, 1), (2, 5)]


def test_without_workers_it_goes_on_too(folder: Path):
    data = pytest.importorskip("torch.utils.data")
    for used, left in ((0, 60), (7, 25), (12, 0), (99, 0)):
        dataset = shard_dataset(ShardReader(folder), number_of, batches_used=used, batch_size=5)
        assert list(data.DataLoader(dataset, batch_size=None)) == list(range(60))[60 - left :]


def number_of(sample: ShardSample) -> int:
    return int(sample.files["txt"])


def test_a_spawned_worker_can_be_handed_the_dataset(folder: Path):
    pytest.importorskip("torch")
    reader = ShardReader(folder, shuffle_buffer=4)
    sent = ForkingPickler.dumps(shard_dataset(reader, number_of))
    assert list(ForkingPickler.loads(sent)) == numbers(reader)


def test_broken_off_behind_the_last_sample(folder: Path):
    reader = ShardReader(folder)
    for count, _ in enumerate(reader, 1):
        if count == 60:
            break
    assert len(numbers(reader)) == 60
    assert reader.state_dict()["epoch"] == 2


def test_bad_shards_are_refused_or_counted(tmp_path: Path):
    folder = shards(tmp_path, 40)
    bad = folder / "shard-000001.tar"
    bad.write_bytes(bad.read_bytes()[:3000])
    with pytest.raises(TableError, match="cut off or damaged"):
        numbers(ShardReader(folder))
    reader = ShardReader(folder, on_error="skip")
    assert numbers(reader) == [*range(10), *range(20, 40)]
    assert reader.skipped == 1
    assert "shard-000001.tar" in str(reader.problems[0])
    assert reader.samples == 30


def test_a_shard_that_shrinks_while_it_is_read(tmp_path: Path):
    folder = shards(tmp_path, 20)
    for on_error in ("fail", "skip"):
        reader = ShardReader(folder, on_error=on_error)
        assert reader.samples == 20
        bad = folder / "shard-000001.tar"
        whole = bad.read_bytes()
        bad.write_bytes(whole[:3000])
        if on_error == "fail":
            with pytest.raises(TableError, match=r"'set/0001\d' of the shard .* cannot be read"):
                numbers(reader)
        else:
            found = numbers(reader)
            assert found[:11] == list(range(11))
            assert reader.skipped == 20 - len(found) > 0
        bad.unlink()
        with pytest.raises((TableError, PhotoNotFoundError)):
            numbers(ShardReader([folder / "shard-000000.tar", bad]))
        bad.write_bytes(whole)


def test_no_readable_shard(tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(b"no")
    with pytest.raises(TableError, match="None of the 1 shards can be read"):
        numbers(ShardReader(tmp_path, on_error="skip"))


def test_bad_arguments(folder: Path):
    with pytest.raises(UsageError, match="6 shards cannot feed 7 readers"):
        ShardReader(folder, rank=0, world_size=7)
    with pytest.raises(UsageError, match="cannot feed 8"):
        ShardReader(folder, rank=0, world_size=2).part(0, 4)
    for arguments in (
        {"shuffle_buffer": -1},
        {"rank": 1},
        {"rank": -1},
        {"on_error": "ignore"},
    ):
        with pytest.raises(UsageError, match="shuffle_buffer must be 0 or more"):
            ShardReader(folder, **arguments)
    for progress in ({"batches_used": -1}, {"batch_size": 0}):
        with pytest.raises(UsageError, match="batches_used must be"):
            shard_dataset(ShardReader(folder), str, **progress)
    state = ShardReader(folder).state_dict()
    for other in (
        ShardReader(folder, seed=1),
        ShardReader(folder, shuffle_buffer=2),
        ShardReader(find_shards(folder)[1:]),
        ShardReader(folder, rank=1, world_size=2),
    ):
        with pytest.raises(UsageError, match="state is that of other shards"):
            other.load_state_dict(state)
