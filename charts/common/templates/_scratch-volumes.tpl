{{/* The one place for files: in memory, towards which it counts, so that nothing outlives the pod. Takes the size. */}}
{{- define "firebreak-common.scratchVolume" -}}
name: scratch
emptyDir:
  medium: Memory
  sizeLimit: {{ . }}
{{- end -}}

{{- define "firebreak-common.scratchMount" -}}
name: scratch
mountPath: /tmp
{{- end -}}
