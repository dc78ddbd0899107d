"""The container files: valid by their schema and linter, and pointing only at what exists."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.services.service_config import CLOCK, METRICS_ORDER, SERVICES, parse_config
from gateway.rights.keys import read_keys
from seawall.cli import build_parser

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SETTINGS = "/etc/seawall/services.toml"
CONFIG = parse_config((DOCKER / "services.toml").read_text(), "docker/services.toml")
CLOCK_SETTINGS = "/run/secrets/clock.toml"
GIVEN_BY_THE_USER = ("./keys.toml", "./clock.toml")
BUILT = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def tool(name: str) -> str:
    """A program of this environment or of the machine."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined."""
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    for line in joined.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, " ".join(rest.split())


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def test_the_compose_file_keeps_its_schema() -> None:
    path = str(DOCKER / "compose.yaml")
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path)


def test_the_linter_has_nothing_to_say_about_the_dockerfile() -> None:
    run(tool("hadolint"), str(DOCKER / "Dockerfile"))


def test_every_service_of_the_exchange_is_there_once() -> None:
    served = [service["command"][1] for service in BUILT.values()]
    assert sorted(served) == sorted((*SERVICES, CLOCK))
    assert all(name == service["command"][1] for name, service in BUILT.items())


@pytest.mark.parametrize("name", BUILT)
def test_the_command_of_a_service_is_one_of_the_command_line(name: str) -> None:
    parsed = build_parser().parse_args(BUILT[name]["command"])
    assert str(parsed.config) == (CLOCK_SETTINGS if name == CLOCK else SETTINGS)


