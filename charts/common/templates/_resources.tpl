{{/*
Bounds of a container: what it may use is what it is given, so that no neighbour's peak takes it away. Takes
{memory, cpu, ephemeralStorage, cpuRequest}; cpuRequest may be absent or "": then as much as cpu.
*/}}
{{- define "firebreak-common.resources" -}}
limits:
  memory: {{ .memory }}
  cpu: {{ .cpu | quote }}
  ephemeral-storage: {{ .ephemeralStorage }}
requests:
  memory: {{ .memory }}
  cpu: {{ .cpuRequest | default .cpu | quote }}
  ephemeral-storage: {{ .ephemeralStorage }}
{{- end -}}
