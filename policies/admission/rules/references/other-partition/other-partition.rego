# METADATA
# title: References stay in the partition
# description: |
#   AWS is split into partitions (aws, aws-cn, aws-us-gov ...) that share no account, role, secret or bucket. The partition
#   of an ARN has to be that of its own Region, and that of the task: of the Region that the pipeline names, or else of the
#   task's roles.
# related_resources:
#   - ref: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
#     description: Identify AWS resources with Amazon Resource Names (ARNs)
# custom:
#   why: >-
#     No role reaches into another partition, so each task stops while it starts. It happens where a template is
#     copied from one partition to another.
#   severity: high
#   action: deny
#   fix: none
#   message: "{place} names a resource in another partition than the task's"
#   remediation: >-
#     Keep a copy of what is referenced in the partition of the task and reference that. Build the ARN from the partition of
#     the deployment (AWS::Partition in CloudFormation, data.aws_partition in Terraform) instead of writing it out.
#   variants:
#     region:
#       message: the ARN of {place} names a partition that its own Region is not part of
#       remediation: >-
#         Write the partition of the Region: aws-cn for cn-*, aws-us-gov for us-gov-*, aws-eusc for eusc-*, aws for all public
#         Regions. Or copy the ARN that Secrets Manager or Systems Manager shows.
package admission.rules.references["other-partition"]

import data.admission.lib.context

# METADATA
# scope: document
# description: The references whose partition is not that of their Region, or not that of the task.
findings contains {"at": reference.pointer, "variant": "region"} if {
	some reference in input.references
	_misfit(reference)
}

findings contains {"at": reference.pointer} if {
	some reference in input.references
	is_string(reference.partition)
	reference.partition != context.partition
	reference.field != "application" # with credentials of its own an application reads wherever it likes
	not _misfit(reference)
}

_misfit(reference) if {
	is_string(reference.region)
	reference.partition != context.partition_of(reference.region)
}
