# METADATA
# title: A reference belongs in secrets, not in environment
# description: |
#   ECS does not resolve what stands in environment: the application would receive the text of the ARN instead of the
#   secret. No value leaks, but the variable does not do what its name says.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   why: >-
#     The task starts and fails later, when the application uses the text of an ARN as a password; a person in a hurry
#     then puts the password itself there.
#   severity: medium
#   action: deny
#   fix: move-reference-to-secrets
#   message: environment variable {name} of container {container} holds an ARN where its name promises the secret itself
#   remediation: >-
#     Move {name} from environment to secrets of container {container} and give the same ARN as valueFrom; or, where the
#     application reads the secret by its ARN, let the name say so ({name}_ARN).
#   variants:
#     override:
#       fix: remove-item
#       remediation: >-
#         An override takes no secrets. Register a new revision of the task definition that has {name} under secrets of
#         container {container} with the same ARN as valueFrom, and start that revision without the override; or, where the
#         application reads the secret by its ARN, let the name say so ({name}_ARN).
package admission.rules.plaintext["misplaced-reference"]

import data.admission.lib.literals
import data.admission.lib.operations

# METADATA
# scope: document
# description: The environment variables with a secret's name and an ARN as value.
findings contains object.union({"at": literal.pointer}, _variant) if {
	some literal in input.literals
	literal.field == "environment"
	literals.misplaced(literal)
}

default _variant := {}

_variant := {"variant": "override"} if operations.overrides
