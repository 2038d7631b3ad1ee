# METADATA
# title: No secret that the deployment resolves
# description: |
#   CloudFormation replaces a dynamic reference such as {{resolve:secretsmanager:...}} by the secret before it calls ECS, so
#   the secret stands in the task definition in clear. ECS itself resolves what secrets and secretOptions refer to, when
#   the task starts.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html
#     description: Get a secret or secret value from Secrets Manager
#   - ref: https://github.com/aws/containers-roadmap/issues/250
#     description: The request to AWS to resolve dynamic references later
# custom:
#   why: >-
#     The template looks as if it held no secret, but DescribeTaskDefinition and every revision show it in clear, and a
#     rotation does not reach the task definition.
#   severity: critical
#   action: deny
#   fix: move-to-secrets
#   controls:
#     - PCI-DSS-4.0.1:8.6.2
#     - NIST-800-53:IA-5(7)
#   message: "{place} holds a dynamic reference, which becomes a plaintext secret when it is deployed"
#   remediation: >-
#     Delete {name} from the environment of container {container}, and add {name} to its secrets with the ARN of the same
#     secret or parameter as valueFrom. Rotate the value if it was ever deployed this way.
#   variants:
#     override:
#       fix: remove-item
#       remediation: >-
#         An override takes no secrets. Register a new revision of the task definition that has {name} under secrets of
#         container {container} with the ARN of the same secret or parameter as valueFrom, delete {name} from the overrides
#         and start that revision. Rotate the value if it was ever passed this way.
#     log-option:
#       fix: move-to-secret-options
#       remediation: >-
#         Delete {name} from the options of the log configuration of container {container}, and add {name} to its
#         secretOptions with the ARN of the same secret or parameter as valueFrom. Rotate the value if it was ever deployed
#         this way.
#     reference:
#       fix: none
#       message: "{place} holds a dynamic reference in the place of the ARN that ECS is to resolve"
#       remediation: >-
#         Write the ARN of the secret or parameter itself in the place of the dynamic reference, so that ECS resolves it when
#         the task starts.
#     elsewhere:
#       fix: replace-by-placeholder
#       remediation: >-
#         Take the dynamic reference out of the {field}. Reference the same secret or parameter under secrets of the container
#         that needs it, and let the process read that environment variable when it starts. What is no secret can come as a
#         parameter of the template. Rotate the value if it was ever deployed this way.
package admission.rules.plaintext["resolved-at-deploy"]

import data.admission.lib.literals
import data.admission.lib.operations
import data.admission.lib.references

# METADATA
# scope: document
# description: The literals that a deployment replaces by a secret.
findings contains object.union({"at": literal.pointer}, _variant(literal.field)) if {
	some literal in input.literals
	literals.resolved_at_deploy(literal)
}

_variant("environment") := {"variant": "override"} if operations.overrides

else := {}

_variant("logOption") := {"variant": "log-option"}

_variant(field) := {"variant": "reference"} if field in references.fields

_variant(field) := {"variant": "elsewhere"} if not field in _own_words

_own_words := references.fields | {"environment", "logOption"}
