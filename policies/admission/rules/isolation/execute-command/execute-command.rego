# METADATA
# title: ECS Exec is turned on only where it is needed
# description: |
#   With enableExecuteCommand, whoever may call ecs:ExecuteCommand gets a shell in the containers of the task. It runs as
#   root, whatever the user of the container, and sees the environment of its processes.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
#     description: Monitor Amazon ECS containers with ECS Exec
# custom:
#   why: >-
#     Every secret that ECS injected into a container can be read by everybody who may open a session there, without any
#     permission on the secret itself.
#   severity: medium
#   action: warn
#   fix: none
#   message: ECS Exec is turned on, so that whoever may call ecs:ExecuteCommand reads the secrets in the environment
#   remediation: >-
#     Set enableExecuteCommand to false. Where sessions are needed, turn it on for as long as they are, allow
#     ecs:ExecuteCommand to few people and on this cluster only, and let the cluster log the sessions
#     (executeCommandConfiguration).
package admission.rules.isolation["execute-command"]

# METADATA
# scope: document
# description: The switch, where it turns ECS Exec on. RunTask, StartTask, CreateService and UpdateService have it.
findings contains {"at": "/enableExecuteCommand"} if input.object.enableExecuteCommand == true
