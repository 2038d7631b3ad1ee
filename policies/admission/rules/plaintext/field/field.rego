# METADATA
# title: No plaintext secret outside the environment either
# description: |
#   Commands, entry points, health checks, labels, tags, image names and every other free text of a request are as
#   readable as an environment variable, and some of them (labels, tags) by more people.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   severity: critical
#   action: deny
#   message: "{place} holds a plaintext secret"
#   remediation: >-
#     Remove the value from the {field}. Store it in AWS Secrets Manager or as an SSM SecureString parameter, reference it
#     under secrets of the container that needs it, and let the process read that environment variable when it starts.
#     Rotate the value, since it has been in a pipeline in clear.
package admission.rules.plaintext.field

import data.admission.lib.literals

# METADATA
# scope: document
# description: The literals outside environment and log options that are secrets.
findings contains {"at": literal.pointer} if {
	some literal in input.literals
	not literal.field in {"environment", "logOption"}
	literals.leaks(literal)
}
