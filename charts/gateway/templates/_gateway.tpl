{{/*
Whose objects these are, for the templates of charts/common: sets `who` and `name` in the dict that is given beside `root`. A
template's answer is text, and the scope in `who` is none.
*/}}
{{- define "firebreak-gateway.who" -}}
{{- $who := dict "root" .root "app" "firebreak-gateway" "instance" .root.Release.Name "component" "gateway" "version" .root.Chart.AppVersion -}}
{{- $_ := set . "who" $who -}}
{{- $_ := set . "name" (.name | default "firebreak-gateway") -}}
{{- end -}}

{{/* The Secret whose keys are the files of session keys. */}}
{{- define "firebreak-gateway.sessionKeys" -}}
{{ .Values.sessionKeys.existingSecret | default "firebreak-session-keys" }}
{{- end -}}

{{/* Name of the journal's mode: without PostgreSQL there is no journal. */}}
{{- define "firebreak-gateway.journalMode" -}}
{{ .Values.journal.mode | default (ternary "best-effort" "none" (ne .Values.journal.postgresql.urlSecret.name "")) }}
{{- end -}}

{{/* Names of the services that are in the catalogue: those that are not said to be missing. A list. */}}
{{- define "firebreak-gateway.served" -}}
{{- range $name, $_ := .Values.services }}
{{- if dig $name true $.Values.installed }}
- {{ $name }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Name of the key that stands for the policy's files as they are called, whatever is in them. */}}
{{- define "firebreak-gateway.policyFiles" -}}
files-{{ keys .Values.policies | sortAlpha | join "\n" | sha256sum | trunc 16 }}
{{- end -}}

{{/* A key of a ConfigMap holds no slash. Takes a policy file's path. */}}
{{- define "firebreak-gateway.policyKey" -}}
{{ . | replace "/" "--" }}
{{- end -}}
