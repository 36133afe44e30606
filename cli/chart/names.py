"""Which names a service can have in a cluster."""

from __future__ import annotations

GATEWAY = "gateway"
"""What the gateway is called where a service could be named; its chart is `charts/gateway`."""

GATEWAY_RELEASE = "firebreak-gateway"
"""What everything of the gateway is called in the cluster, and its key in the umbrella chart."""

_TAKEN = {
    GATEWAY: "is the name of the gateway itself",
    GATEWAY_RELEASE: "is what everything of the gateway is called in a cluster",
    "global": "is Helm's own key in the values of a chart of charts",
    "tags": "is Helm's own key in the values of a chart of charts",
}


def why_not(name: str) -> str:
    """Why no service can have this name in a cluster, or "". It is a sound name of a service otherwise."""
    if name in _TAKEN:
        return f"a service cannot be called {name} on Kubernetes: it {_TAKEN[name]}; take another name"
    if name.endswith("-"):
        return (
            f"a service cannot be called {name} on Kubernetes: a name there does not end with a dash; take another name"
        )
    return ""
