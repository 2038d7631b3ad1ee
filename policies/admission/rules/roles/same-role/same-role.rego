# METADATA
# title: The application does not run with the execution role
# description: |
#   The task execution role is what ECS itself uses: it may read every secret that the task definition references, pull
#   images and write logs. The task role is handed to the containers. Where both are the same role, the application may
#   do all that the agent may.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-iam-roles.html
#     description: Best practices for IAM roles in Amazon ECS
# custom:
#   why: >-
#     Whoever gets into one container reads the secrets of all of them, the registry's credentials included, from the
#     store itself, as often as they like and after each rotation.
#   severity: high
#   action: warn
#   fix: none
#   controls:
#     - NIST-800-53:AC-6
#   message: executionRoleArn and taskRoleArn are the same role
#   remediation: >-
#     Make a role that may do only what the application does and give it as taskRoleArn, or remove taskRoleArn where the
#     application calls no AWS API. Leave the secrets, ECR and the logs to the execution role.
#   variants:
#     override:
#       message: the overrides give the same role as executionRoleArn and taskRoleArn
#       remediation: >-
#         Remove both roles from the overrides, so that the task runs with those of its task definition; or override
#         taskRoleArn with a role that may do only what the application does.
package admission.rules.roles["same-role"]

# METADATA
# scope: document
# description: The task role, where it is the execution role.
findings contains {"at": "/taskRoleArn"} if _are_same(input.object)

findings contains {"at": "/overrides/taskRoleArn", "variant": "override"} if _are_same(input.object.overrides)

# A role is unique by its name within an account, and either may be given by its name alone.
_are_same(roles) if roles.taskRoleArn == roles.executionRoleArn

_are_same(roles) if {
	both := [roles.taskRoleArn, roles.executionRoleArn]
	some [arn, name] in [both, array.reverse(both)]
	endswith(arn, concat("/", ["", name]))
}
