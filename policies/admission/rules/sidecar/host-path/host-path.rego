# METADATA
# title: A sidecar's secret does not stay on the host
# description: |
#   A volume with a host.sourcePath is a folder of the container instance. What is written there stays when the task
#   has ended, and every task that mounts the path reads it. A volume without one goes with the task. Where only names
#   or the shape of the containers say that the volume is for secrets, this is a warning in baseline; so is a volume of
#   Docker whose driver mounts a device, which may be a folder of the host.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HostVolumeProperties.html
#     description: HostVolumeProperties
# custom:
#   why: >-
#     The secret outlives its task on the disk of the host, past its rotation, for whoever comes next.
#   severity: high
#   action: deny
#   fix: remove
#   controls: ["NIST-800-53:SC-4"]
#   message: the volume to which a sidecar writes a secret is a folder of the host, where the secret stays
#   remediation: >-
#     Remove host from the volume, so that it is made for the task and removed after it; delete the folder on the
#     hosts.
#   variants:
#     likely:
#       action: warn
#       message: the volume to which a container seems to write a secret is a folder of the host
#       remediation: >-
#         Remove host from the volume where what is written there is secret. It is then made for the task and removed
#         after it.
#     device:
#       action: warn
#       message: >-
#         the volume to which a sidecar writes a secret is mounted from a device by Docker's own driver, which may be a
#         folder of the host or a file system on the network
#       remediation: >-
#         Remove driverOpts from the volume, so that it is made for the task and removed after it, unless the device is
#         a file system in memory.
package admission.rules.sidecar["host-path"]

import data.admission.lib.sidecar
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The host member of each volume with secrets that has a path.
findings contains {"at": concat("/", [pointer, "host"])} if some pointer in (sidecar.secret_volumes & _on_host)

findings contains {"at": concat("/", [pointer, "host"]), "variant": "likely"} if {
	some pointer in (sidecar.likely_volumes & _on_host)
}

findings contains {"at": concat("/", [pointer, "dockerVolumeConfiguration/driverOpts"]), "variant": "device"} if {
	some pointer in ((sidecar.secret_volumes | sidecar.likely_volumes) & volumes.devices)
}

# An empty path is none: ECS chooses one, and removes it.
_on_host contains pointer if {
	some pointer, volume in volumes.at
	volume.host.sourcePath != ""
}
