from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import savemat
from scipy.sparse import csr_array

from sightline.errors import CoordinateError, EvaluationError, SightlineError
from sightline.evaluation.archives import read_archive
from sightline.evaluation.archives.names import MEANINGS, SYNONYMS

RNG = np.random.default_rng(0)
QUERIES = RNG.standard_normal((6, 4)).astype(np.float32)
REFERENCES = RNG.standard_normal((9, 4)).astype(np.float32)
POSITIVES = np.array([[0, 1], [2, -1], [3, 4], [5, -1], [-1, -1], [8, 7]])
PLACES = np.array([[57.7, 11.97], [57.8, 11.9], [0.0, 179.99], [-33.9, 18.4], [1, 2], [3, 4]])

in_tmp_path = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)


def full() -> dict[str, np.ndarray]:
    return {"queries": QUERIES, "references": REFERENCES, "positives": POSITIVES}


def npz(path: Path, /, *, packed: bool = False, **held: np.ndarray) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **held)
    return path


def folder(path: Path, /, **held: np.ndarray) -> Path:
    path.mkdir(exist_ok=True)
    for name, array in held.items():
        np.save(path / f"{name}.npy", array)
    return path


def mat(path: Path, /, **held: object) -> Path:
    savemat(path, held)
    return path


def refused(path: Path | str, *, radius_m: float | None = None) -> EvaluationError:
    with pytest.raises(EvaluationError) as caught:
        read_archive(path).relevance(radius_m)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert caught.value.path is not None
    return caught.value


# --- reading ---------------------------------------------------------------------------------


@in_tmp_path
@given(
    data=st.data(),
    dtype=st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]),
    order=st.sampled_from("CF"),
    form=st.sampled_from(["npz", "packed", "folder", "mat"]),
)
def test_every_form_gives_back_what_was_saved(tmp_path, data, dtype, order, form) -> None:
    n, m, d = (data.draw(st.integers(1, 5)) for _ in range(3))
    numbers = st.floats(-1e4, 1e4, width=16)
    saved = {
        "queries": data.draw(arrays.arrays(np.dtype(dtype), (n, d), elements=numbers)),
        "references": data.draw(arrays.arrays(np.dtype(dtype), (m, d), elements=numbers)),
        "positives": data.draw(arrays.arrays(np.int32, (n, 3), elements=st.integers(-1, m - 1))),
    }
    saved = {name: np.asarray(array, order=order) for name, array in saved.items()}
    if form == "mat":
        # Matlab has no half precision.
        saved = {k: v.astype(np.float32) if v.dtype.itemsize == 2 else v for k, v in saved.items()}
    write = {
        "npz": lambda: npz(tmp_path / "a.npz", **saved),
        "packed": lambda: npz(tmp_path / "b.npz", packed=True, **saved),
        "folder": lambda: folder(tmp_path / "c", **saved),
        "mat": lambda: mat(tmp_path / "d.mat", **saved),
    }
    archive = read_archive(write[form]())
    for name, array in saved.items():
        found = getattr(archive, name)
        assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, array)
    # Read again as what evaluation makes of it: the same lists, whatever the form.
    for query, row in enumerate(saved["positives"]):
        expected = sorted(set(row.tolist()) - {-1})
        assert archive.relevance().positives.of(query).tolist() == expected


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_uncompressed_vectors_are_mapped_and_not_loaded(tmp_path, dtype, order) -> None:
    vectors = np.asarray(RNG.standard_normal((300, 40)), dtype, order=order)
    held = {"queries": vectors, "references": vectors[::-1], "positives": np.arange(300)}
    for path in (npz(tmp_path / "a.npz", **held), folder(tmp_path / "b", **held)):
        archive = read_archive(path)
        assert isinstance(archive.queries, np.memmap)
        assert isinstance(archive.references, np.memmap)
        assert not archive.queries.flags.writeable
        np.testing.assert_array_equal(archive.queries, vectors)
        np.testing.assert_array_equal(archive.references[7:31], vectors[::-1][7:31])


