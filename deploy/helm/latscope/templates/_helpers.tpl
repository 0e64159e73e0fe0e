{{- define "latscope.labels" -}}
app.kubernetes.io/name: latscope
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "latscope.selector" -}}
app.kubernetes.io/name: latscope
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
