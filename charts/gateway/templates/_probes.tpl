{{/*
The gateway starts without its services and waits for none of them: that one is down is no reason to take the gateway away. Liveness
says only that the event loop turns.
*/}}
{{- define "firebreak-gateway.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/* Calls still arrive for a while after a pod is told to end, until every node has forgotten its address. The image has no shell. */}}
{{- define "firebreak-gateway.preStop" -}}
preStop:
  exec:
    command: [python, -I, -c, "import time; time.sleep({{ .Values.drain.preStop }})"]
{{- end -}}

{{/* Nodes and zones share the pods evenly where they can; a new version's pods are counted by themselves. Takes `who`. */}}
{{- define "firebreak-gateway.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "firebreak-common.selector" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end -}}