def test_an_archive_larger_than_memory_opens_at_once(tmp_path) -> None:
    # Eighty gigabytes of zeros that take no room on the disk.
    shape, size = (5_000_000, 4096), 5_000_000 * 4096 * 4
    (tmp_path / "big").mkdir()
    with (tmp_path / "big" / "references.npy").open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + size)
    folder(tmp_path / "big", queries=np.ones((2, 4096), np.float32), positives=np.array([0, 1]))
    archive = read_archive(tmp_path / "big")
    assert archive.references.shape == shape
    assert archive.references[-1, -1] == 0.0


def test_compressed_vectors_are_loaded_in_the_machine_s_byte_order(tmp_path) -> None:
    held = {name: array.astype(">f4") for name, array in full().items() if name != "positives"}
    archive = read_archive(npz(tmp_path / "a.npz", packed=True, **held, positives=POSITIVES))
    assert not isinstance(archive.queries, np.memmap)
    assert archive.queries.dtype.isnative
    np.testing.assert_array_equal(archive.queries, QUERIES)


def test_npy_headers_of_format_two_are_read(tmp_path) -> None:
    path = folder(tmp_path / "a", **full())
    with (path / "queries.npy").open("wb") as stream:
        np.lib.format.write_array(stream, QUERIES, version=(2, 0))
    np.testing.assert_array_equal(read_archive(path).queries, QUERIES)


def test_a_name_is_the_file_s_or_the_folder_s(tmp_path, monkeypatch) -> None:
    assert read_archive(npz(tmp_path / "my.model.npz", **full())).name == "my.model"
    assert read_archive(str(folder(tmp_path / "my.run", **full()))).name == "my.run"
    monkeypatch.chdir(tmp_path / "my.run")
    assert read_archive(".").name == "my.run"


def test_symlinks_are_followed_and_broken_ones_are_refused(tmp_path) -> None:
    real = folder(tmp_path / "real", **full())
    (tmp_path / "link").symlink_to(real)
    assert read_archive(tmp_path / "link").name == "link"
    (tmp_path / "file.npz").symlink_to(npz(tmp_path / "a.npz", **full()))
    np.testing.assert_array_equal(read_archive(tmp_path / "file.npz").queries, QUERIES)
    (real / "queries.npy").unlink()
    (real / "queries.npy").symlink_to(tmp_path / "gone.npy")
    error = refused(real)
    assert "'queries'" in error.message
    assert "No such file" in error.message


# --- the names that peers use ----------------------------------------------------------------


def test_every_synonym_means_something_and_every_meaning_has_a_name() -> None:
    assert set(SYNONYMS.values()) == set(MEANINGS)
    assert all(name == name.lower() for name in SYNONYMS)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("grd_global_descriptor", "sat_global_descriptor"),
        ("query_features", "reference_features"),
        ("queries_descriptors", "database_descriptors"),
        ("Ground", "Aerial"),
        ("grd", "sat"),
    ],
)
def test_folders_as_peers_save_them_pair_row_with_row(tmp_path, asked, given) -> None:
    # float64, as SAFA's and TransGeo's np.zeros([...]) makes them.
    held = {asked: QUERIES.astype(np.float64), given: REFERENCES[:6].astype(np.float64)}
    archive = read_archive(folder(tmp_path / "run", **held))
    np.testing.assert_array_equal(archive.queries, QUERIES)
    np.testing.assert_array_equal(archive.references, REFERENCES[:6])
    assert [archive.relevance().positives.of(row).tolist() for row in range(6)] == [
        [row] for row in range(6)
    ]
    assert any("row i is taken as the positive of query i" in note for note in archive.notes)


def test_a_matlab_file_of_the_safa_family_is_read(tmp_path) -> None:
    path = mat(
        tmp_path / "SAFA_8.mat",
        sat_global_descriptor=REFERENCES[:6].astype(np.float64),
        grd_global_descriptor=QUERIES.astype(np.float64),
    )
    archive = read_archive(path)
    np.testing.assert_array_equal(archive.queries, QUERIES)
    assert archive.relevance().positives.members.tolist() == list(range(6))


