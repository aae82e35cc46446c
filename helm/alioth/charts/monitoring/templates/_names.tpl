{{- define "demo.monitoring.name" -}}
{{- printf "%s-monitoring" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "demo.monitoring.selector" -}}
app.kubernetes.io/name: monitoring
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "demo.monitoring.labels" -}}
{{ include "demo.monitoring.selector" . }}
app.kubernetes.io/part-of: alioth-demo
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
