{{/* Everything that has to be said and is not, and what contradicts itself: all of it at once, as the service does. */}}
{{- define "ecs-admission.check" -}}
{{- $v := .Values -}}
{{- $problems := list -}}
{{- $is_postgresql := eq $v.database.kind "postgresql" -}}
{{- $is_sqlite := eq $v.database.kind "sqlite" -}}

{{- if not $v.environment -}}
{{- $problems = append $problems "set environment to what this installation guards, such as prod" -}}
{{- end -}}
{{- if not $v.image.repository -}}
{{- $problems = append $problems "set image.repository to where your registry keeps the image that make image builds" -}}
{{- end -}}
{{- if not (or $v.image.tag $v.image.digest) -}}
{{- $problems = append $problems "set image.digest (or image.tag): which build runs is your choice" -}}
{{- end -}}
{{- if or (eq $v.image.tag "latest") (eq $v.opa.image.tag "latest") -}}
{{- $problems = append $problems "set an image tag that says which build it is: latest is another one tomorrow" -}}
{{- end -}}
{{- if eq $v.engine "opa" -}}
{{- if not $v.opa.image.repository -}}
{{- $problems = append $problems "set opa.image.repository to where your registry keeps OPA's image, or engine to embedded" -}}
{{- end -}}
{{- if not (or $v.opa.image.tag $v.opa.image.digest) -}}
{{- $problems = append $problems "set opa.image.digest (or opa.image.tag)" -}}
{{- end -}}
{{- if eq $v.authentication.mode "required" -}}
{{- if not (or $v.opa.credential.audience $v.opa.credential.secretName) -}}
{{- $problems = append $problems "set opa.credential.audience (or opa.credential.secretName): the sidecar gets its bundle with a token of the role operator" -}}
{{- else if and $v.opa.credential.audience $v.opa.credential.secretName -}}
{{- $problems = append $problems "opa.credential has an audience and a Secret: leave one of them out" -}}
{{- else if not (contains $v.opa.credential.audience $v.authentication.rules) -}}
{{- $problems = append $problems (printf "authentication.rules have no issuer with opa.credential.audience %s" $v.opa.credential.audience) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if not $v.authentication.mode -}}
{{- $problems = append $problems "set authentication.mode to required: callers show who they are" -}}
{{- end -}}
{{- if eq $v.authentication.mode "required" -}}
{{- if not $v.authentication.tokenKey.secretName -}}
{{- $problems = append $problems "set authentication.tokenKey.secretName to the Secret with the key of the API tokens" -}}
{{- end -}}
{{- if and $v.authentication.proxyIdentityHeader (not $v.authentication.trustedProxies) -}}
{{- $problems = append $problems "set authentication.trustedProxies, or anybody could send authentication.proxyIdentityHeader" -}}
{{- end -}}
{{- range $name, $_ := $v.authentication.jwks -}}
{{- if not (contains $name $v.authentication.rules) -}}
{{- $problems = append $problems (printf "authentication.jwks has %s, and authentication.rules do not name it" $name) -}}
{{- end -}}
{{- end -}}
{{- else if eq $v.authentication.mode "none" -}}
{{- if not $v.unsafe.bindWithoutAuthentication -}}
{{- $problems = append $problems "authentication.mode none lets everybody in who reaches the service: set required, or unsafe.bindWithoutAuthentication to true" -}}
{{- end -}}
{{- if or $v.authentication.rules $v.authentication.jwks $v.authentication.trustedProxies $v.authentication.proxyIdentityHeader -}}
{{- $problems = append $problems "authentication.rules, jwks, trustedProxies and proxyIdentityHeader need authentication.mode required" -}}
{{- end -}}
{{- end -}}