@pytest.mark.parametrize("compressed", [False, True])
def test_university_s_matlab_file_gives_labels_and_junk(tmp_path, compressed) -> None:
    held = {
        "query_f": QUERIES,
        "query_label": [3, 4, 5, 3, 9, 5],
        "query_path": ["a/3.jpg", "b/4.jpg"],
        "gallery_f": REFERENCES,
        "gallery_label": [3, -1, 5, 5, 4, 3, 7, -1, 8],
        "gallery_path": ["g/3.jpg"],
    }
    savemat(tmp_path / "pytorch_result.mat", held, do_compression=compressed)
    archive = read_archive(tmp_path / "pytorch_result.mat")
    relevance = archive.relevance()
    assert [relevance.positives.of(row).tolist() for row in range(6)] == [
        [0, 5],
        [4],
        [2, 3],
        [0, 5],
        [],
        [2, 3],
    ]
    assert relevance.ignored.of(2).tolist() == [1, 7]
    assert archive.notes == ("Not used: 'query_path', 'gallery_path'.",)


def test_a_matlab_row_of_positives_is_one_for_each_query(tmp_path) -> None:
    path = mat(
        tmp_path / "a.mat",
        queries=QUERIES,
        references=REFERENCES,
        positives=[8, 7, 6, 5, 4, 3],
        groups=[1, 1, 2, 2, 3, 3],
    )
    archive = read_archive(path)
    assert archive.relevance().positives.members.tolist() == [8, 7, 6, 5, 4, 3]
    assert archive.groups.tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("form", [npz, mat])
@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)])
def test_groups_and_hashes_may_be_a_row_or_a_column(tmp_path, form, shape) -> None:
    path = tmp_path / f"rows.{form.__name__}"
    groups, asked, given_ = np.arange(6) // 2, np.arange(6) + 5, np.arange(9)
    archive = read_archive(
        form(
            path,
            **full(),
            groups=groups.reshape(shape),
            query_hashes=asked.reshape(shape),
            reference_hashes=given_.reshape(shape),
        )
    )
    assert archive.groups.tolist() == groups.tolist()
    assert archive.query_hashes.tolist() == asked.tolist()
    assert archive.reference_hashes.tolist() == given_.tolist()


def test_the_group_of_a_single_query_is_one(tmp_path) -> None:
    one = {"queries": QUERIES[:1], "references": REFERENCES[:1], "positives": np.array([0])}
    archive = read_archive(npz(tmp_path / "one.npz", **one, groups=np.array([[7]])))
    assert archive.groups.tolist() == [7]


def test_vigor_labels_are_a_positive_and_its_neighbours(tmp_path) -> None:
    labels = np.array(
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 0, 1, 2], [1, 2, 3, 4], [2, 3, 4, 5], 4 * [3]]
    )
    path = npz(tmp_path / "a.npz", ground=QUERIES, sat=REFERENCES, vigor_labels=labels)
    archive = read_archive(path)
    relevance = archive.relevance()
    assert relevance.positives.members.tolist() == [0, 4, 8, 1, 2, 3]
    assert relevance.semi_positives.of(2).tolist() == [0, 1, 2]
    assert relevance.semi_positives.of(5).tolist() == []
    assert any("as in VIGOR" in note for note in archive.notes)
    alone = npz(tmp_path / "b.npz", ground=QUERIES, sat=REFERENCES, vigor_labels=labels[:, 0])
    assert read_archive(alone).relevance().positives.members.tolist() == [0, 4, 8, 1, 2, 3]


