{{- define "kubeblocks.name" -}}
{{ .Values.fullnameOverride | default .Release.Name }}
{{- end }}

{{- define "kubeblocks.labels" -}}
app.kubernetes.io/name: kubeblocks
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "kubeblocks.selector" -}}
app.kubernetes.io/name: kubeblocks
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "kubeblocks.image" -}}
{{ .registry | default .root.Values.image.registry | default "docker.io" }}/{{ .repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "kubeblocks.tools" -}}
{{ include "kubeblocks.image" (dict "root" . "registry" "" "repository" .Values.image.tools.repository) }}
{{- end }}

{{- define "kubeblocks.mountPath" -}}
{{ .Values.multiCluster.mountPath | default "/var/run/secrets/kubeblocks.io/multicluster" }}
{{- end }}

{{/* Flags that both programs take. */}}
{{- define "kubeblocks.multiClusterArgs" -}}
{{- if .Values.multiCluster.kubeConfig }}
- --multi-cluster-kubeconfig={{ include "kubeblocks.mountPath" . }}/kubeconfig
{{- end }}
{{- if .Values.multiCluster.contexts }}
- --multi-cluster-contexts={{ .Values.multiCluster.contexts }}
{{- end }}
{{- if .Values.multiCluster.contextsDisabled }}
- --multi-cluster-contexts-disabled={{ .Values.multiCluster.contextsDisabled }}
{{- end }}
- --user-agent=kubeblocks
{{- end }}

{{- define "kubeblocks.commonArgs" -}}
- --health-probe-bind-address=:8081
- --metrics-bind-address=:8080
- --leader-elect
- --zap-devel=false
- --zap-time-encoding=iso8601
- --zap-encoder=console
{{- end }}

{{/* What surrounds the container in both Deployments. */}}
{{- define "kubeblocks.podSpec" -}}
serviceAccountName: {{ include "kubeblocks.name" . }}
securityContext:
  runAsNonRoot: true
{{- with .Values.image.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: 10
initContainers:
  - name: tools
    image: {{ include "kubeblocks.tools" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [/bin/true]
volumes:
  - name: manager-config
    configMap:
      name: {{ include "kubeblocks.name" . }}-manager-config
{{- if .Values.multiCluster.kubeConfig }}
  - name: multi-cluster-kubeconfig
    secret:
      secretName: {{ .Values.multiCluster.kubeConfig }}
{{- end }}
{{- end }}

{{- define "kubeblocks.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
ports:
  - {name: health, containerPort: 8081}
  - {name: metrics, containerPort: 8080}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  initialDelaySeconds: 15
  periodSeconds: 20
readinessProbe:
  httpGet: {path: /readyz, port: health}
  initialDelaySeconds: 5
  periodSeconds: 10
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
volumeMounts:
  - name: manager-config
    mountPath: /etc/kubeblocks
{{- if .Values.multiCluster.kubeConfig }}
  - name: multi-cluster-kubeconfig
    mountPath: {{ include "kubeblocks.mountPath" . }}
    readOnly: true
{{- end }}
{{- end }}

{{- define "kubeblocks.commonEnv" -}}
- {name: CM_NAMESPACE, value: {{ .Release.Namespace }}}
- {name: KUBEBLOCKS_TOOLS_IMAGE, value: {{ include "kubeblocks.tools" . | quote }}}
- {name: KUBEBLOCKS_IMAGE_PULL_POLICY, value: {{ .Values.image.pullPolicy }}}
- {name: KUBEBLOCKS_IMAGE_PULL_SECRETS, value: {{ toJson .Values.image.imagePullSecrets | quote }}}
- name: DP_ENCRYPTION_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "kubeblocks.name" . }}-secret, key: dataProtectionEncryptionKey}
{{- end }}

{{- define "kubeblocks.strategy" -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: 1
  maxUnavailable: 40%
{{- end }}
