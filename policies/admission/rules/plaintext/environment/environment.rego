# METADATA
# title: No plaintext secret in an environment variable
# description: |
#   The value of an environment variable is stored in the task definition, shown by DescribeTaskDefinition, the console
#   and CloudTrail, and kept in every revision. A literal that is a secret by its name or by its form does not belong there.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   why: >-
#     Everybody who may describe a task definition reads the value, every revision keeps it after it was changed, and
#     so does whatever copies them: a console, a support case, a backup.
#   severity: critical
#   action: deny
#   fix: move-to-secrets
#   controls:
#     - AWS-FSBP:ECS.8
#     - PCI-DSS-4.0.1:8.6.2
#     - NIST-800-53:IA-5(7)
#   message: "{place} holds a plaintext secret"
#   remediation: >-
#     Store the value in AWS Secrets Manager or as an SSM SecureString parameter, delete {name} from the environment of
#     container {container}, and add {name} to its secrets with the ARN as valueFrom. Rotate the value, since it has been
#     in a pipeline in clear.
#   variants:
#     name:
#       fix: remove-item
#       message: the name of an environment variable of container {container} holds a plaintext secret
#       remediation: >-
#         A variable may have been written as NAME=VALUE in the place of its name. Delete the entry from the environment of
#         container {container}, store the value in AWS Secrets Manager or as an SSM SecureString parameter, and add the name
#         alone to secrets with the ARN as valueFrom. Rotate the value, since it has been in a pipeline in clear.
#     override:
#       fix: remove-item
#       remediation: >-
#         An override takes no secrets, so this request cannot pass the value safely. Store it in AWS Secrets Manager or as an
#         SSM SecureString parameter, register a new revision of the task definition that has {name} under secrets of container
#         {container} with the ARN as valueFrom, delete {name} from the overrides and start that revision. Rotate the value,
#         since it has been in a pipeline in clear.
package admission.rules.plaintext.environment

import data.admission.lib.literals
import data.admission.lib.operations

# METADATA
# scope: document
# description: The environment variables whose literal is a secret.
findings contains object.union({"at": literal.pointer}, _variant(literal.pointer)) if {
	some literal in input.literals
	literal.field == "environment"
	literals.leaks(literal)
}

_variant(pointer) := {"variant": "name"} if endswith(pointer, "/name")

else := {"variant": "override"} if operations.overrides

else := {}
