{{/* What every pod has: a user that the image knows, and nothing of the cluster's own. */}}
{{- define "ecs-admission.podSecurity" -}}
automountServiceAccountToken: false
# Variables that Kubernetes adds for a Service would pass for settings, and there are none of these names.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  # Keys and volumes are given to this group: a Secret has mode 0440 then, root's, which the service takes as private.
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "ecs-admission.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  readOnlyRootFilesystem: true
{{- end -}}

{{/* Where pods may run. */}}
{{- define "ecs-admission.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "ecs-admission.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A variable from a Secret. Called with (list "NAME" $place), a place being secretName and key. */}}
{{- define "ecs-admission.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ (index . 1).secretName }}
      key: {{ (index . 1).key }}
{{- end -}}

{{/* What a process that opens the database gets besides its URL. */}}
{{- define "ecs-admission.databaseVariables" -}}
{{- if and (eq .Values.database.kind "postgresql") .Values.database.ca.configMapName }}
- name: PGSSLROOTCERT
  value: /etc/ecs-admission/database/ca.pem
{{- end }}
{{- end -}}

{{- define "ecs-admission.databaseMounts" -}}
{{- if and (eq .Values.database.kind "postgresql") .Values.database.ca.configMapName }}
- name: database-ca
  mountPath: /etc/ecs-admission/database
  readOnly: true
{{- end }}
{{- end -}}

{{- define "ecs-admission.databaseVolumes" -}}
{{- with .Values.database }}
{{- if and (eq .kind "postgresql") .ca.configMapName }}
- name: database-ca
  configMap:
    name: {{ .ca.configMapName }}
    items:
      - key: {{ .ca.key }}
        path: ca.pem
{{- end }}
{{- end }}
{{- end -}}

{{/* Where digests go, for whoever seals. */}}
{{- define "ecs-admission.sealerVariables" -}}
- name: ECS_ADMISSION_SEALER_KEY_FILE
  value: /etc/ecs-admission/keys/sealer.key
- name: ECS_ADMISSION_SEAL_SECONDS
  value: {{ .Values.sealer.sealSeconds | quote }}
- name: ECS_ADMISSION_ANCHORS
  value: {{ include "ecs-admission.anchors" . | quote }}
- name: ECS_ADMISSION_ANCHOR_RETENTION_DAYS
  value: {{ .Values.anchors.retentionDays | quote }}
{{- end -}}

{{- define "ecs-admission.anchors" -}}
{{- $claim := empty .Values.anchors.existingClaim | ternary list (list "/var/lib/ecs-admission-anchors") -}}
{{- concat .Values.anchors.s3 $claim | join "," -}}
{{- end -}}

{{- define "ecs-admission.anchorMounts" -}}
{{- if .Values.anchors.existingClaim }}
- name: anchors
  mountPath: /var/lib/ecs-admission-anchors
{{- end }}
{{- end -}}

{{- define "ecs-admission.anchorVolumes" -}}
{{- with .Values.anchors.existingClaim }}
- name: anchors
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- end -}}

{{/* A key in the one volume of keys. Called with (list $place "file"). */}}
{{- define "ecs-admission.keySource" -}}
- secret:
    name: {{ (index . 0).secretName }}
    items:
      - key: {{ (index . 0).key }}
        path: {{ index . 1 }}
{{- end -}}

{{/* A folder for temporary files, in memory: nothing of a request reaches a disk. */}}
{{- define "ecs-admission.temporaryVolume" -}}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
{{- end -}}

{{/* The bundle that judges, and what is laid over it, as the service is told. */}}
{{- define "ecs-admission.policyPlaces" -}}
{{- $places := list -}}
{{- with .Values.policies.bundleUrl -}}
{{- $places = append $places . -}}
{{- end -}}
{{- range $index, $layer := .Values.policies.layers -}}
{{- $places = append $places (printf "/etc/ecs-admission/policies/%d/%s" $index $layer.key) -}}
{{- end -}}
{{- join "," $places -}}
{{- end -}}
