"""The manifests are what Kubernetes and Dask's operator take, agree with docker-compose.yml, and give nothing away."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
MANIFESTS = [
    manifest for path in sorted(FOLDER.glob("*.yaml")) for manifest in yaml.safe_load_all(path.read_text()) if manifest
]
DEFINITIONS = json.loads((SCHEMAS / "kubernetes.json").read_text())
GROUPS = {"apps/v1": "apps.v1", "batch/v1": "batch.v1", "networking.k8s.io/v1": "networking.v1", "v1": "core.v1"}
SECRETS = ("PASSWORD", "AUTH", "TOKEN", "SECRET")


def name_of(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('name') or metadata['generateName']}"


def schema_for(manifest: dict[str, Any]) -> dict[str, Any]:
    """The published schema of a kind. Fields that it doesn't name are refused, where an API server drops them."""
    if manifest["kind"] == "DaskCluster":
        return closed(json.loads((SCHEMAS / "daskcluster.json").read_text())) | {
            "properties": {
                **closed(json.loads((SCHEMAS / "daskcluster.json").read_text()))["properties"],
                **{name: {} for name in ("apiVersion", "kind", "metadata")},
            }
        }
    name = f"io.k8s.api.{GROUPS[manifest['apiVersion']]}.{manifest['kind']}"
    return {"$ref": f"#/$defs/{name}", "$defs": DEFINITIONS}


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return inner if "properties" not in schema or "type" not in schema else {"additionalProperties": False} | inner


def check(manifest: dict[str, Any]) -> None:
    Draft202012Validator(schema_for(manifest)).validate(manifest)


