# METADATA
# title: No task shares the namespaces of its host
# description: |
#   With pidMode host the containers of a task see every process of the machine, and with ipcMode host they share its
#   memory segments and queues. A process that sees another one of the same user, or runs as root, reads its environment
#   in /proc/PID/environ, where ECS put the secrets.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
#     description: RegisterTaskDefinition
# custom:
#   why: >-
#     One container that is taken over is enough to read the secrets of all tasks on the same machine, whatever their
#     roles allow.
#   severity: high
#   action: warn
#   fix: remove
#   controls:
#     - AWS-FSBP:ECS.3
#   message: the task shares a namespace with its host
#   remediation: Remove {field}.
#   variants:
#     pid:
#       message: the task shares the process ids of its host and so can read the environment of every task there
#       remediation: >-
#         Remove pidMode, or set it to task where the containers of this task have to see each other's processes.
#     ipc:
#       message: the task shares the interprocess communication of its host and so the memory that other tasks share
#       remediation: >-
#         Remove ipcMode, or set it to task where the containers of this task have to share memory.
package admission.rules.isolation["host-namespaces"]

# METADATA
# scope: document
# description: The modes that are those of the host.
findings contains {"at": "/pidMode", "variant": "pid"} if input.object.pidMode == "host"

findings contains {"at": "/ipcMode", "variant": "ipc"} if input.object.ipcMode == "host"
