"""What is known of each promise: as the gateway proved it, and as the launcher says of what only it can see to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cli.status import in_the_clear, not_loaded
from gateway.proof import BOUNDS, WALLS, Verdict

NO_PROBES = (
    "no probes are declared: write `probes:` into its service.yaml, so that its grants are proven too (docs/probes.md)"
)
_UNPROVEN = "whoever started it says that it is in force, but no self-test has tried it"
_SEE_LOG = "stop the service: what it claims is not true. .firebreak/logs/{}.log has what was found when it started"
_SOON = "nothing to do: it is tried again by itself. If it goes on, look at the service's log"


@dataclass(frozen=True)
class Finding:
    """One promise. `age` is how many seconds ago it was proven, None where it is only said; `todo` is "" for what is held."""

    name: str
    verdict: Verdict
    detail: str = ""
    todo: str = ""
    age: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """One service, or the gateway under the name "": its state, why, its promises, and what else is to be said of it.

    `late`: it is configured otherwise than it serves.
    """

    name: str
    state: str
    reason: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    late: bool = False

    def ill(self, required: bool) -> bool:
        """Whether something is not as it must be; with `required` every wall must be in force."""
        bad = {Verdict.BROKEN, Verdict.NOT_IN_FORCE} if required else {Verdict.BROKEN}
        return self.state != "ready" or self.late or any(finding.verdict in bad for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "findings": [asdict(each) for each in self.findings], "notes": list(self.notes)}


def of_service(row: Mapping[str, Any], local: Mapping[str, Any]) -> Diagnosis:
    """From a service's row of /status and what the launcher wrote of its process."""
    sandbox = local.get("sandbox") or {}
    claimed, missing = set(sandbox.get("promises", ())), dict(sandbox.get("missing", {}))
    found = {each.name: each for each in _proven(row.get("proof"), row["name"], missing)}
    for said in _said(claimed, missing, row["name"]):
        found.setdefault(said.name, said)
    late = _late(row, local)
    notes = (f"a newer version is not in use, the one before goes on: {late}",) if late else ()
    if row.get("proof") and row["kind"] != "service" and not _declares(found):
        notes = (*notes, NO_PROBES)
    return Diagnosis(row["name"], row["state"], _reason(row, local, found), tuple(found.values()), notes, bool(late))


def of_gateway(report: Mapping[str, Any]) -> Diagnosis:
    """The gateway's own promises, and what is configured but not in force."""
    notes = tuple(_not_in_force(report))
    proof = report["gateway"].get("proof")
    findings = tuple(_proven(proof, "gateway", {}))
    state = "ready" if findings and not notes else "not_ready"
    # Chosen in the configuration, and so told without being held against the gateway.
    chosen = tuple(f"not in force: {in_the_clear(name)}" for name in report["gateway"].get("plaintext", ()))
    reason = "" if findings else "its own promises are being proven"
    return Diagnosis("", state, reason, findings, (*notes, *chosen))


def _late(row: Mapping[str, Any], local: Mapping[str, Any]) -> str:
    """Why what is configured now is not what serves; "" where it is, or is on its way."""
    coming = row.get("next")
    if coming is not None and coming["state"] == "not_ready":
        return str(coming["reason"])
    return str(local.get("next") or "")


def _declares(found: Mapping[str, Finding]) -> bool:
    """Whether any probe is the service's own."""
    return any(name.startswith(("allow:", "deny:")) and name != "deny:stranger" for name in found)


def _reason(row: Mapping[str, Any], local: Mapping[str, Any], found: Mapping[str, Finding]) -> str:
    """Why the service is not ready: what is broken, else what its launcher knows of a process that is not there."""
    if row["state"] == "ready":
        return ""
    broken = any(finding.verdict is Verdict.BROKEN for finding in found.values())
    return str(row["reason"] if broken else local.get("reason") or row["reason"])


def _proven(proof: Mapping[str, Any] | None, name: str, missing: Mapping[str, str]) -> Iterator[Finding]:
    for each in (proof or {}).get("promises", ()):
        verdict, detail = Verdict(each["verdict"]), each["detail"]
        if verdict is Verdict.NOT_IN_FORCE:
            detail = missing.get(each["name"], detail)
        yield Finding(each["name"], verdict, detail, _todo(each["name"], verdict, name), proof["at"] if proof else None)


def _said(claimed: set[str], missing: Mapping[str, str], name: str) -> Iterator[Finding]:
    for each in (*WALLS, *BOUNDS):
        if each in missing:
            yield Finding(each, Verdict.NOT_IN_FORCE, missing[each])
        elif each in claimed and each in BOUNDS:
            yield Finding(each, Verdict.HELD)
        elif each in claimed:
            yield Finding(each, Verdict.UNKNOWN, _UNPROVEN, _todo(each, Verdict.UNKNOWN, name))


def _todo(promise: str, verdict: Verdict, name: str) -> str:
    """What to do about it, where its detail does not say so already: that of a probe does."""
    if verdict is Verdict.UNKNOWN:
        return _SOON
    return _SEE_LOG.format(name) if verdict is Verdict.BROKEN and promise in WALLS else ""


def _not_in_force(report: Mapping[str, Any]) -> Iterator[str]:
    """What is configured, and yet not so."""
    policy = report["gateway"]["policy"]
    if failing := policy.get("failing"):
        yield f"policy cannot be asked, every call is denied: {failing}"
    if error := not_loaded(policy):
        yield f"the policy on disk is not in force: {error}"
    configuration, journal = report["configuration"], report["journal"]
    if error := configuration["error"]:
        yield f"the configuration on disk is not in force: {error}"
    if waiting := configuration["needs_restart"]:
        yield f"changed, but not in force before a restart: {', '.join(waiting)}"
    if journal["mode"] != "none" and journal["failing"]:
        yield f"the journal cannot be written: {journal['failing']}"
    if degraded := report.get("quotas", {}).get("degraded"):
        yield f"quotas are not shared with other gateways now: {degraded}"
    if journal["mode"] != "none" and journal["lost"]:
        yield f"{journal['lost']} calls went unrecorded"
