{{/* One small server: (dict "root" $ "part" "grafana" "port" 3000 "user" 472 "ready" "/api/health" "args" list ...). */}}

{{- define "demo.monitoring.part" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "demo.monitoring.partLabels" -}}
{{ include "demo.monitoring.part" . }}
app.kubernetes.io/part-of: alioth-demo
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "demo.monitoring.metadata" -}}
name: {{ .root.Release.Name }}-{{ .part }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "demo.monitoring.partLabels" . | nindent 2 }}
{{- end }}

{{- define "demo.monitoring.pod" -}}
metadata:
  labels:
    {{- include "demo.monitoring.partLabels" . | nindent 4 }}
  annotations:
    prometheus.io/scrape: {{ .scraped | default false | toString | quote }}
    prometheus.io/port: {{ .port | toString | quote }}
    checksum/config: {{ toJson .config | sha256sum }}
spec:
  {{- if .account }}
  serviceAccountName: {{ .root.Release.Name }}-{{ .part }}
  {{- else }}
  automountServiceAccountToken: false
  {{- end }}
  enableServiceLinks: false
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ .user }}
    runAsGroup: {{ .user }}
    fsGroup: {{ .user }}
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ .part }}
      image: {{ .image }}
      imagePullPolicy: IfNotPresent
      {{- with .args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .env }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: http, containerPort: {{ .port }}}
      readinessProbe:
        httpGet: {path: {{ .ready }}, port: http}
        periodSeconds: 5
      livenessProbe:
        httpGet: {path: {{ .ready }}, port: http}
        initialDelaySeconds: 60
        periodSeconds: 15
      resources:
        {{- toYaml .root.Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- with .mounts }}
      volumeMounts:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- with .volumes }}
  volumes:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "demo.monitoring.server" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "demo.monitoring.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "demo.monitoring.part" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .port }}, targetPort: http}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "demo.monitoring.metadata" . | nindent 2 }}
spec:
  replicas: 1
  # One at a time: what it keeps is its own.
  strategy: {type: Recreate}
  selector:
    matchLabels:
      {{- include "demo.monitoring.part" . | nindent 6 }}
  template:
    {{- include "demo.monitoring.pod" . | nindent 4 }}
{{- end }}
