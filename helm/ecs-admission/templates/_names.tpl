{{- define "ecs-admission.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters leave room for what is appended, in names of at most 63. */}}
{{- define "ecs-admission.fullname" -}}
{{- $name := include "ecs-admission.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What all pods of a release have in common. */}}
{{- define "ecs-admission.releaseLabels" -}}
app.kubernetes.io/name: {{ include "ecs-admission.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels that select the pods of a component. Called with (list $ "component"). */}}
{{- define "ecs-admission.selector" -}}
{{- include "ecs-admission.releaseLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object. Called with (list $ "component"). */}}
{{- define "ecs-admission.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "ecs-admission.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end -}}

{{/* Labels of a pod: those of the object and what the values add. */}}
{{- define "ecs-admission.podLabels" -}}
{{- include "ecs-admission.labels" . }}
{{- with (index . 0).Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name of a service account. Called with (list $ "service" or "sealer"). */}}
{{- define "ecs-admission.account" -}}
{{- $account := index (index . 0).Values.serviceAccounts (index . 1) -}}
{{- $suffix := eq (index . 1) "sealer" | ternary "-sealer" "" -}}
{{- $own := $account.create | ternary (printf "%s%s" (include "ecs-admission.fullname" (index . 0)) $suffix) "default" -}}
{{- default $own $account.name -}}
{{- end -}}

{{/* An image: by digest where there is one. */}}
{{- define "ecs-admission.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}
