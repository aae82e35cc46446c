{{- define "demo.rabbitmq.name" -}}
{{- printf "%s-rabbitmq" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "demo.rabbitmq.selector" -}}
app.kubernetes.io/name: rabbitmq
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "demo.rabbitmq.labels" -}}
{{ include "demo.rabbitmq.selector" . }}
app.kubernetes.io/part-of: alioth-demo
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
