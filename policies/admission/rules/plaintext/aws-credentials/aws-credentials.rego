# METADATA
# title: A task role in the place of static AWS keys
# description: |
#   A task gets temporary AWS credentials from its task role, so it needs no access key, and no store for one either. The
#   remedy is the role and the deletion of the key, not another place for the key.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
#     description: Amazon ECS task IAM role
#   - ref: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
#     description: The order in which the SDKs look for credentials
#   - ref: https://github.com/aws-containers/amazon-ecs-exec-checker/issues/49
#     description: Why ECS Exec fails where these variables are set
# custom:
#   why: >-
#     Whoever reads the key has its rights from anywhere until somebody deletes it. As an environment variable it also
#     shadows the task role, since the SDKs find it first, and keeps ECS Exec from connecting.
#   severity: critical
#   action: deny
#   fix: use-task-role
#   controls:
#     - AWS-FSBP:ECS.8
#     - PCI-DSS-4.0.1:8.6.2
#     - NIST-800-53:IA-5(7)
#   message: "{place} holds a static AWS key"
#   remediation: >-
#     Remove the key from the {field}. Set taskRoleArn to a role that trusts ecs-tasks.amazonaws.com and has the rights that
#     the key was for; AWS SDKs and the AWS CLI find the credentials of the role by themselves. Delete the access key in IAM,
#     since it has been in a pipeline in clear.
#   variants:
#     environment:
#       remediation: >-
#         Delete {name} from the environment of container {container}, and the other variables of the same key. Set taskRoleArn
#         to a role that trusts ecs-tasks.amazonaws.com and has the rights that the key was for; AWS SDKs and the AWS CLI find
#         the credentials of the role by themselves. Delete the access key in IAM, since it has been in a pipeline in clear.
#     override:
#       fix: remove-item
#       remediation: >-
#         Delete {name} from the overrides of container {container}, and the other variables of the same key. Give the task
#         definition, or these overrides, a taskRoleArn with the rights that the key was for; AWS SDKs and the AWS CLI find the
#         credentials of the role by themselves. Delete the access key in IAM, since it has been in a pipeline in clear.
package admission.rules.plaintext["aws-credentials"]

import data.admission.lib.literals
import data.admission.lib.operations

# METADATA
# scope: document
# description: The literals that are or hold a static AWS key, in any field.
findings contains object.union({"at": literal.pointer}, _variant(literal.field)) if {
	some literal in input.literals
	literals.aws_key(literal)
}

_variant("environment") := {"variant": "override"} if operations.overrides

else := {"variant": "environment"}

_variant(field) := {} if field != "environment"
