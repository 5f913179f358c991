# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of a cluster: what is valid, what is recorded, what may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from host import cluster_settings, docker_cli, holders, settings
from host.cluster_settings import Paths, Settings, SettingsError
from tests.unit.host.helpers import FakeDocker, container


@pytest.fixture(autouse=True)
def free_machine(monkeypatch: pytest.MonkeyPatch, fake_docker: FakeDocker) -> None:
    """Nothing of the machine that runs the tests counts, but for the fake Docker."""
    monkeypatch.setattr(holders, "conflicts", lambda settings, checkout: [])
    for variable in cluster_settings.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


def lives(fake: FakeDocker, checkout: Path) -> None:
    fake.items["container"].append(
        container("roost-lab-control", roost_cluster="lab", roost_checkout=str(checkout))
    )


def test_the_file_says_what_was_recorded(paths: Paths) -> None:
    settings.record(paths, {"ROOST_SUBNET": "10.7.0.0/24", "WORKERS": "3"})
    assert cluster_settings.recorded(paths) == Settings("lab", subnet="10.7.0.0/24", workers=3)
    assert paths.settings.read_text() == cluster_settings.HEADER + (
        "cluster: lab\nprovider: docker\nsubnet: 10.7.0.0/24\n"
        "http_port: 8080\nhttps_port: 8443\nworkers: 3\n"
    )
    assert [each.name for each in paths.directory.iterdir()] == ["settings.yml"]


def test_a_set_variable_changes_the_record_and_an_unset_or_empty_one_keeps_it(
    paths: Paths,
) -> None:
    settings.record(paths, {"ROOST_HTTP_PORT": "9080", "WORKERS": "3"})
    assert settings.record(paths, {"WORKERS": "1", "ROOST_HTTP_PORT": ""}) == {"workers": (3, 1)}
    assert cluster_settings.recorded(paths) == Settings("lab", http_port=9080, workers=1)
    assert settings.record(paths, {}) == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"provider": "podman"}, ["PROVIDER", "podman", "docker, virtualbox, libvirt"]),
        ({"subnet": "192.168.56.1/24"}, ["ROOST_SUBNET", "192.168.56.1/24"]),
        ({"subnet": "192.168.0.0/16"}, ["ROOST_SUBNET", "private /24"]),
        ({"subnet": "8.8.8.0/24"}, ["ROOST_SUBNET", "private /24"]),
        ({"subnet": "169.254.1.0/24"}, ["ROOST_SUBNET", "private /24"]),
        ({"subnet": "fd00::/120"}, ["ROOST_SUBNET", "IPv4"]),
        ({"subnet": "10.244.7.0/24"}, ["ROOST_SUBNET", "10.244.0.0/16", "pods"]),
        ({"subnet": "10.100.0.0/24"}, ["ROOST_SUBNET", "10.96.0.0/12", "services"]),
        ({"http_port": "80"}, ["ROOST_HTTP_PORT", "'80'", "1024 to 65535"]),
        ({"http_port": "65536"}, ["ROOST_HTTP_PORT", "65535"]),
        ({"https_port": "web"}, ["ROOST_HTTPS_PORT", "'web'"]),
        ({"http_port": "9000", "https_port": "9000"}, ["ROOST_HTTP_PORT", "ROOST_HTTPS_PORT"]),
        ({"workers": "0"}, ["WORKERS", "1 to 154"]),
        ({"workers": "155"}, ["WORKERS", "1 to 154"]),
        ({"workers": "two"}, ["WORKERS", "'two'"]),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(
    values: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(SettingsError) as error:
        cluster_settings.validate(values)
    assert len(error.value.reasons) == 1
    assert all(word in error.value.reasons[0] for word in words), error.value.reasons


def test_all_reasons_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        cluster_settings.validate({"provider": "x", "subnet": "y", "workers": "-1"})
    assert [reason.split(":")[0] for reason in error.value.reasons] == [
        "PROVIDER",
        "ROOST_SUBNET",
        "WORKERS",
    ]


@pytest.mark.parametrize("name", ["Lab", "1lab", "lab-", "a_b", "a.b", "a" * 21, "lab/x", "é"])
def test_a_name_that_is_no_cluster_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="ROOST_CLUSTER"):
        cluster_settings.cluster_name({"ROOST_CLUSTER": name})


