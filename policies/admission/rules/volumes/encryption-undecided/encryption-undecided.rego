# METADATA
# title: The volume of a sidecar's secret is encrypted
# description: |
#   On Fargate and on managed instances the storage of a task is encrypted. On EC2 and on machines of one's own it is
#   as the disk of the host is, which no request shows: that is recorded in baseline and a warning in restricted, once
#   for the whole request, unless a fact about the volume says that it is encrypted. A volume of a sidecar that is
#   known not to be is denied.
# related_resources:
#   - ref: https://docs.aws.amazon.com/ebs/latest/userguide/encryption-by-default.html
#     description: Enable Amazon EBS encryption by default
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
#     description: Fargate task ephemeral storage for Amazon ECS
# custom:
#   why: >-
#     A secret that a sidecar wrote to a disk without encryption is in every snapshot of that disk, and stays there
#     when the task has ended.
#   severity: medium
#   action: dryrun
#   fix: none
#   controls: ["NIST-800-53:SC-28"]
#   message: >-
#     whether the volume to which a sidecar writes a secret is encrypted depends on the host's disk and cannot be
#     decided here
#   remediation: >-
#     Turn on EBS encryption by default in the Region and let the container instances be made anew, or run the task on
#     Fargate.
#   variants:
#     unencrypted:
#       action: deny
#       message: the volume to which a sidecar writes a secret is known not to be encrypted
#       remediation: >-
#         Turn on EBS encryption by default in the Region and let the container instances be made anew, use an
#         encrypted file system, or run the task on Fargate.
package admission.rules.volumes["encryption-undecided"]

import data.admission.lib.facts
import data.admission.lib.sidecar
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The volumes, where something about a sidecar's is not known, and each that is known not to be encrypted.
findings contains {"at": "/volumes"} if count(_on_instances - _decided) > 0

findings contains {"at": pointer, "variant": "unencrypted"} if {
	some pointer in (sidecar.secret_volumes & facts.known("volume", "encrypted", false))
}

_decided := facts.known("volume", "encrypted", true) | facts.known("volume", "encrypted", false)

_on_instances contains pointer if {
	input.request.operation == "RegisterTaskDefinition"
	not _is_managed
	some pointer in sidecar.secret_volumes
	not _is_elsewhere(volumes.at[pointer])
}

# AWS encrypts the storage of tasks there. Daemons run on managed instances only.
_is_managed if {
	some compatibility in input.object.requiresCompatibilities
	compatibility in {"FARGATE", "MANAGED_INSTANCES"}
}

# On a file system, or on a volume that whoever starts the task asks for.
_is_elsewhere(volume) if volume.efsVolumeConfiguration

_is_elsewhere(volume) if volume.fsxWindowsFileServerVolumeConfiguration

_is_elsewhere(volume) if volume.s3filesVolumeConfiguration

_is_elsewhere(volume) if volume.configuredAtLaunch