def test_every_conformance_file_with_one_vector_per_photo_is_read(conformance) -> None:
    read = 0
    for path in sorted((conformance / "retrieval").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if "ground" not in file.files:
                continue
            archive = read_archive(path)
            np.testing.assert_array_equal(archive.queries, file["ground"])
            np.testing.assert_array_equal(archive.references, file["sat"])
            key = "labels" if "labels" in file.files else "vigor_labels"
            first = file[key].reshape(len(file[key]), -1)[:, 0]
            relevance = archive.relevance()
            assert (relevance.positives.members == first).all()
            read += 1
    assert read


def test_labels_other_than_row_numbers_are_not_guessed_at(tmp_path) -> None:
    held = {"ground": QUERIES, "sat": REFERENCES[:6]}
    good = npz(tmp_path / "a.npz", **held, labels=np.arange(6))
    assert read_archive(good).relevance().positives.members.tolist() == list(range(6))
    error = refused(npz(tmp_path / "b.npz", **held, labels=np.arange(6)[::-1]))
    assert "may number references or places" in error.message
    assert "positives" in error.hint


def test_what_is_not_used_is_noted(tmp_path) -> None:
    extra = {f"other{i}": np.zeros(1) for i in range(12)}
    (note,) = read_archive(npz(tmp_path / "a.npz", **full(), **extra)).notes
    assert note.startswith("Not used: 'other0', 'other1'")
    assert note.endswith("'other9', ....")


def test_vectors_stored_by_column_are_noted_where_they_are_mapped(tmp_path) -> None:
    held = full() | {"queries": np.asfortranarray(QUERIES)}
    (note,) = read_archive(folder(tmp_path / "a", **held)).notes
    assert "'queries' is stored column by column" in note
    assert read_archive(npz(tmp_path / "b.npz", packed=True, **held)).notes == ()


# --- what is right ---------------------------------------------------------------------------


def test_semi_positives_and_junk_are_read(tmp_path) -> None:
    semi = np.array([2, 0, 5, 6, 7, 0])
    junk = np.array([[8, -1]] * 5 + [[0, 1]])
    archive = read_archive(npz(tmp_path / "a.npz", **full(), semi_positives=semi, ignore=junk))
    relevance = archive.relevance()
    assert relevance.semi_positives.of(2).tolist() == [5]
    assert relevance.semi_positives.of(5).tolist() == []
    assert relevance.ignored.of(0).tolist() == [8]


def test_places_are_right_within_a_radius(tmp_path) -> None:
    held = {"queries": QUERIES, "references": REFERENCES[:6]}
    path = npz(tmp_path / "a.npz", **held, query_latlon=PLACES, reference_latlon=PLACES[::-1])
    archive = read_archive(path)
    members = archive.relevance(25.0).positives.members
    assert members.tolist() == [5, 4, 3, 2, 1, 0]
    error = refused(path)
    assert "no radius was given" in error.message
    assert "--radius-m" in error.hint
    assert "radius_m must be a positive number" in refused(path, radius_m=-1.0).message


def test_a_radius_beside_positives_or_labels_is_refused_and_places_beside_them_are_not(
    tmp_path,
) -> None:
    held = {"queries": QUERIES, "references": REFERENCES[:6]}
    places = {"query_latlon": PLACES, "reference_latlon": PLACES}
    labels = {"query_labels": np.arange(6), "reference_labels": np.arange(6)}
    by_positives = npz(tmp_path / "a.npz", **held, **places, positives=np.arange(6))
    by_labels = npz(tmp_path / "b.npz", **held, **places, **labels)
    for path, word in ((by_positives, "positives"), (by_labels, "labels")):
        assert read_archive(path).relevance().positives.members.tolist() == list(range(6))
        error = refused(path, radius_m=25.0)
        assert f"holds {word}" in error.message
        assert "25.0 m" in error.message
    assert "has no places" in refused(npz(tmp_path / "c.npz", **held), radius_m=5.0).message


def test_errors_of_relevance_name_the_file_too(tmp_path) -> None:
    bad = POSITIVES.copy()
    bad[3, 1] = 9
    error = refused(npz(tmp_path / "a.npz", **full() | {"positives": bad}))
    assert "positives row 3 names reference 9" in error.message
    places = {"query_latlon": PLACES[:, ::-1], "reference_latlon": PLACES}
    path = npz(tmp_path / "b.npz", queries=QUERIES, references=REFERENCES[:6], **places)
    with pytest.raises(CoordinateError, match=r"b\.npz.*query_latlon row 2.*179\.99") as caught:
        read_archive(path).relevance(25.0)
    assert "swapped" in caught.value.hint
    assert caught.value.path == str(path)


def test_an_archive_that_says_it_twice_or_by_half_is_refused(tmp_path) -> None:
    labels = {"query_labels": np.arange(6), "reference_labels": np.arange(9)}
    error = refused(npz(tmp_path / "a.npz", **full(), **labels))
    assert "by 'positives' and by 'query_labels'" in error.message
    vectors = {"queries": QUERIES, "references": REFERENCES}
    error = refused(npz(tmp_path / "b.npz", **vectors, query_labels=np.arange(6)))
    assert "no reference_labels" in error.message
    assert "call it positives" in error.hint
    error = refused(npz(tmp_path / "c.npz", **vectors, reference_latlon=np.zeros((9, 2))))
    assert "no query_latlon" in error.message
    error = refused(npz(tmp_path / "d.npz", **full(), query_hashes=np.arange(6)))
    assert "no reference_hashes" in error.message
    for extra in ("semi_positives", "ignore"):
        error = refused(npz(tmp_path / "e.npz", **vectors, **{extra: np.zeros(6, int)}))
        assert "and no positives" in error.message
    error = refused(npz(tmp_path / "f.npz", **vectors))
    assert "6 queries and 9 references" in error.message


# --- bad names, shapes and types -------------------------------------------------------------


def test_missing_arrays_are_named_with_what_is_there(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, QUERIES, REFERENCES)
    error = refused(path)
    assert "no array of queries" in error.message
    assert "arr_0, arr_1" in error.message
    assert "no array of references" in refused(npz(tmp_path / "b.npz", queries=QUERIES)).message
    with zipfile.ZipFile(tmp_path / "c.npz", "w"):
        pass
    assert "no array at all" in refused(tmp_path / "c.npz").message


@pytest.mark.parametrize(
    ("name", "meant"),
    [("positive", "positives"), ("semi_positive", "semi_positives"), ("querys", "query")],
)
def test_a_slip_of_the_pen_is_not_left_out_in_silence(tmp_path, name, meant) -> None:
    held = {"queries": QUERIES, "references": REFERENCES[:6], name: np.arange(6)}
    if name == "querys":
        held["querys"] = held.pop("queries")
    error = refused(npz(tmp_path / "a.npz", **held))
    assert repr(name) in error.message
    assert repr(meant) in error.message + error.hint


def test_places_the_other_way_round_are_not_taken_for_latitude_first(tmp_path) -> None:
    held = {"query_lonlat": PLACES[:, ::-1], "reference_latlon": PLACES}
    error = refused(npz(tmp_path / "a.npz", queries=QUERIES, references=QUERIES, **held))
    assert "query_lonlat" in error.message
    assert "latitude first" in error.hint


def test_a_near_name_is_fine_where_the_real_one_is_there(tmp_path) -> None:
    # Person re-identification code saves mquery_f beside query_f.
    path = npz(tmp_path / "a.npz", query_f=QUERIES, mquery_f=QUERIES, gallery_f=REFERENCES[:6])
    assert "Not used: 'mquery_f'." in read_archive(path).notes


def test_two_arrays_of_one_meaning_are_refused(tmp_path) -> None:
    error = refused(npz(tmp_path / "a.npz", **full(), ground=QUERIES))
    assert "two arrays of queries: 'queries' and 'ground'" in error.message


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (QUERIES[0], r"shape \(4,\)"),
        (QUERIES[:, :, None, None], r"shape \(6, 4, 1, 1\)"),
        (np.float32(3.0), r"shape \(\)"),
        (QUERIES[:0], "nothing to evaluate"),
        (QUERIES[:, :0], "nothing to evaluate"),
        (np.ones((6, 4), np.int64), "Got int64"),
        (np.ones((6, 4), np.uint8), "Got uint8"),
        (np.ones((6, 4), bool), "Got bool"),
        (QUERIES.astype(np.complex64), "Got complex64"),
        (QUERIES.astype(np.longdouble), "Got .*float128|Got longdouble"),
        (QUERIES.astype("U8"), "Got str"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_vectors_of_the_wrong_shape_or_type_are_refused(tmp_path, array, says, packed) -> None:
    path = npz(tmp_path / "a.npz", packed=packed, **full() | {"queries": np.asarray(array)})
    with pytest.raises(EvaluationError, match=f"'queries' of .*{says}"):
        read_archive(path)


def test_transposed_vectors_are_recognised(tmp_path) -> None:
    queries, references = RNG.standard_normal((6, 32)), RNG.standard_normal((9, 32))
    positives = {"positives": np.arange(6)}

    def hint(**held: np.ndarray) -> str:
        return refused(npz(tmp_path / "a.npz", **held, **positives)).hint

    assert "both are transposed" in hint(queries=queries.T, references=references.T)
    assert "'queries' looks transposed" in hint(queries=queries.T, references=references)
    assert "'references' looks transposed" in hint(queries=queries, references=references.T)
    assert "one model" in hint(queries=queries, references=references[:, :31])
    # A square set whose vectors are columns has one dimension on both sides, and too many rows.
    square = {"queries": queries.T, "references": references[:6].T}
    error = refused(npz(tmp_path / "b.npz", **square, positives=np.arange(6)))
    assert "there are 32 queries" in error.message
    assert "'queries' looks transposed" in error.hint


@pytest.mark.parametrize(
    "name", ["positives", "semi_positives", "ignore", "query_labels", "groups", "query_hashes"]
)
def test_rows_that_do_not_match_the_queries_are_refused(tmp_path, name) -> None:
    held = full() | {name: np.zeros(5, int)}
    if name == "query_labels":
        held = {k: v for k, v in held.items() if k != "positives"}
        held["reference_labels"] = np.zeros(9, int)
    if name == "query_hashes":
        held["reference_hashes"] = np.zeros(9, int)
    error = refused(npz(tmp_path / "a.npz", **held))
    assert f"'{name}' of " in error.message
    assert "shape (5,)" in error.message
    assert "6 queries" in error.message
    scalar = refused(npz(tmp_path / "b.npz", **held | {name: np.array(3)}))
    assert "shape ()" in scalar.message


@pytest.mark.parametrize("name", ["reference_labels", "reference_latlon", "reference_hashes"])
def test_rows_that_do_not_match_the_references_are_refused(tmp_path, name) -> None:
    twin = name.replace("reference", "query")
    held = {"queries": QUERIES, "references": REFERENCES, name: np.zeros((8, 2)), twin: PLACES}
    error = refused(npz(tmp_path / "a.npz", **held))
    assert "there are 9 references" in error.message


def test_places_and_groups_have_their_shapes(tmp_path) -> None:
    held = {"queries": QUERIES, "references": REFERENCES[:6], "reference_latlon": PLACES}
    error = refused(npz(tmp_path / "a.npz", **held, query_latlon=PLACES.T))
    assert "looks transposed" in error.hint
    error = refused(npz(tmp_path / "b.npz", **held, query_latlon=np.zeros((6, 3))))
    assert "shape (6, 3)" in error.message
    assert "two columns" in error.hint
    error = refused(npz(tmp_path / "c.npz", **full(), groups=np.zeros((6, 2))))
    assert "must have shape (6,)" in error.message


# --- files that are damaged, hostile, or something else --------------------------------------


def test_python_objects_are_never_unpickled(tmp_path) -> None:
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (trap,))

    objects = np.array([[Trap()]], dtype=object)
    for packed in (False, True):
        path = npz(tmp_path / "a.npz", packed=packed, **full() | {"queries": objects})
        assert "runs code" in refused(path).hint
    # Positives and groups of lists are what people really save so.
    ragged = np.array([[1], [2, 3], [4], [5], [6], [7]], dtype=object)
    error = refused(npz(tmp_path / "b.npz", **full() | {"positives": ragged}))
    assert "'positives'" in error.message
    assert "array of objects" in error.message
    assert "np.savez" in error.hint
    plain = pickle.dumps(Trap())
    (tmp_path / "c.npz").write_bytes(plain)
    assert "runs code" in refused(tmp_path / "c.npz").hint
    path = folder(tmp_path / "d", **full())
    (path / "queries.npy").write_bytes(plain)
    assert "is a pickle" in refused(path).message
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", plain)
    error = refused(tmp_path / "model.pt")
    assert "PyTorch" in error.message
    assert "runs code" in error.hint
    assert not trap.exists()


def test_tables_and_unknown_npy_versions_are_refused(tmp_path) -> None:
    table = np.zeros(6, [("lat", "f8"), ("lon", "f8")])
    error = refused(npz(tmp_path / "a.npz", **full() | {"queries": table}))
    assert "a table with the columns lat, lon" in error.message
    path = folder(tmp_path / "b", **full())
    with (path / "queries.npy").open("r+b") as stream:
        stream.seek(6)
        stream.write(b"\x07")
    assert "version 7.0" in refused(path).message
    (path / "queries.npy").write_text("1 2 3")
    assert "not in the .npy format" in refused(path).message


@pytest.mark.parametrize(
    "shape", ["(-6, -4)", "(6, 4611686018427387904)", "(1000000000000, 1000000)", "(6, 5)", "'x'"]
)
def test_a_header_that_promises_what_is_not_there_takes_no_memory(tmp_path, shape) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + QUERIES.tobytes()
    path = folder(tmp_path / "a", **full())
    (path / "queries.npy").write_bytes(body)
    error = refused(path)
    assert "cut off" in error.message or "cannot be read" in error.message
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        held = npz(tmp_path / "b.npz", references=REFERENCES, positives=POSITIVES)
        with zipfile.ZipFile(held, "a", packing) as archive:
            archive.writestr("queries.npy", body)
        error = refused(held)
        assert "'queries'" in error.message


def test_a_compressed_array_beyond_memory_says_how_to_save_it(tmp_path, monkeypatch) -> None:
    path = npz(tmp_path / "a.npz", packed=True, **full())

    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np.lib.format, "read_array", exhausted)
    error = refused(path)
    assert "does not fit into memory" in error.message
    assert "uncompressed" in error.hint


