# METADATA
# title: A sidecar's volume belongs to its task
# description: |
#   A Docker volume of scope shared stays when the task has ended, and other tasks on the container instance can mount
#   it by its name. One of scope task is made for the task and removed after it. autoprovision is only for scope
#   shared. Where only names or the shape of the containers say that the volume is for secrets, this is a warning in
#   baseline.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DockerVolumeConfiguration.html
#     description: DockerVolumeConfiguration
# custom:
#   why: >-
#     The secret outlives its task, and a task of somebody else that gives the same name reads it.
#   severity: high
#   action: deny
#   fix: set-task-scope
#   controls: ["NIST-800-53:SC-4"]
#   message: the volume to which a sidecar writes a secret is shared by all tasks of the host
#   remediation: Set scope of the volume's dockerVolumeConfiguration to task and remove autoprovision.
#   variants:
#     likely:
#       action: warn
#       message: >-
#         the volume to which a container seems to write a secret is shared by all tasks of the host
#       remediation: >-
#         Set scope of the volume's dockerVolumeConfiguration to task and remove autoprovision, where what is written
#         there is secret.
package admission.rules.sidecar["shared-scope"]

import data.admission.lib.sidecar
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The scope of each Docker volume with secrets that outlives the task.
findings contains {"at": concat("/", [pointer, "dockerVolumeConfiguration/scope"])} if {
	some pointer in (sidecar.secret_volumes & _lasting)
}

findings contains {"at": concat("/", [pointer, "dockerVolumeConfiguration/scope"]), "variant": "likely"} if {
	some pointer in (sidecar.likely_volumes & _lasting)
}

_lasting contains pointer if {
	some pointer, volume in volumes.at
	volume.dockerVolumeConfiguration.scope == "shared"
}

_lasting contains pointer if {
	some pointer, volume in volumes.at
	volume.dockerVolumeConfiguration.autoprovision
}
