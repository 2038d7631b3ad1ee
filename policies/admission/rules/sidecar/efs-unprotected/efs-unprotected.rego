# METADATA
# title: A sidecar's secret on EFS is encrypted and only for the task
# description: |
#   A file system of EFS is mounted over the network by whoever reaches it. Where a sidecar writes a secret to one, the
#   mount has to be encrypted in transit and authorised with the task role. This rule says so in the place of
#   volumes/efs-unencrypted for the volumes of sidecars. Where only names or the shape of the containers say that the
#   volume is for secrets, this is a warning in baseline.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSVolumeConfiguration.html
#     description: EFSVolumeConfiguration
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSAuthorizationConfig.html
#     description: EFSAuthorizationConfig
# custom:
#   why: >-
#     The secret crosses the network in clear, and every machine that reaches the file system can read it, at any time.
#   severity: high
#   action: deny
#   fix: protect-efs
#   controls: ["AWS-FSBP:ECS.18", "NIST-800-53:SC-8", "NIST-800-53:AC-6"]
#   message: the volume to which a sidecar writes a secret is on EFS without encryption in transit or without IAM
#   remediation: >-
#     Set transitEncryption to ENABLED and authorizationConfig.iam to ENABLED for the volume, and allow the task role
#     elasticfilesystem:ClientMount and ClientWrite on the file system. Better, use a volume that goes with the task.
#   variants:
#     likely:
#       action: warn
#       message: >-
#         the volume to which a container seems to write a secret is on EFS without encryption in transit or without IAM
#       remediation: >-
#         Where what is written there is secret, set transitEncryption to ENABLED and authorizationConfig.iam to ENABLED
#         for the volume, and allow the task role elasticfilesystem:ClientMount and ClientWrite on the file system.
package admission.rules.sidecar["efs-unprotected"]

import data.admission.lib.sidecar
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The EFS configuration of each volume with secrets that lacks one of the two.
findings contains {"at": concat("/", [pointer, "efsVolumeConfiguration"])} if {
	some pointer in (sidecar.secret_volumes & _unprotected)
}

findings contains {"at": concat("/", [pointer, "efsVolumeConfiguration"]), "variant": "likely"} if {
	some pointer in (sidecar.likely_volumes & _unprotected)
}

_unprotected contains pointer if {
	some pointer, volume in volumes.at
	efs := volume.efsVolumeConfiguration
	not _is_protected(efs)
}

_is_protected(efs) if {
	efs.transitEncryption == "ENABLED"
	efs.authorizationConfig.iam == "ENABLED"
}
