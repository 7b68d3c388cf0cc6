{{- define "oidc-publisher.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: what is put behind it, such as "-probe" or "-64", still makes a label's value. */}}
{{- define "oidc-publisher.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $release .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "oidc-publisher.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "oidc-publisher.selectorLabels" -}}
app.kubernetes.io/name: {{ include "oidc-publisher.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "oidc-publisher.ownLabels" -}}
{{ include "oidc-publisher.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Ours decide where commonLabels have one of them too. */}}
{{- define "oidc-publisher.labels" -}}
{{- merge (fromYaml (include "oidc-publisher.ownLabels" .)) .Values.commonLabels | toYaml }}
{{- end }}

{{/* The rest of an object's metadata, below its name. */}}
{{- define "oidc-publisher.metadata" -}}
labels:
  {{- include "oidc-publisher.labels" . | nindent 2 }}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The same with labels of its own, for an object that others select by them; takes root and the labels. */}}
{{- define "oidc-publisher.metadataWith" -}}
{{- $labels := merge (fromYaml (include "oidc-publisher.ownLabels" .root)) .labels .root.Values.commonLabels -}}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "oidc-publisher.serviceAccountName" -}}
{{- default (include "oidc-publisher.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "oidc-publisher.probeName" -}}
{{- default (printf "%s-probe" (include "oidc-publisher.fullname" .)) .Values.probe.serviceAccount.name }}
{{- end }}

{{- define "oidc-publisher.probeNamespace" -}}
{{- default (include "oidc-publisher.namespace" .) .Values.probe.serviceAccount.namespace }}
{{- end }}

{{/* The Leases of the shards, without their numbers. */}}
{{- define "oidc-publisher.shardLeases" -}}
{{- include "oidc-publisher.fullname" . }}-shard
{{- end }}

{{/* No name is guessed: whoever registered it first could run anything with the operator's rights. */}}
{{- define "oidc-publisher.image" -}}
{{- $repository := required "\n\nimage.repository says where the operator's image is, and this chart, which comes from a checkout, does not know.\nBuild the image with `make image IMAGE=registry.example.com/oidc-publisher:TAG`, push it, and add\n  --set image.repository=registry.example.com/oidc-publisher --set image.tag=TAG\n" .Values.image.repository }}
{{- $tag := default (ternary "" .Chart.AppVersion (ne .Values.image.digest "")) .Values.image.tag }}
{{- $repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Where a Role is bound to the operator; takes the kind and the name of the role. */}}
{{- define "oidc-publisher.binding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    namespace: {{ include "oidc-publisher.namespace" .root }}
    name: {{ include "oidc-publisher.serviceAccountName" .root }}
{{- end }}

{{/* Env, volumes and mounts of the cloud identities: each a list, or nothing. */}}
{{- define "oidc-publisher.cloudEnv" -}}
{{- with .Values.cloudIdentity.aws }}
{{- if .roleARN }}
- name: AWS_ROLE_ARN
  value: {{ .roleARN | quote }}
- name: AWS_WEB_IDENTITY_TOKEN_FILE
  value: /var/run/secrets/eks.amazonaws.com/serviceaccount/token
# The webhook leaves a container alone that has these two, a region and the next one. boto3 reads AWS_DEFAULT_REGION.
- name: AWS_REGION
  value: {{ .region | quote }}
- name: AWS_DEFAULT_REGION
  value: {{ .region | quote }}
- name: AWS_STS_REGIONAL_ENDPOINTS
  value: regional
{{- end }}
{{- end }}
{{- if .Values.cloudIdentity.gcp.provider }}
- name: GOOGLE_APPLICATION_CREDENTIALS
  value: /var/run/oidc-publisher/gcp/credentials.json
{{- end }}
{{- end }}

{{- define "oidc-publisher.cloudVolumeMounts" -}}
{{- if .Values.cloudIdentity.aws.roleARN }}
- name: aws-iam-token
  mountPath: /var/run/secrets/eks.amazonaws.com/serviceaccount
  readOnly: true
{{- end }}
{{- if .Values.cloudIdentity.gcp.provider }}
- name: gcp-identity
  mountPath: /var/run/oidc-publisher/gcp
  readOnly: true
{{- end }}
{{- end }}

{{- define "oidc-publisher.cloudVolumes" -}}
{{- with .Values.cloudIdentity.aws }}
{{- if .roleARN }}
# The webhook's own name for it: it adds none where there is one.
- name: aws-iam-token
  projected:
    sources:
      - serviceAccountToken:
          audience: {{ .audience | quote }}
          expirationSeconds: {{ int .tokenExpirationSeconds }}
          path: token
{{- end }}
{{- end }}
{{- with .Values.cloudIdentity.gcp }}
{{- if .provider }}
- name: gcp-identity
  projected:
    sources:
      - serviceAccountToken:
          audience: {{ printf "https://iam.googleapis.com/%s" .provider | quote }}
          expirationSeconds: {{ int .tokenExpirationSeconds }}
          path: token
      - configMap:
          name: {{ include "oidc-publisher.fullname" $ }}-gcp
          items:
            - key: credentials.json
              path: credentials.json
{{- end }}
{{- end }}
{{- end }}
