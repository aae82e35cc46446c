{{/* The Job's spec from `backoffLimit` on: (dict "root" $ "source" "queue" "final" (list 64 65)). */}}
{{- define "alioth.snapshot.job" -}}
{{- $snapshot := .root.Values.snapshot -}}
{{- $function := dict "root" .root "function" "snapshot" "values" $snapshot "account" "jobs" "amqp" (eq .source "queue") -}}
backoffLimit: {{ $snapshot.backoffLimit }}
activeDeadlineSeconds: {{ $snapshot.activeDeadlineSeconds }}
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        containerName: snapshot
        operator: In
        values: {{ .final | toJson }}
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
template:
  metadata:
    labels:
      {{- include "alioth.podLabels" $function | nindent 6 }}
    annotations:
      cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
      karpenter.sh/do-not-disrupt: "true"
      {{- include "alioth.pod.annotations" $function | nindent 6 }}
  spec:
    restartPolicy: Never
    {{- include "alioth.pod.common" $function | nindent 4 }}
    containers:
      - name: snapshot
        {{- include "alioth.container.common" $function | nindent 8 }}
        env:
          {{- include "alioth.env.snapshot" (dict "root" .root "source" .source) | nindent 10 }}
          {{- with $snapshot.extraEnv }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
        {{- include "alioth.mountsField" $function | nindent 8 }}
    {{- include "alioth.volumesField" $function | nindent 4 }}
{{- end }}
