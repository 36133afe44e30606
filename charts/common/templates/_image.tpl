{{/* An image's reference; a digest counts more than the tag beside it. Takes {repository, tag, digest}. */}}
{{- define "firebreak-common.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ required (printf "set image.tag or image.digest of %s" .repository) .tag }}
{{- end -}}
{{- end -}}
