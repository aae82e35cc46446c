{{- define "demo.qdrant.name" -}}
{{- printf "%s-qdrant" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "demo.qdrant.selector" -}}
app.kubernetes.io/name: qdrant
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "demo.qdrant.labels" -}}
{{ include "demo.qdrant.selector" . }}
app.kubernetes.io/part-of: alioth-demo
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
