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
The text of service.yaml. resources.processes and scratch are written into its `sandbox`, where the runtime reads them; the two may
not contradict each other.
*/}}
{{- define "firebreak-service.file" -}}
{{- $service := deepCopy .Values.service -}}
{{- $sandbox := $service.sandbox | default dict -}}
{{- $scratch := include "firebreak-service.bytes" .Values.resources.scratch | int64 -}}
{{- if hasKey $sandbox "scratch" -}}
{{- if ne (include "firebreak-service.bytes" $sandbox.scratch | int64) $scratch -}}
{{- $both := printf "service.sandbox.scratch is %s and resources.scratch %s" $sandbox.scratch .Values.resources.scratch -}}
{{- fail (printf "%s: %s: give both the same size" $service.name $both) -}}
{{- end -}}
{{- else if ne $scratch 67108864 -}}
{{- $sandbox = merge (dict "scratch" (printf "%dB" $scratch)) $sandbox -}}
{{- $_ := set $service "sandbox" $sandbox -}}
{{- end -}}
{{- include "firebreak-service.checkMemory" . -}}
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

{{/* The pod must hold what service.yaml promises: `sandbox.memory`, else one worker and the scratch. */}}
{{- define "firebreak-service.checkMemory" -}}
{{- $service := .Values.service -}}
{{- $given := include "firebreak-service.bytes" .Values.resources.memory | int64 -}}
{{- $scratch := include "firebreak-service.bytes" .Values.resources.scratch | int64 -}}
{{- $whole := dig "sandbox" "memory" "" $service -}}
{{- $worker := dig "runtime" "memory" "1GiB" $service -}}
{{- $needed := add (include "firebreak-service.bytes" $worker | int64) $scratch -}}
{{- $told := printf "one worker may use %s (service.runtime.memory) and scratch %s" $worker .Values.resources.scratch -}}
{{- if $whole -}}
{{- $needed = include "firebreak-service.bytes" $whole | int64 -}}
{{- $told = printf "service.sandbox.memory is %s" $whole -}}
{{- end -}}
{{- if lt $given $needed -}}
{{- fail (printf "%s: %s, resources.memory only %s: give it more" $service.name $told .Values.resources.memory) -}}
{{- end -}}
{{- end -}}

{{/* Bytes of a size as service.yaml writes it ("64MiB") or Kubernetes ("64Mi", "64M", "1.5Gi"). */}}
{{- define "firebreak-service.bytes" -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" (toString .) -}}
{{- $unit := trimPrefix $number (toString .) | trimSuffix "B" -}}
{{- $each := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 -}}
{{- $each = merge $each (dict "T" 1000000000000 "Ti" 1099511627776) -}}
{{- if not (and $number (hasKey $each $unit)) -}}
{{- fail (printf "%q is no size: write 64Mi in resources, 64MiB in service" (toString .)) -}}
{{- end -}}
{{- mulf (float64 $number) (get $each $unit) | int64 -}}
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