@in_tmp_path
@given(data=st.data(), form=st.sampled_from(["npz", "packed", "npy", "mat", "mat packed"]))
def test_cut_and_damaged_files_are_an_archive_or_one_clear_error(tmp_path, data, form) -> None:
    buffer = io.BytesIO()
    if form == "npy":
        np.save(buffer, QUERIES)
    elif form.startswith("mat"):
        savemat(buffer, full(), do_compression=form == "mat packed")
    else:
        (np.savez if form == "npz" else np.savez_compressed)(buffer, **full())
    content = bytearray(buffer.getvalue())
    cut = data.draw(st.integers(0, len(content)))
    if data.draw(st.booleans()):
        del content[cut:]
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    if form == "npy":
        path = folder(tmp_path / "folder", **full())
        (path / "queries.npy").write_bytes(content)
    else:
        path = tmp_path / ("a.mat" if form.startswith("mat") else "a.npz")
        path.write_bytes(content)
    problem, archive = None, None
    try:
        archive = read_archive(path)
        archive.relevance()
    except SightlineError as error:
        problem = error
    if problem is not None:
        assert str(path) in problem.message
    else:
        assert archive.queries.shape[1] == archive.references.shape[1]


def test_a_damaged_member_is_found_by_its_checksum(tmp_path) -> None:
    path = npz(tmp_path / "a.npz", packed=True, **full())
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("queries.npy")
    middle = member.header_offset + 60 + member.compress_size // 2
    content[middle] ^= 0xFF
    path.write_bytes(content)
    assert "'queries'" in refused(path).message


