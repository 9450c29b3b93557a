{{- define "metallb.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "metallb.fullname" -}}
{{- $name := include "metallb.name" . }}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $release | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "metallb.labels" -}}
app.kubernetes.io/name: {{ include "metallb.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The helpers below take a dict: root, and the component's name. */}}

{{- define "metallb.selector" -}}
app.kubernetes.io/name: {{ include "metallb.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "metallb.componentLabels" -}}
{{ include "metallb.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "metallb.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "metallb.fullname" .root }}-{{ .component }}
  labels: {{- include "metallb.componentLabels" . | nindent 4 }}
{{- end }}

{{/* Arguments that both programs take. */}}
{{- define "metallb.args" -}}
{{- $own := index .root.Values .component }}
- --port={{ .root.Values.prometheus.metricsPort }}
- --health-probe-port={{ $own.livenessProbe.port }}
- --log-level={{ $own.logLevel }}
{{- with .root.Values.loadBalancerClass }}
- --lb-class={{ . }}
{{- end }}
{{- with .root.Values.tls.minVersion }}
- --tls-min-version={{ . }}
{{- end }}
{{- with .root.Values.tls.cipherSuites }}
- --tls-cipher-suites={{ . }}
{{- end }}
{{- with .root.Values.tls.curvePreferences }}
- --tls-curve-preferences={{ . }}
{{- end }}
{{- if index .root.Values.tls (printf "%sMetricsTLSSecret" .component) }}
- --metrics-cert-dir=/etc/metrics
{{- end }}
{{- end }}

{{/* Image, resources and probes of a container. The speaker's probes listen on the node's loopback address only. */}}
{{- define "metallb.container" -}}
{{- $own := index .root.Values .component }}
image: {{ $own.image.repository }}:{{ $own.image.tag | default .root.Chart.AppVersion }}
{{- with $own.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- with $own.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $kind, $path := dict "livenessProbe" "/healthz" "readinessProbe" "/readyz" }}
{{- $probe := index $own $kind }}
{{- if $probe.enabled }}
{{ $kind }}:
  httpGet:
    path: {{ $path }}
    port: {{ $probe.port }}
    {{- if eq $.component "speaker" }}
    host: 127.0.0.1
    {{- end }}
  {{- omit $probe "enabled" "port" | toYaml | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* What surrounds the container in both workloads. */}}
{{- define "metallb.podSpec" -}}
{{- $own := index .root.Values .component }}
serviceAccountName: {{ include "metallb.fullname" .root }}-{{ .component }}
terminationGracePeriodSeconds: 0
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with $own.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "metallb.metricsMount" -}}
{{- if index .root.Values.tls (printf "%sMetricsTLSSecret" .component) }}
- {name: metrics-certs, mountPath: /etc/metrics, readOnly: true}
{{- end }}
{{- end }}

{{- define "metallb.metricsVolume" -}}
{{- with index .root.Values.tls (printf "%sMetricsTLSSecret" .component) }}
- name: metrics-certs
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}

{{/* Who asks for metrics is authenticated and authorised by the cluster. */}}
{{- define "metallb.metricsRules" -}}
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
{{- end }}
