{{/* What service.yaml declares under `egress`, each as "host:port". */}}
{{- define "firebreak-service.declared" -}}
{{- range .Values.service.egress }}
{{- $to := . }}
{{- if kindIs "map" . }}
{{- $to = .to }}
{{- end }}
{{- $place := regexReplaceAll "^https?://" $to "" }}
{{- if not (regexMatch ":[0-9]+$" $place) }}
{{- $place = printf "%s:%s" $place (ternary "80" "443" (hasPrefix "http://" $to)) }}
{{- end }}
- {{ $place | quote }}
{{- end }}
{{- end -}}

{{/*
The values' `egress` and service.yaml's must name the same: a wall that is wider or narrower is a mistake. And none may be at a
port that the service connects to without the proxy: the host's walls know ports and no addresses.
*/}}
{{- define "firebreak-service.checkEgress" -}}
{{- $name := .Values.service.name }}
{{- $declared := include "firebreak-service.declared" . | fromYamlArray }}
{{- $opened := list }}
{{- range .Values.egress }}
{{- $opened = append $opened (printf "%s:%d" .host (int .port)) }}
{{- end }}
{{- range $declared }}
{{- if not (has . $opened) }}
{{- fail (printf "%s: service.egress declares %s, egress has no such entry: add {host, port, cidrs} for it" $name .) }}
{{- end }}
{{- end }}
{{- $gateway := splitList ":" .Values.gateway.address | last }}
{{- range .Values.egress }}
{{- if has (toString .port) (list "53" "3128" $gateway) }}
{{- $why := "the service itself may connect to that port, and could go around the proxy" }}
{{- fail (printf "%s: egress to %s:%d: %s. Let the host listen at another port" $name .host (int .port) $why) }}
{{- end }}
{{- end }}
{{- range $opened }}
{{- if not (has . $declared) }}
{{- fail (printf "%s: egress opens %s, which service.egress does not declare: declare it or take it away" $name .) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The peers of one entry. Takes {entry, anywhere, name}. */}}
{{- define "firebreak-service.peers" -}}
{{- $entry := .entry }}
{{- $name := .name }}
{{- if $entry.cidrs }}
{{- range $entry.cidrs }}
{{- if hasSuffix "/0" . }}
{{- $advice := "private ones too: leave cidrs empty and set egressAnywhere: true" }}
{{- fail (printf "%s: egress to %s: %s is every address, %s" $name $entry.host . $advice) }}
{{- end }}
- ipBlock:
    cidr: {{ . | quote }}
{{- end }}
{{- else if .anywhere }}
{{- include "firebreak-common.publicPeers" . }}
{{- else }}
{{- $cidrs := printf "set cidrs of %s in egress to its addresses, such as [192.0.2.0/24]" $entry.host }}
{{- $anywhere := printf "egressAnywhere: true to open port %d of every public address" (int $entry.port) }}
{{- fail (printf "%s: NetworkPolicy knows no names: %s, or %s" $name $cidrs $anywhere) }}
{{- end }}
{{- end -}}

{{/* The gateway's pods: of this namespace, unless gateway.namespaceSelector says which. */}}
{{- define "firebreak-service.gatewayPeer" -}}
{{- with .Values.gateway.namespaceSelector }}
namespaceSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
podSelector:
  matchLabels:
    app.kubernetes.io/name: firebreak-gateway
{{- end -}}