def test_a_directory_that_points_elsewhere_is_refused(tmp_path) -> None:
    path = npz(tmp_path / "a.npz", **full())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("queries.npy").header_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 2] = b"XX"
    path.write_bytes(content)
    # The archive begins with that member: the file no longer looks like a zip at all, unless
    # something stands before it.
    assert "of a form that is not read" in refused(path).message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first.npy", b"")
        for name, array in full().items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{name}.npy", buffer.getvalue())
        offset = archive.getinfo("queries.npy").header_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 2] = b"XX"
    path.write_bytes(content)
    assert "not where the directory says" in refused(path).message


def test_encrypted_members_are_refused(tmp_path) -> None:
    path = npz(tmp_path / "a.npz", **full())
    content = bytearray(path.read_bytes())
    start = 0
    # The flag stands in each member's entry of the directory at the end.
    while (start := content.find(b"PK\x01\x02", start)) >= 0:
        content[start + 8] |= 1
        start += 4
    path.write_bytes(content)
    error = refused(path)
    assert "is encrypted" in error.message
    assert "password" in error.hint


def test_a_damaged_matlab_matrix_is_found_when_it_is_read(tmp_path) -> None:
    savemat(tmp_path / "a.mat", {"queries": RNG.standard_normal((99, 90))}, do_compression=True)
    content = bytearray((tmp_path / "a.mat").read_bytes())
    content[-1] ^= 1  # of the checksum
    savemat(tmp_path / "b.mat", {"references": RNG.standard_normal((99, 90))})
    (tmp_path / "a.mat").write_bytes(content + (tmp_path / "b.mat").read_bytes()[128:])
    error = refused(tmp_path / "a.mat")
    assert "'queries'" in error.message
    assert "incorrect data check" in error.message


