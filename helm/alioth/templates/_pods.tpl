{{/* What every pod of Alioth is: restricted, without the API's token, without variables of other Services. */}}

{{/* (dict "root" $ "function" "snapshot" "values" .Values.snapshot "account" "jobs"). */}}
{{- define "alioth.pod.common" -}}
{{- if .account }}
serviceAccountName: {{ include "alioth.fullname" .root }}-{{ .account }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "alioth.pod.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "alioth.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "alioth.container.common" -}}
image: {{ include "alioth.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* A restart cures no outage, so a pod that cannot reach the broker is alive and not ready. */}}
{{- define "alioth.container.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 1
  failureThreshold: 30
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{/* Changed configuration starts new pods; Secrets named by hand are not seen. */}}
{{- define "alioth.pod.annotations" -}}
{{- $made := printf "%s%s%s%s%s" .root.Values.rabbitmq.auth.password .root.Values.rabbitmq.host .root.Values.qdrant.apiKey .root.Values.s3.accessKeyId .root.Values.s3.secretAccessKey -}}
checksum/secrets: {{ printf "%s%v%s%s" $made .root.Values.rabbitmq.port .root.Values.rabbitmq.vhost .root.Values.rabbitmq.auth.username | sha256sum }}
{{- with .root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Prometheus without an operator finds long-lived pods by these. */}}
{{- define "alioth.pod.scraped" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9090"
prometheus.io/path: /metrics
{{- end }}

{{- define "alioth.volumeMounts" -}}
{{- if and .amqp .root.Values.rabbitmq.tls.caSecret.name }}
- name: rabbitmq-ca
  mountPath: /etc/alioth/rabbitmq-ca
  readOnly: true
{{- end }}
{{- if and .keys (include "alioth.apiKeysSecret" .root) }}
- name: api-keys
  mountPath: /etc/alioth/api-keys
  readOnly: true
{{- end }}
{{- end }}

{{- define "alioth.volumes" -}}
{{- if and .amqp .root.Values.rabbitmq.tls.caSecret.name }}
- name: rabbitmq-ca
  secret:
    secretName: {{ .root.Values.rabbitmq.tls.caSecret.name }}
    defaultMode: 0440
{{- end }}
{{- if and .keys (include "alioth.apiKeysSecret" .root) }}
- name: api-keys
  secret:
    secretName: {{ include "alioth.apiKeysSecret" .root }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* Volumes and mounts as whole fields, absent when there are none. */}}
{{- define "alioth.mountsField" -}}
{{- with include "alioth.volumeMounts" . | trim }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
{{- define "alioth.volumesField" -}}
{{- with include "alioth.volumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
