# METADATA
# title: Nothing secret comes from an environment file
# description: |
#   ECS copies an environment file from S3 to the disk of the host and puts each of its lines into the environment of the
#   container. Nobody here sees what the file holds, so every container with such a file gets one finding.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html
#     description: Pass environment variables to an Amazon ECS container
# custom:
#   why: >-
#     A secret in the file is in plain text for everybody who may read the bucket, the disk of the host or the
#     environment of the process, and it is not rotated.
#   severity: medium
#   action: warn
#   fix: none
#   message: a container takes environment variables from files, whose content nobody has looked at
#   remediation: >-
#     Keep secrets out of the files: store each in AWS Secrets Manager or as an SSM SecureString parameter and reference it
#     under secrets of the container. Give what is left as environment, or keep the file for what everybody may read.
#   variants:
#     override:
#       remediation: >-
#         Keep secrets out of the files: store each in AWS Secrets Manager or as an SSM SecureString parameter and register
#         a revision of the task definition that references it under secrets, since an override takes none.
package admission.rules["environment-files"].injected

import data.admission.lib.containers
import data.admission.lib.operations

# METADATA
# scope: document
# description: The environment files of each container that has any.
findings contains object.union({"at": concat("/", [place, "environmentFiles"])}, _variant) if {
	some place, container in containers.at
	count(container.environmentFiles) > 0
}

default _variant := {}

_variant := {"variant": "override"} if operations.overrides