def test_matlab_files_that_are_not_read_say_what_to_do(tmp_path) -> None:
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    (tmp_path / "hdf.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for name in ("new.mat", "hdf.mat"):
        error = refused(tmp_path / name)
        assert "MATLAB 7.3" in error.message
        assert "-v7" in error.hint
    (tmp_path / "text.mat").write_text("not a matrix, though it is called one " * 10)
    assert "not a readable Matlab file" in refused(tmp_path / "text.mat").message


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.array([[1], [2, 3], [4], [5], [6], [7]], dtype=object), "cell"),
        ({"a": 1.0}, "struct"),
        (csr_array(np.eye(6)), "sparse"),
        (np.eye(6) * 1j, "complex"),
        (["a", "b", "c", "d", "e", "f"], "char"),
    ],
)
def test_matlab_cells_structs_and_sparse_matrices_are_refused(tmp_path, value, kind) -> None:
    path = mat(tmp_path / "a.mat", queries=QUERIES, references=REFERENCES, positives=value)
    error = refused(path)
    assert f"'positives' of {str(path)!r} is of the Matlab kind {kind}." in error.message


def test_a_matlab_file_without_the_ending_is_recognised(tmp_path) -> None:
    path = tmp_path / "result"
    savemat(path, full(), appendmat=False)
    np.testing.assert_array_equal(read_archive(path).queries, QUERIES)


