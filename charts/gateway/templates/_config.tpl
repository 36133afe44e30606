{{/* The text of firebreak.yaml. Paths are absolute: the file's own folder is not one that a part of the chart should rely on. */}}
{{- define "firebreak-gateway.file" -}}
{{- $config := dict "admin" "0.0.0.0:7501" "sandbox" "none" "drain" (printf "%ds" (int .Values.drain.seconds)) -}}
{{- $_ := set $config "listeners" (list (include "firebreak-gateway.listener" . | fromYaml)) -}}
{{- $_ := set $config "identity" (include "firebreak-gateway.identity" . | fromYaml) -}}
{{- $_ := set $config "policy" (include "firebreak-gateway.policy" . | fromYaml) -}}
{{- $_ := set $config "admission" (include "firebreak-gateway.admission" . | fromYaml) -}}
{{- $_ := set $config "journal" (include "firebreak-gateway.journal" . | fromYaml) -}}
{{- $_ := set $config "services" (include "firebreak-gateway.services" . | fromYamlArray) -}}
{{- with .Values.telemetry -}}
{{- if .otlp -}}
{{- $_ := set $config "telemetry" (dict "otlp" .otlp "sample" .sample) -}}
{{- end -}}
{{- end -}}
{{- if .Values.redis.url -}}
{{- $_ := set $config "quotas" (include "firebreak-gateway.quotas" . | fromYaml) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "firebreak-gateway.listener" -}}
name: public
address: 0.0.0.0:7500
accept: [jwt]
connection_age: {{ int .Values.connectionAge }}s
{{- if eq .Values.tls.mode "off" }}
plaintext: true
{{- else }}
tls:
  certificate: /etc/firebreak/tls/tls.crt
  key: /etc/firebreak/tls/tls.key
  client_ca: /etc/firebreak/tls/ca.crt
{{- end }}
{{- end -}}

{{- define "firebreak-gateway.identity" -}}
session_keys: /etc/firebreak/session-keys
issuers:
  {{- with .Values.serviceAccounts }}
  - name: services
    issuer: {{ .issuer | quote }}
    audience: firebreak
    jwks: {{ include "firebreak-gateway.jwksPlace" (dict "jwks" .jwks "file" "services.json") }}
    prefix: "service:"
    # Another namespace's account of the same name is somebody else.
    subject_prefix: "system:serviceaccount:{{ $.Release.Namespace }}:"
    {{- if .caConfigMap }}
    ca_file: /etc/firebreak/identity/ca.crt
    {{- end }}
  {{- end }}
  {{- with .Values.users }}
  {{- if .issuer }}
  - name: users
    issuer: {{ .issuer | quote }}
    audience: {{ .audience | quote }}
    jwks: {{ include "firebreak-gateway.jwksPlace" (dict "jwks" .jwks "file" "users.json") }}
    prefix: "user:"
    claims: {{ toJson .claims }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "firebreak-gateway.jwksPlace" -}}
{{ ternary .jwks (printf "/etc/firebreak/identity/%s" .file) (hasPrefix "https://" .jwks) | quote }}
{{- end -}}

{{/* One folder below the volume's own: there every entry is a symbolic link, and the gateway follows none when it looks for policies. */}}
{{- define "firebreak-gateway.policy" -}}
path: /etc/firebreak/policies/current
{{- if .Values.opa.enabled }}
engine: opa
opa: {url: "http://127.0.0.1:8181"}
{{- end }}
{{- end -}}

{{- define "firebreak-gateway.admission" -}}
in_flight: {{ int .Values.admission.inFlight }}
principal_rate:
  per_second: {{ .Values.admission.principalRate.perSecond }}
  burst: {{ int .Values.admission.principalRate.burst }}
max_depth: {{ int .Values.admission.maxDepth }}
session_calls: {{ int .Values.admission.sessionCalls }}
session_rate:
  per_second: {{ .Values.admission.sessionRate.perSecond }}
  burst: {{ int .Values.admission.sessionRate.burst }}
request_bytes: {{ .Values.admission.requestBytes }}
max_deadline: {{ .Values.admission.maxDeadline }}
{{- end -}}

{{- define "firebreak-gateway.journal" -}}
mode: {{ include "firebreak-gateway.journalMode" . }}
{{- if ne (include "firebreak-gateway.journalMode" .) "none" }}
store: postgresql
dsn_file: /var/run/secrets/journal/dsn
heads: /tmp/heads
{{- if eq (include "firebreak-gateway.journalMode" .) "required" }}
timeout: {{ .Values.journal.timeout }}
{{- end }}
buffer: {{ .Values.journal.buffer }}
inline: {{ .Values.journal.inline }}
retention: {{ toJson .Values.journal.retention }}
{{- end }}
{{- end -}}

{{- define "firebreak-gateway.quotas" -}}
redis: {{ .Values.redis.url | quote }}
when_gone: {{ .Values.redis.whenGone }}
{{- if .Values.redis.passwordSecret.name }}
password_file: /var/run/secrets/redis/password
{{- end }}
{{- if .Values.redis.caConfigMap }}
ca_file: /etc/firebreak/redis/ca.crt
{{- end }}
{{- end -}}

{{/* dns: the gateway looks a service's pods up by itself and balances calls over them. */}}
{{- define "firebreak-gateway.services" -}}
{{- range $name := include "firebreak-gateway.served" . | fromYamlArray }}
- path: /etc/firebreak/services/{{ $name }}
  address: dns:///{{ $name }}:7600
  identity: service:{{ $name }}
  {{- if ne $.Values.tls.mode "off" }}
  tls:
    ca: /etc/firebreak/tls/ca.crt
    certificate: /etc/firebreak/tls/tls.crt
    key: /etc/firebreak/tls/tls.key
    name: {{ $name }}
  {{- end }}
{{- end }}
{{- end -}}
