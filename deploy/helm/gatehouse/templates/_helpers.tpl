{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "gatehouse.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "gatehouse.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "gatehouse.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gatehouse.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gatehouse.selector" -}}
app.kubernetes.io/name: {{ include "gatehouse.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gatehouse.labels" -}}
{{ include "gatehouse.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "gatehouse.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gatehouse.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* The configuration: what the chart makes of its values, and over it what the user wrote. */ -}}
{{- define "gatehouse.config" -}}
{{- $server := dict "drain_delay" (printf "%ds" (int .Values.drain.delaySeconds)) "drain_spread" (printf "%ds" (int .Values.drain.spreadSeconds)) "drain_timeout" (printf "%ds" (int .Values.drain.timeoutSeconds)) -}}
{{- if .Values.tls.secretName -}}
{{- $tls := dict "certificates" (list (dict "cert_file" "/etc/gatehouse/tls/tls.crt" "key_file" "/etc/gatehouse/tls/tls.key")) -}}
{{- if .Values.tls.clientCaSecretName -}}
{{- $_ := set $tls "client_ca_file" "/etc/gatehouse/client-ca/ca.crt" -}}
{{- $_ := set $tls "client_certificate" .Values.tls.clientCertificate -}}
{{- end -}}
{{- $_ := set $server "listeners" (list (dict "address" "0.0.0.0:8080" "tls" $tls)) -}}
{{- else -}}
{{- $_ := set $server "listen" "0.0.0.0:8080" -}}
{{- end -}}
{{- $made := dict "server" $server "admin" (dict "listen" "0.0.0.0:8081") -}}
{{- if .Values.nats.urls -}}
{{- $bus := dict "type" "nats" "urls" .Values.nats.urls -}}
{{- if .Values.nats.credentialsSecretName -}}
{{- $_ := set $bus "credentials_file" "/etc/gatehouse/nats/nats.creds" -}}
{{- end -}}
{{- if .Values.nats.caSecretName -}}
{{- $_ := set $bus "ca_file" "/etc/gatehouse/nats-ca/ca.crt" -}}
{{- end -}}
{{- $_ := set $made "bus" $bus -}}
{{- end -}}
{{- toYaml (mergeOverwrite $made (deepCopy .Values.config)) -}}
{{- end -}}
