"""Reading fast: photos decoded in workers at the size they are needed, and WebDataset shards."""

from sightline.datasets.reading.decoding import decode_photo
from sightline.datasets.reading.photos import DecodedPhoto, PhotoReader
from sightline.datasets.reading.shard_index import ShardIndex, find_shards, index_shard
from sightline.datasets.reading.shard_names import id_of_key, key_of_id
from sightline.datasets.reading.shard_reader import ShardReader, ShardSample
from sightline.datasets.reading.shards import ShardSummary, ShardWriter, write_shard
from sightline.datasets.reading.torch_datasets import PhotoDataset, shard_dataset

__all__ = [
    "DecodedPhoto",
    "PhotoDataset",
    "PhotoReader",
    "ShardIndex",
    "ShardReader",
    "ShardSample",
    "ShardSummary",
    "ShardWriter",
    "decode_photo",
    "find_shards",
    "id_of_key",
    "index_shard",
    "key_of_id",
    "shard_dataset",
    "write_shard",
]