def pods(manifest: dict[str, Any]) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """The labels and the specification of each pod that a manifest asks for."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "DaskCluster":
        for part in ("scheduler", "worker"):
            yield {"dask.org/cluster-name": "atelier", "dask.org/component": part}, spec[part]["spec"]
    elif "template" in spec:
        yield spec["template"]["metadata"]["labels"], spec["template"]["spec"]


PODS = [pod for manifest in MANIFESTS for pod in pods(manifest)]
CONTAINERS = {container["name"]: container for _, spec in PODS for container in spec["containers"]}


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in MANIFESTS:
        if manifest["kind"] == "Service":
            yield manifest["metadata"]["name"], manifest["spec"]
        elif manifest["kind"] == "DaskCluster":
            yield f"{manifest['metadata']['name']}-scheduler", manifest["spec"]["scheduler"]["service"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_a_manifest_is_valid(manifest: dict[str, Any]):
    check(manifest)
    assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "atelier"


@pytest.mark.parametrize("manifest", [one for one in MANIFESTS if list(pods(one))], ids=name_of)
def test_a_mistake_in_a_pod_is_found(manifest: dict[str, Any]):
    def drop_image(container: dict[str, Any]) -> None:
        del container["name"]

    def misspell(container: dict[str, Any]) -> None:
        container["readinessprobe"] = {}

    def mistype(container: dict[str, Any]) -> None:
        container["args"] = "atelier serve"

    for spoil in (drop_image, misspell, mistype):
        spoilt = copy.deepcopy(manifest)
        for _, spec in pods(spoilt):
            spoil(spec["containers"][0])
        with pytest.raises(ValidationError):
            check(spoilt)


def test_pods_have_no_rights_and_one_place_to_write():
    assert set(CONTAINERS) == {"scheduler", "worker", "db", "prefect", "flows", "api", "train"}
    for _, spec in PODS:
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] >= 999
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False  # they would set ATELIER_… and PREFECT_… variables
        mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        assert {volume["name"] for volume in spec["volumes"]} | {"data"} >= mounted >= {"tmp"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_nothing_is_reached_from_outside_and_little_from_inside():
    for _, spec in services():
        assert spec["type"] == "ClusterIP"
        assert not {"externalIPs", "loadBalancerIP"} & set(spec)
    assert not {"Ingress", "Gateway", "HTTPRoute"} & {manifest["kind"] for manifest in MANIFESTS}
    policies = [manifest["spec"] for manifest in MANIFESTS if manifest["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress"]} in policies
    rules = [rule for spec in policies for one in spec.get("ingress", ()) for rule in one["from"]]
    senders = [rule["podSelector"] for rule in rules if "podSelector" in rule]
    assert len(senders) == len(rules) - 1  # one is the operator
    assert all(sender["matchLabels"] for sender in senders)
    for selector in [*senders, *(spec["podSelector"] for spec in policies if spec["podSelector"])]:
        assert any(selector["matchLabels"].items() <= labels.items() for labels, _ in PODS), selector


def test_a_service_leads_to_a_port_of_a_pod():
    for name, spec in services():
        ((_, pod),) = [one for one in PODS if spec["selector"].items() <= one[0].items()]
        named = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
        for port in spec["ports"]:
            assert named[port["targetPort"]] == port["port"], name


def test_secrets_stand_in_secrets():
    for container in CONTAINERS.values():
        for variable in container.get("env", ()):
            assert ("valueFrom" in variable) == any(word in variable["name"] for word in SECRETS), variable
    assert "Secret" not in {manifest["kind"] for manifest in MANIFESTS}


def test_parts_are_started_as_compose_starts_them():
    for name in ("scheduler", "flows", "api"):
        assert CONTAINERS[name]["args"] == COMPOSE[name]["command"]
    assert " ".join(CONTAINERS["prefect"]["args"]) in COMPOSE["prefect"]["command"][-1]
    ours = [word for word in CONTAINERS["worker"]["args"] if not word.startswith(("--name", "tcp:"))]
    theirs = [word for word in COMPOSE["worker"]["command"] if not word.startswith(("--memory-limit", "tcp:"))]
    assert ours == theirs
    for name, container in CONTAINERS.items():
        tag = COMPOSE.get(name, COMPOSE["flows"])["image"]
        assert container["image"] == tag.replace("${ATELIER_TAG:-", "").removesuffix("}")


def test_parts_have_the_variables_that_compose_gives_them():
    places = next(manifest["data"] for manifest in MANIFESTS if manifest["kind"] == "ConfigMap")
    assert set(places) == {"ATELIER_DATA", "ATELIER_MODELS", "ATELIER_RUNS"}
    for name in ("prefect", "flows", "api"):
        own = {variable["name"]: variable.get("value") for variable in CONTAINERS[name]["env"]}
        theirs = {
            variable: value
            for variable, value in COMPOSE[name]["environment"].items()
            if not variable.startswith("AWS_") and variable.upper() != "NO_PROXY" and variable not in places
        }
        assert set(own) == set(theirs), name
        same = {"PREFECT_API_URL", "PREFECT_SERVER_DATABASE_HOST", "PREFECT_SERVER_UI_API_URL", "PREFECT_HOME"}
        assert {key: own[key] for key in same & set(own)} == {key: theirs[key] for key in same & set(own)}
    scheduler, _ = next(services for services in services() if services[0].endswith("scheduler"))
    assert f"tcp://{scheduler}:8786" in CONTAINERS["worker"]["args"]
    assert f"tcp://{scheduler}:8786" in CONTAINERS["train"]["args"]


def test_secrets_that_are_named_are_made():
    page = (FOLDER.parent / "README.md").read_text()
    named = {
        (reference["name"], reference.get("key"))
        for container in CONTAINERS.values()
        for reference in [
            *(source["secretRef"] for source in container.get("envFrom", ()) if "secretRef" in source),
            *(one["valueFrom"]["secretKeyRef"] for one in container.get("env", ()) if "valueFrom" in one),
        ]
    }
    for secret, key in named:
        assert f"create secret generic {secret} " in page
        assert not key or f"--from-literal={key}=" in page
