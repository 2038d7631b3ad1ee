# METADATA
# title: References need a task execution role
# description: |
#   ECS reads what a task definition references with the task execution role before a container starts: secrets, secret
#   log options and registry credentials, environment files and FireLens configuration on S3, credential specs and the
#   credentials of FSx volumes. Without one the registration is refused or the task never starts.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
#     description: Amazon ECS task execution IAM role
# custom:
#   why: >-
#     Nothing else may read the secret on behalf of the task, so the task does not start.
#   severity: high
#   action: deny
#   fix: add-execution-role
#   message: the request references what ECS has to read for the task but names no executionRoleArn
#   remediation: >-
#     Set executionRoleArn to a role that trusts ecs-tasks.amazonaws.com and may call secretsmanager:GetSecretValue,
#     ssm:GetParameters or s3:GetObject on what is referenced (and kms:Decrypt where a customer managed key encrypts it).
package admission.rules.roles["execution-role-missing"]

import data.admission.lib.operations
import data.admission.lib.references

# METADATA
# scope: document
# description: The request that makes a task definition, where it has references and no execution role.
findings contains {"at": "/executionRoleArn"} if {
	operations.defines
	count(references.injected) > 0
	not _has_role
}

_has_role if input.object.executionRoleArn != ""