@pytest.mark.parametrize("name", ["a", "roost", "e2e-1", "a" * 20])
def test_a_cluster_name_is_taken(name: str) -> None:
    assert cluster_settings.cluster_name({"ROOST_CLUSTER": name}) == name


def test_without_a_name_the_cluster_is_roost() -> None:
    assert cluster_settings.cluster_name({}) == "roost"
    assert cluster_settings.cluster_name({"ROOST_CLUSTER": ""}) == "roost"


def test_a_living_cluster_only_grows(paths: Paths, fake_docker: FakeDocker) -> None:
    settings.record(paths, {})
    lives(fake_docker, paths.root)
    assert settings.record(paths, {"WORKERS": "4"}) == {"workers": (2, 4)}
    for variable, value in {
        "WORKERS": "3",
        "ROOST_SUBNET": "10.7.0.0/24",
        "PROVIDER": "libvirt",
        "ROOST_HTTP_PORT": "9080",
        "ROOST_HTTPS_PORT": "9443",
    }.items():
        with pytest.raises(SettingsError) as error:
            settings.record(paths, {variable: value})
        assert variable in str(error.value)
        assert "container roost-lab-control" in str(error.value)
        assert "make down" in str(error.value)
    assert cluster_settings.recorded(paths) == Settings("lab", workers=4)


