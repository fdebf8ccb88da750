"""The data sets against what their sources say of them, and the little table that holds them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from emlib.datasets import Dataset, load, names

TOY = Dataset(
    "toy",
    "made up",
    {
        "count": np.array([0.0, 1.0, 2.0]),
        "days": np.array([2.0, 0.0, 3.0]),
        "kind": np.array(["a", "b", "a"]),
    },
)


# What the sources say


def test_the_data_sets_there_are():
    assert names() == [
        "acidity",
        "deaths",
        "diabetes",
        "earthquakes",
        "faithful",
        "galaxies",
        "geyser",
        "widows_children",
    ]


@pytest.mark.parametrize("name", names())
def test_every_data_set_names_author_and_year_and_has_no_gap(name):
    data = load(name)
    assert data.name == name
    assert re.search(r"[A-Z]\w+.* \((18|19|20)\d\d\)", data.source)
    assert not data.source.startswith("#")
    assert {len(column) for column in data.columns.values()} == {len(data)}
    for column in data.columns.values():
        if column.dtype.kind == "f":
            assert np.isfinite(column).all()
        else:
            assert all(column)


def test_old_faithful_is_that_of_r():
    # R: summary(faithful)
    data = load("faithful")
    assert list(data.columns) == ["eruptions", "waiting"]
    assert len(data) == 272
    quartiles = {"eruptions": [1.6, 2.163, 4.0, 4.454, 5.1], "waiting": [43, 58, 76, 82, 96]}
    for column, summary in quartiles.items():
        assert np.quantile(data[column], [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(
            summary, abs=5e-4
        )


def test_deaths_fill_three_years():
    # 1910 to 1912, one of them a leap year.
    data = load("deaths")
    assert data["days"].sum() == 365 + 365 + 366
    assert data["deaths"].tolist() == list(range(10))


def test_widows_are_as_many_as_the_source_says():
    assert load("widows_children")["widows"].sum() == 4075


def test_earthquakes_are_those_of_1900_to_2006():
    assert load("earthquakes")["year"].tolist() == list(range(1900, 2007))


def test_galaxies_keep_the_misprint_that_their_source_owns_up_to():
    # MASS: "There is an error in the 78th observation ... should be 26960".
    velocities = load("galaxies")["velocity"]
    assert len(velocities) == 82
    assert velocities[77] == 26690
    assert (velocities.min(), velocities.max()) == (9172, 34279)


def test_geyser_is_the_august_record():
    data = load("geyser")
    assert len(data) == 299
    assert (data["waiting"].min(), data["waiting"].max()) == (43, 108)


def test_acidity_has_a_lake_a_row():
    assert len(load("acidity")) == 155


def test_diabetes_has_the_groups_of_the_study():
    # Reaven & Miller (1979): 76 normal, 36 with chemical and 33 with overt diabetes.
    groups, sizes = np.unique(load("diabetes")["group"], return_counts=True)
    assert len(groups) == 3
    assert sorted(sizes.tolist()) == [33, 36, 76]
    assert 455 in load("diabetes")["glutest"]


def test_a_data_set_that_is_not_there_is_refused_with_those_that_are(refuses):
    with refuses(ValueError, "no data set 'iris'", "there are acidity, deaths", "widows_children"):
        load("iris")
    with refuses(ValueError, "no data set '__init__'"):
        load("__init__")


# The table


def test_a_column_is_given_by_name_and_its_length_is_that_of_the_table():
    assert TOY["count"].tolist() == [0.0, 1.0, 2.0]
    assert len(TOY) == 3


def test_a_column_that_is_not_there_is_refused_with_those_that_are(refuses):
    with refuses(KeyError, "toy has no column 'month'", "it has count, days, kind"):
        TOY["month"]
    with refuses(KeyError, "no column 'month'"):
        TOY.matrix("count", "month")


def test_columns_stand_side_by_side_in_the_order_asked_for():
    assert TOY.matrix("days", "count").tolist() == [[2.0, 0.0], [0.0, 1.0], [3.0, 2.0]]
    assert load("faithful").matrix().shape == (272, 2)
    assert load("faithful").matrix()[0].tolist() == [3.6, 79.0]


def test_text_is_no_column_of_a_matrix(refuses):
    with refuses(ValueError, "toy: kind holds text", "name the columns you want"):
        TOY.matrix()
    with refuses(ValueError, "diabetes: group holds text"):
        load("diabetes").matrix("relwt", "group")


def test_a_table_of_counts_becomes_single_observations():
    assert TOY.repeated("count", "days").tolist() == [0.0, 0.0, 2.0, 2.0, 2.0]
    assert TOY.repeated("kind", "days").tolist() == ["a", "a", "a", "a", "a"]


def test_a_column_is_numbers_only_where_every_entry_is_one():
    data = load("diabetes")
    assert data["group"].dtype.kind == "U"
    assert data["relwt"].dtype == np.float64
