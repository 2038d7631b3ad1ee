# METADATA
# title: An application that fetches secrets needs a task role
# description: |
#   An environment variable that holds the address of a secret (an object in S3, a Secrets Manager secret, an SSM
#   parameter) is for an application that fetches it itself. So is the image that writes a secret to a volume. Both do
#   it with the task role: the execution role is for ECS alone, and is not given to containers.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
#     description: Amazon ECS task IAM role
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     Without a task role the call is refused, or made with the role of the EC2 instance, which then has to be allowed
#     to read the secrets of every task that runs on it; and a person in a hurry adds static keys.
#   severity: high
#   action: deny
#   fix: add-task-role
#   controls: ["NIST-800-53:AC-6"]
#   message: the request is for an application that fetches secrets itself, but names no taskRoleArn
#   remediation: >-
#     Set taskRoleArn to a role that trusts ecs-tasks.amazonaws.com and may read what is referenced, and nothing else.
#   variants:
#     object:
#       message: an environment variable refers to a secret in S3, but the request names no taskRoleArn
#       remediation: >-
#         Set taskRoleArn to a role that trusts ecs-tasks.amazonaws.com and may call s3:GetObject on that object (and
#         kms:Decrypt where a customer managed key encrypts the bucket).
#     secret:
#       message: >-
#         an environment variable refers to a secret that the application reads, but the request names no taskRoleArn
#       remediation: >-
#         Set taskRoleArn to a role that trusts ecs-tasks.amazonaws.com and may call secretsmanager:GetSecretValue on
#         that secret or ssm:GetParameter on that parameter (and kms:Decrypt where a customer managed key encrypts it).
#     sidecar:
#       message: a sidecar fetches a secret for a volume, but the request names no taskRoleArn
#       remediation: >-
#         Set taskRoleArn to a role that trusts ecs-tasks.amazonaws.com and may call secretsmanager:GetSecretValue on
#         the secret of SECRET_ARN (and kms:Decrypt where a customer managed key encrypts it).
package admission.rules.s3["task-role-missing"]

import data.admission.lib.literals
import data.admission.lib.operations
import data.admission.lib.sidecar

# METADATA
# scope: document
# description: The request that makes a task definition, where something in it fetches secrets and has no task role.
findings contains {"at": "/taskRoleArn", "variant": _variant} if {
	operations.defines
	not _has_role
}

_has_role if input.object.taskRoleArn != ""

_variant := "sidecar" if {
	count(sidecar.injectors) > 0
} else := "object" if {
	"s3" in _services
} else := "secret" if {
	count(_services & {"secretsmanager", "ssm"}) > 0
}

# The services of the references that an application is to resolve. What plaintext/misplaced-reference says of a
# reference is that it was not meant for the application.
_services contains reference.service if {
	some reference in input.references
	reference.field == "application"
	not reference.pointer in _misplaced
}

_misplaced contains literal.pointer if {
	some literal in input.literals
	literals.misplaced(literal)
}
