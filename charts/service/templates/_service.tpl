{{/*
Whose objects these are, for the templates of charts/common: sets `who` and `name` in the dict that holds `root`. A
template's answer is text, and the scope in `who` is none.
*/}}
{{- define "firebreak-service.who" -}}
{{- $service := .root.Values.service -}}
{{- $app := dict "app" "firebreak-service" "component" "service" -}}
{{- $_ := set . "who" (merge (dict "root" .root "instance" $service.name "version" $service.version) $app) -}}
{{- $_ := set . "name" $service.name -}}
{{- end -}}

{{/*
The text of service.yaml. resources.processes is written into its `sandbox`, where the runtime reads it; the two may not
contradict each other.
*/}}
{{- define "firebreak-service.file" -}}
{{- $service := deepCopy .Values.service -}}
{{- $sandbox := $service.sandbox | default dict -}}
{{- $processes := int .Values.resources.processes -}}
{{- if and (hasKey $sandbox "processes") (ne (int $sandbox.processes) $processes) -}}
{{- $both := printf "service.sandbox.processes is %v and resources.processes %d" $sandbox.processes $processes -}}
{{- fail (printf "%s: %s: give both the same number" $service.name $both) -}}
{{- end -}}
{{- if ne $processes 256 -}}
{{- $_ := set $service "sandbox" (merge (dict "processes" $processes) $sandbox) -}}
{{- end -}}
{{- toYaml $service -}}
{{- end -}}

{{/* Seconds that calls get to end when a pod is asked to: the longest that one may take. */}}
{{- define "firebreak-service.grace" -}}
{{- $limits := .Values.service.limits | default dict -}}
{{- $duration := $limits.max_deadline | default "120s" -}}
{{- include "firebreak-common.seconds" (dict "duration" $duration "field" "service.limits.max_deadline") -}}
{{- end -}}

{{/* Seconds that loading the service's object may take. */}}
{{- define "firebreak-service.start" -}}
{{- $runtime := .Values.service.runtime | default dict -}}
{{- $duration := $runtime.start_timeout | default "90s" -}}
{{- include "firebreak-common.seconds" (dict "duration" $duration "field" "service.runtime.start_timeout") -}}
{{- end -}}
