"""The command: what it prints can be checked, and what it cannot read it says where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from emlib import Mixture, MixtureParams
from emlib.__main__ import main
from emlib.datasets import load
from emlib.families import Gaussian, Gaussians
from emlib.information import standard_errors
from emlib.numbers import gaussian_mixtures, rate

FAITHFUL = str(resources.files("emlib.datasets").joinpath("faithful.csv"))
DEATHS = str(resources.files("emlib.datasets").joinpath("deaths.csv"))


@pytest.fixture
def run(capsys):
    """Status, output and errors of the command."""

    def call(*arguments):
        status = main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def table(tmp_path):
    """A file with that text."""

    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def as_json(printed):
    status, out, err = printed
    assert (status, err) == (0, "")

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(out, parse_constant=refuse)


# ---- fit ---------------------------------------------------------------------------------------


def test_a_fit_in_words(run):
    status, out, err = run("fit", FAITHFUL, "--columns", "waiting", "--components", 2)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "gaussian mixture, model VVV, components: 2"
    assert lines[1] == "272 rows of waiting"
    found = {line.split()[0]: line.split() for line in lines if line[:1].strip()}
    _, _, first, second, _, _, log_likelihood, _ = (
        one.published for one in gaussian_mixtures.old_faithful_waits()
    )
    log_likelihood.check(float(found["log-likelihood"][1]))
    assert found["df"][1] == "5"
    assert "converged, from" in out
    means = [line.split() for line in lines if line.strip().startswith("mean")]
    assert sorted(float(words[2]) for words in means) == pytest.approx(
        [float(first.value), float(second.value)], abs=1e-3
    )
    assert all(words[3].startswith("(0.") for words in means)
    assert "In brackets: standard errors." in out
    assert "Warning" not in out


def test_a_fit_as_json_has_every_digit(run):
    found = as_json(run("fit", FAITHFUL, "--components", 2, "--json"))
    assert set(found) == {
        "schema", "family", "model", "components", "columns", "rows", "observations", "log_likelihood", "df", "bic",
        "icl", "converged", "steps", "start", "parameters", "standard_errors", "warnings",
    }  # fmt: skip
    assert found["schema"] == 1
    assert found["columns"] == ["eruptions", "waiting"]
    data, parts = load("faithful").matrix(), found["parameters"]
    params = MixtureParams(parts["weights"], Gaussians(parts["means"], parts["covariances"]))
    model = Mixture(Gaussian())
    assert found["log_likelihood"] == pytest.approx(
        model.log_density(data, params).sum(), rel=1e-13
    )
    assert found["bic"] == pytest.approx(11 * np.log(272) - 2 * found["log_likelihood"], rel=1e-13)
    for name, errors in standard_errors(model, data, params).items():
        assert np.array(found["standard_errors"][name]) == pytest.approx(errors, rel=1e-6)
    assert found["converged"] is True
    assert found["warnings"] == []


def test_weights_and_counts(run):
    weighted = ("--columns", "deaths", "--weights", "days", "--family", "poisson")
    found = as_json(run("fit", DEATHS, *weighted, "--components", 2, "--json"))
    *_, height = rate.deaths()
    assert -found["log_likelihood"] == pytest.approx(float(height.published.value), abs=5e-4)
    assert (found["rows"], found["observations"]) == (10, 1096)
    assert found["model"] == "poisson"
    _, out, _ = run("fit", DEATHS, *weighted, "--components", 1)
    assert "10 rows of deaths, total weight 1096" in out
    mean = np.average(load("deaths")["deaths"], weights=load("deaths")["days"])
    assert f"{mean:.6g}" in out


def test_bits(run, table):
    path = table("0,1\n0,1\n1,0\n1,1\n0,0\n")
    found = as_json(run("fit", path, "--family", "bernoulli", "--components", 1, "--json"))
    assert found["columns"] == ["1", "2"]
    assert found["parameters"]["probabilities"] == [pytest.approx([0.4, 0.6])]


def test_what_a_report_must_warn_of(run):
    hasty = ("--components", 3, "--max-steps", 1, "--starts", 1)
    found = as_json(run("fit", FAITHFUL, *hasty, "--json"))
    assert found["converged"] is False
    assert any("not converged" in text for text in found["warnings"])
    _, out, _ = run("fit", FAITHFUL, *hasty)
    assert "Warning: EM has not converged" in out
    assert "not converged, from" in out


def test_missing_values_are_summed_out(run, table):
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in load("faithful").matrix()[:60])
    text += "3.5,NA\n,70\n4.5,\n"
    model = ("--components", 1, "--json")
    found = as_json(run("fit", table(text), *model, "--missing"))
    assert found["rows"] == 63
    # The likelihood factorises for rows that only lack y, so that mean and variance of x are those of all x there are.
    short = as_json(run("fit", table(text.replace(",70\n", "")), *model, "--missing"))
    x = np.append(load("faithful").matrix()[:60, 0], [3.5, 4.5])
    assert short["parameters"]["means"][0][0] == pytest.approx(x.mean(), rel=1e-6)
    assert short["parameters"]["covariances"][0][0][0] == pytest.approx(x.var(), rel=1e-5)
    status, _, err = run("fit", table(text.replace(",70\n", "")), *model)
    assert status == 2
    assert (
        "row 61, column 'y': expected a number, got 'NA'; if it is a missing value, see --missing"
        in err
    )
    status, _, err = run("fit", table("1\n\n2\n"), *model, "--missing", "--family", "poisson")
    assert status == 2
    assert "only a Gaussian mixture" in err


@pytest.mark.parametrize(
    ("arguments", "suffix"),
    [
        (("--columns", "waiting"), "svg"),
        ((), "png"),
    ],
)
def test_a_picture_of_a_fit(run, tmp_path, arguments, suffix):
    path = tmp_path / f"out.{suffix}"
    assert run("fit", FAITHFUL, "--components", 2, *arguments, "--plot", path)[0] == 0
    start = path.read_bytes()[:40]
    assert start.startswith(b"<?xml" if suffix == "svg" else b"\x89PNG")


def test_a_picture_of_counts(run, table, tmp_path):
    path = table("\n".join(map(str, [0, 1, 1, 2, 3, 3, 4, 9, 8, 9, 7])))
    out = tmp_path / "out.svg"
    options = ("--family", "poisson", "--components", 2, "--plot", out)
    assert run("fit", path, *options)[0] == 0
    assert b"<svg" in out.read_bytes()


def test_no_picture(run, table, tmp_path):
    for text, options, said in (
        ("1,2,3\n4,5,6\n7,8,1\n", (), "3 columns"),
        ("a,w\n1,2\n4,5\n7,8\n", ("--weights", "w"), "weighted or incomplete rows"),
        ("0\n1\n", ("--family", "bernoulli"), "family bernoulli"),
    ):
        plot = ("--components", 1, "--plot", tmp_path / "no.svg")
        status, _, err = run("fit", table(text), *options, *plot)
        assert status == 2
        assert "--plot" in err
        assert said in err
    status, _, err = run("fit", FAITHFUL, "--components", 1, "--plot", tmp_path / "no" / "no.svg")
    assert status == 2
    assert "No such file" in err
    status, _, err = run("fit", FAITHFUL, "--components", 1, "--plot", tmp_path / "no.xyz")
    assert status == 2
    assert "xyz" in err


# ---- select ------------------------------------------------------------------------------------


def test_select(run, tmp_path):
    picture = tmp_path / "out.svg"
    options = ("--components", "1-3", "--models", "EII,EEE", "--starts", 1)
    status, out, _ = run("select", FAITHFUL, *options, "--plot", picture)
    assert status == 0
    assert "best: EEE with 3 components" in out
    assert b"<svg" in picture.read_bytes()
    found = as_json(run("select", FAITHFUL, *options, "--components", "2,13", "--json"))
    assert found["criterion"] == "bic"
    assert found["best"] == {"model": "EEE", "components": 2}
    assert [(fit["model"], fit["k"]) for fit in found["fits"]] == [
        ("EII", 2), ("EII", 13), ("EEE", 2), ("EEE", 13)
    ]  # fmt: skip


def test_select_with_failures_is_json_too(run, table):
    path = table("1,2\n2,1\n3,5\n4,4\n5,9\n")
    found = as_json(run("select", path, "--components", "1,9", "--models", "EII", "--json"))
    failed = found["fits"][1]
    assert failed["bic"] is None
    assert "got 9 for 5" in failed["reason"]


# ---- tables ------------------------------------------------------------------------------------

VALUES = "1.5{0}2\n-3e1{0}.25\n4{0}4\n0{0}1\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", " , ", '",'], ids=repr)
@pytest.mark.parametrize("header", ["", "# a comment\n\nx{0}y\n", "\ufeffx{0}y\n"], ids=repr)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=repr)
def test_tables_of_any_kind_are_the_same(run, table, separator, header, end):
    text = header + VALUES
    text = text.format(separator) if separator != '",' else text.replace("{0}", ",")
    found = as_json(
        run("fit", table(text.replace("\n", end)), "--components", 1, "--json", "--model", "EII")
    )
    assert found["columns"] == (["x", "y"] if header else ["1", "2"])
    assert found["parameters"]["means"] == [[(1.5 - 30 + 4) / 4, 7.25 / 4]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,waiting\n" + "1,2\n" * 16 + "3,n/a\n", "row 17, column 'waiting': expected a number, got 'n/a'"),
        ("# source\nx,y\n1,\n", "row 1, column 'y': expected a number, got ''"),
        ("1,2\n3,nan\n", "row 2, column '2': expected a number, got 'nan'"),
        ("1,2\n3,inf\n", "row 2, column '2': expected a number, got 'inf'"),
        ("x;y\n1,5;2\n", "row 1, column 'x': expected a number, got '1,5'"),
        ("x\n1_000\n2\n", "row 1, column 'x': expected a number, got '1_000'"),
        ("x,y\n1,2\n3\n", "row 2: expected 2 entries, got 1"),
        ("x,y\n1,2,3\n", "row 1: expected 2 entries, got 3"),
        ("x,x\n1,2\n", "one column 'x', found 2"),
        ("x,y\n", "no rows"),
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        (b"x\n\xff\n", "UTF-8, found byte 0xff at offset 2"),
        ('x,y\n"1,2\n', "no table"),
        ("x\n1\n\x00\n", "row 2, column 'x'"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told_with_its_place(run, table, text, said):
    status, out, err = run("fit", table(text), "--components", 1)
    assert (status, out) == (2, "")
    assert err.startswith("emlib: ")
    assert "data.csv: " in err
    assert said in err
    assert len(err.splitlines()) == 1


def test_columns(run, table):
    path = table("a,b,name\n1,2,x\n3,5,y\n4,5,z\n4,8,z\n")
    status, _, err = run("fit", path, "--components", 1)
    assert status == 2
    assert "row 1, column 'name': expected a number, got 'x'" in err
    assert "--columns" in err
    found = as_json(
        run("fit", path, "--columns", "b,a", "--components", 1, "--model", "EII", "--json")
    )
    assert found["columns"] == ["b", "a"]
    assert found["parameters"]["means"] == [[5.0, 3.0]]
    status, _, err = run("fit", path, "--columns", "c", "--components", 1)
    assert status == 2
    assert "one column 'c', found 0; there are a, b, name" in err
    status, _, err = run("fit", table("w\n1\n2\n"), "--weights", "w", "--components", 1)
    assert status == 2
    assert "no columns beside" in err


def test_data_that_do_not_fit_the_family(run, table):
    status, _, err = run("fit", table("1\n2.5\n"), "--family", "poisson", "--components", 1)
    assert status == 2
    assert "counts" in err
    status, _, err = run("fit", table("x,w\n1,-1\n2,1\n"), "--weights", "w", "--components", 1)
    assert status == 2
    assert "weights" in err


def test_no_fit(run, table):
    status, out, err = run("fit", table("1,1\n2,2\n3,3\n5,5\n6,6\n8,8\n9,9\n"), "--components", 1)
    assert (status, out) == (1, "")
    assert "collapsed" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "COMMAND"),
        (("fit", FAITHFUL), "--components"),
        (("fit", FAITHFUL, "--components", "0"), "whole number"),
        (("fit", FAITHFUL, "--components", "two"), "whole number"),
        (("fit", FAITHFUL, "--components", "2", "--family", "cauchy"), "cauchy"),
        (("select", FAITHFUL, "--components", "1-x"), "whole number"),
    ],
)
def test_wrong_arguments(capsys, arguments, said):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_wrong_model(run):
    status, _, err = run("fit", FAITHFUL, "--components", 2, "--model", "XXX")
    assert status == 2
    assert "'XXX'" in err


# ---- as a program ------------------------------------------------------------------------------


def program(*arguments, stdout=subprocess.PIPE, **options):
    return subprocess.run(
        [sys.executable, "-m", "emlib", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        **options,
    )


def test_the_program_reads_standard_input_and_returns_its_status():
    done = program("fit", "-", "--components", "1", "--json", input=b"1\n2\n4\n7\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["parameters"]["means"] == [[3.5]]
    done = program("fit", "no/such/file.csv", "--components", "1")
    assert done.returncode == 2
    assert done.stderr == b"emlib: no/such/file.csv: No such file or directory\n"


def test_help_says_what_the_status_means():
    done = program("--help")
    assert done.returncode == 0
    assert b"exit status: 0 if there is a fit, 1 if there is none, 2 if" in done.stdout


def test_a_column_is_data_or_weights(run, table):
    path = table("a,w\n1,2\n3,1\n2,1\n")
    status, out, err = run("fit", path, "--components", 1, "--columns", "a,w", "--weights", "w")
    assert (status, out) == (2, "")
    assert "column 'w' holds the weights, and cannot be data too" in err


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no such device")
def test_a_full_disk_is_told():
    with FULL.open("w") as full:
        done = program("fit", FAITHFUL, "--components", "1", stdout=full)
    assert done.returncode == 3
    assert done.stderr == b"emlib: standard output: No space left on device\n"


def test_a_closed_pipe_is_silent():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = program("fit", FAITHFUL, "--components", "1", stdout=closed)
    assert (done.returncode, done.stderr) == (3, b"")
