{{/* KEDA's triggers. Metadata are strings, all of them: the CRD takes nothing else and checks nothing more. */}}

{{/* RabbitMQ's host as KEDA's operator dials it, from its own namespace: a bare Service's name is none there. */}}
{{- define "alioth.trigger.host" -}}
{{- $host := tpl .Values.rabbitmq.host . -}}
{{- contains "." $host | ternary $host (printf "%s.%s.svc" $host .Release.Namespace) -}}
{{- end }}

{{/* Counts ready messages as they are now: (dict "root" $ "queue" "ingest" "value" 1024 "name" "wake"). */}}
{{- define "alioth.trigger.amqp" -}}
- type: rabbitmq
  {{- with .name }}
  name: {{ . }}
  metricType: AverageValue
  useCachedMetrics: true
  {{- end }}
  authenticationRef:
    name: {{ include "alioth.fullname" .root }}-rabbitmq
  metadata:
    protocol: amqp
    host: {{ ternary "amqps" "amqp" .root.Values.rabbitmq.tls.enabled }}://{{ include "alioth.trigger.host" .root }}:{{ .root.Values.rabbitmq.port }}/
    vhostName: {{ .root.Values.rabbitmq.vhost | quote }}
    queueName: {{ include "alioth.queue" . | quote }}
    mode: QueueLength
    value: {{ .value | toString | quote }}
{{- end }}

{{/* Counts ready and unsettled messages, some seconds late: what holds busy pods. */}}
{{- define "alioth.trigger.http" -}}
- type: rabbitmq
  name: {{ .name }}
  metricType: AverageValue
  useCachedMetrics: true
  authenticationRef:
    name: {{ include "alioth.fullname" .root }}-rabbitmq
  metadata:
    protocol: http
    host: {{ ternary "https" "http" .root.Values.rabbitmq.tls.enabled }}://{{ include "alioth.trigger.host" .root }}:{{ .root.Values.rabbitmq.management.port }}/
    vhostName: {{ .root.Values.rabbitmq.vhost | quote }}
    queueName: {{ include "alioth.queue" . | quote }}
    mode: QueueLength
    value: {{ .value | toString | quote }}
    activationValue: "0"
    excludeUnacknowledged: "false"
    timeout: {{ .timeoutMs | toString | quote }}
{{- end }}

{{- define "alioth.trigger.cron" -}}
{{- range . }}
- type: cron
  metadata:
    timezone: {{ .timezone | quote }}
    start: {{ .start | quote }}
    end: {{ .end | quote }}
    desiredReplicas: {{ .desiredReplicas | toString | quote }}
{{- end }}
{{- end }}
