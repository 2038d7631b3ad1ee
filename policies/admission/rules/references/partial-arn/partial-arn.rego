# METADATA
# title: Secrets by their full ARN
# description: |
#   Secrets Manager adds a hyphen and six random characters to the name of a secret to make its ARN. An ARN without them is
#   found as long as no other secret fits; and a name that itself ends in a hyphen and six characters is read as a full ARN.
# related_resources:
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
#     description: GetSecretValue
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
#     description: Troubleshoot AWS Secrets Manager
# custom:
#   why: >-
#     A policy of a role is written for the full ARN, and a secret that is deleted and created again is another one: by
#     a partial ARN a task gets whatever has the name now, or nothing.
#   severity: low
#   action: warn
#   fix: none
#   message: "{place} names a secret by a partial ARN"
#   remediation: >-
#     Write the full ARN as Secrets Manager shows it (aws secretsmanager describe-secret), with the hyphen and the six
#     characters at the end of the name.
#   variants:
#     partial:
#       message: "{place} names a secret by a partial ARN, without the six characters that Secrets Manager adds"
#     ambiguous:
#       message: "{place} names a secret by an ARN that ends in a word of six characters, which AWS reads as a full ARN"
#       remediation: >-
#         Compare it with the full ARN that Secrets Manager shows (aws secretsmanager describe-secret). If the last six
#         characters are part of the name, write the full ARN; if they are the ones that Secrets Manager added, nothing is
#         wrong.
package admission.rules.references["partial-arn"]

import data.admission.lib.context

# METADATA
# scope: document
# description: |
#   The ARNs of secrets that are partial, or that may be. A partial one of another account has a rule of its own.
findings contains {"at": reference.pointer, "variant": "partial"} if {
	some reference in input.references
	reference.complete == false
	not _is_elsewhere(reference)
}

findings contains {"at": reference.pointer, "variant": "ambiguous"} if {
	some reference in input.references
	reference.service == "secretsmanager"
	is_string(reference.region)
	reference.complete == null
}

_is_elsewhere(reference) if reference.account != context.account
