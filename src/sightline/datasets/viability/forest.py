"""A random forest as plain arrays: learnt by scikit-learn, saved and applied without it.

scikit-learn's own files are pickles, which can run anything when they are read; these are NumPy
arrays and are checked before use.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BundleError, VectorError

_LEAF = -1
# Rows walked through all trees at once: bounds the memory.
_BATCH = 1 << 12


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Binary decision trees, one after the other in common arrays.

    Args:
        dimension: Length d of a feature vector.
        roots: int32 (t,) where each tree's first node stands.
        feature: int32 (m,) which feature a node asks for; -1 in a leaf.
        threshold: float64 (m,) a node goes left where the feature is at most this.
        left: int32 (m,) the node to the left; itself in a leaf.
        right: int32 (m,) the node to the right; itself in a leaf.
        value: float64 (m,) share of viable photos in a node.
    """

    dimension: int
    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]

    @classmethod
    def of_sklearn(cls, model: Any) -> Forest:
        """Take the trees of a fitted ``RandomForestClassifier`` of two classes, False and True."""
        trees = [one.tree_ for one in model.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        roots = np.cumsum(sizes) - sizes
        own = np.arange(sizes.sum())
        feature = np.concatenate([tree.feature for tree in trees])
        leaf = np.concatenate([tree.children_left for tree in trees]) == _LEAF
        offset = np.repeat(roots, sizes)
        left, right = (
            np.concatenate([getattr(tree, side) for tree in trees]) + offset
            for side in ("children_left", "children_right")
        )
        return cls(
            dimension=int(model.n_features_in_),
            roots=roots.astype(np.int32),
            feature=np.where(leaf, _LEAF, feature).astype(np.int32),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=np.where(leaf, own, left).astype(np.int32),
            right=np.where(leaf, own, right).astype(np.int32),
            value=np.concatenate([tree.value[:, 0, 1] for tree in trees]),
        )

    def probability(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return how likely each photo is viable: the mean over the trees' leaves.

        The same numbers, bit for bit, as scikit-learn's ``predict_proba`` with one job.

        Args:
            features: (n, d), finite; taken as float32, as scikit-learn does.

        Returns:
            float64 (n,), 0 to 1.

        Raises:
            VectorError: The shape is another, or a value is not finite.
        """
        rows = checked_features(features)
        if rows.shape[1] != self.dimension:
            raise VectorError(
                f"features must have {self.dimension} columns, as in training. Got "
                f"{rows.shape[1]}.",
                hint="Use the encoder that the filter was trained with.",
            )
        parts = [
            self._walked(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _walked(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.zeros(len(rows))
        lines = np.arange(len(rows))
        for root in self.roots.tolist():
            node = np.full(len(rows), root, np.int32)
            moving = lines if self.feature[root] != _LEAF else lines[:0]
            while len(moving):
                here = node[moving]
                goes_left = rows[moving, self.feature[here]] <= self.threshold[here]
                node[moving] = here = np.where(goes_left, self.left[here], self.right[here])
                moving = moving[self.feature[here] != _LEAF]
            # Tree after tree, since the order of a sum decides its last bit.
            total += self.value[node]
        return total / len(self.roots)

    def to_bytes(self) -> bytes:
        """Return the arrays as an ``npz`` file."""
        arrays: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        stream = io.BytesIO()
        np.savez_compressed(stream, allow_pickle=False, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Forest:
        """Read what :meth:`to_bytes` gave.

        Raises:
            BundleError: It is no such file, or its trees do not hold together.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                parts = {one.name: arrays[one.name] for one in fields(cls)}
            dimension = int(parts.pop("dimension"))
        except (OSError, ValueError, KeyError, EOFError, TypeError) as cause:
            raise _broken(f"cannot be read ({cause})") from cause
        except Exception as cause:  # zipfile and zlib have errors of their own
            raise _broken(f"is damaged ({cause})") from cause
        forest = cls(dimension, **parts)
        forest._check()
        return forest

    def _check(self) -> None:
        """Raise unless every walk from every root ends in a leaf."""
        nodes = len(self.feature)
        sides = (self.threshold, self.left, self.right, self.value)
        whole = (self.roots, self.feature, self.left, self.right)
        if any(len(side) != nodes for side in sides) or any(
            part.ndim != 1 or part.dtype != np.int32 for part in whole
        ):
            raise _broken("holds arrays that do not fit each other")
        own = np.arange(nodes)
        inner = self.feature != _LEAF
        links = np.concatenate([self.left[inner], self.right[inner]])
        # Children stand after their parents, so that no walk goes round in a circle.
        forward = (self.left[inner] > own[inner]) & (self.right[inner] > own[inner])
        if (
            not len(self.roots)
            or not ((self.roots >= 0) & (self.roots < nodes)).all()
            or not forward.all()
            or (links >= nodes).any()
            or not ((self.feature >= _LEAF) & (self.feature < self.dimension)).all()
            or not ((self.value >= 0) & (self.value <= 1)).all()
        ):
            raise _broken("holds trees that cannot be walked")


def checked_features(features: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return features as float32 (n, d).

    Raises:
        VectorError: The shape is another, or a value is not finite.
    """
    given = np.asarray(features)
    if given.ndim != 2 or given.dtype.kind not in "fiu":
        raise VectorError(
            f"features must be numbers of shape (n, d). Got {given.dtype} of {given.shape}.",
            hint="Give one vector for each photo, such as Encoder.encode returns.",
        )
    with np.errstate(over="ignore"):  # what does not fit float32 shows as infinity below
        rows = given.astype(np.float32)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise VectorError(
            f"The features in row {int(np.argmin(finite))} are not finite.",
            hint="Leave out photos that could not be encoded.",
        )
    return rows


def _broken(what: str) -> BundleError:
    return BundleError(f"The forest of a viability filter {what}.", hint="Train the filter again.")