def test_a_living_cluster_without_a_record_is_not_given_another(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    lives(fake_docker, paths.root)
    with pytest.raises(SettingsError, match=r"settings\.yml is missing.*make down"):
        settings.record(paths, {})
    assert not paths.settings.exists()


def test_the_name_of_another_checkouts_cluster_is_refused(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    lives(fake_docker, Path("/elsewhere"))
    with pytest.raises(SettingsError, match=r"taken by the checkout /elsewhere") as error:
        settings.record(paths, {})
    assert len(error.value.reasons) == 1
    assert not paths.settings.exists()


def test_what_another_holds_is_told_before_anything_is_written(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        holders, "conflicts", lambda settings, checkout: ["port taken", "subnet taken"]
    )
    with pytest.raises(SettingsError) as error:
        settings.record(paths, {})
    assert error.value.reasons == ("port taken", "subnet taken")
    assert not paths.settings.exists()


@pytest.mark.parametrize("character", list(" \t,:'\"\\%${"))
def test_a_checkout_whose_path_is_taken_for_something_else_is_refused(
    tmp_path: Path, fake_docker: FakeDocker, character: str
) -> None:
    paths = Paths(tmp_path / f"my{character}roost", "lab")
    with pytest.raises(SettingsError) as error:
        settings.record(paths, {})
    [reason] = error.value.reasons
    assert f"has {character!r} in its path" in reason
    assert "clone it anew" in reason
    assert not paths.root.exists()


def test_a_checkouts_path_may_be_anything_else(tmp_path: Path) -> None:
    cluster_settings.require_fit_checkout(tmp_path / "Röst(2)_v1.0-a+b@c=d~#!;&")


@pytest.fixture
def taken_port(
    paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> docker_cli.Object:
    """The edge of a recorded cluster; somebody listens on its port."""
    settings.record(paths, {})
    lives(fake_docker, paths.root)
    edge = container("roost-lab-edge", roost_cluster="lab", roost_role="edge")
    fake_docker.items["container"].append(edge)
    monkeypatch.setattr(holders, "_is_taken", lambda port: port == 8080)
    monkeypatch.setattr(holders, "_listener", lambda port: "process 7 (nginx)")
    return edge


def test_an_edge_that_runs_has_its_port_itself(paths: Paths, taken_port: docker_cli.Object) -> None:
    assert settings.record(paths, {"WORKERS": "3"}) == {"workers": (2, 3)}


def test_who_has_taken_the_port_of_a_halted_cluster_is_told(
    paths: Paths, taken_port: docker_cli.Object
) -> None:
    taken_port["State"]["Running"] = False
    with pytest.raises(SettingsError) as error:
        settings.record(paths, {"WORKERS": "3"})
    assert error.value.reasons == (
        "ROOST_HTTP_PORT: 127.0.0.1:8080 is taken by process 7 (nginx); stop that, or run "
        "`make down` and choose another",
    )
    assert cluster_settings.recorded(paths) == Settings("lab")


@pytest.mark.parametrize("text", ["cluster lab\n", "size: 3\n", "- workers: 2\n"])
def test_a_damaged_file_is_named_with_the_line(paths: Paths, text: str) -> None:
    paths.directory.mkdir(parents=True)
    paths.settings.write_text("# comment\n\n" + text)
    with pytest.raises(SettingsError, match=r"settings\.yml, line 3: .*expected"):
        cluster_settings.recorded(paths)


def test_the_file_of_another_cluster_is_refused(paths: Paths) -> None:
    cluster_settings.write(paths, Settings("other"))
    with pytest.raises(SettingsError, match="'other', expected 'lab'"):
        cluster_settings.recorded(paths)


def test_show_and_get_go_by_the_record_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOST_CLUSTER", "lab")
    monkeypatch.setenv("WORKERS", "3")
    assert settings.main(["record"], tmp_path) == 0
    monkeypatch.setenv("WORKERS", "1")
    assert settings.main(["get", "workers"], tmp_path) == 0
    assert capsys.readouterr().out == "3\n"
    assert settings.main(["show"], tmp_path) == 0
    assert "workers: 3\n" in capsys.readouterr().out


def test_show_without_a_record_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKERS", "5")
    assert settings.main(["show"], tmp_path) == 0
    assert "workers: 5\n" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cluster", "key", "expected"),
    [
        ("roost", "kubeconfig", "{root}/.kube/config"),
        ("lab", "kubeconfig", "{root}/.roost/lab/kubeconfig"),
        ("roost", "vagrant", "{root}/.vagrant"),
        ("lab", "vagrant", "{root}/.roost/lab/vagrant"),
        ("lab", "directory", "{root}/.roost/lab"),
        ("lab", "known_hosts", "{root}/.roost/lab/known_hosts"),
        ("lab", "network", "roost-lab"),
        ("lab", "app_url", "http://127.0.0.1:8080"),
        ("lab", "provider", "docker"),
    ],
)
def test_get_knows_what_follows_from_the_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cluster: str,
    key: str,
    expected: str,
) -> None:
    monkeypatch.setenv("ROOST_CLUSTER", cluster)
    assert settings.main(["get", key], tmp_path) == 0
    assert capsys.readouterr().out == expected.format(root=tmp_path) + "\n"


def test_get_of_an_unknown_key_names_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settings.main(["get", "colour"], tmp_path) == 1
    assert "'colour' is unknown; expected one of cluster, provider" in capsys.readouterr().err


def test_exports_are_lines_for_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOST_CLUSTER", "lab")
    root = tmp_path / "with space"
    assert settings.main(["exports"], root) == 0
    assert capsys.readouterr().out == (
        f"export ROOST_CLUSTER=lab\nexport VAGRANT_DOTFILE_PATH='{root}/.roost/lab/vagrant'\n"
    )


def test_a_refusal_is_an_exit_code_and_one_line_for_each_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKERS", "0")
    monkeypatch.setenv("PROVIDER", "x")
    assert settings.main([], tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["settings", " PROVIDER"],
        ["settings", " WORKERS"],
    ]
    assert list(tmp_path.iterdir()) == []
