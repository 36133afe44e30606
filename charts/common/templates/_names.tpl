{{/*
Who an object belongs to. The other templates take this dict as `who`:
  root       the chart's own scope ($)
  app        app.kubernetes.io/name. Not .Chart.Name, which is the alias where an umbrella chart gives one
  instance   app.kubernetes.io/instance, and for a service the name of all its objects
  component  gateway | service
  version    app.kubernetes.io/version
*/}}

{{/* Chart and its version as one label. Takes the chart's scope. */}}
{{- define "firebreak-common.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Whole seconds, rounded up, of a duration as service.yaml writes it, such as "500ms" or "2m". Takes {duration, field}. */}}
{{- define "firebreak-common.seconds" -}}
{{- $parts := regexFindAll "^[0-9]+(\\.[0-9]+)?|(ms|s|m|h)$" (toString .duration) -1 -}}
{{- if ne (len $parts) 2 -}}
{{- fail (printf "%s is %q: write a number and a unit, such as 500ms, 5s, 2m or 1h" .field (toString .duration)) -}}
{{- end -}}
{{- $unit := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) (last $parts) -}}
{{- ceil (mulf (float64 (first $parts)) $unit) | int -}}
{{- end -}}