def test_other_files_are_refused_with_what_is_read(tmp_path) -> None:
    (tmp_path / "empty.npz").touch()
    assert "is empty" in refused(tmp_path / "empty.npz").message
    np.save(tmp_path / "one.npy", QUERIES)
    error = refused(tmp_path / "one.npy")
    assert "holds one array" in error.message
    assert "folder" in error.hint
    (tmp_path / "table.csv").write_text("lat,lon\n1,2\n")
    assert "folder of .npy files" in refused(tmp_path / "table.csv").hint
    assert "No such file" in refused(tmp_path / "gone.npz").message
    assert "cannot be read" in refused(tmp_path / ("x" * 300)).message
    with pytest.raises(EvaluationError, match="null byte"):
        read_archive("a\0b")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be read" in refused(tmp_path / "loop").message


def test_folders_without_arrays_say_what_they_hold(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").message.endswith("holds no .npy files.")
    (tmp_path / "other").mkdir()
    mat(tmp_path / "other" / "grd_global_descriptor.mat", grd_global_descriptor=QUERIES)
    assert "It has grd_global_descriptor.mat." in refused(tmp_path / "other").message
    path = folder(tmp_path / "directory", **full())
    (path / "queries.npy").unlink()
    (path / "queries.npy").mkdir()
    assert "cannot be read" in refused(path).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission_are_refused(tmp_path) -> None:
    path = npz(tmp_path / "a.npz", **full())
    path.chmod(0)
    assert "Permission denied" in refused(path).message
