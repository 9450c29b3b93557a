{{- define "etcd.definition" -}}
{{ .Values.cmpdVersionPrefix.major3 }}-{{ .Chart.Version }}
{{- end }}

{{- define "etcd.labels" -}}
app.kubernetes.io/name: etcd
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "etcd.repository" -}}
{{ .Values.image.registry | default .Values.images.registry }}/{{ .Values.image.repository }}
{{- end }}

{{- define "etcd.shell" -}}
{{ .Values.images.registry }}/{{ .Values.images.bashBusybox.repository }}:{{ .Values.images.bashBusybox.tag }}
{{- end }}

{{/* Without this annotation the operator takes a definition for one of an older API and passes it over. */}}
{{- define "etcd.annotations" -}}
kubeblocks.io/crd-api-version: apps.kubeblocks.io/v1
{{- end }}
