{{/* Names and labels. 38 characters leave room for "-ingest-consume", and KEDA takes 54 of a ScaledObject. */}}

{{- define "alioth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 38 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default "alioth" -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 38 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Labels that select: (dict "root" $ "function" "ingest-accept"). */}}
{{- define "alioth.selector" -}}
app.kubernetes.io/name: alioth
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .function }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "alioth.labels" -}}
{{ include "alioth.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "alioth.podLabels" -}}
{{ include "alioth.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "alioth.metadata" -}}
name: {{ .name | default (printf "%s-%s" (include "alioth.fullname" .root) .function) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "alioth.labels" . | nindent 2 }}
{{- end }}

{{/* Image of a function: (dict "root" $ "values" .Values.snapshot). */}}
{{- define "alioth.image" -}}
{{- $name := .values.image.name -}}
{{- with .root.Values.image.registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- if .values.image.digest -}}
{{- printf "%s@%s" $name .values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.values.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* Secrets: the named one, or the chart's. */}}
{{- define "alioth.rabbitmqSecret" -}}
{{- .Values.rabbitmq.auth.existingSecret | default (printf "%s-rabbitmq" (include "alioth.fullname" .)) -}}
{{- end }}
{{- define "alioth.kedaSecret" -}}
{{- .Values.rabbitmq.keda.existingSecret | default (printf "%s-rabbitmq-keda" (include "alioth.fullname" .)) -}}
{{- end }}
{{- define "alioth.qdrantSecret" -}}
{{- .Values.qdrant.existingSecret | default (ternary (printf "%s-qdrant" (include "alioth.fullname" .)) "" (ne .Values.qdrant.apiKey "")) -}}
{{- end }}
{{- define "alioth.s3Secret" -}}
{{- .Values.s3.existingSecret | default (ternary (printf "%s-s3" (include "alioth.fullname" .)) "" (ne .Values.s3.accessKeyId "")) -}}
{{- end }}
{{- define "alioth.apiKeysSecret" -}}
{{- .Values.ingestAccept.apiKeys.existingSecret | default (ternary (printf "%s-api-keys" (include "alioth.fullname" .)) "" (not (empty .Values.ingestAccept.apiKeys.keys))) -}}
{{- end }}

{{/* Name of a queue: (dict "root" $ "queue" "ingest"). */}}
{{- define "alioth.queue" -}}
{{- printf "%s%s" .root.Values.rabbitmq.queuePrefix .queue -}}
{{- end }}

{{/* Seconds of a span such as 45s, 2m, 1h, 500ms. */}}
{{- define "alioth.seconds" -}}
{{- if hasSuffix "ms" . -}}
{{- div (add (trimSuffix "ms" . | int) 999) 1000 -}}
{{- else if hasSuffix "s" . -}}
{{- trimSuffix "s" . | int -}}
{{- else if hasSuffix "m" . -}}
{{- mul (trimSuffix "m" . | int) 60 -}}
{{- else -}}
{{- mul (trimSuffix "h" . | int) 3600 -}}
{{- end -}}
{{- end }}
