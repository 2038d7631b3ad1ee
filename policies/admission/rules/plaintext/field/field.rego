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
#     Remove the value from the {field}. Store it in AWS Secrets Manager or as an SSM SecureString parameter, reference
#     it under secrets of the container that needs it, and let the process read that environment variable when it
#     starts. Rotate the value, since it has been in a pipeline in clear.
#   variants:
#     override:
#       remediation: >-
#         Remove the value from the {field}. An override takes no secrets: store the value in AWS Secrets Manager or as
#         an SSM SecureString parameter, register a new revision of the task definition that references it under
#         secrets, start that revision, and let the process read the environment variable. Rotate the value, since it
#         has been in a pipeline in clear.
#     session:
#       message: the command of the session holds a plaintext secret
#       remediation: >-
#         Remove the value from the command: CloudTrail keeps the command, and so does the session's log in CloudWatch
#         Logs or S3. Read the secret inside the session, from an environment variable of the container or with its
#         task role. Rotate the value, since it has been in a pipeline in clear.
#     tag:
#       fix: remove-item
#       remediation: >-
#         Delete the value from tag {name}: tags are shown by ListTagsForResource, in the console and in cost reports,
#         and no task reads them. Store it in AWS Secrets Manager or as an SSM SecureString parameter. Rotate the
#         value, since it has been in a pipeline in clear.
#     label:
#       fix: remove
#       remediation: >-
#         Delete the label: docker inspect shows labels on the host, and the task metadata endpoint shows them to the
#         containers of the task. Store the value in AWS Secrets Manager or as an SSM SecureString parameter, and let
#         what reads the label read it from there with a role of its own. Rotate the value, since it has been in a
#         pipeline in clear.
#     setting:
#       fix: remove-item
#       remediation: >-
#         Delete the {field} {name}: what it sets is no secret, and everybody who may describe the task definition
#         reads it. Store the value in AWS Secrets Manager or as an SSM SecureString parameter, and reference it under
#         secrets of the container that needs it. Rotate the value, since it has been in a pipeline in clear.
#     driver-option:
#       remediation: >-
#         Remove the value from volume driver option {name}: docker volume inspect shows it on the host. Mount the
#         share with fsxWindowsFileServerVolumeConfiguration, whose credentialsParameter takes the ARN of a secret, or
#         with efsVolumeConfiguration and IAM authorization; or let the driver read its credentials from its own
#         configuration on the host. Rotate the value, since it has been in a pipeline in clear.
#     firelens:
#       fix: remove
#       remediation: >-
#         Delete the {field} {name}. Store the value in AWS Secrets Manager or as an SSM SecureString parameter, and
#         reference it under secretOptions of the container whose log it is for, or under secrets of the log router,
#         whose configuration file can then name the environment variable. Rotate the value, since it has been in a
#         pipeline in clear.
#     hook:
#       fix: remove
#       remediation: >-
#         Remove the value from hookDetails, which DescribeServices shows. Store it in AWS Secrets Manager, send the
#         hook the ARN of the secret, and let the hook's function read it with its own role. Rotate the value, since it
#         has been in a pipeline in clear.
#     header:
#       remediation: >-
#         Route test traffic by a header value that is no credential: DescribeServices shows it. Rotate the value,
#         since it has been in a pipeline in clear.
#     unknown:
#       fix: remove
#       message: a member that AWS does not know holds a plaintext secret
#       remediation: >-
#         Delete the member: AWS refuses it, or drops it and does nothing with it. Store the value in AWS Secrets
#         Manager or as an SSM SecureString parameter, and reference it under secrets of the container that needs it.
#         Rotate the value, since it has been in a pipeline in clear.
#     secret:
#       message: >-
#         valueFrom of secret {name} in container {container} is a plaintext secret in the place of its reference
#       remediation: >-
#         Store the value in AWS Secrets Manager or as an SSM SecureString parameter, and give {name} its ARN as
#         valueFrom. Rotate the value, since it has been in a pipeline in clear.
#     secret-option:
#       message: >-
#         valueFrom of secret option {name} in container {container} is a plaintext secret in the place of its reference
#       remediation: >-
#         Store the value in AWS Secrets Manager or as an SSM SecureString parameter, and give {name} its ARN as
#         valueFrom. Rotate the value, since it has been in a pipeline in clear.
#     reference:
#       fix: none
#       message: "{place} holds a plaintext secret in the place of its reference"
#       remediation: >-
#         Store the value where the {field} may refer to, which is AWS Secrets Manager for credentials and an encrypted
#         S3 bucket for files, and write the ARN in its place. Rotate the value, since it has been in a pipeline in
#         clear.
package admission.rules.plaintext.field

import data.admission.lib.literals
import data.admission.lib.operations

# METADATA
# scope: document
# description: The literals that are secrets, in the fields that have no rule of their own.
findings contains object.union({"at": literal.pointer}, _variant(literal)) if {
	some literal in input.literals
	not literal.field in {"environment", "logOption", "image"}
	literals.leaks(literal)
}

_variants := {
	"sessionCommand": "session",
	"tag": "tag",
	"dockerLabel": "label",
	"dockerLabels": "label",
	"volumeLabel": "label",
	"labels": "label",
	"systemControl": "setting",
	"proxyProperty": "setting",
	"placementConstraint": "setting",
	"resourceRequirement": "setting",
	"driverOption": "driver-option",
	"firelensOption": "firelens",
	"hookDetails": "hook",
	"testTrafficHeader": "header",
	"unknown": "unknown",
	"secrets": "secret",
	"secretOptions": "secret-option",
	"repositoryCredentials": "reference",
	"environmentFiles": "reference",
	"credentialSpecs": "reference",
	"dockerSecurityOptions": "reference",
	"fsxCredentials": "reference",
}

_variant(literal) := {"variant": variant} if variant := _variants[literal.field]

else := {"variant": "override"} if operations.overrides

else := {}