@pytest.mark.parametrize("name", BUILT)
def test_a_service_gets_its_settings_its_state_and_nothing_else_to_write_to(name: str) -> None:
    service = BUILT[name]
    settings = [] if name == CLOCK else [{"source": "services", "target": SETTINGS}]
    assert service["configs"] == settings
    assert service["volumes"] == [f"state:{CONFIG.run_dir}"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert f"VOLUME {CONFIG.run_dir}" in DOCKERFILE


def test_the_healthcheck_asks_the_port_of_the_service() -> None:
    for name in METRICS_ORDER:
        given = BUILT[name]["environment"]["SEAWALL_METRICS_PORT"]
        assert given == str(CONFIG.metrics.port(name))


def test_all_that_is_named_is_declared_and_all_that_is_declared_is_named() -> None:
    used: dict[str, list[str]] = {"networks": [], "volumes": [], "configs": [], "secrets": []}
    for service in COMPOSE["services"].values():
        used["networks"] += service.get("networks", [])
        used["configs"] += [item["source"] for item in service.get("configs", [])]
        used["secrets"] += [item["source"] for item in service.get("secrets", [])]
        sources = [item.split(":")[0] for item in service.get("volumes", [])]
        used["volumes"] += [source for source in sources if not source.startswith(".")]
        for other in service.get("depends_on", []):
            assert other in COMPOSE["services"]
    for kind, names in used.items():
        assert sorted(dict.fromkeys(names)) == sorted(COMPOSE[kind]), kind


def test_every_file_that_is_mounted_exists() -> None:
    paths = [item["file"] for kind in ("configs", "secrets") for item in COMPOSE[kind].values()]
    for service in COMPOSE["services"].values():
        sources = [item.split(":")[0] for item in service.get("volumes", [])]
        paths += [source for source in sources if source.startswith(".")]
    missing = [path for path in paths if not (DOCKER / path).exists()]
    assert [path for path in missing if path not in GIVEN_BY_THE_USER] == []


def test_only_this_machine_reaches_the_ports() -> None:
    for name, service in COMPOSE["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)


def test_clients_reach_the_doors_the_gateway_opens() -> None:
    inside = [port.split(":")[-1] for port in BUILT["gateway"]["ports"]]
    doors = (CONFIG.gateway.commands, CONFIG.gateway.market_data)
    assert inside == [door.rsplit(":", 1)[1] for door in doors]
    assert CONFIG.gateway.keys == "/run/secrets/" + BUILT["gateway"]["secrets"][0]["target"]


def test_images_are_pinned() -> None:
    for name, service in COMPOSE["services"].items():
        if name not in BUILT:
            assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"]), name


def test_the_image_runs_as_somebody_without_rights_and_without_a_compiler() -> None:
    build, runtime = stages()
    assert any("gcc" in rest for word, rest in build if word == "RUN")
    assert not any("apt-get" in rest or "gcc" in rest for _, rest in runtime)
    words = [word for word, _ in runtime]
    user = dict(runtime)["USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "HEALTHCHECK" in words
    assert dict(runtime)["ENTRYPOINT"] == '["seawall"]'
    assert not any(
        word == "COPY" and "--from" not in rest and "healthcheck" not in rest
        for word, rest in runtime
    )


def test_what_the_build_copies_passes_the_ignore_file() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    for name in (*packages, "pyproject.toml", "docker/healthcheck.py"):
        assert name.removesuffix("*") in kept, name


def test_the_key_files_that_are_made_fit_each_other(tmp_path: Path) -> None:
    script = shutil.copy(DOCKER / "make_keys.py", tmp_path)
    words = [sys.executable, str(script)]
    environment = {"PYTHONPATH": str(ROOT)}
    made = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    keys = read_keys(str(tmp_path / "keys.toml"))
    clock = parse_config((tmp_path / "clock.toml").read_text(), "clock.toml")
    assert clock.clock.server_public == keys.server.public
    assert keys.clients[CLOCK].public == clock.clock.public
    assert keys.clients[CLOCK].rights == ["admin"]
    assert keys.clients["operator"].public in made.stdout
    assert keys.server.secret not in made.stdout
    assert clock.run_dir == CONFIG.run_dir
    for name in ("keys.toml", "clock.toml"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert f"/{name}" in (DOCKER / ".gitignore").read_text().splitlines()
    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "nothing was written" in again.stderr
    assert read_keys(str(tmp_path / "keys.toml")).server.public == keys.server.public


# Prometheus and Grafana


def test_prometheus_scrapes_every_service_at_its_port() -> None:
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    found = {entry["labels"]["service"]: entry["targets"] for entry in job["static_configs"]}
    assert found == {name: [f"{name}:{CONFIG.metrics.port(name)}"] for name in METRICS_ORDER}


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    folder = DOCKER / "prometheus"
    run(tool("promtool"), "check", "config", str(folder / "prometheus.yml"))
    run(tool("promtool"), "check", "rules", str(folder / "alerts.yml"))


def test_the_alerts_pass_their_unit_tests() -> None:
    run(tool("promtool"), "test", "rules", str(DOCKER / "prometheus" / "alerts.test.yml"))


def alert_names() -> list[str]:
    rules = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text())
    return [rule["alert"] for group in rules["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("alert", alert_names())
def test_an_alert_has_a_case_in_which_it_fires(alert: str) -> None:
    cases = yaml.safe_load((DOCKER / "prometheus" / "alerts.test.yml").read_text())
    assert any(
        case["alertname"] == alert and case["exp_alerts"]
        for test in cases["tests"]
        for case in test["alert_rule_test"]
    )


def test_grafana_finds_its_data_source_and_dashboard() -> None:
    provisioning = DOCKER / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    (source,) = sources["datasources"]
    assert source["url"] == "http://prometheus:9090"
    providers = yaml.safe_load((provisioning / "dashboards" / "seawall.yml").read_text())
    mounts = dict(item.split(":")[:2] for item in COMPOSE["services"]["grafana"]["volumes"])
    folder = providers["providers"][0]["options"]["path"]
    assert mounts["./grafana/dashboards"] == folder
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "seawall.json").read_text())
    named = re.findall(r'"uid": "(seawall-[a-z]+)"', json.dumps(dashboard))
    assert named and all(uid == source["uid"] for uid in named)


def test_panels_have_their_own_number_and_do_not_overlap() -> None:
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "seawall.json").read_text())
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(dict.fromkeys(numbers)) == len(numbers)
