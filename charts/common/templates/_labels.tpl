{{/* Labels that select pods: they can never change, so there are only these two. Takes `who`. */}}
{{- define "firebreak-common.selector" -}}
app.kubernetes.io/name: {{ .app }}
app.kubernetes.io/instance: {{ .instance }}
{{- end -}}

{{/* Labels of objects and pods. Takes `who`. */}}
{{- define "firebreak-common.labels" -}}
{{ include "firebreak-common.selector" . }}
app.kubernetes.io/version: {{ .version | quote }}
app.kubernetes.io/part-of: firebreak
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ include "firebreak-common.chart" .root }}
firebreak.dev/component: {{ .component }}
{{- end -}}

{{/* The labels of a pod: without the chart's version, so that a new chart alone does not roll pods. Takes `who`. */}}
{{- define "firebreak-common.podLabels" -}}
{{ include "firebreak-common.selector" . }}
app.kubernetes.io/part-of: firebreak
firebreak.dev/component: {{ .component }}
{{- end -}}

{{/* Name, namespace and labels of an object. Takes {who, name}. */}}
{{- define "firebreak-common.metadata" -}}
name: {{ .name }}
namespace: {{ .who.root.Release.Namespace }}
labels:
  {{- include "firebreak-common.labels" .who | nindent 2 }}
{{- end -}}
