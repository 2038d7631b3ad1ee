# METADATA
# title: References to another account have what they need
# description: |
#   ECS reads a Secrets Manager secret of another account only by its full ARN, with a resource policy on the secret and a
#   customer managed key whose policy lets the role decrypt. For SSM parameters of another account AWS documents no such
#   way. The account of the task is the one that the pipeline names, or else that of its roles.
# related_resources:
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
#     description: Access AWS Secrets Manager secrets from a different account
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-parameter.html
#     description: Pass Systems Manager parameters through Amazon ECS environment variables
# custom:
#   why: >-
#     Without any one of these the task stops with AccessDeniedException while it starts, and nothing in the task
#     definition shows why.
#   severity: medium
#   action: warn
#   fix: none
#   message: "{place} names a resource in another account than the task's"
#   remediation: Check that the other account lets the role of the task read it, or keep a copy in the account of the task.
#   variants:
#     secret:
#       message: "{place} names a secret in another account than the task's"
#       remediation: >-
#         Check in the other account that the secret's resource policy lets the role of the task call
#         secretsmanager:GetSecretValue, that a customer managed key encrypts the secret (aws/secretsmanager cannot be shared),
#         and that the key's policy lets the role call kms:Decrypt; and that the role's own policy allows both. Or keep the
#         secret in the account of the task.
#     parameter:
#       message: "{place} names an SSM parameter in another account than the task's, which ECS is not documented to read"
#       remediation: >-
#         Create the parameter in the account of the task, or store the value in Secrets Manager, whose secrets can be shared
#         with a role of another account.
package admission.rules.references["other-account"]

import data.admission.lib.context

# METADATA
# scope: document
# description: The references to a secret or a parameter of another account. A partial ARN has a rule of its own.
findings contains {"at": reference.pointer, "variant": variant} if {
	some reference in input.references
	variant := {"secretsmanager": "secret", "ssm": "parameter"}[reference.service]
	is_string(reference.account)
	reference.account != context.account
	reference.complete != false
}
