# METADATA
# title: EBS volumes of tasks are encrypted
# description: |
#   ECS makes EBS volumes for tasks as the service or the task asks for. encrypted false asks for one without
#   encryption, and gets it where the Region does not encrypt by default.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceManagedEBSVolumeConfiguration.html
#     description: ServiceManagedEBSVolumeConfiguration
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ebs-kms-encryption.html
#     description: Encrypt data stored in Amazon EBS volumes attached to Amazon ECS tasks
# custom:
#   why: >-
#     What the task writes, secrets among it, is readable in every snapshot of the volume.
#   severity: medium
#   action: warn
#   fix: none
#   controls: ["NIST-800-53:SC-28"]
#   message: an EBS volume for the tasks is asked for without encryption
#   remediation: Set encrypted of managedEBSVolume to true, best with the kmsKeyId of a customer managed key.
package admission.rules.volumes["ebs-unencrypted"]

# METADATA
# scope: document
# description: The volumes that are asked for without encryption.
findings contains {"at": at} if {
	some v, configuration in input.object.volumeConfigurations
	configuration.managedEBSVolume.encrypted == false
	at := concat("/", ["/volumeConfigurations", format_int(v, 10), "managedEBSVolume/encrypted"])
}
