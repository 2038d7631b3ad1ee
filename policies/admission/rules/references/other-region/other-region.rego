# METADATA
# title: References stay in the Region
# description: |
#   ECS reads a secret or a parameter of another Region where it is given by its ARN, and an application does, too. Each
#   start of a task then depends on that Region. Judged where the pipeline names the Region of the task.
# related_resources:
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html
#     description: Replicate AWS Secrets Manager secrets across Regions
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html
#     description: Secret
# custom:
#   why: >-
#     When the other Region is out of reach, no task of this one starts, so a failure of one Region becomes a failure
#     of two; and each start waits for a longer way.
#   severity: low
#   action: dryrun
#   fix: none
#   message: "{place} names a resource in another Region than the task's"
#   remediation: >-
#     Replicate the secret into the Region of the task (aws secretsmanager replicate-secret-to-regions) and reference the
#     replica there; it follows every rotation. An SSM parameter is created in each Region, as Parameter Store has no replicas.
#   variants:
#     application:
#       message: "{place} names a resource in another Region than the task's, which the application reads when it runs"
package admission.rules.references["other-region"]

import data.admission.lib.context

# METADATA
# scope: document
# description: The references to another Region of the task's partition.
findings contains object.union({"at": reference.pointer}, _variant(reference.field)) if {
	some reference in input.references
	is_string(reference.region)
	reference.region != context.region
	reference.partition == context.partition
}

_variant("application") := {"variant": "application"}

_variant(field) := {} if field != "application"
