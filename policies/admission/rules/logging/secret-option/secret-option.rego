# METADATA
# title: Secret log driver options belong in secretOptions
# description: |
#   The options of a log configuration are stored in the task definition in clear. Tokens, keys and passwords of a log
#   destination have a place of their own, secretOptions, which takes references.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-logconfig.html
#     description: Retrieve secrets for Amazon ECS logging configuration
# custom:
#   why: >-
#     The options are as readable as an environment variable, and the token of a log destination lets its reader
#     write, and often read, everybody's logs.
#   severity: critical
#   action: deny
#   fix: move-to-secret-options
#   controls:
#     - PCI-DSS-4.0.1:8.6.2
#     - NIST-800-53:IA-5(7)
#   message: "{place} holds a plaintext secret"
#   remediation: >-
#     Store the value in AWS Secrets Manager or as an SSM SecureString parameter, delete {name} from the options of the log
#     configuration of container {container}, and add {name} to its secretOptions with the ARN as valueFrom. Rotate the
#     value, since it has been in a pipeline in clear.
package admission.rules.logging["secret-option"]

import data.admission.lib.literals

# METADATA
# scope: document
# description: The log options whose literal is a secret.
findings contains {"at": literal.pointer} if {
	some literal in input.literals
	literal.field == "logOption"
	literals.leaks(literal)
}
