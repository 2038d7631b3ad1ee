# METADATA
# title: A secret of another account by its full ARN
# description: |
#   A Secrets Manager ARN without the six random characters at its end is searched for among the secrets of one's own
#   account. It never finds a secret of another account.
# related_resources:
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
#     description: GetSecretValue
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
#     description: Troubleshoot AWS Secrets Manager
# custom:
#   why: >-
#     Secrets Manager answers AccessDeniedException or ResourceNotFoundException, and no task starts.
#   severity: high
#   action: deny
#   fix: none
#   message: "{place} names a secret of another account by a partial ARN"
#   remediation: >-
#     Write the full ARN as Secrets Manager shows it in the other account (aws secretsmanager describe-secret), with the hyphen
#     and the six characters at the end of the name.
package admission.rules.references["partial-arn-of-other-account"]

import data.admission.lib.context

# METADATA
# scope: document
# description: The partial ARNs of secrets in another account than the task's.
findings contains {"at": reference.pointer} if {
	some reference in input.references
	reference.complete == false
	reference.account != context.account
}
