{{/*
Environment, section by section, as the functions' settings load it. A function ends with code 64 over a name that it
does not load, so each container gets the sections of its own `settings.rs` and no other.
*/}}

{{/* A map of camelCase settings: (dict "prefix" "ALIOTH_HTTP_" "settings" map). Unset ones are left to the function. */}}
{{- define "alioth.env.settings" -}}
{{- $prefix := .prefix -}}
{{- range $name, $value := .settings }}
{{- if not (kindIs "invalid" $value) }}
- name: {{ printf "%s%s" $prefix (snakecase $name | upper) }}
{{- if kindIs "float64" $value }}
  value: {{ printf "%.0f" $value | quote }}
{{- else }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "alioth.env.log" -}}
- name: ALIOTH_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
- name: ALIOTH_LOG_FORMAT
  value: {{ .Values.log.format }}
{{- end }}

{{- define "alioth.env.tracing" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler }}
{{- if contains "traceidratio" .sampler }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplerArg | quote }}
{{- end }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }}
{{- if .headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ .headersSecret.name }}, key: {{ .headersSecret.key }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "alioth.env.amqp" -}}
- name: ALIOTH_AMQP_URL
  valueFrom:
    secretKeyRef: {name: {{ include "alioth.rabbitmqSecret" . }}, key: {{ .Values.rabbitmq.auth.existingSecretKey }}}
{{- if .Values.rabbitmq.tls.caSecret.name }}
- name: ALIOTH_AMQP_CA_FILE
  value: /etc/alioth/rabbitmq-ca/{{ .Values.rabbitmq.tls.caSecret.key }}
{{- end }}
{{- with .Values.rabbitmq.queuePrefix }}
- name: ALIOTH_AMQP_QUEUE_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_AMQP_" "settings" .Values.rabbitmq.queues) }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_AMQP_" "settings" .Values.rabbitmq.config) }}
{{- end }}

{{- define "alioth.env.qdrantKey" -}}
{{- with include "alioth.qdrantSecret" . }}
- name: ALIOTH_QDRANT_API_KEY
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: {{ $.Values.qdrant.existingSecretKey }}}
{{- end }}
{{- end }}

{{- define "alioth.env.qdrant" -}}
- name: ALIOTH_QDRANT_URL
  value: {{ tpl (join "," .Values.qdrant.urls) . | quote }}
{{- include "alioth.env.qdrantKey" . }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_QDRANT_" "settings" .Values.qdrant.config) }}
{{- end }}

{{- define "alioth.env.qdrantRest" -}}
- name: ALIOTH_QDRANT_REST_URL
  value: {{ tpl (join "," .Values.qdrant.restUrls) . | quote }}
{{- include "alioth.env.qdrantKey" . }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_QDRANT_REST_" "settings" .Values.qdrant.restConfig) }}
{{- end }}

{{- define "alioth.env.s3" -}}
- name: ALIOTH_S3_BUCKET
  value: {{ .Values.s3.bucket | quote }}
- name: ALIOTH_S3_CLUSTER
  value: {{ .Values.s3.cluster | quote }}
{{- with .Values.s3.prefix }}
- name: ALIOTH_S3_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- with .Values.s3.endpoint }}
- name: ALIOTH_S3_ENDPOINT
  value: {{ tpl . $ | quote }}
{{- end }}
{{- with .Values.s3.region }}
- name: ALIOTH_S3_REGION
  value: {{ . | quote }}
{{- end }}
{{- if .Values.s3.createBucket }}
- name: ALIOTH_S3_CREATE_BUCKET
  value: "true"
{{- end }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_S3_" "settings" .Values.s3.config) }}
{{- with include "alioth.s3Secret" . }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: access-key-id}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: secret-access-key}
{{- end }}
{{- end }}

{{- define "alioth.env.pushgateway" -}}
{{- with .Values.pushgateway.url }}
- name: ALIOTH_PUSHGATEWAY_URL
  value: {{ tpl . $ | quote }}
{{- end }}
{{- end }}

{{/* All of ingest-consume's, for either mode. */}}
{{- define "alioth.env.ingestConsume" -}}
{{ include "alioth.env.log" . }}
{{- include "alioth.env.tracing" . }}
{{ include "alioth.env.amqp" . }}
{{ include "alioth.env.qdrant" . }}
- name: ALIOTH_PREFETCH
  value: {{ .Values.ingestConsume.prefetch | quote }}
- name: ALIOTH_DRAIN_TIMEOUT
  value: {{ .Values.ingestConsume.drainTimeout }}
{{- if eq .Values.ingestConsume.mode "job" }}
- name: ALIOTH_EXIT_WHEN_IDLE
  value: {{ .Values.ingestConsume.job.idleTimeout }}
{{- end }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_" "settings" .Values.ingestConsume.config) }}
{{- end }}

{{/* All of snapshot's: (dict "root" $ "source" "once"). The broker is loaded either way, and wanted with `queue` alone. */}}
{{- define "alioth.env.snapshot" -}}
{{- $snapshot := .root.Values.snapshot -}}
{{ include "alioth.env.log" .root }}
- name: ALIOTH_JOB_SOURCE
  value: {{ .source }}
{{- if eq .source "queue" }}
{{ include "alioth.env.amqp" .root }}
{{- else }}
- name: ALIOTH_SNAPSHOT_WHAT
  value: {{ $snapshot.schedule.what }}
{{- with $snapshot.schedule.collections }}
- name: ALIOTH_SNAPSHOT_COLLECTIONS
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{ include "alioth.env.qdrantRest" .root }}
{{ include "alioth.env.s3" .root }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_SNAPSHOT_" "settings" $snapshot.config) }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_RETENTION_" "settings" $snapshot.retention) }}
{{- include "alioth.env.settings" (dict "prefix" "ALIOTH_JOB_" "settings" $snapshot.job) }}
- name: ALIOTH_DRAIN_TIMEOUT
  value: {{ $snapshot.drainTimeout }}
{{- include "alioth.env.pushgateway" .root }}
{{- end }}
