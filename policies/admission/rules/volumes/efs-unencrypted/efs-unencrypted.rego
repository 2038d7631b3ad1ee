# METADATA
# title: EFS is mounted with encryption in transit
# description: |
#   Data between the host and EFS crosses the network in clear unless the volume's transitEncryption is ENABLED; it is
#   DISABLED by default. IAM authorisation and access points need it, and ECS refuses them without. For the volume of a
#   sidecar that writes secrets sidecar/efs-unprotected asks for more in the place of this rule.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSVolumeConfiguration.html
#     description: EFSVolumeConfiguration
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSAuthorizationConfig.html
#     description: EFSAuthorizationConfig
# custom:
#   why: >-
#     Whoever can listen on the network between the task and the file system reads the files.
#   severity: medium
#   action: warn
#   fix: encrypt-efs
#   controls: ["AWS-FSBP:ECS.18", "NIST-800-53:SC-8"]
#   message: a volume on EFS is mounted without encryption in transit
#   remediation: Set transitEncryption of the volume's efsVolumeConfiguration to ENABLED.
#   variants:
#     contradiction:
#       action: deny
#       message: a volume on EFS asks for IAM or an access point without encryption in transit, which ECS refuses
package admission.rules.volumes["efs-unencrypted"]

import data.admission.lib.sidecar
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The EFS configurations without encryption in transit.
findings contains object.union({"at": concat("/", [pointer, "efsVolumeConfiguration"])}, _variant(efs)) if {
	some pointer, volume in volumes.at
	efs := volume.efsVolumeConfiguration
	not efs.transitEncryption == "ENABLED"
	not pointer in sidecar.secret_volumes
	not _is_said(pointer, efs)
}

# sidecar/efs-unprotected says it, except what ECS refuses.
_is_said(pointer, efs) if {
	pointer in sidecar.likely_volumes
	not _needs_encryption(efs)
}

_variant(efs) := {"variant": "contradiction"} if _needs_encryption(efs)

_variant(efs) := {} if not _needs_encryption(efs)

_needs_encryption(efs) if efs.authorizationConfig.iam == "ENABLED"

_needs_encryption(efs) if efs.authorizationConfig.accessPointId != ""
