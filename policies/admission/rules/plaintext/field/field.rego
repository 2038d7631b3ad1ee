# METADATA
# title: No plaintext secret outside the environment either
# description: |
#   Commands, entry points, health checks, labels, tags, image names and every other free text of a request are as
#   readable as an environment variable, and some of them (labels, tags) by more people.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     These texts are shown in more places than an environment variable, and fewer people look for a secret there: a
#     process list, docker inspect, the metadata endpoint, a cost report.
#   severity: critical
#   action: deny
#   fix: replace-by-placeholder
#   controls:
#     - PCI-DSS-4.0.1:8.6.2
#     - NIST-800-53:IA-5(7)
#   message: "{place} holds a plaintext secret"
#   remediation: >-
#     Remove the value from the {field}. Store it in AWS Secrets Manager or as an SSM SecureString parameter, reference it
#     under secrets of the container that needs it, and let the process read that environment variable when it starts.
#     Rotate the value, since it has been in a pipeline in clear.
#   variants:
#     override:
#       remediation: >-
#         Remove the value from the {field}. An override takes no secrets: store the value in AWS Secrets Manager or as an SSM
#         SecureString parameter, register a new revision of the task definition that references it under secrets, start that
#         revision, and let the process read the environment variable. Rotate the value, since it has been in a pipeline in
#         clear.
#     session:
#       message: the command of the session holds a plaintext secret
#       remediation: >-
#         Remove the value from the command: CloudTrail keeps the command, and so does the session's log in CloudWatch Logs or
#         S3. Read the secret inside the session, from an environment variable of the container or with its task role. Rotate
#         the value, since it has been in a pipeline in clear.
#     tag:
#       remediation: >-
#         Delete the value from tag {name}: tags are shown by ListTagsForResource, in the console and in cost reports, and no
#         task reads them. Store it in AWS Secrets Manager or as an SSM SecureString parameter. Rotate the value, since it has
#         been in a pipeline in clear.
#     hook:
#       remediation: >-
#         Remove the value from hookDetails, which DescribeServices shows. Store it in AWS Secrets Manager, send the hook the
#         ARN of the secret, and let the hook's function read it with its own role. Rotate the value, since it has been in a
#         pipeline in clear.
package admission.rules.plaintext.field

import data.admission.lib.literals
import data.admission.lib.operations

# METADATA
# scope: document
# description: The literals outside environment and log options that are secrets.
findings contains object.union({"at": literal.pointer}, _variant(literal)) if {
	some literal in input.literals
	not literal.field in {"environment", "logOption"}
	literals.leaks(literal)
}

_variants := {"sessionCommand": "session", "tag": "tag", "hookDetails": "hook"}

default _variant(_) := {}

_variant(literal) := {"variant": _variants[literal.field]}

_variant(literal) := {"variant": "override"} if {
	operations.overrides
	not _variants[literal.field]
}
