# METADATA
# title: References need a task execution role
# description: |
#   ECS reads the secrets that a task definition references, its registry credentials and its environment files with the
#   task execution role before a container starts. Without one the registration is refused or the task never starts.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
#     description: Amazon ECS task execution IAM role
# custom:
#   why: >-
#     Nothing else may read the secret on behalf of the task, so the task does not start.
#   severity: high
#   action: deny
#   fix: add-execution-role
#   message: the request references secrets but names no executionRoleArn
#   remediation: >-
#     Set executionRoleArn to a role that trusts ecs-tasks.amazonaws.com and may call secretsmanager:GetSecretValue or
#     ssm:GetParameters on what is referenced (and kms:Decrypt where a customer managed key encrypts it).
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

_has_role if input.object.executionRoleArn
