{{- define "cilium.image" -}}
{{- if .override }}{{ .override }}{{- else }}{{ .repository }}{{ .suffix }}:{{ .tag }}{{- end }}
{{- end }}

{{/* Where the API server is before any Service works. */}}
{{- define "cilium.api" -}}
- name: K8S_NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: CILIUM_K8S_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- with .Values.k8sServiceHost }}
- {name: KUBERNETES_SERVICE_HOST, value: {{ . | quote }}}
- {name: KUBERNETES_SERVICE_PORT, value: {{ $.Values.k8sServicePort | quote }}}
{{- end }}
{{- end }}

{{- define "cilium.labels" -}}
app.kubernetes.io/part-of: cilium
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The peers as a list of name, ips, address and port, sorted by name, from either form. */}}
{{- define "cilium.peers" -}}
{{- $peers := dict }}
{{- if kindIs "map" .Values.clustermesh.config.clusters }}
{{- range $name, $peer := .Values.clustermesh.config.clusters }}
{{- if dig "enabled" true $peer }}{{- $_ := set $peers $name (merge (dict "name" $name) $peer) }}{{- end }}
{{- end }}
{{- else }}
{{- range .Values.clustermesh.config.clusters }}{{- $_ := set $peers .name . }}{{- end }}
{{- end }}
{{- $sorted := list }}
{{- range keys $peers | sortAlpha }}
{{- if ne . $.Values.cluster.name }}{{- $sorted = append $sorted (get $peers .) }}{{- end }}
{{- end }}
{{- toJson $sorted }}
{{- end }}

{{/* An etcd client's configuration: endpoint, prefix of the files. */}}
{{- define "cilium.etcdClient" -}}
{{- $folder := "/var/lib/cilium/clustermesh" }}
endpoints: [{{ .endpoint | quote }}]
trusted-ca-file: {{ $folder }}/{{ .prefix }}-etcd-client-ca.crt
key-file: {{ $folder }}/{{ .prefix }}-etcd-client.key
cert-file: {{ $folder }}/{{ .prefix }}-etcd-client.crt
{{ end }}

{{/* Volume source: a Secret's three files under the names that the programs look for. */}}
{{- define "cilium.clientFiles" -}}
secret:
  name: clustermesh-apiserver-{{ .secret }}-cert
  optional: true
  items:
    - {key: tls.key, path: {{ .prefix }}-etcd-client.key}
    - {key: tls.crt, path: {{ .prefix }}-etcd-client.crt}
    - {key: ca.crt, path: {{ .prefix }}-etcd-client-ca.crt}
{{- end }}
