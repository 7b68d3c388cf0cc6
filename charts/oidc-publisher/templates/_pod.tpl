{{/* What a pod of ours is, whatever it runs: takes root, the container's name and args, and whether it serves the health pages and the metrics. */}}
{{- define "oidc-publisher.podSpec" -}}
{{- with .root -}}
{{- $keyFiles := or .Values.keyFiles.hostPath .Values.keyFiles.existingVolume }}
serviceAccountName: {{ include "oidc-publisher.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
# Else every Service of the namespace is in the environment.
enableServiceLinks: false
{{- with concat .Values.imagePullSecrets (default list (.Values.global).imagePullSecrets) }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
dnsPolicy: {{ default (ternary "ClusterFirstWithHostNet" "ClusterFirst" .Values.hostNetwork) .Values.dnsPolicy }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ $.name }}
    image: {{ include "oidc-publisher.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      {{- range $.args }}
      - {{ . | quote }}
      {{- end }}
    {{- $cloudEnv := include "oidc-publisher.cloudEnv" . }}
    {{- if or $cloudEnv .Values.extraEnv }}
    env:
      {{- $cloudEnv | nindent 6 }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- with .Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if $.serves }}
    ports:
      - name: health
        containerPort: {{ int .Values.health.port }}
        protocol: TCP
      - name: metrics
        containerPort: {{ int .Values.metrics.port }}
        protocol: TCP
    {{- with .Values.startupProbe }}
    startupProbe:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.livenessProbe }}
    livenessProbe:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.readinessProbe }}
    readinessProbe:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- with .Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      # botocore and google-auth keep nothing there, Python's tempfile may.
      - name: tmp
        mountPath: /tmp
      {{- if not .Values.automountServiceAccountToken }}
      - name: kube-api-access
        mountPath: /var/run/secrets/kubernetes.io/serviceaccount
        readOnly: true
      {{- end }}
      {{- if $keyFiles }}
      - name: {{ default "key-files" .Values.keyFiles.existingVolume }}
        mountPath: /var/run/oidc-publisher/keys
        readOnly: true
      {{- end }}
      {{- include "oidc-publisher.cloudVolumeMounts" . | nindent 6 }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- if not .Values.automountServiceAccountToken }}
  - name: kube-api-access
    projected:
      sources:
        - serviceAccountToken:
            # As Kubernetes' own admission asks for it: kubelet knows this number and renews early.
            expirationSeconds: 3607
            path: token
        - configMap:
            name: kube-root-ca.crt
            items:
              - key: ca.crt
                path: ca.crt
        - downwardAPI:
            items:
              - path: namespace
                fieldRef:
                  fieldPath: metadata.namespace
  {{- end }}
  {{- with .Values.keyFiles.hostPath }}
  - name: key-files
    hostPath:
      path: {{ . | quote }}
      type: Directory
  {{- end }}
  {{- include "oidc-publisher.cloudVolumes" . | nindent 2 }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* The options that say what may be read, the same for every command, as a JSON list. */}}
{{- define "oidc-publisher.readingArgs" -}}
{{- $args := list (printf "--probe-service-account=%s/%s" (include "oidc-publisher.probeNamespace" .) (include "oidc-publisher.probeName" .)) }}
{{- if or .Values.keyFiles.hostPath .Values.keyFiles.existingVolume }}
{{- $args = append $args "--key-files-root=/var/run/oidc-publisher/keys" }}
{{- end }}
{{- range .Values.storeEndpoints }}
{{- $args = append $args (printf "--store-endpoint=%s" .) }}
{{- end }}
{{- range .Values.probeProxies }}
{{- $args = append $args (printf "--probe-proxy=%s" .) }}
{{- end }}
{{- range .Values.apiServerNames }}
{{- $args = append $args (printf "--api-server-name=%s" .) }}
{{- end }}
{{- toJson $args }}
{{- end }}