{{- if not $v.database.kind -}}
{{- $problems = append $problems "set database.kind to postgresql, or to sqlite for a single pod with a volume" -}}
{{- end -}}
{{- if $is_postgresql -}}
{{- $seen := dict -}}
{{- range $role := list "writer" "reader" "sealer" "owner" -}}
{{- $url := index $v.database.urls $role -}}
{{- if and (eq $role "owner") (not $v.migration.enabled) -}}
{{- else if not $url.secretName -}}
{{- $problems = append $problems (printf "set database.urls.%s.secretName to the Secret with the database URL of the %s" $role $role) -}}
{{- else -}}
{{- $place := printf "%s/%s" $url.secretName $url.key -}}
{{- with get $seen $place -}}
{{- $problems = append $problems (printf "database.urls.%s and database.urls.%s are the same: each has a database role of its own" . $role) -}}
{{- end -}}
{{- $_ := set $seen $place $role -}}
{{- end -}}
{{- end -}}
{{- if not $v.sealer.logPublicKeys -}}
{{- $problems = append $problems "set sealer.logPublicKeys to the public half of keys.signing: openssl pkey -in signing.key -pubout" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.database.to) -}}
{{- $problems = append $problems "set networkPolicy.database.to to where the database is, or nothing reaches it" -}}
{{- end -}}
{{- end -}}
{{- if $is_sqlite -}}
{{- if not (or $v.database.volume.size $v.database.volume.existingClaim) -}}
{{- $problems = append $problems "set database.volume.size (or database.volume.existingClaim) for the decision log" -}}
{{- end -}}
{{- if and $v.anchors.existingClaim (eq $v.anchors.existingClaim $v.database.volume.existingClaim) -}}
{{- $problems = append $problems "anchors.existingClaim is the volume of the decision log: who changes the one changes the other" -}}
{{- end -}}
{{- if $v.autoscaling.enabled -}}
{{- $problems = append $problems "autoscaling.enabled needs database.kind postgresql: sqlite has one pod" -}}
{{- end -}}
{{- end -}}

{{- range $name := list "fingerprint" "signing" "sealer" -}}
{{- if not (index $v.keys $name).secretName -}}
{{- $problems = append $problems (printf "set keys.%s.secretName to the Secret with the %s key" $name $name) -}}
{{- end -}}
{{- end -}}
{{- $sealers := $v.keys.sealer.secretName -}}
{{- if and $sealers (has $sealers (list $v.keys.signing.secretName $v.keys.fingerprint.secretName $v.authentication.tokenKey.secretName)) -}}
{{- $problems = append $problems "keys.sealer.secretName is the Secret of another key: the sealer vouches for the others, with a Secret of its own" -}}
{{- end -}}
{{- if not (or $v.anchors.s3 $v.anchors.existingClaim $v.unsafe.noAnchors) -}}
{{- $problems = append $problems "set anchors.s3 to a bucket with Object Lock, as s3://BUCKET/PREFIX (or anchors.existingClaim): without one, truncation of the log goes unseen" -}}
{{- end -}}
{{- if and $v.unsafe.noAnchors (or $v.anchors.s3 $v.anchors.existingClaim) -}}
{{- $problems = append $problems "unsafe.noAnchors is set beside anchors: leave one of them out" -}}
{{- end -}}

{{- if and $v.policies.bundleUrl (not $v.policies.publicKeys) -}}
{{- $problems = append $problems "set policies.publicKeys to what policies.bundleUrl is signed with: ecs-admission bundle make-key" -}}
{{- end -}}
{{- if and $v.policies.publicKeys (not $v.policies.bundleUrl) -}}
{{- $problems = append $problems "policies.publicKeys are for policies.bundleUrl, which is not set" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.https) -}}
{{- if or $v.anchors.s3 $v.policies.bundleUrl (contains "jwks_uri" $v.authentication.rules) -}}
{{- $problems = append $problems "set networkPolicy.https to where AWS and OIDC issuers are, such as [10.0.0.0/16] for VPC endpoints or [0.0.0.0/0]" -}}
{{- end -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.clients) -}}
{{- $problems = append $problems "set networkPolicy.clients to who may call the service" -}}
{{- end -}}
{{- if and $v.traces.endpoint $v.networkPolicy.enabled (not $v.networkPolicy.traces.to) -}}
{{- $problems = append $problems "set networkPolicy.traces.to to where the collector of traces.endpoint is" -}}
{{- end -}}
{{- if $v.ingress.enabled -}}
{{- if not $v.ingress.host -}}
{{- $problems = append $problems "set ingress.host to the name that callers use" -}}
{{- end -}}
{{- if not $v.ingress.tlsSecretName -}}
{{- $problems = append $problems "set ingress.tlsSecretName: credentials do not travel in clear" -}}
{{- end -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- $problems = append $problems "autoscaling.maxReplicas is less than autoscaling.minReplicas" -}}
{{- end -}}
{{- range $v.extraEnv -}}
{{- if and (hasKey . "value") (hasSuffix "_HEADERS" .name) -}}
{{- $problems = append $problems (printf "extraEnv %s may hold a credential: name a Secret with secretName and key" .name) -}}
{{- end -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "the values are not complete:\n  %s" (join "\n  " $problems)) -}}
{{- end -}}
{{- end -}}
