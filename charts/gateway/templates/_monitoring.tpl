{{/* Name, namespace and labels of what the Prometheus operator reads. Takes {root}, and sets `who` and `name`. */}}
{{- define "firebreak-gateway.monitoredMetadata" -}}
{{- include "firebreak-gateway.who" . -}}
{{- include "firebreak-common.metadata" . -}}
{{- range $name, $value := .root.Values.monitoring.labels }}
{{- if regexMatch "^(app\\.kubernetes\\.io|helm\\.sh|firebreak\\.dev)/" $name }}
{{- fail (printf "monitoring.labels has %s, which the chart sets itself: take it out" $name) }}
{{- end }}
  {{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Where to read on about an alert, as annotations. Takes {root, alert}. */}}
{{- define "firebreak-gateway.runbook" -}}
runbook: docs/operations.md#{{ lower .alert }}
{{- with .root.Values.monitoring.runbooks }}
runbook_url: {{ printf "%s#%s" . (lower $.alert) | quote }}
{{- end }}
{{- end -}}
