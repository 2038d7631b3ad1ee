# METADATA
# title: A task runs with the roles of its task definition
# description: |
#   RunTask and StartTask may replace the task role and the task execution role of a task definition for one task. What
#   the containers may do, and which secrets ECS reads for them, is then not what was reviewed with the task definition.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html
#     description: TaskOverride
# custom:
#   why: >-
#     Who may start a task and pass a stronger role to it runs reviewed code with permissions that nobody reviewed, and the
#     task definition does not show it.
#   severity: medium
#   action: warn
#   fix: none
#   message: the request replaces a role of the task definition
#   remediation: >-
#     Register a revision of the task definition with the role and start that revision without {field} in its overrides.
#   variants:
#     task:
#       message: the overrides replace the task role of the task definition, with which its containers run
#     execution:
#       message: the overrides replace the task execution role of the task definition, with which ECS reads its secrets
package admission.rules.roles["overridden-role"]

# METADATA
# scope: document
# description: The roles among the overrides of a task.
findings contains {"at": "/overrides/taskRoleArn", "variant": "task"} if input.object.overrides.taskRoleArn

findings contains {"at": "/overrides/executionRoleArn", "variant": "execution"} if {
	input.object.overrides.executionRoleArn
}
