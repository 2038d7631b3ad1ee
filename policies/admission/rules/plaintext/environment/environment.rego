# METADATA
# title: No plaintext secret in an environment variable
# description: |
#   The value of an environment variable is stored in the task definition, shown by DescribeTaskDefinition, the console
#   and CloudTrail, and kept in every revision. A literal that is a secret by its name or by its form does not belong there.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   severity: critical
#   action: deny
#   message: "{place} holds a plaintext secret"
#   remediation: >-
#     Store the value in AWS Secrets Manager or as an SSM SecureString parameter, delete {name} from the environment of
#     container {container}, and add {name} to its secrets with the ARN as valueFrom. Rotate the value, since it has been
#     in a pipeline in clear.
package admission.rules.plaintext.environment

import data.admission.lib.literals

# METADATA
# scope: document
# description: The environment variables whose literal is a secret.
findings contains {"at": literal.pointer} if {
	some literal in input.literals
	literal.field == "environment"
	literals.leaks(literal)
}
