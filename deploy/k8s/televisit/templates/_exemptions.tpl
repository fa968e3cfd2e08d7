{{/* What linters would object to and is meant to be so, with the reason: annotations that they, or
     `make check-chart` for those that know none, look for.
     Takes root, and of a workload image (its values), few (fewer than three pods), together (not
     spread over nodes), secretFiles (a variable names the file of a secret), database (it reads
     the database's CA). */}}
{{- define "televisit.exemptions" -}}
{{- $always := eq .root.Values.image.pullPolicy "Always" -}}
{{- $score := list -}}
exempt.televisit/metadataAndInstanceMismatched: The instance is the release, which has several workloads.
{{- if not .root.Values.priorityClassName }}
exempt.televisit/priorityClassNotSet: Such a class is the cluster's, priorityClassName names it.
{{- end }}
{{- if .few }}
{{- $score = append $score "deployment-replicas" }}
ignore-check.kube-linter.io/minimum-three-replicas: The operator chose fewer, a small clinic needs no more.
exempt.televisit/deploymentMissingReplicas: The operator chose fewer, a small clinic needs no more.
exempt.televisit/deployment-replicas: The operator chose fewer, a small clinic needs no more.
{{- end }}
{{- if .together }}
exempt.televisit/topologySpreadConstraint: One pod has nothing to be spread over.
{{- end }}
{{- if .secretFiles }}
ignore-check.kube-linter.io/env-var-secret: The variable is the path of a file, which holds the secret.
exempt.televisit/sensitiveContainerEnvVar: The variable is the path of a file, which holds the secret.
{{- end }}
{{- if and .database .root.Values.database.caSecret }}
exempt.televisit/file-unused: The address in database-url names the file of the database's CA.
{{- end }}
{{- if not .image.digest }}
checkov.io/skip1: CKV_K8S_43=The digest is known when the images are built, and values pin it.
{{- end }}
{{- if not $always }}
{{- $score = append $score "container-image-pull-policy" }}
checkov.io/skip2: CKV_K8S_15=The images are on the node already.
exempt.televisit/pullPolicyNotAlways: The images are on the node already.
exempt.televisit/container-image-pull-policy: The images are on the node already.
{{- end }}
{{- with $score }}
kube-score/ignore: {{ join "," . }}
{{- end }}
{{- end -}}
