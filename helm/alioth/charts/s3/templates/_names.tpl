{{- define "demo.s3.name" -}}
{{- printf "%s-s3" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "demo.s3.selector" -}}
app.kubernetes.io/name: s3
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "demo.s3.labels" -}}
{{ include "demo.s3.selector" . }}
app.kubernetes.io/part-of: alioth-demo
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
