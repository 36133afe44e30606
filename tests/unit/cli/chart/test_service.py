"""Each value of charts/service comes from a service.yaml, or is somebody's choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.chart.files import kept
from cli.chart.image import Image
from cli.chart.service import Described, sections
from cli.chart.sources import configuration, described, strangers
from cli.chart.text import ChartError, as_dict, as_text
from gateway.config import ServiceConfig

ROOT = Path(__file__).parents[4]
REAL = sorted(file.parent for file in ROOT.glob("services/*/service.yaml"))
TOOL = {"name": "shout", "kind": "tool", "version": "1.2.3", "entrypoint": "shout:shout", "effect": "READ"}


def service(**changes: Any) -> Described:
    said = TOOL | changes
    return Described(said, ServiceConfig.model_validate(said))


def values(changes: dict[str, Any], asked: Image | None = None, **there: Any) -> dict[str, Any]:
    return as_dict(sections(service(**changes), asked or Image(), there))


def proxy(asked: Image | None = None, **there: Any) -> Any:
    """Of a service that may reach something."""
    return values({"egress": ["a.org"]}, asked, **there)["egressProxy"]


@pytest.mark.parametrize("folder", REAL, ids=lambda folder: folder.name)
class TestEveryServiceOfTheRepository:
    def test_is_whole_in_its_values(self, folder: Path) -> None:
        made = yaml.safe_load(as_text(sections(described(folder), Image(), {})))
        said = yaml.safe_load((folder / "service.yaml").read_text())
        assert made["service"] == said
        assert list(made["service"]) == list(said)
        assert ServiceConfig.model_validate(made["service"]) == described(folder).config

    def test_is_written_the_same_again(self, folder: Path) -> None:
        first = as_text(sections(described(folder), Image(), {}))
        assert as_text(sections(described(folder), Image(), yaml.safe_load(first))) == first

    def test_has_no_secret(self, folder: Path) -> None:
        made = as_dict(sections(described(folder), Image(), {}))
        assert made["secret"] == ""
        assert list(made)[:4] == ["service", "image", "resources", "egress"]


@pytest.mark.parametrize("file", sorted(ROOT.glob("charts/values/*.yaml")), ids=lambda file: file.stem)
def test_values_in_the_repository_are_not_stale(file: Path) -> None:
    there = kept(file)
    made = yaml.safe_load(as_text(sections(described(ROOT / "services" / file.stem), Image(), there)))
    assert made == there, f"make it anew: firebreak chart {file.stem} --out charts/values/{file.stem}.yaml"


def test_every_service_of_the_repository_has_a_place_in_the_umbrella() -> None:
    assert strangers(configuration(ROOT / "firebreak.yaml")) == []


class TestImage:
    def test_is_the_services_in_its_version(self) -> None:
        assert values({})["image"] == {"repository": "ghcr.io/example/firebreak-shout", "tag": "1.2.3"}

    def test_is_as_asked_for(self) -> None:
        assert values({}, Image("r.example/x-{name}", "9"))["image"] == {"repository": "r.example/x-shout", "tag": "9"}

    def test_somebodys_choice_stays(self) -> None:
        image = {"repository": "r.example/a", "tag": "mine", "pullPolicy": "Always"}
        assert values({}, image=image, service=TOOL)["image"] == image

    def test_a_tag_that_was_the_version_follows_it(self) -> None:
        there = {"repository": "r.example/a", "tag": "1.2.2"}
        assert values({}, image=there, service=TOOL | {"version": "1.2.2"})["image"]["tag"] == "1.2.3"

    def test_a_new_tag_counts_more_than_the_digest_that_was_there(self) -> None:
        image = {"digest": "sha256:0"}
        assert values({}, Image(tag="9"), image=image)["image"]["digest"] == ""
        assert values({}, image=image)["image"]["digest"] == "sha256:0"


class TestResources:
    def test_memory_is_that_of_workers_host_and_scratch(self) -> None:
        runtime = {"workers": 2, "spare": 1, "memory": "256MiB"}
        assert values({"runtime": runtime})["resources"]["memory"] == f"{512 + 3 * 256 + 64}Mi"
        assert values({"sandbox": {"memory": "100MiB", "scratch": "28MiB"}})["resources"]["memory"] == "128Mi"

    def test_the_rest_is_the_sandboxs(self) -> None:
        sandbox = {"cpus": 1.5, "processes": 99, "scratch": "1MiB"}
        made = values({"sandbox": sandbox})["resources"]
        assert (made["cpu"], made["processes"], made["scratch"]) == ("1500m", 99, "1Mi")

    def test_the_disk_is_for_logs(self) -> None:
        assert values({"sandbox": {"scratch": "1GiB"}})["resources"]["ephemeralStorage"] == "64Mi"

    def test_they_follow_from_service_yaml_alone(self) -> None:
        made = values({}, resources={"processes": 7, "cpuRequest": "100m"})["resources"]
        assert (made["processes"], made["cpuRequest"]) == (256, "100m")


class TestEgress:
    def test_none_is_said_so(self) -> None:
        made = values({})
        assert made["egress"] == []
        assert "egressAnywhere" not in made

    @pytest.mark.parametrize(
        ("to", "host", "port"),
        [
            ("docs.example.org", "docs.example.org", 443),
            ("http://example.org", "example.org", 80),
            ("https://example.org:8443", "example.org", 8443),
            ("*.example.org", "*.example.org", 443),
        ],
    )
    def test_each_is_a_host_and_a_port_without_addresses(self, to: str, host: str, port: int) -> None:
        made = values({"egress": [to]})
        assert made["egress"] == [{"host": host, "port": port, "cidrs": []}]
        assert made["egressAnywhere"] is False

    def test_an_address_is_known(self) -> None:
        assert values({"egress": ["http://192.0.2.7"]})["egress"][0]["cidrs"] == ["192.0.2.7/32"]

    def test_the_proxy_is_in_the_gateways_image(self) -> None:
        assert "egressProxy" not in values({}, egressProxy={"image": {"tag": "9"}})
        assert proxy() == {"image": {"repository": "ghcr.io/example/firebreak-gateway"}}

    def test_the_proxys_image_follows_what_is_asked_of_all_and_not_of_the_service_alone(self) -> None:
        assert proxy(Image("r.example/a", "9")) == proxy()
        assert proxy(Image("r.example/x-{name}", "9")) == {"image": {"repository": "r.example/x-gateway"}}
        every = {"image": {"repository": "r.example/x-gateway", "tag": "9"}}
        assert proxy(Image("r.example/x-{name}", "9", every=True)) == every

    def test_somebodys_choice_for_the_proxy_stays(self) -> None:
        there = {"image": {"repository": "r.example/g", "digest": "sha256:0"}, "resources": {"memory": "1Gi"}}
        assert proxy(egressProxy=there) == there

    def test_the_same_place_is_there_once(self) -> None:
        assert len(values({"egress": ["https://a.org:80", "http://a.org"]})["egress"]) == 1

    def test_what_to_choose_is_said(self) -> None:
        text = as_text(sections(service(egress=[{"to": "db.internal", "private": True}]), Image(), {}))
        assert "Give each host the `cidrs`" in text
        assert "Private, so by `cidrs` only: db.internal." in text
        assert "# EDIT: true opens the ports of hosts without `cidrs`" in text

    def test_addresses_that_somebody_set_stay_with_their_host(self) -> None:
        there = [
            {"host": "b.org", "port": 443, "cidrs": ["192.0.2.0/24"]},
            {"host": "gone.org", "port": 1, "cidrs": []},
        ]
        made = values({"egress": ["a.org", "b.org"]}, egress=there, egressAnywhere=True)
        assert made["egress"] == [{"host": "a.org", "port": 443, "cidrs": []}, there[0]]
        assert made["egressAnywhere"] is True

    def test_it_is_closed_again_when_nothing_is_declared(self) -> None:
        made = values({}, egress=[{"host": "b.org", "port": 443, "cidrs": []}], egressAnywhere=True)
        assert made["egress"] == []
        assert "egressAnywhere" not in made


def test_other_choices_stay() -> None:
    made = values({}, secret="key", replicas=3)
    assert (made["secret"], made["replicas"]) == ("key", 3)


@pytest.mark.parametrize("there", [{"image": 1}, {"egress": [1]}, {"egress": 1}, {"resources": "x"}])
def test_a_file_that_is_wrong_is_not_guessed_at(there: dict[str, Any]) -> None:
    with pytest.raises(ChartError, match="must be a"):
        values({"egress": ["a.org"]}, **there)
